"""Recognises the layouts in which people hold film data, and reads each as films and posters.

A layout is a function that reads it, where it recognises it. Folders and zip archives are the same to it: a `places.Place`.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pydantic

from movie_genres.base.errors import InputError, SettingError
from movie_genres.base.files import StrPath, reason_of
from movie_genres.data.films import Film
from movie_genres.data.genres import UNKNOWN_GENRES, Genres
from movie_genres.data.places import IMPORTED_SUFFIXES, Place, folder_place, left_out, open_source, posters_in
from movie_genres.data.tables import GENRES_COLUMNS, ID_COLUMNS, TEXT_COLUMNS, Table

POSTER_FOLDERS = ("posters", "images", "poster", "image")
MAX_JSON = 10_000_000  # bytes of the JSON file of one film


@dataclasses.dataclass
class Source:
    """Films and posters as a layout holds them."""

    films: list[Film]
    posters: dict[str, Place]  # by film id
    spare: dict[str, Place]  # posters that belong to no film, by their names without suffix
    notes: list[str]  # sentences on what was skipped or is peculiar
    origin: Path | None = None  # where the layout was found; None in an archive


@dataclasses.dataclass(frozen=True)
class ImportOptions:
    """How to read a plain table, and the folder with the posters; None means: find out.

    With a table of `corrections`, see `corrections.read_corrections`, a source needs no genres, and posters are looked for
    in subfolders too, where their names are their paths below the folder, as scoring has them.
    """

    id_column: str | None = None
    text_column: str | None = None
    genres_column: str | None = None
    genre_separator: str | None = None
    posters: Path | None = None
    corrections: Path | None = None


class Layout(NamedTuple):
    """One way of holding film data: how to read it (None: it is not this one), and what it looks like, in words."""

    read: Callable[[Place, ImportOptions], Source | None]
    expected: str


def read_source(path: StrPath, layout: str | None = None, options: ImportOptions = ImportOptions()) -> tuple[str, Source]:
    """Reads films and posters from a folder, a zip archive or a table, with the name of the layout.

    `layout` is a key of `LAYOUTS`; by default the layout is recognised.

    Raises:
        InputError: as `places.open_source`, an unknown layout, or one that does not hold what it should.
        SettingError: there are no posters where the options say.
    """
    places, notes = open_source(Path(path))
    for name in [layout] if layout else LAYOUTS:
        for place in places:
            source = LAYOUTS[name].read(place, options)
            if source is not None:
                source.origin = place.path if isinstance(place.path, Path) else None
                source.notes += notes
                return name, source
    expected = LAYOUTS[layout].expected if layout else "a known layout: " + "; or ".join(
        known.expected for known in LAYOUTS.values())
    raise InputError(path, expected, _describe(places[0]), setting=None if layout else "layout")


def _describe(place: Place) -> str:
    if not place.is_dir():
        return "the columns " + ", ".join(Table(place.path).columns)
    names = [entry.name for entry in place.children()]
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "") if names else "nothing in it"


def _poster_folder(place: Place, options: ImportOptions, usual: Iterable[str]) -> Place | None:
    """Where the posters are: what the user named, or the first of the `usual` folders that there is."""
    if options.posters:
        if not options.posters.is_dir():
            raise SettingError("posters", "a folder with posters", f"no folder {options.posters}")
        return folder_place(options.posters)
    beside = place if place.is_dir() else folder_place(place.path.parent)
    found = next((child for child in map(beside.child, usual) if child and child.is_dir()), None)
    if found and found.leads_out():
        raise InputError(found.path, "a folder inside the source", "a link that leads out of it", setting="posters")
    return found


def _assemble(films: list[Film], folder: Place | None, notes: list[str], options: ImportOptions,
              names: Mapping[str, Sequence[str]] = {}) -> Source:
    """From films, the folder of posters, and the stems under which each film's poster may be found, if not its id."""
    posters = posters_in(folder, notes, options.corrections is not None) if folder else {}
    found: dict[str, Place] = {}
    for film in films:
        for name in names.get(film.id, (film.id,)):
            if name in posters:
                found.setdefault(film.id, posters[name])
    used = {str(file.path) for file in found.values()}
    return Source(films, found, {name: file for name, file in posters.items() if str(file.path) not in used}, notes)


def _well_formed(table: Table, notes: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table with the right number of cells; notes how many had another."""
    ragged, first = 0, None
    for number, cells in table:
        if table.is_ragged(cells):
            ragged, first = ragged + 1, first or number
        else:
            yield number, cells
    if ragged:
        notes.append(f"{table.path.name}: skipped {ragged:,} rows whose number of cells differs from the header's "
                     f"(first: row {first:,})")


# --- Multimodal_IMDB_dataset: one-hot genre columns -----------------------------------------------------------------

ONE_HOT_TABLE = "IMDB_overview_genres.csv"


def _read_one_hot(place: Place, options: ImportOptions) -> Source | None:
    file = place.child(ONE_HOT_TABLE) if place.is_dir() else None
    if file is None:
        return None
    notes: list[str] = []
    table, films, genres = file.table(), [], Genres()
    id_column, text_column = table.find("Id"), table.find("Overview")
    labels = {name: column for column, name in enumerate(table.columns) if name not in ("Id", "Genre", "Overview")}
    counts: Counter[str] = Counter()
    for number, cells in _well_formed(table, notes):
        for name, column in labels.items():
            if cells[column] not in ("0", "1"):
                raise InputError(table.path, f"0 or 1 in the genre column {name!r}", f"something else in row {number}")
        names = [name for name, column in labels.items() if cells[column] == "1"]
        counts.update(names)
        films.append(Film(cells[id_column].strip(), overview=cells[text_column].strip(), genres=genres.known(names)))
    if empty := [name for name in labels if not counts[name]]:
        notes.append(f"genre columns without a single film, left out: {', '.join(empty)}")
    notes += [f"{counts[name]:,} films have {name}, which says that the genre is unknown: it is not a genre to learn"
              for name in labels if name.lower() in UNKNOWN_GENRES and counts[name]]
    notes += genres.notes(table.path)
    return _assemble(films, _poster_folder(place, options, ("images",)), notes, options)


# --- MM-IMDb: a JSON file and a JPEG for each film ------------------------------------------------------------------

class _Record(pydantic.BaseModel):
    """What is read of a film's JSON file. Numbers are not genres, and a plot is text."""

    model_config = pydantic.ConfigDict(strict=True)
    title: str | int | float | None = None
    year: str | int | float | None = None
    plot: str | list[str] | None = None
    outline: str | None = pydantic.Field(None, alias="plot outline")
    genres: str | list[str] | None = None

    def text(self) -> str:
        """The outline, or the first plot, without its author."""
        plot = self.plot if isinstance(self.plot, str) else next(iter(self.plot or ()), "")
        return (self.outline or plot).split("::")[0].strip()


def _has_plot(file: Place) -> bool:
    try:
        return not {"plot", "plot outline"}.isdisjoint(_json_object(file))
    except (OSError, ValueError):
        return False


def _json_object(file: Place) -> dict[str, Any]:
    """The object in a JSON file. Raises `OSError`, or `ValueError` where there is none, or nothing in it."""
    try:
        content = json.loads(file.read(MAX_JSON))
    except RecursionError:  # nested by the thousand
        content = None
    if not isinstance(content, dict) or not content:
        raise ValueError
    return content


def _read_mm_imdb(place: Place, options: ImportOptions) -> Source | None:
    files = [entry for entry in place.children() if entry.name.endswith(".json")] if place.is_dir() else []
    if not any(map(_has_plot, files[:20])):
        return None
    films, reasons, genres = [], [], Genres()
    for file in files:
        try:
            record = _Record.model_validate(_json_object(file))
        except OSError as error:
            reasons.append((file.name, reason_of(error)))
        except ValueError:  # also pydantic's
            reasons.append((file.name, "not a JSON object with a film's plot and genres as text"))
        else:
            names = genres.parse(record.genres) if isinstance(record.genres, str) else genres.known(record.genres or ())
            films.append(Film(file.stem, str(record.title or ""), str(record.year or ""), record.text(), names))
    notes = left_out("JSON files", reasons) + genres.notes(place.path)
    return _assemble(films, _poster_folder(place, options, ()) or place, notes, options)


# --- Tables: TMDB, "The Movies Dataset", and any other --------------------------------------------------------------

def _tables(place: Place) -> list[Table]:
    if not place.is_dir():
        return [place.table()]
    return [entry.table() for entry in place.children() if entry.suffix in IMPORTED_SUFFIXES and not entry.is_dir()]


def _read_tmdb(place: Place, options: ImportOptions) -> Source | None:
    needed = {"id", "overview", "genres", "poster_path"}
    table = next((table for table in _tables(place) if needed <= set(table.columns)), None)
    if table is None:
        return None
    notes: list[str] = []
    films, names, genres = [], {}, Genres(options.genre_separator)
    for _, cells in _well_formed(table, notes):
        row = {name: cell.strip() for name, cell in zip(table.columns, cells)}
        year, genres_of_film = row.get("release_date", "")[:4], genres.parse(row["genres"])
        films.append(Film(row["id"], row.get("title", ""), year, row["overview"], genres_of_film))
        names[row["id"]] = (row["id"], row.get("imdb_id", ""), PurePosixPath(row["poster_path"]).stem)
    notes += genres.notes(table.path)
    return _assemble(films, _poster_folder(place, options, POSTER_FOLDERS), notes, options, names)


def _read_table(place: Place, options: ImportOptions) -> Source | None:
    tables = _tables(place)
    if len(tables) != 1:
        return None
    notes: list[str] = []
    table, genres = tables[0], Genres(options.genre_separator)
    ids = table.find(options.id_column, ID_COLUMNS, "id_column")
    texts = table.find(options.text_column, TEXT_COLUMNS, "text_column")
    labels = _labels_of(table, options)
    title, year = (_optional(table, name) for name in ("title", "year"))
    films = [Film(cells[ids].strip(), title(cells), year(cells), cells[texts].strip(),
                  () if labels is None else genres.parse(cells[labels]))
             for _, cells in _well_formed(table, notes)]
    notes += genres.notes(table.path)
    return _assemble(films, _poster_folder(place, options, POSTER_FOLDERS), notes, options)


def _labels_of(table: Table, options: ImportOptions) -> int | None:
    try:
        return table.find(options.genres_column, GENRES_COLUMNS, "genres_column")
    except InputError:
        if options.corrections is None or options.genres_column:
            raise
        return None


def _optional(table: Table, name: str) -> Callable[[list[str]], str]:
    lower = [column.lower() for column in table.columns]
    return (lambda cells: cells[lower.index(name)].strip()) if name in lower else lambda cells: ""


# --- Posters alone, whose labels are corrections ---------------------------------------------------------------------

def _read_posters(place: Place, options: ImportOptions) -> Source | None:
    notes: list[str] = []
    posters = posters_in(place, notes, deep=True) if options.corrections and place.is_dir() else {}
    return Source([], {}, posters, notes) if posters else None


LAYOUTS = {
    "multimodal-imdb": Layout(_read_one_hot, f"{ONE_HOT_TABLE} beside Images/ (Multimodal_IMDB_dataset)"),
    "mm-imdb": Layout(_read_mm_imdb, "<id>.json files with a plot beside <id>.jpeg (MM-IMDb)"),
    "tmdb": Layout(_read_tmdb, "a table with the columns id, overview, genres and poster_path (TMDB)"),
    "table": Layout(_read_table, "exactly one table (.csv, .tsv, .txt) with an id, a text and a genre column"),
    "posters": Layout(_read_posters, "with corrections, a folder of posters"),
}
