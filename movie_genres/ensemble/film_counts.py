"""What films are like, in counts with fixed bins: those of shards, of machines and of several days can be summed."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from movie_genres.ensemble.operating_points import likeliest
from movie_genres.inputs.features import Overviews
from movie_genres.inputs.modality import Tokenizer
from movie_genres.inputs.text import UNKNOWN
from movie_genres.inputs.vocabulary import Vocabulary

STRICT = ConfigDict(extra="forbid", strict=True)
PROBABILITY = 1e-4  # in such units probabilities are summed: whole numbers give the same sum in any order
Count = Annotated[int, Field(ge=0, le=2**62)]  # fits an array
OK = "ok"  # the status of a film without failure
Floats = NDArray[np.floating]


class Addable(Protocol):
    def __add__(self, other: Self) -> Self: ...


Part = TypeVar("Part", bound=Addable)


class Measure(NamedTuple):
    """What is measured of a film. Bin `i` holds values from `edges[i - 1]` on and below `edges[i]`; the first and the last
    are open. Values are summed in whole `unit`s."""

    edges: tuple[float, ...]
    unit: float = 1.0


def _rising(first: float, ratio: float, count: int) -> tuple[float, ...]:
    """Whole numbers, each about `ratio` times the one before."""
    return tuple(dict.fromkeys(float(round(first * ratio**step)) for step in range(count)))


SIDE = Measure(_rising(16, 2**0.25, 37))  # 16 to 8,192 pixels
MEASURES = {
    "poster_width": SIDE,  # pixels, as the file stores them
    "poster_height": SIDE,
    "poster_aspect": Measure(tuple(round(0.25 * 2 ** (step / 8), 4) for step in range(33)), 0.001),  # width / height
    "poster_bytes": Measure(_rising(1000, 2**0.5, 31)),  # 1 KB to 33 MB
    "overview_words": Measure(_rising(1, 2**0.25, 49)),  # between spaces; 1 to 4,096
    "unknown_words": Measure((0.02, *(step / 20 for step in range(1, 21))), 0.001),  # share outside the vocabulary of words
}
POSTER_MEASURES = 4  # the first ones; the others are of overviews
NOTHING_KNOWN = np.full(len(MEASURES), np.nan)


class Histogram(BaseModel):
    """How many films have values in each bin of a `Measure`, and the sum of their values in its units."""

    model_config = STRICT

    counts: list[Count]
    sum: Count

    @model_validator(mode="after")
    def _has_films(self) -> Self:
        if not self.films:
            raise ValueError("no films")
        return self

    @property
    def films(self) -> int:
        return sum(self.counts)

    def __add__(self, other: "Histogram") -> "Histogram":
        return Histogram(counts=_added(self.counts, other.counts), sum=self.sum + other.sum)


class AnswerCounts(BaseModel):
    """Answers to films with one kind of input; lists have an entry for each genre.

    Attributes:
        named: films of which the genre is named.
        sums: of its probabilities, in units of `PROBABILITY`; `squares`: of the squares of these.
    """

    model_config = STRICT

    films: Annotated[Count, Field(ge=1)]
    named: list[Count]
    sums: list[Count]
    squares: list[Count]

    @model_validator(mode="after")
    def _is_of_the_same_genres(self) -> Self:
        if not len(self.named) == len(self.sums) == len(self.squares):
            raise ValueError("lists for different numbers of genres")
        return self

    def __add__(self, other: "AnswerCounts") -> "AnswerCounts":
        return AnswerCounts(films=self.films + other.films, **{
            name: _added(getattr(self, name), getattr(other, name)) for name in ("named", "sums", "squares")})


class FilmCounts(BaseModel):
    """Counts of films; those of several lots of films can be added.

    Attributes:
        kinds: films by what they have, `poster`, `overview` or `both`: the column `source` of scored films.
        statuses: films by status, `ok` or the kind of failure.
        measures: by the names in `MEASURES`, of the films of which that is known.
        answers: by kind.
    """

    model_config = STRICT

    films: Count = 0
    kinds: dict[str, Count] = {}
    statuses: dict[str, Count] = {}
    measures: dict[str, Histogram] = {}
    answers: dict[str, AnswerCounts] = {}

    @model_validator(mode="after")
    def _has_our_bins(self) -> Self:
        for name, found in self.measures.items():
            if name not in MEASURES or len(found.counts) != len(MEASURES[name].edges) + 1:
                raise ValueError(f"{name}: unlike the bins of this version")
        return self

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if not self.films == sum(self.kinds.values()) == sum(self.statuses.values()):
            raise ValueError("other numbers of films by kind or by status than of all films")
        return self

    def __add__(self, other: "FilmCounts") -> "FilmCounts":
        return FilmCounts(films=self.films + other.films, kinds=_merged(self.kinds, other.kinds),
                          statuses=_merged(self.statuses, other.statuses), measures=_merged(self.measures, other.measures),
                          answers=_merged(self.answers, other.answers))


def _added(first: Sequence[int], second: Sequence[int]) -> list[int]:
    return [one + other for one, other in zip(first, second, strict=True)]


def _merged(first: Mapping[str, Part], second: Mapping[str, Part]) -> dict[str, Part]:
    return {**first, **{name: first[name] + part if name in first else part for name, part in second.items()}}


def count_films(kinds: Sequence[str], statuses: Sequence[str], facts: Floats,
                answers: Mapping[str, AnswerCounts] = {}) -> FilmCounts:
    """Counts films, from the kind and the status of each.

    `facts`, of shape (films, measures), are their values in the order of `MEASURES`, NaN where not known.
    """
    found = {}
    for (name, measure), column in zip(MEASURES.items(), facts.T):
        values = column[~np.isnan(column)]
        if len(values):
            bins = np.bincount(np.searchsorted(measure.edges, values, side="right"), minlength=len(measure.edges) + 1)
            found[name] = Histogram(counts=bins.tolist(), sum=int(np.rint(values / measure.unit).sum()))
    return FilmCounts(films=len(kinds), kinds=dict(Counter(kinds)), statuses=dict(Counter(statuses)), measures=found,
                      answers=dict(answers))


def count_answers(probabilities: Floats, named: NDArray[np.int_]) -> AnswerCounts:
    """Counts the answers to films: calibrated probabilities, of shape (films, genres), and how many genres are named."""
    whole = np.rint(probabilities / PROBABILITY).astype(np.int64)
    return AnswerCounts(films=len(whole), named=likeliest(probabilities, named).sum(axis=0).tolist(),
                        sums=whole.sum(axis=0).tolist(), squares=(whole**2).sum(axis=0).tolist())


def measure_poster(width: int, height: int, size: float) -> tuple[float, ...]:
    """The facts of a poster: its width and height in pixels, and the bytes of its file, NaN without one."""
    return width, height, width / height if height else math.nan, size


def measure_overviews(texts: Sequence[str | None], vocabulary: Tokenizer | None = None, encoded: Overviews | None = None
                      ) -> Floats:
    """The facts of overviews, of shape (films, measures of overviews), NaN for a film without a word.

    `encoded` are their token ids by the `vocabulary`; without both, or where that is not of words, what is unknown is not
    known.
    """
    facts = np.full((len(texts), len(MEASURES) - POSTER_MEASURES), np.nan)
    facts[:, 0] = [len(text.split()) if text else 0 for text in texts]
    if isinstance(vocabulary, Vocabulary) and encoded is not None:
        before = np.concatenate([[0], np.cumsum(encoded.ids == UNKNOWN)])[encoded.starts]
        facts[:, 1] = np.where(encoded.present, np.diff(before) / np.maximum(encoded.lengths, 1), 1)
    facts[facts[:, 0] == 0] = np.nan
    return facts
