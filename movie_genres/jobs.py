"""Scoring jobs: cut into shards that are written whole or not at all, so that an interrupted job goes on where it stopped.

A shard is written to a temporary file, which reaches the disk, is renamed, and only then is marked as done. The output of
all shards is joined at the end, or stays in parts; either way it is the same to the byte however often the job was killed.
"""

import contextlib
import itertools
import json
import logging
import os
import shutil
import uuid
from collections import Counter, deque
from operator import itemgetter
from pathlib import Path

import filelock

from movie_genres.errors import LockedError, StoppedError, UserError
from movie_genres.files import replacing
from movie_genres.outputs import escape_name, merge_parts, read_rows, write_part
from movie_genres.posters import Caps
from movie_genres.progress import track
from movie_genres.scoring import OK, chunks_of, score

logger = logging.getLogger(__name__)

SETTINGS = "job.json"


class Job:
    """The files of a job.

    Args:
        out: the file to write, or the folder for parts.
        layout: `outputs.Layout`.
        parts: whether `out` is a folder for parts, `part-00000.csv` and so on, a part for each shard.
        shard_size: films a shard.
        num_shards, shard_index: on several machines, each with an index of its own from 0, this one does every
            `num_shards`th shard. Needs `parts`.
    """

    def __init__(self, out, layout, parts=False, shard_size=8192, num_shards=1, shard_index=0):
        self.out, self.layout, self.is_folder = Path(out), layout, parts
        self.shard_size, self.num_shards, self.shard_index = shard_size, num_shards, shard_index
        self.state = Path(f"{self.out}/.job-{shard_index}-of-{num_shards}" if parts else f"{self.out}.job")

    def part(self, number):
        """Path of a shard's rows."""
        return (self.out if self.is_folder else self.state) / f"part-{number:05}.{self.layout.format}"

    def is_mine(self, number):
        """Whether a shard is this machine's to do."""
        return number % self.num_shards == self.shard_index

    def _marker(self, number):
        return self.state / f"{number:05}.done"

    def check_output(self, overwrite):
        """Refuses to replace an output, unless this job has begun already or may overwrite it. Changes nothing.

        Raises:
            UserError: there is one.
        """
        exists = any(map(self.is_mine, self._numbers())) if self.is_folder else self.out.exists()
        if exists and not overwrite and not (self.state / SETTINGS).exists():
            raise UserError(f"{self.out}: there is an output already. Give another name, or --overwrite to replace it, or "
                            "--retry-failed to score its failed rows again.")

    def _numbers(self):
        """The numbers of the parts in the folder."""
        return [int(path.name[5:].split(".")[0]) for path in self.out.glob(f"part-[0-9]*.{self.layout.format}")]

    @contextlib.contextmanager
    def held(self):
        """Keeps all other processes from this job.

        Raises:
            LockedError: another process has it.
        """
        self.state.mkdir(parents=self.is_folder, exist_ok=True)
        try:
            with filelock.FileLock(self.state / "lock", timeout=0):
                yield
        except filelock.Timeout:
            raise LockedError(f"{self.out}: another process is working on this output.") from None

    def begin(self, settings, overwrite):
        """Starts the job, or goes on with it; to be called while `held`.

        Args:
            settings: dict that JSON can hold: all that the output depends on.
            overwrite: whether this job, begun with other settings, may be thrown away.

        Raises:
            UserError: it may not; or another machine has begun its share with other settings.
        """
        settings = json.loads(json.dumps(settings))  # as it will be read: lists for tuples
        for partial in self.state.glob(".partial-*"):
            partial.unlink()
        own = self.state / SETTINGS
        files = self.out.glob(f".job-*/{SETTINGS}") if self.is_folder else self.state.glob(SETTINGS)
        jobs = {file: json.loads(file.read_text(encoding="utf-8")) for file in files}
        for file, begun in jobs.items():
            if begun != settings and (file != own or not overwrite):
                key = next(key for key in {**settings, **begun} if settings.get(key) != begun.get(key))
                raise UserError(f"{self.out}: expected to go on with the job in {file.parent}, begun with {key} "
                                f"{begun.get(key)!r}; found {settings.get(key)!r}. Give the same options, models and "
                                "inputs, or start anew with --overwrite.")
        if jobs.get(own) != settings:
            for marker in self.state.glob("*.done"):
                marker.unlink()
            with replacing(own, self.state) as partial:
                partial.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    def done(self, number):
        """How many rows of each status a shard has, a `collections.Counter`; None while it is not done."""
        try:
            return Counter(json.loads(self._marker(number).read_text()))
        except FileNotFoundError:
            return None

    def write(self, number, rows):
        """Writes a shard and marks it as done.

        Args:
            number: of the shard.
            rows: iterable of `outputs.Row`.

        Returns:
            `collections.Counter` of the rows by status.
        """
        statuses = Counter()

        def counted():
            for row in rows:
                statuses[row.status] += 1
                yield row

        with replacing(self.part(number), self.state) as partial:
            write_part(counted(), partial, self.layout)
        with replacing(self._marker(number), self.state) as partial:
            partial.write_text(json.dumps(statuses))
        return statuses

    def finish(self, count):
        """Makes the output of `count` shards visible and removes what the job needed, and what an older output had more."""
        if self.is_folder:
            for number in self._numbers():
                if number >= count and self.is_mine(number):
                    self.part(number).unlink()
        else:
            with replacing(self.out, self.state) as partial:
                merge_parts([self.part(number) for number in range(count)], partial, self.layout)
        over = Path(f"{self.state}.over")  # all at once: a job half removed could not go on
        shutil.rmtree(over, ignore_errors=True)  # of an earlier job that was killed in the next line but one
        os.replace(self.state, over)
        shutil.rmtree(over)

    def previous_rows(self):
        """The rows of the output that is there, as of `outputs.read_rows`, to be scored again where they failed.

        Raises:
            UserError: there is none.
        """
        if self.is_folder:
            return read_rows([self.part(number) for number in sorted(self._numbers())], self.layout)
        previous = self.state / f"previous.{self.layout.format}"
        if not previous.exists():
            if not self.out.exists():
                raise UserError(f"{self.out}: expected an earlier output, to score its failed rows again; found none.")
            with replacing(previous, self.state) as partial:
                shutil.copyfile(self.out, partial)
        return read_rows([previous], self.layout)


def with_kept_rows(films, previous, layout):
    """Films of which those that an earlier run has scored well keep their rows.

    Args:
        films: iterable of `items.Item`.
        previous: iterable of the cells of the earlier rows, as of `outputs.read_rows`.
        layout: `outputs.Layout`, with the columns `id` and `status`.

    Raises:
        UserError: the rows are not those of the films.
    """
    identity, status = map(layout.shown.index, ("id", "status"))
    for number, (item, cells) in enumerate(itertools.zip_longest(films, previous), start=1):
        if item is None or cells is None or cells[identity].lstrip("'") != escape_name(item.id).lstrip("'"):
            raise UserError(f"expected the films of the earlier output, in their order; found another one in row {number}. "
                            "Score all anew, with --overwrite.")
        yield item._replace(kept=cells) if cells[status] == OK else item


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


def run(job, films, total, engine, tolerance):
    """Runs a job that is held and begun, to its end.

    Args:
        job: `Job`.
        films: iterable of `items.Item`.
        total: their number.
        engine: `LocalEngine`, or another with the same call.
        tolerance: `Tolerance`.

    Returns:
        (statuses, scored): `collections.Counter` of the rows by status; and how many of them were not done before.

    Raises:
        StoppedError: too many rows failed.
        UserError: there are no longer as many films.
    """
    statuses = Counter()
    count = -(-total // job.shard_size)
    finished = {number: job.done(number) for number in range(count) if job.is_mine(number)}
    for of_shard in filter(None, finished.values()):
        statuses.update(of_shard)
        tolerance.add(failed_in(of_shard))
    if statuses:
        logger.info("%s: going on after %s rows that are done", job.out, f"{statuses.total():,}")

    def pending():
        for number, shard in _shards(films, job.shard_size):
            if job.is_mine(number) and not finished.get(number):
                yield number, shard
            deque(shard, maxlen=0)  # pass over what is left of it

    mine = sum(min(job.shard_size, total - number * job.shard_size) for number in finished)
    left = mine - statuses.total()
    for of_shard in engine(job, pending(), left, tolerance):
        statuses.update(of_shard)
    if statuses.total() != mine:
        raise UserError(f"{job.out}: expected {mine:,} films, as at the start; found {statuses.total():,}: the input has "
                        "changed since.")
    job.finish(count)
    return statuses, left


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
        models: `inference.Models`.
        threads, caps: see `scoring.score`.
    """

    def __init__(self, models, threads, caps):
        self._models, self._threads, self._caps = models, threads, caps

    def __call__(self, job, shards, total, tolerance):
        """Scores and writes shards.

        Args:
            job: `Job`.
            shards: iterable of (number, iterable of `items.Item`).
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
    """Scores films to one file from the start, in this process; an older job or file of that name is replaced.

    Args:
        films: iterable of `items.Item`.
        total: their number.
        out, layout: see `Job`.
        models, threads, caps: see `LocalEngine`.

    Returns:
        `collections.Counter` of the rows by status.
    """
    job = Job(out, layout)
    with job.held():
        job.begin({"anew": uuid.uuid4().hex}, overwrite=True)  # never what an older one left
        return run(job, films, total, LocalEngine(models, threads, caps), Tolerance())[0]
