"""Turns probabilities into calibrated ones, and these into decisions; both are fitted on validation films only."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from movie_genres.base.errors import InputError
from movie_genres.base.files import read_small
from movie_genres.base.options import first_problem
from movie_genres.ensemble.folder import default_ranking, find_models, needed_models
from movie_genres.inputs.modality import BOTH, MODALITIES
from movie_genres.models.metrics import EPSILON

FILE_NAME = "decisions.json"


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
        (list of `folder.ModelFile`, `Decisions`).

    Raises:
        InputError: as `find_models` and `read_decisions`.
    """
    files, path = find_models(folder, modalities), Path(folder) / FILE_NAME
    if path.exists():
        decisions = read_decisions(path, {file.name: file.digest for file in files}, files[0].genres)
    else:
        decisions = Decisions({}, default_ranking(files))
    return needed_models(files, decisions.ranking, modalities), decisions
