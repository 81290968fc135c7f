"""Collects films into a folder, answer by answer: what is there is not asked for again, however often it was killed.

In the folder: `raw/`, the answers as they came; `posters/`; `collect.json`, what was asked for; in the end `films.csv`, a
table that import takes, and `missing.csv`, which films, posters and pages there are not, and why.
"""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from movie_genres.base.errors import InputError, Remedy, UserError
from movie_genres.base.files import StrPath, locked, read_small, replacing
from movie_genres.base.progress import track
from movie_genres.data import tmdb
from movie_genres.data.collect_binding import LOCK, Binding, begin, check_folder, is_begun
from movie_genres.data.films import write_rows
from movie_genres.data.tmdb import ListedFilm, Page, Query, Window
from movie_genres.data.tmdb_client import CONCURRENCY, AnswerError, Client, Credentials, MissingError

COLUMNS = ("id", "title", "release_date", "overview", "genres", "poster_path", "original_language", "vote_average",
           "vote_count")
PAGES = "*/[0-9]*.json"  # in raw/; one that a killed process was writing starts with a dot
MOST_FAILURES = 10  # in a row, then the whole service must be in trouble

Item = TypeVar("Item")


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


def collect(out: StrPath, query: Query, credentials: Credentials, rate: float, url: str = tmdb.URL) -> Collected:
    """Collects films, and their posters, from the API at `url` into the folder `out`, or goes on with that.

    Answers are written as they come, each whole or not at all; what a killed process had in flight, at most
    `tmdb_client.CONCURRENCY` answers, is asked for again. At most `rate` requests in any second. The folder is bound to the
    query once TMDB is known to understand it. Where the work ends early, the tables hold what is there.

    Raises:
        InputError: the folder holds something else, or an answer has another form than TMDB documents.
        SettingError: the folder was begun with another query or `url`, or TMDB does not know something in it.
        UserError: the key is refused, or too many answers in a row could not be had.
        LockedError: another process collects into this folder.
    """
    query.window()
    client = Client(url, credentials, rate)
    folder = Path(out)
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK, f"{folder}: another process collects into this folder. Wait for it, or stop it."):
        binding = Binding(url=url, query=query)
        if is_begun(folder, binding):
            for partial in folder.rglob(".partial-*"):  # of a process that was killed
                partial.unlink()
        return asyncio.run(_Collection(folder, binding, client).run())


class _Collection:
    """One process's work on a folder, which it holds the lock of."""

    def __init__(self, folder: Path, binding: Binding, client: Client):
        self._folder, self._binding, self._query, self._client = folder, binding, binding.query, client
        self._raw, self._posters = folder / "raw", folder / "posters"
        self._gone = self._raw / "missing_posters.csv"
        self._genres: dict[int, str] = {}
        self._poster_url = ""
        self._ids: set[int] = set()  # of films on the pages that were come by
        self._missing: list[tuple[str, str, str]] = []  # (id or page, kind, why), for the table
        self._failures_in_a_row = 0
        self._done = Collected()

    async def run(self) -> Collected:
        async with self._client:
            try:
                await self._begin()
                await self._list()
                if not self._query.no_posters:
                    await self._get_posters()
            except (AnswerError, UserError) as error:
                if self._ids:
                    self._write_tables()
                if isinstance(error, UserError):
                    raise
                # There was no answer to something without which nothing goes on.
                raise UserError(f"{self._client.host}: {error}.", Remedy.GO_ON) from None
        self._write_tables()
        return self._done

    async def _begin(self) -> None:
        """Learns what is the same for all films. A new folder is begun only then: a wrong query may be mended."""
        genres, where = await self._answer("genres", "genre/movie/list", {"language": "en-US"})
        self._genres = tmdb.read_genres(genres, where)
        self._query.question(self._query.window(), 1, self._genres)  # refuses what TMDB has no genre for
        answers = {"genres": genres}
        if not self._query.no_posters:
            answers["configuration"], where = await self._answer("configuration", "configuration", {})
            self._poster_url = tmdb.read_image_url(answers["configuration"], where, self._query.poster_size)
        begin(self._folder, self._binding)
        self._posters.mkdir(exist_ok=True)
        for name, data in answers.items():
            if not (file := self._raw / f"{name}.json").exists():
                _write(file, data)

    async def _answer(self, name: str, path: str, question: dict[str, str]) -> tuple[bytes, object]:
        """An answer, and where it is from: the file of a former process, or else the API."""
        file = self._raw / f"{name}.json"
        if file.exists():
            return read_small(file, "an answer"), file
        return await self._client.json(path, question), self._client.address(path)

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
            self._take(first)
            left = range(2, min(first.total_pages, tmdb.MOST_PAGES) + 1)
            while left and (films := self._wanted()):
                pages = -(-films // tmdb.PAGE_FILMS)
                await _in_parallel(left[:pages], f"Pages of {window.name}", lambda number: self._list_page(window, number))
                left = left[pages:]

    def _wanted(self) -> int:
        return max(0, self._query.max_films - len(self._ids))

    async def _page(self, window: Window, number: int) -> Page:
        name = f"{window.name}/{number:03}"
        data, where = await self._answer(name, "discover/movie", self._query.question(window, number, self._genres))
        page = tmdb.read_page(data, where)
        if not isinstance(where, Path):
            await asyncio.to_thread(_write, self._raw / f"{name}.json", data)
        return page

    async def _list_page(self, window: Window, number: int) -> None:
        try:
            page = await self._page(window, number)
        except AnswerError as error:
            self._fail(f"{window.name}/{number:03}", "page", error)
        else:
            self._failures_in_a_row = 0
            self._take(page)

    def _take(self, page: Page) -> None:
        self._ids.update(film.id for film in page.films)
        for name, problem in page.problems:
            self._leave_out(name, "film", problem)

    def _leave_out(self, name: str, kind: str, why: str) -> None:
        self._missing.append((name, kind, why))
        self._done.left_out[kind] += 1

    def _fail(self, name: str, kind: str, error: AnswerError) -> None:
        """Goes on without an answer that may be there another time."""
        self._missing.append((name, kind, f"not now: {error}"))
        self._done.failed += 1
        self._failures_in_a_row += 1
        if self._failures_in_a_row == MOST_FAILURES:
            raise UserError(f"{MOST_FAILURES} answers in a row could not be had; the last: {error}.", Remedy.GO_ON)

    def _films(self) -> Iterator[ListedFilm]:
        """The films on all pages of all processes, each once, up to as many as are wanted. Memory may not hold them."""
        seen: set[int] = set()
        for file in sorted(self._raw.glob(PAGES)):
            for film in tmdb.read_page(read_small(file, "an answer"), file).films:
                if film.id not in seen and len(seen) < self._query.max_films:
                    seen.add(film.id)
                    yield film

    async def _get_posters(self) -> None:
        there, gone = self._posters_there(), self._read_gone()
        todo = [(film.id, film.poster) for film in self._films()
                if film.poster and str(film.id) not in there and film.id not in gone]
        await _in_parallel(todo, "Posters", lambda poster: self._get_poster(*poster))

    def _posters_there(self) -> set[str]:
        return {Path(name).stem for name in os.listdir(self._posters)}

    async def _get_poster(self, film_id: int, path: str) -> None:
        try:
            data = await self._client.picture(self._poster_url + path)
        except MissingError as error:
            with open(self._gone, "ab") as file:  # noted at once, so that it is not asked for again
                file.write(f"{film_id},{error}\n".encode())
                file.flush()
                os.fsync(file.fileno())
        except AnswerError as error:
            self._fail(str(film_id), "poster", error)
            return
        else:
            await asyncio.to_thread(_write, self._posters / f"{film_id}{Path(path).suffix}", data)
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
        gone, there, unnamed = self._read_gone(), self._posters_there(), 0
        told = {name for name, kind, _ in self._missing if kind == "poster"} | there

        def rows() -> Iterator[list[str]]:
            nonlocal unnamed
            for film in self._films():
                names = [self._genres[number] for number in film.genre_ids if number in self._genres]
                unnamed += len(film.genre_ids) - len(names)
                self._done.films += 1
                self._done.posters += str(film.id) in there
                if not self._query.no_posters and str(film.id) not in told:
                    self._leave_out(str(film.id), "poster", gone.get(film.id) or _why_no_poster(film))
                yield [str(film.id), film.title, film.release_date, film.overview or "", "|".join(names), film.poster or "",
                       film.original_language, str(film.vote_average), str(film.vote_count)]

        with replacing(self._folder / "films.csv") as partial:
            write_rows(partial, COLUMNS, rows())
        with replacing(self._folder / "missing.csv") as partial:
            write_rows(partial, ("name", "kind", "reason"), sorted(self._missing))
        if unnamed:
            self._done.notes.append(f"genres whose numbers TMDB gives no name for were left out: {unnamed:,}")
        if not self._wanted():
            self._done.notes.append(f"no more than the {self._query.max_films:,} earliest films were asked for")


def _why_no_poster(film: ListedFilm) -> str:
    if film.poster:
        return "not asked for yet"
    return "TMDB names one of another kind than JPEG, PNG or WebP" if film.poster_path else "TMDB names no poster"


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
