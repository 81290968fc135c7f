"""Makes films of rows of named cells, whatever kind of file holds them: finds out which column is what, and reads them."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from movie_genres.base.errors import InputError
from movie_genres.data.films import Film, plain_year
from movie_genres.data.genre_columns import NUMBERED_COLUMNS, PREFIX, find_genres, flag_of, names_of
from movie_genres.data.genres import TMDB_GENRES, UNKNOWN_GENRES, Genres
from movie_genres.data.sources import EmbeddedPoster, ImageColumn, ImportOptions, Poster, image_in, suffix_of
from movie_genres.data.tables import ID_COLUMNS, POSTER_COLUMNS, TEXT_COLUMNS, Rows, cut, plain_name, text_of

TITLE_COLUMNS = ("title", "original_title", "primarytitle", "name")
YEAR_COLUMNS = ("year", "release_year", "startyear", "release_date", "released", "date")
OTHER_IDS = ("imdb_id", "imdbid", "tmdb_id", "tmdbid")
YEAR, TITLE_WITH_YEAR = re.compile(r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)"), re.compile(r"(.*\S)\s*\(((?:18|19|20)\d\d)\)")


@dataclasses.dataclass(frozen=True)
class Columns:
    """What the columns of a table are, by their indices; None, or nothing, where there is no such column."""

    id: int | None  # None: the number of the row is the id
    overview: int | None = None
    title: int | None = None
    year: int | None = None
    genres: tuple[int, ...] = ()  # columns with genres
    one_hot: tuple[int, ...] = ()  # columns named by a genre, with 0 and 1
    posters: tuple[int, ...] = ()  # columns with the name of the poster's file
    other_ids: tuple[int, ...] = ()  # columns with other ids, which the poster's file may be named by
    image: int | None = None  # column with the poster itself

    def wanted(self) -> list[int]:
        """The indices, each once."""
        single = self.id, self.overview, self.title, self.year, self.image
        several = *self.genres, *self.one_hot, *self.posters, *self.other_ids
        return list(dict.fromkeys(index for index in (*single, *several) if index is not None))


@dataclasses.dataclass
class Read:
    """Films as rows have them, what their posters' files are named by, and the posters in the rows themselves."""

    films: list[Film] = dataclasses.field(default_factory=list)
    named: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)  # names without suffix, by film id
    kinds: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)  # by kind and film id, the other ids
    embedded: dict[str, Poster] = dataclasses.field(default_factory=dict)  # by film id
    understood: dict[str, str] = dataclasses.field(default_factory=dict)  # what was taken as what, in words


def find_columns(rows: Rows, options: ImportOptions, notes: list[str], is_text_needed: bool = True) -> Columns:
    """Finds out which column is what: as the options say, or else by their names, and of genres also by their cells.

    A note tells of columns that were taken as genres for their cells and names alone.

    Raises:
        InputError: there is no column with ids, overviews or genres, or one of a genre has empty cells. Overviews may be
            missing where no text is needed; also where cells hold pictures, and numbers of rows take the place of ids then;
            with corrections, genres may be.
    """
    image = next(iter(rows.images), None)
    identity = _find(rows, options.id_column, ID_COLUMNS, "id_column", image is None)
    overview = _find(rows, options.text_column, TEXT_COLUMNS, "text_column", is_text_needed and image is None)
    title, year = rows.find_usual(TITLE_COLUMNS), rows.find_usual(YEAR_COLUMNS)
    taken = {identity, overview, title, year, image}
    genres, one_hot = find_genres(rows, options, taken, notes)
    left = {plain_name(name): index for index, name in enumerate(rows.columns) if index not in {*taken, *genres, *one_hot}}
    posters, others = (tuple(left[name] for name in usual if name in left) for usual in (POSTER_COLUMNS, OTHER_IDS))
    return Columns(identity, overview, title, year, genres, one_hot, posters, others, image)


def _find(rows: Rows, name: str | None, usual: Sequence[str], setting: str, needed: bool) -> int | None:
    return rows.find(name, usual, setting) if needed or name is not None else rows.find_usual(usual)


def read_films(rows: Rows, columns: Columns, options: ImportOptions, notes: list[str]) -> Read:
    """Reads the films of a table; notes say what was skipped or is peculiar.

    Raises:
        InputError: a column of `columns.one_hot` has a cell that is neither 0 nor 1, genres are numbers that have no
            names, or what the table raises while it is read.
    """
    read, counts = Read(), Counter[str]()
    is_numbered = any(plain_name(rows.columns[index]) in NUMBERED_COLUMNS for index in columns.genres)
    genres = Genres(options.genre_separator, TMDB_GENRES if is_numbered else {})
    labels = {index: rows.columns[index] for index in columns.one_hot}
    if all(name.startswith(PREFIX) for name in labels.values()):
        labels = {index: name.removeprefix(PREFIX) for index, name in labels.items()}
    images = None if columns.image is None else ImageColumn(rows, columns.image)
    wanted = columns.wanted()
    for number, cells in rows.records(wanted, notes):
        row: dict[int | None, Any] = {None: None, **dict(zip(wanted, cells))}
        names = [name for index, name in labels.items() if _is_set(rows, index, row[index], number)]
        counts.update(names)
        others = [name for index in columns.genres for name in genres.read(row[index])]
        of_film = tuple(dict.fromkeys((*genres.known(names), *others)))
        film_id = f"{number:07}" if columns.id is None else text_of(row[columns.id])
        title, year = _title_and_year(rows, columns, row)
        read.films.append(Film(film_id, title, year, text_of(row[columns.overview]), of_film))
        data, path = image_in(row[columns.image])
        cells = [*(text_of(row[index]) for index in columns.posters), path]
        read.named.setdefault(film_id, tuple(filter(None, (PurePosixPath(cell).stem for cell in cells))))
        for index in columns.other_ids:
            other = PurePosixPath(text_of(row[index])).stem  # also of 862.0, as data frames have it where others are missing
            read.kinds.setdefault(cut(rows.columns[index]), {}).setdefault(film_id, other)
        if data and images:
            name = path or f"row {number:,}"
            read.embedded.setdefault(film_id, EmbeddedPoster(images, number, name, suffix_of(data, path)))
    notes += _one_hot_notes(labels.values(), counts) + genres.notes(rows.path)
    read.understood = _in_words(rows, columns, genres)
    return read


def _is_set(rows: Rows, index: int, cell: Any, number: int) -> bool:
    flag = flag_of(cell)
    if flag is None:
        raise InputError(rows.path, f"0 or 1 in the genre column {cut(rows.columns[index])!r}",
                         f"{'something else' if text_of(cell) else 'an empty cell'} in row {number:,}",
                         "Mend it, or name the columns to take.", setting="genres_column")
    return flag


def _title_and_year(rows: Rows, columns: Columns, row: dict[int | None, Any]) -> tuple[str, str]:
    """The title and the year of a film. Without a column of years, a title such as "Heat (1995)" holds both."""
    title, year = text_of(row[columns.title]), text_of(row[columns.year])
    if columns.year is None:
        match = TITLE_WITH_YEAR.fullmatch(title)
        return (match[1], match[2]) if match else (title, "")
    if "year" in rows.columns[columns.year].lower():
        return title, plain_year(year)
    match = YEAR.search(year)
    return title, match[1] if match else ""


def _one_hot_notes(labels: Iterable[str], counts: Counter[str]) -> list[str]:
    empty = [name for name in labels if not counts[name]]
    notes = [f"genre columns without a single film, left out: {', '.join(empty)}"] if empty else []
    return notes + [f"{counts[name]:,} films have {name}, which says that the genre is unknown: it is not a genre to learn"
                    for name in labels if name.lower() in UNKNOWN_GENRES and counts[name]]


def _in_words(rows: Rows, columns: Columns, genres: Genres) -> dict[str, str]:
    """What the columns of a table were taken as, and how genres were written, by what it is about."""
    def named(*indices: int | None) -> str:
        return names_of(rows, [index for index in indices if index is not None])

    notations = ", ".join(f"{notation} ({count:,})" for notation, count in genres.notations.most_common())
    labels = (f"{named(*columns.genres)}: {notations or 'all empty'}" if columns.genres else
              f"{len(columns.one_hot):,} columns of 0 and 1: {named(*columns.one_hot)}" if columns.one_hot else "none")
    year = named(columns.year) or ("at the end of the title" if columns.title is not None else "none")
    return {"table": rows.path.name, "id": named(columns.id) or "the number of the row",
            "title": named(columns.title) or "none", "year": year, "overview": named(columns.overview) or "none",
            "genres": labels, "poster": named(columns.image, *columns.posters)}
