"""The canonical data folder: `films.csv` and `posters/<id>.<ext>`."""

import csv
import dataclasses
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from movie_genres.base.errors import InputError, Remedy
from movie_genres.base.files import StrPath
from movie_genres.data.tables import Table

COLUMNS = ("id", "title", "year", "overview", "genres")


@dataclasses.dataclass(frozen=True)
class Film:
    """One row of `films.csv`. All fields are empty where unknown."""

    id: str
    title: str = ""
    year: str = ""
    overview: str = ""
    genres: tuple[str, ...] = ()


def plain_year(year: str) -> str:
    """A year without the point that data frames give it where others are missing.

    >>> plain_year("1999.0"), plain_year("about 1999")
    ('1999', 'about 1999')
    """
    return year.removesuffix(".0") if re.fullmatch(r"\d{4}\.0", year) else year


def write_films(path: StrPath, films: Iterable[Film]) -> None:
    """Writes films as `films.csv` (UTF-8, comma, genres joined by a bar); half a character becomes a question mark."""
    write_rows(path, COLUMNS, ((*dataclasses.astuple(film)[:-1], "|".join(film.genres)) for film in films))


def write_rows(path: StrPath, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes a table as `films.csv` is written, which `tables.Table` reads as it was."""
    with open(path, "w", encoding="utf-8", errors="replace", newline="") as file:
        plain = csv.writer(file, lineterminator="\n")
        quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        # Quotes also where some Pythons leave a carriage return bare, and around names with what may stand between columns.
        (quoting if any(set(name) & set("\t;|\r") for name in columns) else plain).writerow(columns)
        for row in rows:
            (quoting if any("\r" in cell for cell in row) else plain).writerow(row)


def read_films(data: StrPath) -> list[Film]:
    """Reads `films.csv` of a data folder, in its order.

    Raises:
        InputError: the file or a column is missing, a row has too many or too few cells, or there is no film.
    """
    path = Path(data) / "films.csv"
    if not path.is_file():
        raise InputError(path, "the table of films", "no such file", remedy=Remedy.IMPORT)
    table = Table(path)
    columns = [table.find(name) for name in COLUMNS]
    films = []
    for number, cells in table:
        if table.is_ragged(cells):
            raise InputError(path, f"{len(table.columns)} cells in row {number}", f"{len(cells)}", "Mend that row.")
        film_id, title, year, overview, genres = (cells[column].strip() for column in columns)
        films.append(Film(film_id, title, year, overview, tuple(dict.fromkeys(filter(None, genres.split("|"))))))
    if not films:
        raise InputError(path, "at least one film", "a header and nothing else")
    return films


def poster_files(data: StrPath) -> dict[str, Path]:
    """The poster files of a data folder, by film id; of two for one id, the first by name."""
    folder = Path(data) / "posters"
    files: dict[str, Path] = {}
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():  # sorting paths takes much memory
        path = folder / name
        files.setdefault(path.stem, path)
    return files
