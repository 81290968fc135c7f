"""Runs scoring jobs to their end: which shards are left, how many rows may fail, what scores them."""

import hashlib
import itertools
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from movie_genres.base.errors import Remedy, StoppedError, UserError
from movie_genres.base.files import StrPath, replacing
from movie_genres.base.names import escape_name
from movie_genres.base.progress import track
from movie_genres.ensemble.scorer import Models
from movie_genres.inputs.caps import Caps
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.chunks import chunks_of, score
from movie_genres.scoring.job import Job
from movie_genres.scoring.job_files import JobFiles, Line, write_lines
from movie_genres.scoring.rows import OK, Row, RowFormat
from movie_genres.scoring.slots import Slot, in_shards, merged, to_score

if TYPE_CHECKING:
    from hashlib import _Hash

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
        """Counts failed rows; raises `StoppedError` where they are too many."""
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


# Scores the shards of a job that are left, and writes them; the number is that of their films, for the progress bar. Yields
# for each shard how many rows have each status; raises `StoppedError` where too many rows fail.
Engine = Callable[[JobFiles, Shards, int, Tolerance], Iterator[Counter[str]]]


class Outcome(NamedTuple):
    """This machine's rows by status, how many of them were not done before, and how many shards of others are missing."""

    statuses: Counter[str]
    scored: int
    missing: int


def run(job: Job, engine: Engine, tolerance: Tolerance) -> Outcome:
    """Runs a job to its end.

    Raises:
        StoppedError: too many rows failed.
        UserError: the films are no longer those of the survey.
    """
    files, statuses, all_films = job.files, Counter[str](), hashlib.sha256()
    finished = {number: files.done(number) for number in job.shards if job.share.has(number)}
    for shard in filter(None, finished.values()):
        statuses.update(shard.statuses)
        tolerance.add(failed_in(shard.statuses))
    if statuses:
        logger.info("%s: going on after %s rows that are done", files.out, f"{statuses.total():,}")
    changed = UserError(f"{files.out}: expected films that stay as they were at the start; the input has changed since.",
                        Remedy.SAME_OR_ANEW)

    def pending() -> Iterator[tuple[int, Iterable[Slot]]]:
        for number, slots in in_shards(_digested(job.slots(), all_films), files.shard_size):
            if done := finished.get(number):
                digest = hashlib.sha256()
                deque(_digested(slots, digest), maxlen=0)
                if digest.hexdigest() != done.films:  # they were others for a moment
                    files.forget(number)
                    raise changed
            elif job.share.has(number):
                yield number, slots
            deque(slots, maxlen=0)  # pass over what is left of it

    mine = sum(map(job.size_of, finished))
    left = mine - statuses.total()
    for of_shard in engine(files, pending(), left, tolerance):
        statuses.update(of_shard)
    if statuses.total() != mine or all_films.hexdigest() != job.survey.digest:
        raise changed
    return Outcome(statuses, left, job.finish())


def _digested(slots: Iterable[Slot], digest: "_Hash") -> Iterator[Slot]:
    for slot in slots:
        digest.update(slot.entry.identity)
        yield slot


def lines_of(shards: Shards, layout: RowFormat, models: Models, threads: int | None, caps: Caps,
             tolerance: Tolerance) -> Iterator[tuple[int, Line]]:
    """Yields (shard number, line) for each film, in order; see `chunks.score`."""
    # No chunk goes beyond a shard: see `chunks_of`.
    chunks = (((number, chunk), to_score(chunk)) for number, slots in shards for chunk in chunks_of(slots))
    for (number, chunk), rows in score(chunks, models, threads, caps):
        for line in merged(chunk, tolerance.watch(rows), layout):
            yield number, line


@dataclass(frozen=True)
class LocalEngine:
    """Scores shards in this process, one after the other; the next is read while one is scored. See `chunks.score`."""

    models: Models
    threads: int | None
    caps: Caps

    def __call__(self, files: JobFiles, shards: Shards, total: int, tolerance: Tolerance) -> Iterator[Counter[str]]:
        lines = lines_of(shards, files.layout, self.models, self.threads, self.caps, tolerance)
        for number, of_shard in itertools.groupby(track(lines, total, "Scoring", log=False), key=itemgetter(0)):
            yield files.write(number, map(itemgetter(1), of_shard))


def score_anew(films: Iterable[Entry], total: int, out: StrPath, layout: RowFormat, models: Models) -> Counter[str]:
    """Scores films to one file from the start, in this process; an older file of that name is replaced when all is done.

    Returns how many of the `total` rows have each status.
    """
    lines = lines_of([(0, map(Slot, films))], layout, models, None, Caps(), Tolerance())
    with replacing(out) as partial:
        return write_lines(map(itemgetter(1), track(lines, total, "Scoring", log=False)), partial, layout).statuses
