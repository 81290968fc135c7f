"""The canonical data folder: `films.csv` and `posters/<id>.<ext>`."""

import csv
import dataclasses
from pathlib import Path

from movie_genres.base.errors import InputError
from movie_genres.data.tables import Table

COLUMNS = ("id", "title", "year", "overview", "genres")


@dataclasses.dataclass(frozen=True)
class Film:
    """One row of `films.csv`. All fields are text, empty where unknown; `genres` is a tuple of names."""

    id: str
    title: str = ""
    year: str = ""
    overview: str = ""
    genres: tuple = ()


def write_films(path, films):
    """Writes films as `films.csv` (UTF-8, comma, genres joined by a bar); half a character becomes a question mark."""
    with open(path, "w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((*dataclasses.astuple(film)[:-1], "|".join(film.genres)) for film in films)


def read_films(data):
    """Reads `films.csv` of a data folder.

    Returns:
        list of `Film`, in the order of the file.

    Raises:
        InputError: the file or a column is missing, a row has too many or too few cells, or there is no film.
    """
    path = Path(data) / "films.csv"
    if not path.is_file():
        raise InputError(path, "the table of films", "no such file", "Build it with: genre-data import SOURCE")
    table = Table(path)
    columns = [table.find(name) for name in COLUMNS]
    films = []
    for number, cells in table:
        if table.is_ragged(cells):
            raise InputError(path, f"{len(table.columns)} cells in row {number}", f"{len(cells)}", "Mend that row.")
        *fields, genres = (cells[column].strip() for column in columns)
        films.append(Film(*fields, genres=tuple(dict.fromkeys(filter(None, genres.split("|"))))))
    if not films:
        raise InputError(path, "at least one film", "a header and nothing else")
    return films


def poster_files(data):
    """Returns the poster files of a data folder as a dict from film id to path; of two for one id, the first by name."""
    folder = Path(data) / "posters"
    files = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        files.setdefault(path.stem, path)
    return files
