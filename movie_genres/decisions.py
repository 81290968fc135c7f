"""Turns probabilities into calibrated ones, and these into decisions; both are fitted on validation films only."""

import json
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass
from scipy.optimize import minimize_scalar
from sklearn.metrics import precision_recall_curve

from movie_genres.errors import InputError
from movie_genres.files import file_digest
from movie_genres.metrics import EPSILON, binary_cross_entropy
from movie_genres.models import model_path
from movie_genres.options import STRICT

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


def tune(models, prepared, posters, overviews, options):
    """Fits the decisions of several models on the validation films that each has something to go by.

    Args:
        models: `inference.Models`, without decisions.
        prepared: `arrays.Prepared`.
        posters, overviews: as in `inference.Models.encode`.
        options: `TuneOptions`.

    Returns:
        dict from model name to `Decision`.
    """
    rows = prepared.rows("validation")
    decisions = {}
    for name, probabilities in models.predict(rows, posters, overviews).items():
        known = ~np.isnan(probabilities[:, 0])
        decisions[name] = fit_decision(prepared.labels[rows[known]], probabilities[known], options)
    return decisions


def write_decisions(decisions, folder, out, genres, options):
    """Writes decisions, bound to the model files that they are for.

    Args:
        decisions: dict from model name to `Decision`.
        folder: the models folder.
        out: path of the file, `decisions.json` in that folder.
        genres: list of names.
        options: the `TuneOptions` they were fitted with.
    """
    content = {"aim": options.aim, "precision": options.precision if options.aim == "recall" else None, "models": {
        name: {"sha256": file_digest(model_path(folder, name)), "temperature": round(decision.temperature, 4),
               "thresholds": {genre: round(float(threshold), 4)
                              for genre, threshold in zip(genres, decision.thresholds)}}
        for name, decision in decisions.items()}}
    Path(out).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_decisions(paths):
    """Reads the decisions that belong to some models, a dict from model name to `Decision`; empty where there are none.

    Raises:
        InputError: the file is damaged, or was written for another version of a model.
    """
    decisions = {}
    for path in map(Path, paths):
        file = path.with_name(FILE_NAME)
        if not file.exists():
            continue
        try:
            of_model = json.loads(file.read_text(encoding="utf-8"))["models"].get(path.stem)
            decision = of_model and Decision(float(of_model["temperature"]),
                                             np.array(list(of_model["thresholds"].values()), dtype=float))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(file, "temperatures and thresholds by model", f"{error!r}", "Run: dvc repro tune") from None
        if of_model is None:
            continue
        if of_model["sha256"] != file_digest(path):
            raise InputError(file, f"values for {path.name} as it is", "those of another version", "Run: dvc repro tune")
        decisions[path.stem] = decision
    return decisions
