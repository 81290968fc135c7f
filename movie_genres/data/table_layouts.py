"""Layouts whose films are rows: of text tables, JSON Lines or Parquet files."""

from collections.abc import Mapping, Sequence

from movie_genres.base.errors import InputError
from movie_genres.data.columns import Columns, Read, find_columns, read_films
from movie_genres.data.json_tables import is_json_table
from movie_genres.data.parquet import PARQUET_SUFFIX, ParquetTable, Shards
from movie_genres.data.places import IMPORTED_SUFFIXES, Place, folder_place
from movie_genres.data.sources import ImportOptions, Source, assemble, poster_folder
from movie_genres.data.tables import GZIP, Rows, plain_name

POSTER_FOLDERS = ("posters", "images", "poster", "image")
ONE_HOT_TABLE = "IMDB_overview_genres.csv"
FILE_COLUMNS = ("file", "filename", "file_name")  # columns with names of files, which lie beside the table if not elsewhere
LOOKED_AT = 20  # JSON or text files of a folder, for whether one of them is a table


def read_one_hot(place: Place, options: ImportOptions) -> Source | None:
    """Multimodal_IMDB_dataset: a table with a column of 0 and 1 for each genre."""
    file = place.child(ONE_HOT_TABLE) if place.is_dir() else None
    if file is None:
        return None
    table = file.table()
    labels = tuple(index for index, name in enumerate(table.columns) if name not in ("Id", "Genre", "Overview"))
    columns = Columns(table.find("Id"), table.find("Overview"), one_hot=labels)
    return _read(table, place, options, columns, ("images",))


def read_tmdb(place: Place, options: ImportOptions) -> Source | None:
    """A table as TMDB's API and "The Movies Dataset" have it, with posters named by what TMDB calls them."""
    def is_tmdb(rows: Rows) -> bool:
        names = set(rows.columns)
        return {"id", "overview", "poster_path"} <= names and bool({"genres", "genre_ids"} & names)

    rows = next(filter(is_tmdb, tables_at(place, options)), None)
    return None if rows is None else _read(rows, place, options)


def read_table(place: Place, options: ImportOptions) -> Source | None:
    """Any table, where there is one only."""
    tables = tables_at(place, options)
    return _read(tables[0], place, options) if len(tables) == 1 else None


def tables_at(place: Place, options: ImportOptions) -> list[Rows]:
    """The tables at a place; Parquet files with the same columns are one, and so are a table and its packed copy. In a
    folder, a JSON file is one where it holds more than an object, and a file of text, `.txt`, where it has the columns that
    an import needs."""
    if not place.is_dir():
        return [place.rows()]
    files = [entry for entry in place.children() if entry.kind in IMPORTED_SUFFIXES and not entry.is_dir()]
    names = {entry.name for entry in files}
    files = [entry for entry in files if entry.name.removesuffix(GZIP) not in names - {entry.name}]
    unsure = {".json": _is_json_table, ".txt": lambda entry: _is_text_table(entry, options)}
    looked_at = [entry for suffix in unsure for entry in [entry for entry in files if entry.kind == suffix][:LOOKED_AT]]
    plain = [entry.rows() for entry in files if entry.kind not in (*unsure, PARQUET_SUFFIX) or
             entry in looked_at and unsure[entry.kind](entry)]
    shards: dict[tuple[str, ...], list[ParquetTable]] = {}
    for entry in files:
        if entry.kind == PARQUET_SUFFIX:
            table = entry.parquet()
            shards.setdefault(tuple(sorted(table.columns)), []).append(table)
    return [*plain, *map(Shards, shards.values())]


def _is_json_table(file: Place) -> bool:
    try:
        file.check()
        return is_json_table(file.path)
    except (OSError, InputError):
        return False


def _is_text_table(file: Place, options: ImportOptions) -> bool:
    try:
        find_columns(file.table(), options, [])
    except InputError:
        return False
    return True


def _read(rows: Rows, place: Place, options: ImportOptions, columns: Columns | None = None,
          usual: Sequence[str] = POSTER_FOLDERS) -> Source:
    """Reads a table, whose `columns` are found out where they are not given, with the posters of the `usual` folders."""
    notes: list[str] = []
    columns = columns or find_columns(rows, options, notes)
    folder = poster_folder(place, options, usual)
    if folder is None and any(index is not None and plain_name(rows.columns[index]) in FILE_COLUMNS
                              for index in (columns.id, *columns.posters)):
        folder = place if place.is_dir() else folder_place(place.path.parent)
    read = read_films(rows, columns, options, notes)
    return assembled(read, folder, notes, options, read.kinds)


def assembled(read: Read, folder: Place | None, notes: list[str], options: ImportOptions,
               kinds: Mapping[str, Mapping[str, str]]) -> Source:
    """The source of what was read, posters named by one of the `kinds` of ids; those in cells go before those in files."""
    source = assemble(read.films, folder, notes, options, kinds, read.named)
    source.posters |= read.embedded
    posters = " or else ".join(filter(None, (read.understood["poster"], source.understood["poster"])))
    source.understood = read.understood | {"poster": posters}
    return source
