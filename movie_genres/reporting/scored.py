"""Reads what a scoring job wrote, in any of its formats, as the films of a site."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from movie_genres.base.errors import InputError
from movie_genres.reporting.films import Films, Said
from movie_genres.scoring.job_files import PART
from movie_genres.scoring.rows import OK, format_of, layout_of, read_rows

NEEDED = ("id", "status")
NAMED_FROM = 0.5  # where only probabilities are there
EXAMPLES = 5  # failed films of each kind


@dataclass
class Scored:
    """What is in an output of scoring.

    Attributes:
        films: the first films of it, without overviews.
        rows: how many there are in all.
        statuses: of all rows.
        answered: how many of the rows that failed have genres all the same, by status.
        examples: of each status that is a failure, ids and errors of some rows.
        named: from genre to how many rows name it.
        has_probabilities, has_genres: which of these the rows have.
    """

    films: Films
    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    named: Counter[str] = field(default_factory=Counter)
    has_probabilities: bool = True
    has_genres: bool = True


def read_scored(path: Path, most_films: int, format: str | None = None) -> Scored:
    """Reads a file, or a folder of parts, as `scoring.rows` writes them. Its films are the first `most_films` rows.

    Genres that are not in a column of their own are named from a probability of 0.5 on.

    Raises `InputError` where there is no such output, one without rows, or one whose columns do not tell genres, or
    as `read_rows`; where a cell holds no probability or genre, with its row's number.
    """
    parts = _parts_of(path)
    format = format_of(str(parts[0]), format)
    layouts = [layout_of(part, format) for part in parts]
    layout = max(layouts, key=lambda layout: len(layout.columns or ()))  # JSON Lines without a row have no columns
    columns = layout.columns or ()
    if any(name not in columns for name in NEEDED) or not ("genres" in columns or layout.genres):
        raise InputError(parts[0], "the columns id, status and genres or probabilities of genres",
                         ", ".join(columns) or "no row")
    place = {name: number for number, name in enumerate(columns)}
    rows = read_rows((part for part, found in zip(parts, layouts) if found.columns), layout)
    found = Scored(Films((), (), (), (), (), ()), has_probabilities=bool(layout.genres), has_genres="genres" in place)
    try:
        kept = list(_counted(found, rows, place, layout.genres, most_films))
    except (ValueError, TypeError, OverflowError) as error:  # of a cell
        raise InputError(path, "probabilities as numbers from 0 to 1, and genres as text",
                         f"row {found.rows + 1}: {error}") from None
    if not kept:
        raise InputError(path, "at least one row", "none")
    genres = tuple(map(_valid, layout.genres)) or tuple(sorted({genre for row in kept for genre in row[2]}))
    found.films = _films(kept, genres, "source" in place)
    return found


def _parts_of(path: Path) -> list[Path]:
    if path.is_dir():
        if parts := sorted(each for each in path.iterdir() if PART.fullmatch(each.name)):
            return parts
        raise InputError(path, "a folder with parts that scoring wrote", "none")
    if not path.is_file():
        raise InputError(path, "a file or a folder that scoring wrote", "nothing of that name")
    return [path]


Kept = tuple[str, str, list[str], list[float], str, str]  # id, status, named genres, probabilities, source, error


def _counted(found: Scored, rows: Iterable[tuple[Any, ...]], place: dict[str, int], genres: Sequence[str], most: int
             ) -> Iterator[Kept]:
    """Counts all rows, and yields the first of them."""
    columns = [place[f"p_{genre}"] for genre in genres]

    def cell(row: tuple[Any, ...], name: str) -> str:
        return _valid(str(row[place[name]] or "")) if name in place else ""

    for row in rows:
        probabilities = [_probability(row[column]) for column in columns]
        if "genres" in place:
            given = row[place["genres"]] or []
            named = list(map(_valid, given.split("|") if isinstance(given, str) else given))
        else:
            named = [_valid(genre) for genre, probability in zip(genres, probabilities) if probability >= NAMED_FROM]
        film, status, error = cell(row, "id"), cell(row, "status"), cell(row, "error")
        found.rows += 1
        found.statuses[status] += 1
        found.named.update(named)
        if status != OK:
            found.answered[status] += bool(named)
            examples = found.examples.setdefault(status, [])
            if len(examples) < EXAMPLES:
                examples.append((film, error))
        if found.rows <= most:
            yield film, status, named, probabilities, cell(row, "source"), error


def _probability(cell: Any) -> float:
    """NaN where it is not known."""
    probability = float("nan") if cell in ("", None) else float(cell)
    if probability < 0 or probability > 1:
        raise ValueError(f"a probability of {probability:g}")
    return probability


def _valid(text: str) -> str:
    """A question mark for each half of a surrogate pair, which JSON can hold and no page."""
    if not isinstance(text, str):
        raise TypeError(f"a genre that is no text: {text!r}")
    return text.encode("utf-8", "replace").decode()


def _films(kept: Sequence[Kept], genres: Sequence[str], has_sources: bool) -> Films:
    ids, statuses, all_named, probabilities, sources, errors = zip(*kept)
    named = np.array([[genre in of_film for genre in genres] for of_film in all_named], bool)
    known = np.array(probabilities, np.float32) if len(probabilities[0]) else np.full(named.shape, np.nan, np.float32)
    return Films(genres, ids, [Said("answer", "both", known, named)], statuses, sources if has_sources else (),
                 [""] * len(ids), errors)
