"""Checks of rows as they are read: their columns, none of them blank, each of JSON Lines an object."""

import json
from collections.abc import Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import Any, TypeVar

from movie_genres.base.errors import InputError

Filled = TypeVar("Filled", bound=Sized)


def check_columns(path: Path, found: Sequence[str], expected: Sequence[str]) -> None:
    """Raises `InputError` where a file has other columns, or in another order."""
    if tuple(found) != tuple(expected):
        raise InputError(path, f"the columns {', '.join(expected)}", ", ".join(found) or "none",
                         "Give the settings and models that it was written with.")


def filled(path: Path, rows: Iterable[Filled]) -> Iterator[tuple[int, Filled]]:
    """Yields the rows of a file that are not empty with their numbers, from 1.

    Raises `InputError` where an empty one is not at the end.
    """
    blank = 0
    for number, row in enumerate(rows, start=1):
        if not row:
            blank = blank or number
        elif blank:
            raise InputError(path, "a film in each row", f"row {blank} blank")
        else:
            yield number, row


def record_of(path: Path, number: int, line: str) -> dict[str, Any]:
    """The object that a line of JSON Lines holds. `InputError`, with the row's number, where that is something else."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(path, "jsonl as it was written, an object in each row", f"row {number}: {error}") from None
    if not isinstance(record, dict):
        raise InputError(path, "jsonl as it was written, an object in each row", f"another value in row {number}")
    return record
