"""Runs a small scoring job again and again, and breaks it: `python faults.py FOLDER each|random FORMAT`.

`each`: at each of its writes to the disk; `random`: killed at random moments. A process of its own, so that it can fork:
each run is a child that dies as a killed one does, without any clean-up. Prints how many were broken; ends with an error
where the output afterwards is not that of an undisturbed run.
"""

import errno
import functools
import io
import os
import pathlib
import random
import shutil
import signal
import sys
import time

import numpy as np
from engines import RowEngine

from movie_genres.base import files
from movie_genres.base.errors import Remedy, UserError
from movie_genres.data import access
from movie_genres.scoring import rows as outputs
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.engine import Tolerance, run
from movie_genres.scoring.job import open_job
from movie_genres.scoring.job_files import JobFiles
from movie_genres.scoring.rows import Row, RowFormat

FILMS = [Entry(f"film {number}") for number in range(11)]
KILLED = 137


def row(item):
    return Row(item.id, "poster", "ok", "", "", np.linspace(0, len(item.id) / 10, 3), 2)


def work(out, layout):
    try:
        with open_job(JobFiles(out, layout, 4), FILMS, {}) as job:
            if not job.finished:
                run(job, RowEngine(row), Tolerance())
    except UserError as error:
        if error.remedy is not Remedy.REPLACE:  # killed in its very last step, when all was done
            raise


class Faults:
    """Counts every write to the disk, or every read, and breaks the one of number `target`.

    `how`: a write is broken by a kill `before`, `half`-way or `after`, or the disk is `full`; a read by `eio`, or there is
    no `memory` for it.
    """

    def __init__(self, target, how):
        self.count, self.target, self.how = 0, target, how

    def hit(self, act, half=None):
        self.count += 1
        if self.count != self.target:
            return act()
        if self.how == "memory":
            raise MemoryError
        if self.how in ("full", "eio"):
            code = errno.ENOSPC if self.how == "full" else errno.EIO
            raise OSError(code, os.strerror(code))
        if self.how == "half" and half:
            half()
        elif self.how == "after":
            act()
        os._exit(KILLED)

    def wrap(self, owner, name):
        real = getattr(owner, name)
        setattr(owner, name, lambda *args, **options: self.hit(lambda: real(*args, **options)))

    def install(self):
        if self.how in ("eio", "memory"):
            self._break_reads()
        else:
            self._break_writes()

    def _break_reads(self):
        for name in ("stat", "scandir"):
            self.wrap(os, name)
        access.open_regular = functools.partial(self._reading, access.open_regular)
        for module in (files, outputs):
            module.open = lambda path, mode: self._reading(open, path, mode) if "r" in mode else open(path, mode)

    def _reading(self, open_file, *arguments):
        return io.BufferedReader(_FaultySource(self.hit(lambda: open_file(*arguments)), self))

    def _break_writes(self):
        for name in ("fsync", "replace", "mkdir", "unlink", "rmdir"):
            self.wrap(os, name)
        self.wrap(shutil, "rmtree")
        write_text = pathlib.Path.write_text

        def half_text(path, text, **options):
            return self.hit(lambda: write_text(path, text, **options), lambda: write_text(path, text[:len(text) // 2]))

        pathlib.Path.write_text = half_text
        outputs.open = lambda path, mode: _FaultyFile(open(path, mode), self) if "w" in mode else open(path, mode)


class _FaultySource(io.RawIOBase):
    def __init__(self, file, faults):
        self._file, self._faults = file, faults

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._faults.hit(lambda: self._file.readinto(buffer))

    def fileno(self):
        return self._file.fileno()

    def close(self):
        self._file.close()
        super().close()


class _FaultyFile:
    def __init__(self, file, faults):
        self._file, self._faults = file, faults

    def write(self, data):
        def half():
            self._file.write(data[:len(data) // 2])
            self._file.flush()

        return self._faults.hit(lambda: self._file.write(data), half)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)


def child(task):
    """Runs a task in a child; returns its process id."""
    process = os.fork()
    if process:
        return process
    try:
        task()
        os._exit(0)
    except (OSError, MemoryError):
        os._exit(1)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(2)


def wait(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def break_each_write(folder, layout, expected):
    broken = 0
    for how in ("before", "half", "after", "full"):
        for target in range(1, 1000):
            def task():
                faults = Faults(target, how)
                faults.install()
                work(out, layout)

            out = folder / f"{how}{target}.{layout.format}"
            code = wait(child(task))
            assert code in (0, 1, KILLED), (how, target, code)
            assert not out.exists() or out.read_bytes() == expected, f"visible half-written: {how} {target}"
            if code == 0 and out.exists() and not pathlib.Path(f"{out}.job").exists():
                break  # there are fewer writes than that
            broken += 1
            assert wait(child(lambda: work(out, layout))) == 0, (how, target)
            assert out.read_bytes() == expected, f"another output after: {how} {target}"
        else:
            raise AssertionError("the job never came to its end")
    return broken


def kill_at_random(folder, layout, expected, times=200):
    chance, killed, finished = random.Random(0), 0, 0
    started = time.monotonic()
    wait(child(lambda: work(folder / "timed", layout)))
    usual = time.monotonic() - started
    while killed < times:
        out = folder / f"random{finished}.{layout.format}"
        process = child(lambda: work(out, layout))
        time.sleep(chance.uniform(0, 1.2 * usual))
        os.kill(process, signal.SIGKILL)
        if wait(process) == -signal.SIGKILL:
            killed += 1
        assert not out.exists() or out.read_bytes() == expected, "visible half-written"
        if out.exists() and not pathlib.Path(f"{out}.job").exists():
            finished += 1
    wait(child(lambda: work(out, layout)))
    assert out.read_bytes() == expected
    return killed


if __name__ == "__main__":
    folder, layout = pathlib.Path(sys.argv[1]), RowFormat(("A", "B", "C"), format=sys.argv[3])
    work(folder / "expected", layout)
    how = {"each": break_each_write, "random": kill_at_random}[sys.argv[2]]
    print(how(folder, layout, (folder / "expected").read_bytes()))
