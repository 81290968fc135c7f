"""Reads MovieLens, whose films are ids, titles with years and genres, without overviews."""

import dataclasses
from collections.abc import Iterator
from io import TextIOWrapper

from movie_genres.base.files import SMALL
from movie_genres.data.access import TablePath
from movie_genres.data.columns import Columns, find_columns, read_films
from movie_genres.data.places import Place
from movie_genres.data.sources import ImportOptions, Source, poster_folder
from movie_genres.data.table_layouts import POSTER_FOLDERS, assembled
from movie_genres.data.tables import Table, text_of

TABLE, LINKS = "movies.csv", "links.csv"
COLUMNS = ("movieId", "title", "genres")
# Columns of 0 and 1 of the version with 100,000 ratings, in its order.
FLAGS = ("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
         "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western")
OLDER = {"movies.dat": ("::", COLUMNS),  # what stands between cells, and the columns: versions of before 2014 have no header
         "u.item": ("|", (*COLUMNS[:2], "release_date", "video_release_date", "url", *FLAGS))}


class OlderTable(Table):
    """A table without a header and without quotes, with any text between its cells, as a `Table` with a header."""

    def __init__(self, path: TablePath, separator: str, names: tuple[str, ...], encoding: str):
        self._separator, self._names = separator, names
        super().__init__(path, encoding, "\t")

    def _lines(self, file: TextIOWrapper, size: list[int]) -> Iterator[str]:
        yield "\t".join(self._names) + "\n"
        for line in super()._lines(file, size):
            cells = line.strip("\r\n").split(self._separator) if line.strip() else []
            yield "\t".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n"


def read_movielens(place: Place, options: ImportOptions) -> Source | None:
    """MovieLens: titles with years, genres joined by bars or as columns of 0 and 1, no overviews, and maybe a table of the
    ids that others give the films.

    Posters are named by one kind of these ids: by the kind with which most of them are found.
    """
    table = _films_of(place) if place.is_dir() else None
    if table is None:
        return None
    notes: list[str] = []
    if "genres" in table.columns or options.genres_column:
        named = dataclasses.replace(options, id_column=options.id_column or COLUMNS[0])
        columns = find_columns(table, named, notes, is_text_needed=False)
    else:
        flags = tuple(map(table.columns.index, FLAGS))
        columns = Columns(table.find(options.id_column or COLUMNS[0]), title=table.find("title"), one_hot=flags)
    read = read_films(table, columns, options, notes)
    links = place.child(LINKS)
    kinds = _links(links.table(), notes) if links else {}
    return assembled(read, poster_folder(place, options, POSTER_FOLDERS), notes, options, kinds)


def _films_of(place: Place) -> Table | None:
    """The table of films in a folder, None where there is none."""
    if file := place.child(TABLE):
        return table if set(COLUMNS) <= set((table := file.table()).columns) else None
    return next(filter(None, (_older_table(file, *OLDER[name]) for name in OLDER if (file := place.child(name)))), None)


def _older_table(file: Place, separator: str, names: tuple[str, ...]) -> OlderTable | None:
    """A file as a table in UTF-8, or Latin-1 as the oldest have it; None where its first line is of something else."""
    try:
        content = file.read(SMALL)
    except OSError:
        return None
    first = content.lstrip().partition(b"\n")[0].decode("latin-1").split(separator)
    flags = first[-len(FLAGS):] if "genres" not in names else []
    if len(first) != len(names) or not {flag.strip() for flag in flags} <= {"0", "1"}:
        return None
    try:
        content.decode()
    except UnicodeDecodeError:
        return OlderTable(file.path, separator, names, "latin-1")
    return OlderTable(file.path, separator, names, "utf-8-sig")


def _links(table: Table, notes: list[str]) -> dict[str, dict[str, str]]:
    """By kind of id, in words, the ids by that of MovieLens; `imdbId` may stand without its letters and zeros."""
    ids: dict[str, dict[str, str]] = {"tmdbId": {}, "imdbId": {}, "imdbId with tt": {}}
    columns = [table.find(name) for name in ("movieId", "imdbId", "tmdbId")]
    for _, cells in table.records(columns, notes):
        film_id, imdb, tmdb = map(text_of, cells)
        ids["tmdbId"][film_id], ids["imdbId"][film_id] = tmdb.removesuffix(".0"), imdb
        ids["imdbId with tt"][film_id] = "tt" + imdb.removeprefix("tt").zfill(7)
    return ids
