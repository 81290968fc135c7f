"""What an explanation is, and its form in files: JSON Lines, a film a line."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from movie_genres.base.errors import InputError
from movie_genres.base.files import StrPath, open_regular, reason_of
from movie_genres.base.options import first_problem
from movie_genres.ensemble.film_counts import OK
from movie_genres.inputs.modality import Modality

FILE = "explanations.jsonl"  # its usual name
DIGITS = 4  # of numbers in files

Words = list[tuple[str, float]]


class Explanation(NamedTuple):
    """Why a film is given the probability of a genre that it is given.

    Attributes:
        genre: its name. probability: calibrated, as the film's row has it.
        poster: by how much the log-odds of the genre fall when a cell of the poster is hidden, float32 of shape (rows,
            columns) of a grid that cuts it evenly; below 0 where they rise. None: no model looks there.
        words: the overview cut into words and what stands between them: joined, the texts are the overview. With each, by
            how much the log-odds fall when it is left out. None: there is no overview to go by.
        shares: what poster and overview add to the log-odds of the base rate: their sum is the difference to it.
    """

    genre: str
    probability: float
    poster: NDArray[np.float32] | None
    words: Words | None
    shares: dict[Modality, float]


class ExplainedFilm(NamedTuple):
    """A film and its explanations, by genre. `status`, `error`: as in its row; without explanations where nothing can be
    said of it."""

    id: str
    genres: dict[str, Explanation]
    status: str = OK
    error: str = ""


def as_json(genres: Mapping[str, Explanation]) -> dict[str, Any]:
    """Explanations by genre as JSON has them, with numbers rounded to `DIGITS`."""
    return {genre: {
        "probability": round(why.probability, DIGITS),
        "poster": None if why.poster is None else why.poster.astype(np.float64).round(DIGITS).tolist(),
        "words": None if why.words is None else [[text, round(weight, DIGITS)] for text, weight in why.words],
        "shares": {str(modality): round(share, DIGITS) for modality, share in why.shares.items()},
    } for genre, why in genres.items()}


def explanation_line(film: ExplainedFilm) -> str:
    """A film as JSON, in one line; `status` and `error` are there where it is not ok."""
    problem = {} if film.status == OK else {"status": film.status, "error": film.error}
    return json.dumps({"id": film.id, **problem, "genres": as_json(film.genres)})


Number = Annotated[float, Field(allow_inf_nan=False)]


class _Genre(BaseModel):
    model_config = ConfigDict(extra="forbid")

    probability: Annotated[float, Field(ge=0, le=1)]
    poster: list[list[Number]] | None
    words: list[tuple[str, Number]] | None
    shares: dict[Modality, Number]

    def explanation(self, genre: str) -> Explanation:
        poster = None if self.poster is None else np.array(self.poster, np.float32)
        return Explanation(genre, self.probability, poster, self.words, self.shares)


class _Film(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str
    status: str = OK
    error: str = ""
    genres: dict[str, _Genre]


def read_explanations(path: StrPath) -> Iterator[ExplainedFilm]:
    """The films of a file of lines by `explanation_line`; `InputError` where it cannot be read, or is no such file."""
    expected = "explanations, a film a line"
    try:
        with open_regular(path) as file:
            for number, line in enumerate(file, start=1):
                film = _Film.model_validate_json(line)
                genres = {genre: found.explanation(genre) for genre, found in film.genres.items()}
                yield ExplainedFilm(film.id, genres, film.status, film.error)
    except ValidationError as error:
        raise InputError(path, expected, f"in line {number}: {first_problem(error)}") from None
    except (OSError, ValueError) as error:  # ValueError: a grid that is none
        raise InputError(path, expected, reason_of(error)) from None
