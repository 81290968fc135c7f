"""The films to score, as a stream: posters, overviews, or both joined by id."""

import hashlib
import itertools
import pickle
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from movie_genres.data.access import NAMED_BY_USER, TablePath
from movie_genres.data.parquet import open_table
from movie_genres.data.reading import Access, TableOptions
from movie_genres.data.tables import ID_COLUMNS, TEXT_COLUMNS
from movie_genres.scoring.listing import list_posters
from movie_genres.scoring.poster_sources import Listed, LocalPoster, Picture, PosterSource


class Entry(NamedTuple):
    """One film to score. `error`: (kind, message) of a row that cannot be read; `identity`: changes when anything does that
    decides the film's row."""

    id: str
    poster: PosterSource | Picture | None = None
    overview: str | None = None
    error: tuple[str, str] | None = None
    identity: bytes = b""


@dataclass(frozen=True)
class Catalogue:
    """The films that posters and a table of overviews make up; each iteration gives them anew, in the same order.

    With both, they are joined by id: first the overviews in their order, each with its poster if it has one, then the other
    posters. Where an id repeats on both sides, the first goes with the first and so on; where only on one, each has the
    same partner. A blank overview of a film with a poster is no overview, and no failure.

    Args:
        posters, max_bytes: see `listing.list_posters`.
        overviews: path or URL of a table.
        is_own: tells whether a path belongs to the job: that is no poster even where it stands among them.
        access: where what lists and tables name may be.

    Iteration raises `InputError` where an input is not there or cannot be read to its end.
    """

    posters: str | None
    overviews: str | None
    max_bytes: int
    options: TableOptions
    is_own: Callable[[str], bool] = lambda path: False
    access: Access = Access()

    def __iter__(self) -> Iterator[Entry]:
        posters = () if self.posters is None else self._listed(self.posters)
        if self.overviews is None:
            items: Iterator[Entry] = itertools.starmap(Entry, posters)
        else:
            overviews = read_overviews(self.overviews, self.options, replace(self.access, private_hosts=True))
            items = overviews if self.posters is None else join(overviews, posters)
        return (item._replace(identity=_identity(item)) for item in items)

    def _listed(self, where: str) -> Listed:
        for film_id, poster in list_posters(where, self.max_bytes, self.options, self.access):
            if not (isinstance(poster, LocalPoster) and self.is_own(poster.name)):
                yield film_id, poster


def _identity(item: Entry) -> bytes:
    """A digest of a film's id, its overview, and its poster's place, size and time."""
    poster = () if item.poster is None or isinstance(item.poster, Picture) else (item.poster.name, item.poster.stamp())
    digest = hashlib.blake2b(digest_size=16)
    for part in (item.id, item.overview, *poster, item.error and item.error[1]):
        data = "" if part is None else part
        digest.update(data.encode("utf-8", "surrogatepass") + (b"\xff" if part is None else b"\xfe"))  # not in UTF-8
    return digest.digest()


class Survey(NamedTuple):
    """How many films there are, and how many of them have a poster, an overview, both. `digest` changes when a film does."""

    films: int
    posters: int
    overviews: int
    both: int
    digest: str


def survey(films: Iterable[Entry]) -> Survey:
    """Reads all films once; raises `InputError` where an input cannot be read to its end."""
    counts: Counter[tuple[bool, bool]] = Counter()
    digest = hashlib.sha256()
    for item in films:
        counts[item.poster is not None, item.overview is not None] += 1
        digest.update(item.identity)
    both = counts[True, True]
    return Survey(counts.total(), counts[True, False] + both, counts[False, True] + both, both, digest.hexdigest())


def read_overviews(path: TablePath, options: TableOptions, access: Access = NAMED_BY_USER) -> Iterator[Entry]:
    """Yields an `Entry` for each row of a table, in order; one with missing, extra or far too long cells has an error.

    Raises `InputError` where a needed column is missing, or the table cannot be read to its end.
    """
    table = open_table(path, options, access)
    identity = table.find(options.id_column, ID_COLUMNS, "id_column")
    text = table.find(options.text_column, TEXT_COLUMNS, "text_column")
    for number, (film_id, overview), problem in table.rows((identity, text)):
        if problem:
            yield Entry(film_id, error=("bad_row", f"row {number} {problem}"))
        else:
            yield Entry(film_id, overview=overview)


def join(overviews: Iterable[Entry], posters: Listed) -> Iterator[Entry]:
    """Joins overviews with posters of the same id; see `Catalogue`. The posters are kept on disk meanwhile."""
    with tempfile.TemporaryDirectory(prefix="movie-genres-", ignore_cleanup_errors=True) as folder:
        index = sqlite3.connect(Path(folder) / "posters.sqlite", check_same_thread=False, isolation_level=None)
        index.text_factory = bytes
        try:
            yield from _join(index, overviews, posters)
        except sqlite3.Error as error:
            raise OSError(f"{folder}: no room for an index of the posters ({error}); TMPDIR names another folder") from None
        finally:
            index.close()


def _join(index: sqlite3.Connection, overviews: Iterable[Entry], posters: Listed) -> Iterator[Entry]:
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
            overview = item.overview if (item.overview or "").strip() else None
            item = Entry(item.id, pickle.loads(found[-1][0]), overview)
            index.execute("REPLACE INTO films VALUES (?, ?, ?)", (key, used + 1, overview and _key(overview)))
        yield item
    rest = index.execute("SELECT id, poster, used, overview FROM posters LEFT JOIN films USING (id) "
                         "ORDER BY id, posters.rowid")
    previous, position = None, 0
    for key, poster, used, overview in rest:
        position = position + 1 if key == previous else 0
        previous = key
        if position >= (used or 0):
            yield Entry(_text(key), pickle.loads(poster), overview and _text(overview))


def _key(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")
