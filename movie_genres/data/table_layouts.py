"""Layouts whose films are rows: of text tables, JSON Lines or Parquet files."""

import codecs
import dataclasses
from collections.abc import Mapping, Sequence

from movie_genres.data.access import open_binary
from movie_genres.data.columns import Columns, Read, find_columns, read_films, text_of
from movie_genres.data.parquet import PARQUET_SUFFIX, ParquetTable, Shards
from movie_genres.data.places import IMPORTED_SUFFIXES, Place, posters_in
from movie_genres.data.sources import ImportOptions, Source, assemble, poster_folder
from movie_genres.data.tables import Rows, Table

POSTER_FOLDERS = ("posters", "images", "poster", "image")
ONE_HOT_TABLE = "IMDB_overview_genres.csv"
MOVIELENS_TABLE, LINKS_TABLE = "movies.csv", "links.csv"
MOVIELENS_COLUMNS = ("movieId", "title", "genres")
LOOKED_AT = 20  # JSON files of a folder, for whether one of them is a list


def read_one_hot(place: Place, options: ImportOptions) -> Source | None:
    """Multimodal_IMDB_dataset: a table with a column of 0 and 1 for each genre."""
    file = place.child(ONE_HOT_TABLE) if place.is_dir() else None
    if file is None:
        return None
    table = file.table()
    labels = tuple(index for index, name in enumerate(table.columns) if name not in ("Id", "Genre", "Overview"))
    columns = Columns(table.find("Id"), table.find("Overview"), one_hot=labels)
    return _read(table, place, options, columns, ("images",))


def read_movielens(place: Place, options: ImportOptions) -> Source | None:
    """MovieLens: titles with years, genres joined by bars, no overviews, and a table of the ids that others give the films.

    Posters are named by one kind of these ids: by the kind with which most of them are found.
    """
    file = place.child(MOVIELENS_TABLE) if place.is_dir() else None
    if file is None or not set(MOVIELENS_COLUMNS) <= set((table := file.table()).columns):
        return None
    notes: list[str] = []
    named = dataclasses.replace(options, id_column=options.id_column or MOVIELENS_COLUMNS[0])
    read = read_films(table, find_columns(table, named, notes, is_text_needed=False), options, notes)
    folder = poster_folder(place, options, POSTER_FOLDERS)
    links = place.child(LINKS_TABLE)
    kinds = {"movieId": {film.id: film.id for film in read.films}, **(_links(links.table(), notes) if links else {})}
    stems = posters_in(folder, [], options.corrections is not None) if folder else {}
    kind = max(kinds, key=lambda kind: sum(name in stems for name in kinds[kind].values()))
    names = {film.id: (kinds[kind][film.id],) if film.id in kinds[kind] else () for film in read.films}
    return _assembled(read, folder, notes, options, names, f"files named by the {kind}")


def _links(table: Table, notes: list[str]) -> dict[str, dict[str, str]]:
    """By kind of id, in words, the ids by that of MovieLens; `imdbId` may stand without its letters and zeros."""
    ids: dict[str, dict[str, str]] = {"tmdbId": {}, "imdbId": {}, "imdbId with tt": {}}
    columns = [table.find(name) for name in ("movieId", "imdbId", "tmdbId")]
    for _, cells in table.records(columns, notes):
        film_id, imdb, tmdb = map(text_of, cells)
        ids["tmdbId"][film_id], ids["imdbId"][film_id] = tmdb.removesuffix(".0"), imdb
        ids["imdbId with tt"][film_id] = "tt" + imdb.removeprefix("tt").zfill(7)
    return ids


def read_tmdb(place: Place, options: ImportOptions) -> Source | None:
    """A table as TMDB's API and "The Movies Dataset" have it, with posters named by what TMDB calls them."""
    def is_tmdb(rows: Rows) -> bool:
        names = set(rows.columns)
        return {"id", "overview", "poster_path"} <= names and bool({"genres", "genre_ids"} & names)

    rows = next(filter(is_tmdb, _tables(place)), None)
    return None if rows is None else _read(rows, place, options)


def read_table(place: Place, options: ImportOptions) -> Source | None:
    """Any table, where there is one only."""
    tables = _tables(place)
    return _read(tables[0], place, options) if len(tables) == 1 else None


def _tables(place: Place) -> list[Rows]:
    """The tables at a place; Parquet files with the same columns are one. A JSON file is one where it is a list."""
    if not place.is_dir():
        return [place.rows()]
    files = [entry for entry in place.children() if entry.suffix in IMPORTED_SUFFIXES and not entry.is_dir()]
    lists = [entry for entry in files if entry.suffix == ".json"][:LOOKED_AT]
    plain = [entry.rows() for entry in files if entry.suffix not in (".json", PARQUET_SUFFIX) or
             entry in lists and _is_list(entry)]
    shards: dict[tuple[str, ...], list[ParquetTable]] = {}
    for entry in files:
        if entry.suffix == PARQUET_SUFFIX:
            table = entry.parquet()
            shards.setdefault(tuple(table.columns), []).append(table)
    return [*plain, *map(Shards, shards.values())]


def _is_list(file: Place) -> bool:
    try:
        file.check()
        with open_binary(file.path) as opened:
            return opened.read(64).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")
    except OSError:
        return False


def _read(rows: Rows, place: Place, options: ImportOptions, columns: Columns | None = None,
          usual: Sequence[str] = POSTER_FOLDERS) -> Source:
    """Reads a table, whose `columns` are found out where they are not given, with the posters of the `usual` folders."""
    notes: list[str] = []
    read = read_films(rows, columns or find_columns(rows, options, notes), options, notes)
    return _assembled(read, poster_folder(place, options, usual), notes, options, read.names)


def _assembled(read: Read, folder: Place | None, notes: list[str], options: ImportOptions,
               names: Mapping[str, Sequence[str]], posters: str = "") -> Source:
    """The source of what was read: posters in cells go before those in files; `posters` says how these are named."""
    source = assemble(read.films, folder, notes, options, names)
    source.posters |= read.embedded
    source.understood = read.understood | ({"poster": posters} if posters else {})
    return source
