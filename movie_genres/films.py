"""The canonical data folder: `films.csv` and `posters/<id>.<ext>`."""

import csv
import dataclasses
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from movie_genres.errors import InputError
from movie_genres.posters import PosterError, read_poster
from movie_genres.progress import track
from movie_genres.tables import Table
from movie_genres.text import normalise

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
    """Writes films as `films.csv` (UTF-8, comma, genres joined by a bar)."""
    with open(path, "w", encoding="utf-8", newline="") as file:
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
    columns = [table.find("its name in the header", name) for name in COLUMNS]
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


@dataclasses.dataclass
class Summary:
    """What `check` found in a data folder; lists hold ids, in the order of the table."""

    films: int
    genres: Counter
    without_genres: list
    without_overview: list
    duplicate_ids: list
    repeated_overviews: list
    posters: int
    posters_missing: list
    posters_unreadable: dict
    posters_of_no_film: list
    notes: list = dataclasses.field(default_factory=list)


def check(data, workers=None):
    """Reads a whole data folder and reports what is in it and what is wrong with it.

    Every poster is decoded, by `workers` threads (by default as many as there are cores, and a few more).

    Raises:
        InputError: `films.csv` cannot be read.
    """
    films = read_films(data)
    posters = poster_files(data)
    ids = Counter(film.id for film in films)
    overviews = Counter(normalise(film.overview) for film in films)
    with ThreadPoolExecutor(workers) as pool:
        reasons = list(track(pool.map(_why_unreadable, posters.values()), len(posters), "Checking posters"))
    return Summary(
        films=len(films),
        genres=Counter(genre for film in films for genre in film.genres),
        without_genres=[film.id for film in films if not film.genres],
        without_overview=[film.id for film in films if not normalise(film.overview)],
        duplicate_ids=[film_id for film_id, count in ids.items() if count > 1],
        repeated_overviews=[film.id for film in films
                            if normalise(film.overview) and overviews[normalise(film.overview)] > 1],
        posters=len(posters),
        posters_missing=[film_id for film_id in ids if film_id not in posters],
        posters_unreadable={film_id: reason for film_id, reason in zip(posters, reasons) if reason},
        posters_of_no_film=[film_id for film_id in posters if film_id not in ids],
    )


def _why_unreadable(path):
    try:
        read_poster(path, (8, 8))
    except PosterError as error:
        return f"{error.kind}: {error}"
    return None
