"""Collects films into a folder, answer by answer: what is there is not asked for again, however often it was killed.

In the folder: `raw/`, the answers as they came; `posters/`; `collect.json`, what was asked for; in the end `films.csv`, a
table that import takes, and `missing.csv`, what is not in it and why.
"""

import asyncio
import contextlib
import csv
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import pydantic

from movie_genres.base.errors import InputError, Remedy, SettingError, UserError
from movie_genres.base.files import StrPath, locked, read_small, reason_of, replacing
from movie_genres.base.progress import track
from movie_genres.data import tmdb
from movie_genres.data.tmdb import ListedFilm, Page, Query, Window
from movie_genres.data.tmdb_client import CONCURRENCY, AnswerError, Client, Credentials, MissingError

BINDING, LOCK = "collect.json", ".lock"
COLUMNS = ("id", "title", "release_date", "overview", "genres", "poster_path", "original_language", "vote_average",
           "vote_count")
MOST_FAILURES = 10  # in a row, then the whole service must be in trouble

Item = TypeVar("Item")
Known = TypeVar("Known")


@dataclass
class Collected:
    """What is in a folder of collected films.

    `left_out`: how many a `film`, `poster` or `page` there are not or cannot be used; `failed`: answers that may be there
    another time.
    """

    films: int = 0
    posters: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    notes: list[str] = field(default_factory=list)


class _Binding(pydantic.BaseModel):
    """What a folder was begun with."""

    model_config = pydantic.ConfigDict(extra="forbid")
    version: Literal[1] = 1
    url: str
    query: Query


def collect(out: StrPath, query: Query, credentials: Credentials, rate: float, url: str = tmdb.URL) -> Collected:
    """Collects films, and their posters, from the API at `url` into the folder `out`, or goes on with that.

    Answers are written as they come, each whole or not at all; what a killed process had in flight, at most
    `tmdb_client.CONCURRENCY` answers, is asked for again. At most `rate` requests in any second.

    Raises:
        InputError: the folder holds something else, or an answer has another form than TMDB documents.
        SettingError: the folder was begun with another query or `url`, or TMDB does not know something in it.
        UserError: the key is refused, or too many answers in a row could not be had.
        LockedError: another process collects into this folder.
    """
    query.window()
    client = Client(url, credentials, rate)
    folder = Path(out)
    _check_folder(folder)
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    (folder / "posters").mkdir(exist_ok=True)
    with locked(folder / LOCK, f"{folder}: another process collects into this folder. Wait for it, or stop it."):
        _bind(folder, _Binding(url=url, query=query))
        for partial in folder.rglob(".partial-*"):  # of a process that was killed
            partial.unlink()
        return asyncio.run(_Collection(folder, query, client).run())


def _check_folder(folder: Path) -> None:
    """Refuses a folder with anything in it that was not begun by `collect`."""
    expected, advice = "a new or empty folder, or one of collected films", "Give another folder."
    try:
        names = set(os.listdir(folder)) if os.path.lexists(folder) else set()
    except (OSError, ValueError) as error:
        raise InputError(folder, expected, reason_of(error), advice) from None
    if BINDING not in names and (others := sorted(names - {LOCK, f".partial-{BINDING}", "raw", "posters"})):
        raise InputError(folder, expected, f"one with {', '.join(others[:3])}", advice)


def _bind(folder: Path, wanted: _Binding) -> None:
    """Holds a folder to what it was begun with; begins it, where it is new."""
    path = folder / BINDING
    if not path.exists():
        with replacing(path) as partial:
            partial.write_text(wanted.model_dump_json(indent=1) + "\n")
        return
    try:
        begun = _Binding.model_validate_json(read_small(path, "what was collected"))
    except pydantic.ValidationError:
        raise InputError(path, "what was collected", "something else", "Give another folder.") from None
    former, now = ({"url": of.url, **vars(of.query)} for of in (begun, wanted))
    for name, value in former.items():
        if value != now[name]:
            raise SettingError(name, f"{value!r}, with which {folder} was begun", repr(now[name]))


class _Collection:
    """One process's work on a folder, which it holds the lock of."""

    def __init__(self, folder: Path, query: Query, client: Client):
        self._folder, self._query, self._client = folder, query, client
        self._raw, self._gone = folder / "raw", folder / "raw" / "missing_posters.csv"
        self._genres: dict[int, str] = {}
        self._pages: list[tuple[Window, int]] = []  # that are there
        self._ids: set[int] = set()  # of films on them
        self._missing: list[tuple[str, str, str]] = []  # (id or page, kind, why), for the table
        self._failures_in_a_row = 0
        self._done = Collected()

    async def run(self) -> Collected:
        async with self._client:
            try:
                self._genres = await self._known("genres", "genre/movie/list", {"language": "en-US"}, tmdb.read_genres)
                await self._list()
                if not self._query.no_posters:
                    await self._get_posters()
            except AnswerError as error:  # of one without which nothing goes on
                raise UserError(f"{self._client.host}: {error}.", Remedy.GO_ON) from None
        self._write_tables()
        return self._done

    async def _known(self, name: str, path: str, question: dict[str, str], read: Callable[[bytes, object], Known]) -> Known:
        """An answer as `read` understands it: that of a former process, or a new one, which is written."""
        file = self._raw / f"{name}.json"
        if file.exists():
            return read(read_small(file, "an answer"), file)
        data = await self._client.json(path, question)
        known = read(data, self._client.address(path))
        await asyncio.to_thread(_write, file, data)
        return known

    async def _list(self) -> None:
        """Asks for all pages. A stretch of time with more of them than the API gives is halved until it has fewer."""
        windows = [self._query.window()]
        while windows and self._wanted():
            window = windows.pop(0)
            first = await self._page(window, 1)
            if first.total_pages > tmdb.MOST_PAGES and (halves := window.halves()):
                windows[:0] = halves
                continue
            if first.total_pages > tmdb.MOST_PAGES:
                self._leave_out(window.name, "page", f"TMDB gives no more than the first {tmdb.MOST_PAGES:,}")
            self._take(window, 1, first)
            left = range(2, min(first.total_pages, tmdb.MOST_PAGES) + 1)
            while left and (films := self._wanted()):
                pages = -(-films // tmdb.PAGE_FILMS)
                await _in_parallel(left[:pages], f"Pages of {window.name}", lambda number: self._list_page(window, number))
                left = left[pages:]

    def _wanted(self) -> int:
        return max(0, self._query.max_films - len(self._ids))

    async def _page(self, window: Window, number: int) -> Page:
        return await self._known(f"{window.name}/{number:03}", "discover/movie",
                                 self._query.question(window, number, self._genres), tmdb.read_page)

    async def _list_page(self, window: Window, number: int) -> None:
        try:
            page = await self._page(window, number)
        except AnswerError as error:
            self._fail(f"{window.name}/{number:03}", "page", error)
        else:
            self._failures_in_a_row = 0
            self._take(window, number, page)

    def _take(self, window: Window, number: int, page: Page) -> None:
        self._pages.append((window, number))
        self._ids.update(film.id for film in page.films)
        for name, problem in page.problems:
            self._leave_out(name, "film", problem)

    def _leave_out(self, name: str, kind: str, why: str) -> None:
        self._missing.append((name, kind, why))
        self._done.left_out[kind] += 1

    def _fail(self, name: str, kind: str, error: AnswerError) -> None:
        """Goes on without an answer that may be there another time."""
        self._failures_in_a_row += 1
        if self._failures_in_a_row == MOST_FAILURES:
            raise UserError(f"{MOST_FAILURES} answers in a row could not be had; the last: {error}.", Remedy.GO_ON)
        self._missing.append((name, kind, f"not now: {error}"))
        self._done.failed += 1

    def _films(self) -> Iterator[ListedFilm]:
        """The films on all pages, each once, up to as many as are wanted: from the disk, since memory may not hold them."""
        seen: set[int] = set()
        for window, number in sorted(self._pages):
            file = self._raw / window.name / f"{number:03}.json"
            for film in tmdb.read_page(read_small(file, "an answer"), file).films:
                if film.id not in seen and len(seen) < self._query.max_films:
                    seen.add(film.id)
                    yield film

    async def _get_posters(self) -> None:
        url = await self._known("configuration", "configuration", {},
                                lambda data, where: tmdb.read_image_url(data, where, self._query.poster_size))
        there, gone = {Path(name).stem for name in os.listdir(self._folder / "posters")}, self._read_gone()
        todo = [(film.id, film.poster_path) for film in self._films()
                if film.poster_path and str(film.id) not in there and film.id not in gone]
        await _in_parallel(todo, "Posters", lambda poster: self._get_poster(url, *poster))

    async def _get_poster(self, url: str, film_id: int, path: str) -> None:
        try:
            data = await self._client.picture(url + path)
        except MissingError as error:
            with open(self._gone, "ab") as file:  # noted at once, so that it is not asked for again
                file.write(f"{film_id},{error}\n".encode())
                file.flush()
                os.fsync(file.fileno())
        except AnswerError as error:
            self._fail(str(film_id), "poster", error)
            return
        else:
            await asyncio.to_thread(_write, self._folder / "posters" / f"{film_id}{Path(path).suffix}", data)
        self._failures_in_a_row = 0

    def _read_gone(self) -> dict[int, str]:
        """Why there are no posters, by film; a last line that was cut short is removed."""
        if not self._gone.exists():
            return {}
        lines, end, torn = read_small(self._gone, "posters that there are not").rpartition(b"\n")
        if torn:
            _write(self._gone, lines + end)
        try:
            return {int(film_id): why for film_id, _, why in (line.partition(",") for line in lines.decode().splitlines())}
        except ValueError:
            raise InputError(self._gone, "a film's number in each line", "something else", tmdb.DAMAGED) from None

    def _write_tables(self) -> None:
        gone = self._read_gone()
        there = {Path(name).stem for name in os.listdir(self._folder / "posters")}
        unnamed = 0
        with replacing(self._folder / "films.csv") as partial, _csv_writer(partial) as table:
            table.writerow(COLUMNS)
            for film in self._films():
                names = [self._genres[number] for number in film.genre_ids if number in self._genres]
                unnamed += len(film.genre_ids) - len(names)
                table.writerow((film.id, film.title, film.release_date, film.overview or "", "|".join(names),
                                film.poster_path or "", film.original_language, film.vote_average, film.vote_count))
                self._done.films += 1
                self._done.posters += str(film.id) in there
                if film.id in gone:
                    self._leave_out(str(film.id), "poster", gone[film.id])
        with replacing(self._folder / "missing.csv") as partial, _csv_writer(partial) as table:
            table.writerow(("name", "kind", "reason"))
            table.writerows(sorted(self._missing))
        if unnamed:
            self._done.notes.append(f"genres whose numbers TMDB gives no name for were left out: {unnamed:,}")
        if not self._wanted():
            self._done.notes.append(f"no more than the {self._query.max_films:,} earliest films were asked for")


@contextlib.contextmanager
def _csv_writer(path: Path) -> Iterator[Any]:
    with open(path, "w", encoding="utf-8", errors="replace", newline="") as file:  # half a character: a question mark
        # Cells in quotes, since the module does not see that a lone \r needs them.
        yield csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as partial:
        partial.write_bytes(data)


async def _in_parallel(items: Sequence[Item], description: str, work: Callable[[Item], Awaitable[None]]) -> None:
    """Does the work on all items, a few at a time, and shows how many are done; the first error ends it."""
    with contextlib.closing(track(items, len(items), description)) as left:
        async def some() -> None:
            for item in left:  # all take from the same
                await work(item)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CONCURRENCY):
                    group.create_task(some())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
