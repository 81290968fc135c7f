"""The life of a scoring job: an interrupted one goes on where it stopped, bound to everything that decides its rows."""

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from movie_genres.base.errors import InputError, Remedy, UserError
from movie_genres.ensemble.film_counts import FilmCounts
from movie_genres.scoring.catalogue import Entry, Survey, survey
from movie_genres.scoring.job_files import GUARD, JobFiles
from movie_genres.scoring.records import Record
from movie_genres.scoring.slots import Slot, slots_of

Settings = dict[str, Any]  # what JSON can hold
OF_FILMS = ("films", "input", "num_shards", "retried")  # what a retry need not share with the output: films go one by one


@dataclass(frozen=True)
class Share:
    """One machine's share of a job: of `count` machines that share a folder, it does every `count`th shard, from `index`."""

    count: int = 1
    index: int = 0

    @property
    def lock(self) -> str:
        return "lock" if self.count == 1 else f"lock-{self.index}"

    def has(self, number: int) -> bool:
        return number % self.count == self.index


class Job(NamedTuple):
    """A job that has begun, and is kept from all other processes; see `open_job`.

    Attributes:
        earlier: of the output whose failed rows are scored again, or None.
        finished: of the output where a killed process had finished this very job: there is nothing to do; or None.
    """

    files: JobFiles
    share: Share
    films: Iterable[Entry]
    survey: Survey
    earlier: Record | None
    finished: Record | None

    def slots(self) -> Iterator[Slot]:
        return slots_of(self.films, self.files, self.earlier)

    @property
    def shards(self) -> range:
        return range(-(-self.survey.films // self.files.shard_size))

    def size_of(self, number: int) -> int:
        """How many films are in a shard."""
        return min(self.files.shard_size, self.survey.films - number * self.files.shard_size)

    def finish(self) -> int:
        """Makes the output visible, if the shards of all machines are done; returns how many are missing yet."""
        with self.files.locked(GUARD):
            if not self.files.has_begun:
                return 0  # another machine, as ready as this one, has made the output visible
            shards = list(filter(None, map(self.files.done, self.shards)))
            if len(shards) == len(self.shards):
                self.files.commit(shards, self.earlier.counts.ok if self.earlier else FilmCounts())
            return len(self.shards) - len(shards)


@contextlib.contextmanager
def open_job(files: JobFiles, films: Iterable[Entry], settings: Settings, share: Share = Share(), overwrite: bool = False,
             retry: bool = False) -> Iterator[Job]:
    """Goes on with a job, or begins one, and keeps all other processes from this machine's share of it.

    What a killed process had finished is made visible first. What was made for a job that then did not begin is removed.

    Args:
        films: in their order; each iteration gives them anew.
        settings: all beside the films that decides the rows.
        overwrite: an output, or a job that is bound to something else, may be thrown away.
        retry: only the failed rows of the output that is there are scored.

    Raises:
        UserError: there is an output, or a job that is bound to something else; or rows cannot be kept.
        LockedError: another process has the share, or works on what is to be thrown away.
    """
    settings = json.loads(json.dumps(settings))  # as they will be read: lists for tuples
    with _held(files, share, settings) as recovered:
        if not (overwrite or retry or recovered or files.has_begun):
            files.check_output()  # before the films are read, which may take long; `_begin` looks again
        earlier = _earlier(files, settings) if retry else None
        found = survey(slot.entry for slot in slots_of(films, files, earlier))
        binding = {"films": found.films, "input": found.digest, "num_shards": share.count,
                   "retried": earlier and earlier.digest(), **settings}
        finished = recovered if recovered and recovered.binding == binding else None
        if not finished:
            _begin(files, binding, share, overwrite, retry)
        yield Job(files, share, films, found, earlier, finished)


@contextlib.contextmanager
def _held(files: JobFiles, share: Share, settings: Settings) -> Iterator[Record | None]:
    """Yields the record of what a killed process had finished."""
    fresh = files.is_folder and not files.out.exists()
    files.check_folders()
    recovered = files.recover(settings)
    with files.locked(share.lock, 0):
        try:
            if share.count == 1:
                files.remove_partials()
            yield recovered
        finally:
            files.remove_if_empty(share.lock, fresh)


def _earlier(files: JobFiles, settings: Settings) -> Record:
    """The record of the output that is there; no row is put beside one that was made with other settings."""
    record = files.record()
    made_with = {key: value for key, value in record.binding.items() if key not in OF_FILMS}
    if made_with != settings:
        raise _refusal(files, made_with, settings, "the output")
    return record


def _refusal(files: JobFiles, made_with: Settings, given: Settings, what: str) -> UserError:
    missing = object()  # unlike a key whose value is None
    key = next(key for key in {**given, **made_with} if given.get(key, missing) != made_with.get(key, missing))
    return UserError(f"{files.out}: begun with {key} {made_with.get(key)!r}; found {given.get(key)!r}. That is what {what} "
                     "is bound to.", Remedy.SAME_OR_ANEW)


def _begin(files: JobFiles, binding: Settings, share: Share, overwrite: bool, retry: bool) -> None:
    with files.locked(GUARD):
        if files.has_begun:
            try:
                begun = files.binding()
            except InputError:
                begun = {}
                if not overwrite:
                    raise
            if begun == binding:
                return
            if not overwrite:
                raise _refusal(files, begun, binding, "a job that was begun")
        if not (overwrite or retry):
            files.check_output()
        with contextlib.ExitStack() as others:  # whoever works on what is thrown away now is in the way
            for lock in files.state.glob("lock-*"):
                if lock.name != share.lock:
                    others.enter_context(files.locked(lock.name, 0))
            files.start_anew(binding)
