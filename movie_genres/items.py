"""The films to score, as a stream: posters, overviews, or both joined by id."""

import hashlib
import os
import pickle
import re
import sqlite3
import tempfile
from pathlib import Path
from typing import NamedTuple

from movie_genres.listing import LocalPoster, list_posters
from movie_genres.tables import ID_COLUMNS, TEXT_COLUMNS, as_text, open_table


class Item(NamedTuple):
    """One film to score.

    Attributes:
        id: text.
        poster: a poster as of `listing`, or None.
        overview: text, or None.
        error: (kind, message) of a row that cannot be read.
        kept: the film's row in an older output, which is taken over as it is; see `outputs.read_rows`.
    """

    id: str
    poster: object = None
    overview: str | None = None
    error: tuple | None = None
    kept: tuple | None = None


class Films:
    """The films that posters and a table of overviews make up; each iteration gives them anew, as `Item`, in the same order.

    With both, they are joined by id: first the overviews in their order, each with its poster if it has one, then the other
    posters. Where an id repeats on both sides, the first goes with the first and so on; where only on one, each has the
    same partner. A blank overview of a film with a poster is no overview, and no failure.

    Args:
        posters: where they are, text; see `listing.list_posters`; or None.
        overviews: path or URL of a table, or None.
        max_bytes: of a poster; see `listing.list_posters`.
        options: `listing.TableOptions`.
        own: path of the output: it, and what a job keeps beside it, are no posters even where they stand among them.

    Raises:
        InputError: on iteration, an input that is not there or cannot be read to its end.
    """

    def __init__(self, posters, overviews, max_bytes, options, own=""):
        self._posters, self._overviews = posters, overviews
        self._max_bytes, self._options = max_bytes, options
        own = os.path.abspath(own) if own else None
        self._own = own and re.compile(rf"{re.escape(own)}(\.job(\.over)?)?({re.escape(os.sep)}|$)")

    def __iter__(self):
        if self._overviews is None:
            return (Item(film_id, poster) for film_id, poster in self._listed())
        overviews = read_overviews(self._overviews, self._options)
        return overviews if self._posters is None else join(overviews, self._listed())

    def _listed(self):
        for film_id, poster in list_posters(self._posters, self._max_bytes, self._options):
            if not (self._own and isinstance(poster, LocalPoster) and self._own.match(os.path.abspath(poster.name))):
                yield film_id, poster


def survey(films):
    """Reads all films once.

    Args:
        films: iterable of `Item`.

    Returns:
        (count, digest): their number, and text that changes when any of them does.

    Raises:
        InputError: an input that cannot be read to its end.
    """
    count, digest = 0, hashlib.sha256()
    for item in films:
        count += 1
        poster = (item.poster.name, item.poster.stamp()) if item.poster else ()
        for part in (item.id, item.overview, *poster, item.error and item.error[1]):
            data = "" if part is None else part
            digest.update(data.encode("utf-8", "surrogatepass") + (b"\xff" if part is None else b"\xfe"))  # not in UTF-8
    return count, digest.hexdigest()


def read_overviews(path, options):
    """Yields an `Item` for each row of a table, in order; one with missing or extra cells has an error.

    Raises:
        InputError: a needed column is missing, or the table cannot be read to its end.
    """
    table = open_table(path, options.encoding, options.delimiter)
    identity = table.find(options.id_column, ID_COLUMNS, "--id-column")
    text = table.find(options.text_column, TEXT_COLUMNS, "--text-column")
    for number, cells in table:
        if table.is_ragged(cells):
            message = f"row {number} has {len(cells)} cells; the header has {len(table.columns)}"
            yield Item(cells[identity] if identity < len(cells) else "", error=("bad_row", message))
        else:
            yield Item(as_text(cells[identity]), overview=as_text(cells[text]))


def join(overviews, posters):
    """Joins overviews with posters of the same id; see `Films`. The posters are kept on disk meanwhile.

    Args:
        overviews: iterable of `Item`.
        posters: iterable of (id, poster).

    Yields:
        `Item`.
    """
    with tempfile.TemporaryDirectory(prefix="movie-genres-") as folder:
        index = sqlite3.connect(Path(folder) / "posters.sqlite", check_same_thread=False, isolation_level=None)
        index.text_factory = bytes
        try:
            yield from _join(index, overviews, posters)
        finally:
            index.close()


def _join(index, overviews, posters):
    index.execute("PRAGMA synchronous = OFF")
    index.execute("PRAGMA journal_mode = OFF")
    index.execute("CREATE TABLE posters (id BLOB, poster BLOB)")
    index.execute("CREATE TABLE films (id BLOB PRIMARY KEY, used INTEGER, overview BLOB) WITHOUT ROWID")
    index.execute("BEGIN")
    index.executemany("INSERT INTO posters VALUES (?, ?)", ((_key(name), pickle.dumps(poster)) for name, poster in posters))
    index.execute("CREATE INDEX by_id ON posters (id)")  # within an id, by the order of the posters
    for item in overviews:
        key = _key(item.id)
        used = next(iter(index.execute("SELECT used FROM films WHERE id = ?", (key,))), (0,))[0]
        found = () if item.error else index.execute(
            "SELECT poster FROM posters WHERE id = ? ORDER BY rowid LIMIT ?", (key, used + 1)).fetchall()
        if found:
            overview = item.overview if item.overview.strip() else None
            item = Item(item.id, pickle.loads(found[-1][0]), overview)
            index.execute("REPLACE INTO films VALUES (?, ?, ?)", (key, used + 1, overview and _key(overview)))
        yield item
    rest = index.execute("SELECT id, poster, used, overview FROM posters LEFT JOIN films USING (id) "
                         "ORDER BY id, posters.rowid")
    previous, position = None, 0
    for key, poster, used, overview in rest:
        position = position + 1 if key == previous else 0
        previous = key
        if position >= (used or 0):
            yield Item(_text(key), pickle.loads(poster), overview and _text(overview))


def _key(text):
    return text.encode("utf-8", "surrogatepass")


def _text(key):
    return key.decode("utf-8", "surrogatepass")
