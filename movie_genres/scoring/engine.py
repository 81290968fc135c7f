"""Runs scoring jobs to their end: which shards are left, how many rows may fail, what scores them."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from movie_genres.base.errors import Remedy, StoppedError, UserError
from movie_genres.base.files import replacing
from movie_genres.base.progress import track
from movie_genres.inputs.caps import Caps
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.chunks import chunks_of, score
from movie_genres.scoring.job import Job
from movie_genres.scoring.job_files import JobFiles, Line
from movie_genres.scoring.records import Shard
from movie_genres.scoring.rows import OK, Cell, Row, RowFormat, escape_name, write_part
from movie_genres.scoring.slots import Slot, merged, to_score

if TYPE_CHECKING:  # it imports TensorFlow
    from hashlib import _Hash

    from movie_genres.ensemble.scorer import Models

logger = logging.getLogger(__name__)

Shards = Iterable[tuple[int, Iterable[Slot]]]  # (number, places of its films), in order; to be read once


def failed_in(statuses: Mapping[str, int]) -> int:
    """How many rows failed, of the numbers of rows by status."""
    return sum(statuses.values()) - statuses.get(OK, 0)


class Tolerance:
    """How many rows may fail before a job is stopped; None: any number."""

    def __init__(self, allowed: int | None = None) -> None:
        self.allowed, self.failed = allowed, 0

    def add(self, failed: int, example: str = "") -> None:
        """Counts failed rows.

        Raises:
            StoppedError: they are too many.
        """
        self.failed += failed
        if self.allowed is not None and self.failed > self.allowed:
            raise StoppedError(f"stopped: {self.failed:,} failed rows where {self.allowed:,} were allowed{example}. What is "
                               "done is kept: the same command goes on with it.")

    def watch(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Passes rows on, and counts those that failed."""
        for row in rows:
            if row.status != OK:
                self.add(1, f", the last one {escape_name(row.id)!r}: {row.status}, {row.error}")
            yield row


class Engine(Protocol):
    """What scores shards."""

    def __call__(self, files: JobFiles, shards: Shards, total: int, tolerance: Tolerance) -> Iterator[Counter[str]]:
        """Scores and writes shards.

        Args:
            files: of the job.
            shards: those that are left.
            total: how many films there are in all, for the progress bar.
            tolerance: how many rows may fail.

        Yields:
            how many rows have each status, for each shard.

        Raises:
            StoppedError: too many rows failed.
        """


class Outcome(NamedTuple):
    """What came of a job: this machine's rows by status, how many of them were not done before, and how many shards of other
    machines are missing yet."""

    statuses: Counter[str]
    scored: int
    missing: int


def run(job: Job, engine: Engine, tolerance: Tolerance) -> Outcome:
    """Runs a job to its end.

    Raises:
        StoppedError: too many rows failed.
        UserError: the films are no longer those of the survey.
    """
    statuses: Counter[str] = Counter()
    finished = {number: job.files.done(number) for number in job.shards if job.share.has(number)}
    for shard in filter(None, finished.values()):
        statuses.update(shard.statuses)
        tolerance.add(failed_in(shard.statuses))
    if statuses:
        logger.info("%s: going on after %s rows that are done", job.files.out, f"{statuses.total():,}")
    all_films = hashlib.sha256()

    def pending() -> Iterator[tuple[int, Iterable[Slot]]]:
        for number, slots in _shards(_digested(job.slots(), all_films), job.files.shard_size):
            if done := finished.get(number):
                _check_same(job.files, number, slots, done)
            elif job.share.has(number):
                yield number, slots
            deque(slots, maxlen=0)  # pass over what is left of it

    mine = sum(map(job.size_of, finished))
    left = mine - statuses.total()
    for of_shard in engine(job.files, pending(), left, tolerance):
        statuses.update(of_shard)
    if statuses.total() != mine or all_films.hexdigest() != job.survey.digest:
        raise _changed(job.files)
    return Outcome(statuses, left, job.finish())


def _check_same(files: JobFiles, number: int, slots: Iterable[Slot], done: Shard) -> None:
    """Looks whether films are those of a shard that is done: they may have been others for a moment."""
    digest = hashlib.sha256()
    deque(_digested(slots, digest), maxlen=0)
    if digest.hexdigest() != done.films:
        files.forget(number)
        raise _changed(files)


def _changed(files: JobFiles) -> UserError:
    return UserError(f"{files.out}: expected films that stay as they were at the start; the input has changed since.",
                     Remedy.SAME_OR_ANEW)


def _digested(slots: Iterable[Slot], digest: _Hash) -> Iterator[Slot]:
    for slot in slots:
        digest.update(slot.entry.identity)
        yield slot


def _shards(slots: Iterator[Slot], size: int) -> Iterator[tuple[int, Iterator[Slot]]]:
    for number in itertools.count():
        first = list(itertools.islice(slots, 1))
        if not first:
            return
        yield number, itertools.chain(first, itertools.islice(slots, size - 1))


def lines_of(shards: Shards, layout: RowFormat, models: Models, threads: int | None, caps: Caps,
             tolerance: Tolerance) -> Iterator[tuple[int, Line]]:
    """Yields (shard number, line) for each film, in order; see `chunks.score`."""
    # No chunk goes beyond a shard: see `chunks_of`.
    chunks = (((number, chunk), to_score(chunk)) for number, slots in shards for chunk in chunks_of(slots))
    for (number, chunk), rows in score(chunks, models, threads, caps):
        for line in merged(chunk, tolerance.watch(rows), layout):
            yield number, line


class LocalEngine(NamedTuple):
    """Scores shards in this process, one after the other; the next is read while one is scored. See `chunks.score`."""

    models: Models
    threads: int | None
    caps: Caps

    def __call__(self, files: JobFiles, shards: Shards, total: int, tolerance: Tolerance) -> Iterator[Counter[str]]:
        """See `Engine`."""
        lines = lines_of(shards, files.layout, self.models, self.threads, self.caps, tolerance)
        for number, of_shard in itertools.groupby(track(lines, total, "Scoring", log=False), key=itemgetter(0)):
            yield files.write(number, map(itemgetter(1), of_shard))


def score_anew(films: Iterable[Entry], total: int, out: str | os.PathLike[str], layout: RowFormat,
               models: Models) -> Counter[str]:
    """Scores films to one file from the start, in this process; an older file of that name is replaced when all is done.

    Returns:
        how many of the `total` rows have each status.
    """
    statuses: Counter[str] = Counter()

    def counted() -> Iterator[Sequence[Cell]]:
        lines = lines_of([(0, map(Slot, films))], layout, models, None, Caps(), Tolerance())
        for _, line in track(lines, total, "Scoring", log=False):
            statuses[line.status] += 1
            yield line.cells

    with replacing(Path(out)) as partial:
        write_part(counted(), partial, layout)
    return statuses
