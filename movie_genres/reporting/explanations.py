"""Reads why models said what they said of some films, for the gallery."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from movie_genres.base.errors import InputError
from movie_genres.base.files import reason_of
from movie_genres.base.options import first_problem

FILE = "explanations.jsonl"


class OfGenre(BaseModel):
    """Why a film has a genre, or has it not.

    Attributes:
        probability: of the genre.
        poster: by how much its log-odds fall where a region of the poster is hidden: rows of a grid.
        words: the overview cut into words and what stands between them, each with what it counted for.
        shares: what each kind of input, by name, adds to the log-odds.
    """

    model_config = ConfigDict(allow_inf_nan=False)  # which JSON has no words for

    probability: float
    poster: list[list[float]] | None = None
    words: list[tuple[str, float]] | None = None
    shares: dict[str, float] | None = None


class Explained(BaseModel):
    """Why a film has its genres, by genre; a line of the file has the film's `id` too."""

    genres: dict[str, OfGenre]


def read_explanations(place: Path, ids: Collection[str]) -> dict[str, Any]:
    """Reads the explanations of some films from a file of JSON Lines, or a folder with `explanations.jsonl`; by id.

    Raises `InputError` where the file cannot be read, or a line of it is something else.
    """
    path = place / FILE if place.is_dir() else place
    found: dict[str, Any] = {}
    number = 0
    try:
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                film = str(json.loads(line)["id"])
                if film in ids and (explained := Explained.model_validate_json(line)).genres:
                    found[film] = explained.model_dump(exclude_none=True)
    except OSError as error:
        raise InputError(path, "explanations of films", reason_of(error)) from None
    except ValidationError as error:
        raise InputError(path, "an explanation on each line", f"line {number}: {first_problem(error)}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(path, "an explanation on each line", f"line {number}: {type(error).__name__}") from None
    return found
