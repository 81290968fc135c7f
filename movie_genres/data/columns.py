"""Makes films of rows of named cells, whatever kind of file holds them: finds out which column is what, and reads them."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from movie_genres.base.errors import InputError
from movie_genres.data.films import Film
from movie_genres.data.genres import TMDB_GENRES, UNKNOWN_GENRES, Genres
from movie_genres.data.sources import EmbeddedPoster, ImageColumn, ImportOptions, Poster, image_in, suffix_of
from movie_genres.data.tables import GENRES_COLUMNS, ID_COLUMNS, POSTER_COLUMNS, TEXT_COLUMNS, Rows, cut

TITLE_COLUMNS = ("title", "original_title", "primarytitle", "name")
YEAR_COLUMNS = ("year", "release_year", "startyear", "release_date", "released", "date")
OTHER_IDS = ("imdb_id", "imdbid", "tmdb_id", "tmdbid")
NUMBERED_COLUMNS = ("genre_ids", "genre_id", "tmdb_genre_ids")
NO_GENRE = re.compile("(is|has)_?.*|adult|video|index|unnamed.*|", re.IGNORECASE)  # columns that may hold 0 and 1 as well
PREFIX = "genre_"  # before the names of one-hot columns, as those of data frames
FLAG_CELLS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
SHOWN = 12  # names of columns in a sentence
NUMBERED_GENRES = re.compile(r"genres?[ _-]?\d{1,3}", re.IGNORECASE)  # names of several columns with genres
FLOAT_YEAR = re.compile(r"\d{4}\.0")  # as data frames have it where others are missing
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
    names: tuple[int, ...] = ()  # columns with other names that the poster's file may have
    image: int | None = None  # column with the poster itself

    def wanted(self) -> list[int]:
        """The indices, each once."""
        single = [self.id, self.overview, self.title, self.year, self.image, *self.genres, *self.one_hot, *self.names]
        return list(dict.fromkeys(index for index in single if index is not None))


@dataclasses.dataclass
class Read:
    """Films as rows have them, with the names that their posters' files may have, and the posters in the rows themselves."""

    films: list[Film] = dataclasses.field(default_factory=list)
    names: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)  # by film id
    embedded: dict[str, Poster] = dataclasses.field(default_factory=dict)  # by film id
    understood: dict[str, str] = dataclasses.field(default_factory=dict)  # what was taken as what, in words


def find_columns(rows: Rows, options: ImportOptions, notes: list[str], is_text_needed: bool = True) -> Columns:
    """Finds out which column is what: as the options say, or else by their names, and of genres also by their cells.

    A note tells of columns that were taken as genres for their cells alone.

    Raises:
        InputError: there is no column with ids, overviews or genres. Overviews may be missing where no text is needed; also
            where cells hold pictures, and numbers of rows take the place of ids then; with corrections, genres may be.
    """
    image = next(iter(rows.images), None)
    identity = _find(rows, options.id_column, ID_COLUMNS, "id_column", image is None)
    overview = _find(rows, options.text_column, TEXT_COLUMNS, "text_column", is_text_needed and image is None)
    title, year = (_find(rows, None, usual) for usual in (TITLE_COLUMNS, YEAR_COLUMNS))
    taken = {identity, overview, title, year, image}
    genres, one_hot = _find_genres(rows, options, taken)
    if one_hot and not options.genres_column and not rows.columns[one_hot[0]].startswith(PREFIX):
        notes.append(f"columns that hold 0 and 1 were taken as genres: {_names(rows, one_hot)}")
    others = [_find(rows, None, (name,)) for name in (*OTHER_IDS, *POSTER_COLUMNS)]
    names = tuple(dict.fromkeys(index for index in others if index is not None and index not in {*taken, *genres, *one_hot}))
    return Columns(identity, overview, title, year, genres, one_hot, names, image)


def _find(rows: Rows, name: str | None, usual: Sequence[str], setting: str | None = None, needed: bool = False
          ) -> int | None:
    try:
        return rows.find(name, usual, setting)
    except InputError:
        if needed or name is not None:
            raise
        return None


def _find_genres(rows: Rows, options: ImportOptions, taken: set[int | None]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The columns with genres, and those that are named by one."""
    if options.genres_column:
        named = [rows.find(name, (), "genres_column") for name in options.genres_column]
        one_hot = set(_flags(rows, named) if len(named) > 1 else ())
        return tuple(index for index in named if index not in one_hot), tuple(index for index in named if index in one_hot)
    usual = _find(rows, None, GENRES_COLUMNS)
    if usual is not None:
        return (usual,), ()
    several = [index for index, name in enumerate(rows.columns) if NUMBERED_GENRES.fullmatch(name)]
    empty = _flags(rows, several)
    if several := [index for index in several if index not in empty]:
        return tuple(several), ()
    numbered = _find(rows, None, NUMBERED_COLUMNS)
    if numbered is not None and not _flags(rows, [numbered]):  # else a genre that is called so
        return (numbered,), ()
    flags = _flags(rows, [index for index, name in enumerate(rows.columns)
                          if index not in {*taken, *rows.images} and not NO_GENRE.fullmatch(name)])
    prefixed = [index for index in flags if rows.columns[index].startswith(PREFIX)]
    if prefixed or len(flags) > 1:
        return (), tuple(prefixed or flags)
    _find(rows, None, GENRES_COLUMNS, "genres_column", options.corrections is None)  # tells what is missing
    return (), ()


def _flags(rows: Rows, columns: Sequence[int]) -> list[int]:
    """Those of the columns whose cells are all 0 or 1, or false or true; none where there is no row."""
    left, count = list(columns), 0
    for _, cells in rows.records(columns, []) if columns else ():
        count += 1
        odd = {index for index, cell in zip(columns, cells) if _flag(cell) is None}
        left = [index for index in left if index not in odd]
        if not left:
            break
    return left if count else []


def _flag(cell: Any) -> bool | None:
    return FLAG_CELLS.get(text_of(cell).lower())


def text_of(cell: Any) -> str:
    """A cell as text: of a list, its first entry; whole numbers without a point, and nothing for what is not a number."""
    if isinstance(cell, list):
        return text_of(cell[0]) if cell and not isinstance(cell[0], list) else ""
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace").strip()
    if cell is None or isinstance(cell, dict) or cell != cell:
        return ""
    return str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell).strip()


def read_films(rows: Rows, columns: Columns, options: ImportOptions, notes: list[str]) -> Read:
    """Reads the films of a table; notes say what was skipped or is peculiar.

    Raises:
        InputError: a column of `columns.one_hot` has a cell that is neither 0 nor 1, all genres are numbers, or what the
            table raises while it is read.
    """
    read, counts = Read(), Counter[str]()
    is_numbered = any(rows.columns[index].lower() in NUMBERED_COLUMNS for index in columns.genres)
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
        stems = [PurePosixPath(text_of(row[index])).stem for index in columns.names]
        read.names.setdefault(film_id, (film_id, *filter(None, (*stems, PurePosixPath(path).stem))))
        if data and images:
            name = path or f"row {number:,}"
            read.embedded.setdefault(film_id, EmbeddedPoster(images, number, name, suffix_of(data, path)))
    ids = {film.id for film in read.films}  # a name that is the id of another film is that one's alone
    read.names = {film_id: tuple(name for name in names if name == film_id or name not in ids)
                  for film_id, names in read.names.items()}
    notes += _one_hot_notes(labels.values(), counts) + genres.notes(rows.path)
    read.understood = _in_words(rows, columns, genres)
    return read


def _is_set(rows: Rows, index: int, cell: Any, number: int) -> bool:
    flag = _flag(cell)
    if flag is None:
        raise InputError(rows.path, f"0 or 1 in the genre column {cut(rows.columns[index])!r}",
                         f"something else in row {number}")
    return flag


def _title_and_year(rows: Rows, columns: Columns, row: dict[int | None, Any]) -> tuple[str, str]:
    """The title and the year of a film. Without a column of years, a title such as "Heat (1995)" holds both."""
    title, year = text_of(row[columns.title]), text_of(row[columns.year])
    if columns.year is None:
        match = TITLE_WITH_YEAR.fullmatch(title)
        return (match[1], match[2]) if match else (title, "")
    if "year" in rows.columns[columns.year].lower():
        return title, year.removesuffix(".0") if FLOAT_YEAR.fullmatch(year) else year
    match = YEAR.search(year)
    return title, match[1] if match else ""


def _one_hot_notes(labels: Iterable[str], counts: Counter[str]) -> list[str]:
    empty = [name for name in labels if not counts[name]]
    notes = [f"genre columns without a single film, left out: {', '.join(empty)}"] if empty else []
    return notes + [f"{counts[name]:,} films have {name}, which says that the genre is unknown: it is not a genre to learn"
                    for name in labels if name.lower() in UNKNOWN_GENRES and counts[name]]


def _names(rows: Rows, indices: Sequence[int]) -> str:
    names = [cut(rows.columns[index]) for index in indices]
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")


def _in_words(rows: Rows, columns: Columns, genres: Genres) -> dict[str, str]:
    """What the columns of a table were taken as, and how genres were written, by what it is about."""
    def named(*indices: int | None) -> str:
        return _names(rows, [index for index in indices if index is not None])

    notations = ", ".join(f"{notation} ({count:,})" for notation, count in genres.notations.most_common())
    labels = (f"{named(*columns.genres)}: {notations or 'all empty'}" if columns.genres else
              f"{len(columns.one_hot):,} columns of 0 and 1: {named(*columns.one_hot)}" if columns.one_hot else "none")
    year = named(columns.year) or ("at the end of the title" if columns.title is not None else "none")
    posters = named(columns.image) or "files named by " + ", ".join(filter(None, ["the id", named(*columns.names)]))
    return {"table": rows.path.name, "id": named(columns.id) or "the number of the row",
            "title": named(columns.title) or "none", "year": year, "overview": named(columns.overview) or "none",
            "genres": labels, "poster": posters}
