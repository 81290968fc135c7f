"""Runs scoring jobs to their end: which shards are left, how many rows may fail, what scores them."""

import hashlib
import itertools
import logging
from collections import Counter, deque
from operator import itemgetter
from pathlib import Path

from movie_genres.base.errors import StoppedError, UserError
from movie_genres.base.files import replacing
from movie_genres.base.progress import track
from movie_genres.inputs.posters import Caps
from movie_genres.scoring.chunks import chunks_of, score
from movie_genres.scoring.records import Tally
from movie_genres.scoring.rows import OK, escape_name, write_part

logger = logging.getLogger(__name__)


class KeptRows:
    """Films of which those that an earlier run has scored well keep their rows; each iteration gives them anew.

    Args:
        films: iterable of `catalogue.Entry`.
        job: the `job.Job` whose output is there.
        record: the `records.Record` of that output.

    Raises:
        UserError: on iteration, the rows are not those of the films, or a film whose row is kept has changed since.
    """

    def __init__(self, films, job, record):
        self._films, self._job, self._record = films, job, record

    def __iter__(self):
        layout, size = self._job.layout, self._job.shard_size
        identity, status = map(layout.shown.index, ("id", "status"))
        tally, number = Tally(), 0
        for number, (item, cells) in enumerate(itertools.zip_longest(self._films, self._job.rows()), start=1):
            if item is None or cells is None or cells[identity].lstrip("'") != escape_name(item.id).lstrip("'"):
                raise UserError(f"{self._job.out}: expected the films of the earlier output, in their order; found another "
                                f"one in row {number}. Score all anew, with --overwrite.")
            tally.add(cells[status], item.identity)
            yield item._replace(kept=cells) if cells[status] == OK else item
            if number % size == 0:
                self._check(tally, number)
                tally = Tally()
        if number % size:
            self._check(tally, number)

    def _check(self, tally, number):
        shard = (number - 1) // self._job.shard_size
        if [tally.kept] != self._record.kept[shard:shard + 1]:
            raise UserError(f"{self._job.out}: expected films that are as they were when they were scored; found one that "
                            f"has changed among rows {shard * self._job.shard_size + 1:,} to {number:,}. "
                            "Score all anew, with --overwrite.")


def failed_in(statuses):
    """How many rows failed, of a `collections.Counter` of rows by status."""
    return statuses.total() - statuses[OK]


class Tolerance:
    """How many rows may fail before a job is stopped.

    Args:
        allowed: int, or None for any number.
    """

    def __init__(self, allowed=None):
        self.allowed, self.failed = allowed, 0

    def add(self, failed, example=""):
        """Counts failed rows.

        Raises:
            StoppedError: they are too many.
        """
        self.failed += failed
        if self.allowed is not None and self.failed > self.allowed:
            raise StoppedError(f"stopped: {self.failed:,} failed rows where {self.allowed:,} were allowed{example}. What is "
                               "done is kept: the same command goes on with it.")

    def watch(self, rows):
        """Passes rows on, and counts those that failed."""
        for row in rows:
            if row.status != OK:
                self.add(1, f", the last one {escape_name(row.id)!r}: {row.status}, {row.error}")
            yield row


def run(job, films, survey, engine, tolerance):
    """Runs a job that is held and begun, to its end.

    Args:
        job: `job.Job`.
        films: iterable of `catalogue.Entry`.
        survey: `catalogue.Survey` of them.
        engine: `LocalEngine`, or another with the same call.
        tolerance: `Tolerance`.

    Returns:
        (statuses, scored, missing): `collections.Counter` of this machine's rows by status; how many of them were not done
        before; and how many shards of other machines are missing yet.

    Raises:
        StoppedError: too many rows failed.
        UserError: the films are no longer those of the survey.
    """
    statuses = Counter()
    count = -(-survey.films // job.shard_size)
    finished = {number: job.done(number) for number in range(count) if job.is_mine(number)}
    for shard in filter(None, finished.values()):
        statuses.update(shard.statuses)
        tolerance.add(failed_in(Counter(shard.statuses)))
    if statuses:
        logger.info("%s: going on after %s rows that are done", job.out, f"{statuses.total():,}")
    all_films = hashlib.sha256()

    def pending():
        for number, shard in _shards(_digested(films, all_films), job.shard_size):
            if done := finished.get(number):
                _check_same(job, number, shard, done)
            elif job.is_mine(number):
                yield number, shard
            deque(shard, maxlen=0)  # pass over what is left of it

    mine = sum(min(job.shard_size, survey.films - number * job.shard_size) for number in finished)
    left = mine - statuses.total()
    for of_shard in engine(job, pending(), left, tolerance):
        statuses.update(of_shard)
    if statuses.total() != mine or all_films.hexdigest() != survey.digest:
        raise _changed(job)
    return statuses, left, job.finish(count)


def _check_same(job, number, films, done):
    """Looks whether films are those of a shard that is done: they may have been others for a moment."""
    digest = hashlib.sha256()
    deque(_digested(films, digest), maxlen=0)
    if digest.hexdigest() != done.films:
        job.forget(number)
        raise _changed(job)


def _changed(job):
    return UserError(f"{job.out}: expected films that stay as they were at the start; the input has changed since. "
                     "Give the same command again, with --overwrite if the change stays.")


def _digested(items, digest):
    for item in items:
        digest.update(item.identity)
        yield item


def _shards(items, size):
    items = iter(items)
    for number in itertools.count():
        first = list(itertools.islice(items, 1))
        if not first:
            return
        yield number, itertools.chain(first, itertools.islice(items, size - 1))


class LocalEngine:
    """Scores shards in this process, one after the other; the next is read while one is scored.

    Args:
        models: `scorer.Models`.
        threads, caps: see `chunks.score`.
    """

    def __init__(self, models, threads, caps):
        self._models, self._threads, self._caps = models, threads, caps

    def __call__(self, job, shards, total, tolerance):
        """Scores and writes shards.

        Args:
            job: `job.Job`.
            shards: iterable of (number, iterable of `catalogue.Entry`).
            total: how many films there are in all, for the progress bar.
            tolerance: `Tolerance`.

        Yields:
            what `Job.write` returns, for each shard.
        """
        numbers = deque()

        def chunks():
            for number, items in shards:
                for chunk in chunks_of(items):  # no chunk goes beyond a shard: see `chunks_of`
                    numbers.append(number)
                    yield chunk

        def rows():
            for of_chunk in score(chunks(), self._models, self._threads, self._caps):
                number = numbers.popleft()
                for row in of_chunk:
                    yield number, row

        scored = track(rows(), total, "Scoring", log=False)
        for number, of_shard in itertools.groupby(scored, key=itemgetter(0)):
            yield job.write(number, tolerance.watch(map(itemgetter(1), of_shard)))


def score_anew(films, total, out, layout, models, threads=None, caps=Caps()):
    """Scores films to one file from the start, in this process; an older file of that name is replaced when all is done.

    Args:
        films: iterable of `catalogue.Entry`.
        total: their number, for the progress bar.
        out: the file to write.
        layout: `rows.RowFormat`.
        models, threads, caps: see `LocalEngine`.

    Returns:
        `collections.Counter` of the rows by status.
    """
    statuses = Counter()

    def counted():
        for chunk in score(chunks_of(films), models, threads, caps):
            for row in chunk:
                statuses[row.status] += 1
                yield row

    with replacing(Path(out)) as partial:
        write_part(track(counted(), total, "Scoring", log=False), partial, layout)
    return statuses
