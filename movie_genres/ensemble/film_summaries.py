"""What films are like, in files: of those that models were trained on, beside the models, and of those that were scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from movie_genres.base.errors import InputError, Remedy
from movie_genres.base.files import read_small, replacing
from movie_genres.base.options import first_problem
from movie_genres.ensemble.film_counts import MEASURES, STRICT, FilmCounts

FILE_NAME = "films.json"  # beside the models
EDGES = {name: list(measure.edges) for name, measure in MEASURES.items()}


class _Counted(BaseModel):
    """What a file of counts holds. `edges`: of the bins of each measure; `genres`: in the order of all lists."""

    model_config = STRICT

    edges: dict[str, list[float]] = EDGES
    genres: Annotated[list[str], Field(min_length=1)]

    @field_validator("edges")
    @classmethod
    def _are_ours(cls, edges: dict[str, list[float]]) -> dict[str, list[float]]:
        if edges != EDGES:
            raise ValueError("other bins than those of this version")
        return edges

    @model_validator(mode="after")
    def _has_answers_for_these_genres(self) -> Self:
        counted = [part for part in vars(self).values() if isinstance(part, FilmCounts)]
        if any(len(answers.named) != len(self.genres) for films in counted for answers in films.answers.values()):
            raise ValueError("answers for another number of genres")
        return self


class TrainingFilms(_Counted):
    """The films that models were trained on.

    Attributes:
        decisions: SHA-256 of the file of decisions that they belong to.
        training: the training films, without answers.
        validation: the validation films: no network has learned from these, so that answers, and the share of words that are
            unknown, are what new films like them would give. A kind of answers is to all films that have such an input,
            shown as if they had nothing else.
    """

    decisions: str
    training: FilmCounts
    validation: FilmCounts


class Summary(_Counted):
    """The films of a scoring job, beside those that its models were trained on; None: nothing is known of these.

    Attributes:
        models: their name and version.
        naming: which genres were asked for, as of `naming.Naming`: without a value, those that are named by default.
    """

    models: str
    naming: dict[str, float | int | None]
    films: FilmCounts
    training_films: TrainingFilms | None

    @model_validator(mode="after")
    def _is_of_the_same_genres(self) -> Self:
        if self.training_films and self.training_films.genres != self.genres:
            raise ValueError("training films of other genres")
        return self


Kind = TypeVar("Kind", bound=_Counted)


def _read(path: Path, kind: type[Kind], expected: str, remedy: Remedy | None = None, advice: str = "") -> Kind:
    try:
        return kind.model_validate_json(read_small(path, expected))
    except ValidationError as error:
        raise InputError(path, expected, first_problem(error), advice, remedy=remedy) from None


def _write(content: _Counted, path: Path) -> None:
    with replacing(path) as partial:
        partial.write_text(content.model_dump_json() + "\n", encoding="utf-8")


def write_training_films(films: TrainingFilms, path: Path) -> None:
    """Writes `films.json`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(films, path)


def read_training_films(folder: Path, decisions: str, genres: Sequence[str]) -> TrainingFilms | None:
    """Reads the `films.json` of a folder of models; None where there is none.

    Raises:
        InputError: the file is damaged, was counted for other genres, or not for the `decisions` of this SHA-256.
    """
    path, expected = folder / FILE_NAME, "counts of the films that the models were trained on"
    if not path.exists():
        return None
    films = _read(path, TrainingFilms, expected, Remedy.TUNE)
    if films.decisions != decisions or films.genres != list(genres):
        raise InputError(path, f"{expected}, made with the decisions beside it", "those of others", remedy=Remedy.TUNE)
    return films


def read_summary(path: Path) -> Summary:
    """Reads what `SummaryFile.write` wrote; raises `InputError` where it is damaged or no summary."""
    return _read(path, Summary, "a summary of scored films", advice="Give another name, or remove the file.")


@dataclass(frozen=True)
class SummaryFile:
    """A summary to be written; the fields are those of `Summary`."""

    path: Path
    genres: tuple[str, ...]
    models: str
    naming: dict[str, float | int | None]
    training_films: TrainingFilms | None

    def check(self) -> None:
        """Raises `InputError` where the file is there and is no earlier summary: it must not be replaced."""
        if self.path.exists():
            read_summary(self.path)

    def write(self, films: FilmCounts) -> None:
        """Writes the file, whole or not at all."""
        _write(Summary(genres=list(self.genres), models=self.models, naming=self.naming, films=films,
                       training_films=self.training_films), self.path)
