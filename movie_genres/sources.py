"""Recognises the layouts in which people hold film data, and reads each as films and posters.

A layout is two functions: one that recognises it in a folder, one that reads it. Folders and zip archives look the same
to both, as `pathlib.Path` and `zipfile.Path` share the methods used here. Nothing is extracted.
"""

import ast
import dataclasses
import itertools
import json
import zipfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from movie_genres.errors import InputError
from movie_genres.films import Film
from movie_genres.posters import SUFFIXES
from movie_genres.tables import GENRES_COLUMNS, ID_COLUMNS, TEXT_COLUMNS, Table

TABLE_SUFFIXES = (".csv", ".tsv", ".txt")
POSTER_FOLDERS = ("posters", "images", "poster", "image")
UNKNOWN_GENRES = ("n/a", "na", "none", "unknown", "(no genres listed)")


@dataclasses.dataclass
class Source:
    """Films and posters as a layout holds them.

    Attributes:
        films: list of `Film`.
        posters: dict from film id to the file (`pathlib.Path` or `zipfile.Path`) with its poster.
        unused_posters: how many poster files belong to no film.
        notes: list of sentences on what was skipped or is peculiar.
    """

    films: list
    posters: dict
    unused_posters: int
    notes: list


@dataclasses.dataclass(frozen=True)
class TableOptions:
    """How to read a plain table; None means: find out.

    Attributes:
        id_column, text_column, genres_column: names of columns.
        genre_separator: what stands between the genres of a cell.
        posters: a folder with the posters, where it is not beside the table.
    """

    id_column: str | None = None
    text_column: str | None = None
    genres_column: str | None = None
    genre_separator: str | None = None
    posters: Path | None = None


class Layout(NamedTuple):
    """One way of holding film data: `recognise(folder) -> bool` and `read(folder, options) -> Source`."""

    recognise: object
    read: object
    expected: str


def read_source(path, layout=None, options=TableOptions()):
    """Reads films and posters from a folder, a zip archive or a table.

    Args:
        path: the folder, archive or table.
        layout: a key of `LAYOUTS`; by default the layout is recognised.
        options: `TableOptions`.

    Returns:
        (name of the layout, `Source`).

    Raises:
        InputError: no such path, an unknown layout, an archive with a member outside itself, or what the layout raises.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(path, "a folder, a zip archive or a table", "nothing", "Check the path.")
    folders = _open_folders(path)
    for name in [layout] if layout else LAYOUTS:
        for folder in folders:
            if LAYOUTS[name].recognise(folder):
                return name, LAYOUTS[name].read(folder, options)
    expected = LAYOUTS[layout].expected if layout else "; or ".join(known.expected for known in LAYOUTS.values())
    raise InputError(path, expected, _describe(folders[0]), "" if layout else "Name the layout with --format.")


def _open_folders(path):
    """The path as a list of folders in which a layout may lie: itself, and the folders directly inside."""
    if path.is_dir():
        top = path
    elif zipfile.is_zipfile(path):
        _refuse_unsafe_members(path)
        top = zipfile.Path(path)
    elif path.suffix.lower() in TABLE_SUFFIXES:
        return [path]
    else:
        raise InputError(path, "a folder, a zip archive or a table (" + ", ".join(TABLE_SUFFIXES) + ")",
                         "a file that is none of these")
    inside = sorted((entry for entry in top.iterdir() if entry.is_dir() and entry.name != "__MACOSX"), key=str)
    return [top, *inside[:20]]


def _refuse_unsafe_members(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise InputError(path, "a whole zip archive", str(error), "Fetch it again.") from None
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in name.split("/")[0]:
            raise InputError(path, "members inside the archive", f"the member {name!r}", "Do not trust this archive.")


def _describe(folder):
    if folder.is_file():
        return "the columns " + ", ".join(Table(folder).columns)
    names = sorted(entry.name for entry in folder.iterdir())
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "") if names else "nothing in it"


def _child(folder, name):
    """The entry of a folder with this name whatever its case, or None."""
    return next((entry for entry in folder.iterdir() if entry.name.lower() == name.lower()), None)


def _posters_in(folder):
    """Dict from stem to file of the posters in a folder (None: no folder); the first by name where a stem repeats."""
    posters = {}
    for file in sorted(folder.iterdir(), key=str) if folder is not None else ():
        if PurePosixPath(file.name).suffix.lower() in SUFFIXES:
            posters.setdefault(PurePosixPath(file.name).stem, file)
    return posters


def _assemble(films, posters, names, notes):
    """A `Source` from films, posters by stem, and the stems under which each film's poster may be found."""
    found = {film.id: next((posters[name] for name in names.get(film.id, (film.id,)) if name in posters), None)
             for film in films}
    found = {film_id: file for film_id, file in found.items() if file is not None}
    return Source(films, found, len(posters) - len(set(map(str, found.values()))), notes)


def _known(genres):
    """The genres that name one, each once."""
    cleaned = (str(genre).strip().replace("|", "/") for genre in genres)
    return tuple(dict.fromkeys(genre for genre in cleaned if genre and genre.lower() not in UNKNOWN_GENRES))


def _well_formed(table, notes):
    """The rows of a table with the right number of cells; notes how many had another."""
    ragged = []
    for number, cells in table:
        if table.is_ragged(cells):
            ragged.append(number)
        else:
            yield number, cells
    if ragged:
        notes.append(f"{table.path.name}: skipped {len(ragged):,} rows whose number of cells differs from the header's "
                     f"(first: row {ragged[0]:,})")


# --- Multimodal_IMDB_dataset: one-hot genre columns -----------------------------------------------------------------

ONE_HOT_TABLE = "IMDB_overview_genres.csv"


def _is_one_hot(folder):
    return folder.is_dir() and _child(folder, ONE_HOT_TABLE) is not None


def _read_one_hot(folder, options):
    table, notes, films = Table(_child(folder, ONE_HOT_TABLE)), [], []
    id_column, text_column = table.find("Id"), table.find("Overview")
    labels = {name: column for column, name in enumerate(table.columns) if name not in ("Id", "Genre", "Overview")}
    counts = dict.fromkeys(labels, 0)
    for number, cells in _well_formed(table, notes):
        for name, column in labels.items():
            if cells[column] not in ("0", "1"):
                raise InputError(table.path, f"0 or 1 in the genre column {name!r}", f"{cells[column]!r} in row {number}")
            counts[name] += cells[column] == "1"
        genres = (name for name, column in labels.items() if cells[column] == "1")
        films.append(Film(cells[id_column].strip(), overview=cells[text_column].strip(), genres=_known(genres)))
    empty = [name for name, count in counts.items() if not count]
    if empty:
        notes.append(f"genre columns without a single film, left out: {', '.join(empty)}")
    notes += [f"{counts[name]:,} films have {name}, which says that the genre is unknown: it is not a genre to learn"
              for name in labels if name.lower() in UNKNOWN_GENRES and counts[name]]
    return _assemble(films, _posters_in(_child(folder, "Images")), {}, notes)


# --- MM-IMDb: a JSON file and a JPEG for each film ------------------------------------------------------------------

def _is_mm_imdb(folder):
    files = (entry for entry in folder.iterdir() if entry.name.endswith(".json")) if folder.is_dir() else ()
    return any(_has_plot(file) for file in itertools.islice(files, 20))


def _has_plot(file):
    content = _json_object(file)
    return content is not None and ("plot" in content or "plot outline" in content)


def _json_object(file):
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _read_mm_imdb(folder, options):
    films, notes, unreadable = [], [], []
    for file in sorted(folder.iterdir(), key=str):
        if not file.name.endswith(".json"):
            continue
        content = _json_object(file)
        if content is None:
            unreadable.append(file.name)
            continue
        plots = content.get("plot") or [""]
        plot = content.get("plot outline") or (plots if isinstance(plots, str) else plots[0])
        films.append(Film(PurePosixPath(file.name).stem, str(content.get("title") or ""), str(content.get("year") or ""),
                          str(plot).split("::")[0].strip(), _known(content.get("genres") or ())))
    if unreadable:
        notes.append(f"skipped {len(unreadable):,} files that are not a JSON object (first: {unreadable[0]})")
    return _assemble(films, _posters_in(folder), {}, notes)


# --- Tables: TMDB, "The Movies Dataset", and any other --------------------------------------------------------------

def _tables(folder):
    if folder.is_file():
        return [Table(folder)]
    files = sorted((entry for entry in folder.iterdir() if PurePosixPath(entry.name).suffix.lower() in TABLE_SUFFIXES),
                   key=str)
    return [Table(file) for file in files if file.is_file()]


def _tmdb_table(folder):
    wanted = {"id", "overview", "genres", "poster_path"}
    return next((table for table in _tables(folder) if wanted <= set(table.columns)), None)


def _read_tmdb(folder, options):
    table, notes, films, names = _tmdb_table(folder), [], [], {}
    column = {name: table.columns.index(name) for name in table.columns}
    for _, cells in _well_formed(table, notes):
        row = {name: cells[index].strip() for name, index in column.items()}
        film = Film(row["id"], row.get("title", ""), row.get("release_date", "")[:4], row["overview"],
                    _parse_genres(row["genres"], options.genre_separator))
        films.append(film)
        names[film.id] = (film.id, row.get("imdb_id", ""), PurePosixPath(row["poster_path"]).stem)
    return _assemble(films, _posters_in(_poster_folder(folder, options)), names, notes)


def _is_table(folder):
    return len(_tables(folder)) == 1


def _read_table(folder, options):
    (table,), notes = _tables(folder), []
    id_column = table.find(options.id_column, ID_COLUMNS, "--id-column")
    text_column = table.find(options.text_column, TEXT_COLUMNS, "--text-column")
    genres_column = table.find(options.genres_column, GENRES_COLUMNS, "--genres-column")
    title, year = (_optional(table, name) for name in ("title", "year"))
    films = [Film(cells[id_column].strip(), title(cells), year(cells), cells[text_column].strip(),
                  _parse_genres(cells[genres_column], options.genre_separator))
             for _, cells in _well_formed(table, notes)]
    return _assemble(films, _posters_in(_poster_folder(folder, options)), {}, notes)


def _optional(table, name):
    lower = [column.lower() for column in table.columns]
    return (lambda cells: cells[lower.index(name)].strip()) if name in lower else lambda cells: ""


def _poster_folder(folder, options):
    if options.posters:
        if not options.posters.is_dir():
            raise InputError(options.posters, "a folder with posters", "no such folder", "Check --posters.")
        return options.posters
    beside = folder.parent if folder.is_file() else folder
    return next((child for child in map(lambda name: _child(beside, name), POSTER_FOLDERS) if child is not None), None)


def _parse_genres(cell, separator):
    """The genres of a cell: a list in Python or JSON notation, of names or of {'name': …}, or names with a separator."""
    cell = cell.strip()
    if cell.startswith("["):
        try:
            entries = ast.literal_eval(cell)
        except (ValueError, SyntaxError):
            entries = []
        return _known(entry.get("name", "") if isinstance(entry, dict) else entry for entry in entries)
    separator = separator or next((mark for mark in "|;," if mark in cell), "|")
    return _known(cell.split(separator))


LAYOUTS = {
    "multimodal-imdb": Layout(_is_one_hot, _read_one_hot, f"{ONE_HOT_TABLE} beside Images/ (Multimodal_IMDB_dataset)"),
    "mm-imdb": Layout(_is_mm_imdb, _read_mm_imdb, "<id>.json files with a plot beside <id>.jpeg (MM-IMDb)"),
    "tmdb": Layout(lambda folder: _tmdb_table(folder) is not None, _read_tmdb,
                   "a table with the columns id, overview, genres and poster_path (TMDB)"),
    "table": Layout(_is_table, _read_table, "exactly one table (.csv, .tsv, .txt) with an id, a text and a genre column"),
}
