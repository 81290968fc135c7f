"""Turns probabilities into calibrated ones, and these into decisions, as `evaluation.tuning` fits them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from movie_genres.base.errors import InputError, Remedy
from movie_genres.base.files import read_small
from movie_genres.base.options import first_problem
from movie_genres.ensemble.folder import ModelFile, default_ranking, find_models, needed_models
from movie_genres.inputs.modality import BOTH, MODALITIES
from movie_genres.models.metrics import EPSILON

FILE_NAME = "decisions.json"


class Decision(NamedTuple):
    """How to use the answers of one model."""

    temperature: float  # log-odds are divided by it
    thresholds: NDArray[np.floating]  # of each genre, for calibrated probabilities

    def calibrate(self, probabilities: NDArray[np.floating]) -> NDArray[np.floating]:
        """Calibrated probabilities, of the shape of `probabilities`; NaN stays."""
        p = np.clip(probabilities, EPSILON, 1 - EPSILON)
        return 1 / (1 + np.exp(-np.log(p / (1 - p)) / self.temperature))


class Decisions(NamedTuple):
    """How to use several models."""

    models: dict[str, Decision]  # by name; of a fusion model for films with one modality under NAME:poster, NAME:overview
    ranking: dict[str, list[str]]  # from what a film has, `poster`, `overview` or `both`, to names of models, the best first
    digest: str = ""  # SHA-256 of the file that they were read from
    aim: str = ""  # what the thresholds were fitted for, as `precision`; for people to read
    precision: float | None = None

    def of(self, name: str, genres: int, kind: str = BOTH) -> Decision:
        """The decision of a model for films that have `kind`; where there is none, nothing is calibrated, thresholds 0.5."""
        return self.models.get(f"{name}:{kind}") or self.models.get(name) or Decision(1.0, np.full(genres, 0.5))


def write_decisions(decisions: Decisions, digests: Mapping[str, str], path: Path, genres: Sequence[str]) -> None:
    """Writes `decisions.json`, bound to model files: those that `digests` names, with the SHA-256 of each."""
    content = {
        "aim": decisions.aim, "precision": decisions.precision, "ranking": decisions.ranking,
        "models": {name: {"sha256": digests[_model_of(name)], "temperature": round(decision.temperature, 4),
                          "thresholds": {genre: round(float(threshold), 4)
                                         for genre, threshold in zip(genres, decision.thresholds)}}
                   for name, decision in decisions.models.items() if _model_of(name) in digests}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _model_of(name: str) -> str:
    """The model that a name in `Decisions.models` stands for."""
    return name.partition(":")[0]


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
    ranking: dict[str, list[str]]
    models: dict[str, _StoredDecision]


def read_decisions(path: Path, digests: Mapping[str, str], genres: Sequence[str]) -> Decisions:
    """Reads what `write_decisions` wrote, which must be for all models that `digests` names.

    Raises:
        InputError: the file is damaged, or was written for another version of a model or for other genres.
    """
    expected = "temperatures, thresholds and a ranking of models"
    data = read_small(path, expected)

    def refusal(expected: str, found: str) -> InputError:
        return InputError(path, expected, found, remedy=Remedy.TUNE)

    try:
        content = _Stored.model_validate_json(data)
    except ValidationError as error:
        raise refusal(expected, first_problem(error)) from None
    if set(content.ranking) != {*MODALITIES, BOTH}:
        raise refusal(f"a ranking for each of {', '.join((*MODALITIES, BOTH))}", "others")
    for name, stored in content.models.items():
        if set(stored.thresholds) != set(genres):
            raise refusal(f"a threshold for each of the genres {', '.join(genres)}", f"others for {name}")
        model = _model_of(name)
        if stored.sha256 != digests.get(model, stored.sha256):
            raise refusal(f"values for {model}'s file as it is", "those of another version")
    if missing := [name for name in digests if name not in content.models]:
        raise refusal(f"values for {missing[0]}'s file as it is", "none")
    models = {name: Decision(stored.temperature, np.array([stored.thresholds[genre] for genre in genres]))
              for name, stored in content.models.items()}
    return Decisions(models, content.ranking, hashlib.sha256(data).hexdigest(), content.aim, content.precision)


def choose_models(folder: Path | str, modalities: Sequence[str] | None = None, precision: str = "int8"
                  ) -> tuple[list[ModelFile], Decisions]:
    """The models of a folder that scoring some modalities needs, and the decisions on how to use them; None: all it has.

    Without `decisions.json` nothing is calibrated, thresholds are 0.5, and the fusion model is believed for films with both
    modalities. Raises as `find_models` and `read_decisions`.
    """
    files, path = find_models(folder, modalities, precision), Path(folder) / FILE_NAME
    modalities = modalities or [name for name in MODALITIES if name in [file.modality for file in files]]
    if path.exists():
        decisions = read_decisions(path, {file.name: file.digest for file in files}, files[0].genres)
    else:
        decisions = Decisions({}, default_ranking(files))
    return needed_models(files, decisions.ranking, modalities), decisions
