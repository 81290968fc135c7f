"""Turns probabilities into calibrated ones, and these into decisions; both are fitted on validation films only."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from movie_genres.access import read_small
from movie_genres.errors import InputError
from movie_genres.metrics import EPSILON, binary_cross_entropy
from movie_genres.models import BOTH, MODALITIES, default_ranking, find_models, needed_models
from movie_genres.options import STRICT, first_problem

FILE_NAME = "decisions.json"


@dataclass(config=STRICT, frozen=True)
class TuneOptions:
    """The `tune` section of `params.yaml`.

    Attributes:
        aim: `f1`, the highest F1 of each genre, or `recall`, the most recall at a precision.
        precision: the precision to hold with the aim `recall`.
        min_films: genres with fewer validation films take the shared threshold.
    """

    aim: Literal["f1", "recall"] = "f1"
    precision: float = Field(default=0.61, gt=0, lt=1)
    min_films: int = Field(default=10, ge=1)


class Decision(NamedTuple):
    """How to use the answers of one model.

    Attributes:
        temperature: log-odds are divided by it.
        thresholds: float array of shape (genres,), for calibrated probabilities.
    """

    temperature: float
    thresholds: np.ndarray

    def calibrate(self, probabilities):
        """Calibrated probabilities, of the shape of `probabilities`; NaN stays."""
        p = np.clip(probabilities, EPSILON, 1 - EPSILON)
        return 1 / (1 + np.exp(-np.log(p / (1 - p)) / self.temperature))


class Decisions(NamedTuple):
    """How to use several models.

    Attributes:
        models: dict from model name to `Decision`; those of a fusion model for films with one modality alone are under
            `NAME:poster` and `NAME:overview`.
        ranking: dict from what a film has, `poster`, `overview` or `both`, to the names of models, the best first.
        digest: SHA-256 of the file that they were read from, empty without one.
    """

    models: dict
    ranking: dict
    digest: str = ""

    def of(self, name, genres, kind=BOTH):
        """The decision of a model for films that have `kind`; where there is none, nothing is calibrated, thresholds 0.5."""
        return self.models.get(f"{name}:{kind}") or self.models.get(name) or Decision(1.0, np.full(genres, 0.5))


def fit_decision(labels, probabilities, options):
    """Fits temperature and thresholds of a model on validation films.

    The temperature minimises the cross-entropy (Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural
    Networks", 2017).

    Args:
        labels: 0/1 array of shape (films, genres).
        probabilities: float array of the same shape.
        options: `TuneOptions`.

    Returns:
        `Decision`.
    """
    from scipy.optimize import minimize_scalar  # only tuning needs it, not scoring

    thresholds = np.full(labels.shape[1], 0.5)

    def loss(log_temperature):
        return binary_cross_entropy(labels, Decision(np.exp(log_temperature), thresholds).calibrate(probabilities))

    temperature = float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))
    return Decision(temperature, fit_thresholds(labels, Decision(temperature, thresholds).calibrate(probabilities), options))


def fit_thresholds(labels, probabilities, options):
    """A threshold for each genre; one for all genres with too few films.

    Args:
        labels: 0/1 array of shape (films, genres).
        probabilities: float array of the same shape.
        options: `TuneOptions`.

    Returns:
        float array of shape (genres,).
    """
    shared = _best_threshold(labels.ravel(), probabilities.ravel(), options)
    shared = 0.5 if shared is None else shared
    found = (_best_threshold(labels[:, genre], probabilities[:, genre], options)
             if labels[:, genre].sum() >= options.min_films else None for genre in range(labels.shape[1]))
    return np.array([shared if threshold is None else threshold for threshold in found])


def _best_threshold(labels, probabilities, options):
    """The threshold that serves the aim on these films, None where none does."""
    from sklearn.metrics import precision_recall_curve  # only tuning needs it, not scoring

    if not labels.any():
        return None
    precision, recall, thresholds = precision_recall_curve(labels, probabilities)
    precision, recall = precision[:-1], recall[:-1]  # the last point has no threshold
    if options.aim == "f1":
        score = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    else:
        score = np.where(precision >= options.precision, recall, -1.0)
    best = int(score.argmax())
    if score[best] <= 0:
        return None
    below = thresholds[best - 1] if best else 0.0
    return float((below + thresholds[best]) / 2)  # between two films: no film lies on the edge


def tune(answers, labels, rows, options):
    """Fits the decisions of several models on validation films, and finds which model to believe.

    Args:
        answers: dict from model name to `arrays.Answers`.
        labels: 0/1 array of shape (films, genres).
        rows: int array of the validation films.
        options: `TuneOptions`.

    Returns:
        `Decisions`.
    """
    found = Decisions({}, {})
    for name, of_model in answers.items():
        alone = {f"{name}:{kind}": probabilities for kind, probabilities in of_model.alone.items()}
        for key, probabilities in {name: of_model.probabilities, **alone}.items():
            known = rows[~np.isnan(probabilities[rows, 0])]
            if len(known):
                found.models[key] = fit_decision(labels[known], probabilities[known], options)
    for kind in (*MODALITIES, BOTH):
        calibrated = {name: found.of(name, labels.shape[1], kind).calibrate(probabilities[rows])
                      for name, probabilities in _answers_to(kind, answers).items()}
        found.ranking[kind] = _rank(calibrated, labels[rows])
    return found


def _answers_to(kind, answers):
    """What each model says of films that have only one modality, or both: dict from name to probabilities."""
    if kind == BOTH:
        return {name: of_model.probabilities for name, of_model in answers.items()}
    return {name: of_model.alone.get(kind, of_model.probabilities) for name, of_model in answers.items()
            if of_model.modality == kind or kind in of_model.alone}


def _rank(answers, labels):
    """The names of models from the lowest loss on, measured on films that all of them have something to go by."""
    known = ~np.any([np.isnan(of_model[:, 0]) for of_model in answers.values()], axis=0) if answers else np.zeros(0, bool)
    if not known.any():
        return list(reversed(answers))
    return sorted(answers, key=lambda name: binary_cross_entropy(labels[known], answers[name][known]))


def write_decisions(decisions, digests, out, genres, options):
    """Writes decisions, bound to the model files that they are for.

    Args:
        decisions: `Decisions`.
        digests: dict from model name to the SHA-256 of its file.
        out: path of the file, `decisions.json` in the models folder.
        genres: list of names.
        options: the `TuneOptions` they were fitted with.
    """
    content = {
        "aim": options.aim, "precision": options.precision if options.aim == "recall" else None,
        "ranking": decisions.ranking,
        "models": {name: {"sha256": digests[name.partition(":")[0]], "temperature": round(decision.temperature, 4),
                          "thresholds": {genre: round(float(threshold), 4)
                                         for genre, threshold in zip(genres, decision.thresholds)}}
                   for name, decision in decisions.models.items()}}
    out.parent.mkdir(parents=True, exist_ok=True)
    Path(out).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


class _StoredDecision(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sha256: str
    temperature: Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)]
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]]


class _Stored(BaseModel):
    """The content of `decisions.json`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    aim: str
    precision: float | None
    ranking: dict[Literal[(*MODALITIES, BOTH)], list[str]]
    models: dict[str, _StoredDecision]


def read_decisions(path, digests, genres):
    """Reads decisions, as `Decisions`.

    Args:
        path: of the file.
        genres: names, the order of the models' probabilities.
        digests: dict from the name of each model that they must be for to the SHA-256 of its file.

    Raises:
        InputError: the file is damaged, or was written for another version of a model or for other genres.
    """
    again, expected = "Run: dvc repro tune", "temperatures, thresholds and a ranking of models"
    data = read_small(path, expected)
    try:
        content = _Stored.model_validate_json(data)
    except ValidationError as error:
        raise InputError(path, expected, first_problem(error), again) from None
    if missing := {*MODALITIES, BOTH} - set(content.ranking):
        raise InputError(path, expected, f"no ranking for {', '.join(sorted(missing))}", again)
    for name, stored in content.models.items():
        if set(stored.thresholds) != set(genres):
            raise InputError(path, f"a threshold for each of the genres {', '.join(genres)}", f"others for {name}", again)
        model = name.partition(":")[0]
        if stored.sha256 != digests.get(model, stored.sha256):
            raise InputError(path, f"values for {model}.keras as it is", "those of another version", again)
    if missing := [name for name in digests if name not in content.models]:
        raise InputError(path, f"values for {missing[0]}.keras as it is", "none", again)
    models = {name: Decision(stored.temperature, np.array([stored.thresholds[genre] for genre in genres]))
              for name, stored in content.models.items()}
    return Decisions(models, content.ranking, hashlib.sha256(data).hexdigest())


def choose_models(folder, modalities=MODALITIES):
    """The models of a folder that scoring needs, and the decisions on how to use them.

    Args:
        folder: the models folder; without `decisions.json`, nothing is calibrated, thresholds are 0.5, and the fusion
            model is believed for films with both modalities.
        modalities: which are to be scored.

    Returns:
        (list of `models.ModelFile`, `Decisions`).

    Raises:
        InputError: as `find_models` and `read_decisions`.
    """
    files, path = find_models(folder, modalities), Path(folder) / FILE_NAME
    if path.exists():
        decisions = read_decisions(path, {file.name: file.digest for file in files}, files[0].genres)
    else:
        decisions = Decisions({}, default_ranking(files))
    return needed_models(files, decisions.ranking, modalities), decisions
