"""How the answers of models are used, as `evaluation.tuning` finds out: their calibration, operating points and ranking."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from movie_genres.base.errors import InputError, Remedy
from movie_genres.base.files import read_small
from movie_genres.base.options import first_problem
from movie_genres.ensemble.folder import ModelFile, default_ranking, find_models, modalities_of, needed_models
from movie_genres.ensemble.naming import Naming
from movie_genres.ensemble.operating_points import Choice, Curve, Measured, OperatingPoint, point_without_curve
from movie_genres.inputs.modality import BOTH, MODALITIES, OVERVIEW, POSTER
from movie_genres.models.metrics import EPSILON

FILE_NAME = "decisions.json"
IN_WORDS = {POSTER: "a poster alone", OVERVIEW: "an overview alone", BOTH: "both"}
FILED = ConfigDict(extra="forbid", strict=True)  # of what the file holds


class Calibration(NamedTuple):
    """Turns what a model says into probabilities that come true as often as they say.

    Log-odds of each genre are multiplied by its `scale`, then its `shift` is added; both are of shape (genres,).
    """

    scale: NDArray[np.floating]
    shift: NDArray[np.floating]

    def __call__(self, probabilities: NDArray[np.floating]) -> NDArray[np.floating]:
        """Calibrated probabilities, of the shape of `probabilities`, (…, genres); NaN stays."""
        p = np.clip(probabilities, EPSILON, 1 - EPSILON)
        return 1 / (1 + np.exp(-self.scale * np.log(p / (1 - p)) - self.shift))


class Decision(NamedTuple):
    """How to use the answers of one model."""

    calibration: Calibration
    choice: Choice | None = None  # operating points for calibrated probabilities; None: nothing was measured

    def point(self, naming: Naming) -> OperatingPoint:
        """From which probability on to name genres; raises `SettingError` where nothing tells."""
        return self.choice.of(naming)[0] if self.choice else point_without_curve(naming)


class Decisions(NamedTuple):
    """How to use several models.

    Attributes:
        models: by name; of a fusion model for films with one modality under NAME:poster, NAME:overview.
        ranking: from what a film has, `poster`, `overview` or `both`, to names of models, the best first.
        films: how many validation films tell; 0: none.
        always: genres that are frequent enough to be named of every film, to compare models with, and what that comes to.
        digest: SHA-256 of the file that they were read from.
    """

    models: dict[str, Decision]
    ranking: dict[str, list[str]]
    films: int = 0
    always: tuple[list[str], Measured] | None = None
    digest: str = ""

    def of(self, name: str, genres: int, kind: str = BOTH) -> Decision:
        """The decision of a model for films that have `kind`; where there is none, nothing is calibrated or measured."""
        return (self.models.get(f"{name}:{kind}") or self.models.get(name)
                or Decision(Calibration(np.ones(genres), np.zeros(genres))))

    def check(self, naming: Naming, names: Collection[str]) -> None:
        """Raises `SettingError` where nothing tells how the models of these names reach what is wanted."""
        for name in names:
            self.of(name, 0).point(naming)

    def believed(self, kind: str, names: Collection[str]) -> tuple[str, Choice] | None:
        """Of some models, the one that answers films with a `kind` of input, and its operating points if they are known."""
        for name in (name for name in self.ranking.get(kind, ()) if name in names):
            choice = self.of(name, 0, kind).choice
            return (name, choice) if choice else None
        return None

    def unreached(self, naming: Naming, kinds: Collection[str], names: Collection[str]) -> Iterator[str]:
        """Sentences on what is wanted of films with some kinds of input, and never reached by the models of these names."""
        for kind, (name, choice) in ((kind, found) for kind in kinds if (found := self.believed(kind, names))):
            _, measured, reached = choice.of(naming)
            if not reached and measured and naming.aim:
                wanted, share = naming.aim
                most = getattr(measured, wanted)
                yield (f"{wanted} {share:g} is out of reach for films with {IN_WORDS[kind]}: {name} comes "
                       f"to {most:.2f} at most on validation films, and that is what they get")


def write_decisions(decisions: Decisions, digests: Mapping[str, str], path: Path, genres: Sequence[str]) -> None:
    """Writes `decisions.json`, bound to model files: those that `digests` names, with the SHA-256 of each."""
    def by_genre(values: NDArray[np.floating]) -> dict[str, float]:
        return {genre: round(float(value), 4) for genre, value in zip(genres, values)}

    def figures(measured: Measured) -> dict[str, float]:
        return {name: round(value, 4) for name, value in measured._asdict().items()}

    def stored(name: str, calibration: Calibration, choice: Choice) -> dict[str, Any]:
        (scale, shift), (point, measured, curve) = calibration, choice
        columns = {name: column.round(4).tolist() for name, column in zip(Measured._fields, curve.measured.T)}
        return {"sha256": digests[_model_of(name)], "scale": by_genre(scale), "shift": by_genre(shift),
                "default": {"threshold": round(point.threshold, 4), "power": point.power, **figures(measured)},
                "curve": {"threshold": curve.thresholds.round(4).tolist(), **columns}}

    always = decisions.always and {"genres": decisions.always[0], **figures(decisions.always[1])}
    content = {"ranking": decisions.ranking, "films": decisions.films, "always": always,
               "models": {name: stored(name, calibration, choice)
                          for name, (calibration, choice) in decisions.models.items()
                          if choice and _model_of(name) in digests}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _model_of(name: str) -> str:
    """The model that a name in `Decisions.models` stands for."""
    return name.partition(":")[0]


Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Number = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]


class _Figures(BaseModel):
    """A `Measured`."""

    model_config = FILED

    precision: Share
    recall: Share
    genres_per_film: Number
    f1_per_film: Share

    def measured(self) -> Measured:
        return Measured(self.precision, self.recall, self.genres_per_film, self.f1_per_film)


class _Default(_Figures):
    threshold: Share
    power: Share


class _Always(_Figures):
    genres: list[str]


class _Curve(BaseModel):
    model_config = FILED

    threshold: Annotated[list[Share], Field(min_length=1, max_length=1000)]
    precision: list[Share]
    recall: list[Share]
    genres_per_film: list[Number]
    f1_per_film: list[Share]

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        if {len(column) for column in self._columns()} != {len(self.threshold)}:
            raise ValueError("columns of a curve that differ in length")
        if self.threshold != sorted(self.threshold) or self.threshold[0]:
            raise ValueError("thresholds of a curve that do not rise from 0 on")
        if self.recall != sorted(self.recall, reverse=True):
            raise ValueError("recalls of a curve that do not fall")
        return self

    def _columns(self) -> list[list[float]]:
        return [self.precision, self.recall, self.genres_per_film, self.f1_per_film]

    def curve(self) -> Curve:
        return Curve(np.array(self.threshold), np.array(self._columns()).T)


class _StoredDecision(BaseModel):
    model_config = FILED

    sha256: str
    scale: dict[str, Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)]]
    shift: dict[str, Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]]
    default: _Default
    curve: _Curve

    def decision(self, genres: Sequence[str]) -> Decision:
        scale, shift = (np.array([values[genre] for genre in genres]) for values in (self.scale, self.shift))
        point = OperatingPoint(self.default.threshold, self.default.power)
        return Decision(Calibration(scale, shift), Choice(point, self.default.measured(), self.curve.curve()))


class _Stored(BaseModel):
    """The content of `decisions.json`."""

    model_config = FILED

    ranking: dict[str, list[str]]
    films: Annotated[int, Field(ge=0)]
    always: _Always | None
    models: dict[str, _StoredDecision]


def read_decisions(path: Path, digests: Mapping[str, str], genres: Sequence[str]) -> Decisions:
    """Reads what `write_decisions` wrote, which must be for all models that `digests` names.

    Raises:
        InputError: the file is damaged, or was written for another version of a model or for other genres.
    """
    expected = "calibrations, operating points and a ranking of models"
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
        if not set(stored.scale) == set(stored.shift) == set(genres):
            raise refusal(f"a calibration of each of the genres {', '.join(genres)}", f"others for {name}")
        model = _model_of(name)
        if stored.sha256 != digests.get(model, stored.sha256):
            raise refusal(f"values for {model}'s file as it is", "those of another version")
    if content.always and not set(content.always.genres) <= set(genres):
        raise refusal(f"names among the genres {', '.join(genres)}", "others that are always named")
    if missing := [name for name in digests if name not in content.models]:
        raise refusal(f"values for {missing[0]}'s file as it is", "none")
    models = {name: stored.decision(genres) for name, stored in content.models.items()}
    always = (content.always.genres, content.always.measured()) if content.always else None
    return Decisions(models, content.ranking, content.films, always, hashlib.sha256(data).hexdigest())


def choose_models(folder: Path | str, modalities: Sequence[str] | None = None, dtype: str = "int8",
                  embedded: Collection[str] = ()) -> tuple[list[ModelFile], Decisions]:
    """The models of a folder that scoring some modalities needs, and the decisions on how to use them; None: all it has.

    `embedded` names the models that there are embeddings of the films for; what these are of is scored too.
    Without `decisions.json` nothing is calibrated, genres are named from 0.5 on, and the fusion model is believed for films
    with both modalities. Raises as `find_models` and `read_decisions`.
    """
    files, path = find_models(folder, modalities, dtype, embedded), Path(folder) / FILE_NAME
    if path.exists():
        decisions = read_decisions(path, {file.name: file.digest for file in files}, files[0].genres)
    else:
        decisions = Decisions({}, default_ranking(files))
    return needed_models(files, decisions.ranking, modalities_of(files)), decisions
