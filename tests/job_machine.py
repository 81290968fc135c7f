"""Random lives of an output: `python job_machine.py SEQUENCES`, a process of its own so that it can fork.

Runs, kills, full disks, changes of films, models and options, retries, overwriting, second processes and other machines
follow each other at random. After each step the output must be absent, the old one to the byte, or the right one; a refused
command changes nothing; and the same command, given again after a kill, ends with the right output.
"""

import csv
import hashlib
import os
import pathlib
import shutil
import sys
import tempfile

import filelock
import numpy as np
from engines import RowEngine
from faults import KILLED, Faults, child, wait
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from movie_genres.base.errors import LockedError, StoppedError, UserError
from movie_genres.ensemble.decisions import Decisions
from movie_genres.ensemble.folder import ModelFile
from movie_genres.scoring import predict as predicting
from movie_genres.scoring.request import Request
from movie_genres.scoring.rows import Row

GENRES = ("A", "B")
REFUSED, LOCKED, STOPPED = 20, 21, 22
HOWS = ["before", "half", "after", "full", "eio", "memory"]
RUNS = [0]


def engine(model):
    """Scores without networks: what a film gets depends on its overview and the model, and nothing else."""
    def row(item):
        if "bad" in item.overview:
            return Row(item.id, "overview", "empty_text", "no word")
        chance = hashlib.sha256(f"{item.id} {item.overview} {model}".encode()).digest()[0] / 255
        return Row(item.id, "overview", "ok", probabilities=np.array([chance, 1 - chance]), named=1)

    return RowEngine(row)


def work(request, model):
    """What `genre-predict` does, without networks."""
    predicting.choose_models = lambda *_: ([ModelFile("lstm", pathlib.Path("lstm"), "overview", {}, model, GENRES,
                                                       pathlib.Path("lstm"), model)],
                                           Decisions({}, {}, model))
    predicting.model_name = lambda *_: "m"
    predicting._engine = lambda *_: engine(model)
    try:
        predicting.predict(request)
    except (LockedError, StoppedError, UserError) as error:
        os._exit({LockedError: LOCKED, StoppedError: STOPPED}.get(type(error), REFUSED))


class Outputs(RuleBasedStateMachine):
    @initialize(folder=st.booleans(), count=st.integers(1, 9))
    def begin(self, folder, count):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="job-machine-"))
        self.out = self.home / ("parts" if folder else "p.csv")
        self.is_folder, self.model, self.shard_size = folder, "one", 3
        self.films = {f"film {number}": "plain" for number in range(count)}
        self.right, self.shown = None, {}  # what stands there and is right for the films and model of some moment

    def teardown(self):
        if hasattr(self, "home"):
            shutil.rmtree(self.home)

    def request(self, out=None, **options):
        with open(self.home / "films.csv", "w", newline="") as file:
            csv.writer(file).writerows([("id", "overview"), *self.films.items()])
        return Request(out=f"{out or self.out}{'/' if self.is_folder else ''}", models="",
                       overviews=str(self.home / "films.csv"), shard_size=self.shard_size, **options)

    def files(self, out=None):
        """The visible output: dict from name to bytes; a folder that does not say that it is complete shows nothing."""
        out = out or self.out
        if not self.is_folder:
            return {"": out.read_bytes()} if out.exists() else {}
        return {path.name: path.read_bytes() for path in out.glob("part-*")} if (out / "_SUCCESS").exists() else {}

    def expected(self):
        fresh = self.home / "expected"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        out = fresh / self.out.name
        assert wait(child(lambda: work(self.request(out), self.model))) == 0
        return self.files(out)

    def do(self, request, fault=None):
        """Runs a command in a child, broken at a write or not, and holds it to the promises; returns its exit code."""
        before, right = self.files(), self.expected()

        def task():
            os.fsync = lambda _: None
            if fault:
                Faults(*fault).install()
            work(request, self.model)

        code, after = wait(child(task)), self.files()
        RUNS[0] += 1
        assert code in (0, 1, KILLED, REFUSED, LOCKED, STOPPED), code
        alike = [before, right] + ([{}] if self.is_folder or not before else [])
        assert after in alike, (code, before, after, right)
        if code in (REFUSED, LOCKED, STOPPED):
            assert after == before, "a refused command changed the output"
        return code

    @rule(overwrite=st.booleans(), retry=st.booleans(), strict=st.booleans())
    def run(self, overwrite, retry, strict):
        code = self.do(self.request(overwrite=overwrite, retry_failed=retry, strict=strict))
        if code == 0:
            assert self.files() == self.expected()
        if overwrite and not retry and not (strict and "bad" in self.films.values()):
            assert code == 0, code

    @rule(at=st.integers(1, 120), how=st.sampled_from(HOWS), overwrite=st.booleans(),
          retry=st.booleans())
    def broken(self, at, how, overwrite, retry):
        request = self.request(overwrite=overwrite, retry_failed=retry)
        if self.do(request, (at, how)) in (1, KILLED):
            code = self.do(request)
            assert code in (0, REFUSED), code
            if overwrite and not retry:
                assert code == 0
            if code == 0:
                assert self.files() == self.expected()

    @rule(at=st.integers(1, 120), how=st.sampled_from(HOWS), overwrite=st.booleans())
    def broken_and_left(self, at, how, overwrite):
        self.do(self.request(overwrite=overwrite), (at, how))

    @rule(index=st.integers(0, 1), at=st.none() | st.integers(1, 80), overwrite=st.booleans())
    def machine(self, index, at, overwrite):
        if self.is_folder:
            request = self.request(num_shards=2, shard_index=index, overwrite=overwrite)
            self.do(request, at and (at, "before"))

    @rule()
    def all_machines(self):
        if self.is_folder:
            codes = [self.do(self.request(num_shards=2, shard_index=index, overwrite=True)) for index in (0, 1)]
            assert codes == [0, 0] and self.files() == self.expected()

    @rule()
    def second_process(self):
        state = self.out / ".job" if self.is_folder else pathlib.Path(f"{self.out}.job")
        existed = state.exists()
        state.mkdir(parents=True, exist_ok=True)
        if (state / "commit.json").exists():
            return  # what it finds is finished before it asks for the lock
        with filelock.FileLock(state / "lock"):
            assert self.do(self.request(overwrite=True)) == LOCKED
        if not existed:
            shutil.rmtree(state)

    @rule(number=st.integers(0, 8), overview=st.sampled_from(["plain", "bad", "other", "bad again"]))
    def change_film(self, number, overview):
        self.films[list(self.films)[number % len(self.films)]] = overview

    @rule(add=st.booleans())
    def change_films(self, add):
        if add:
            self.films[f"film {len(self.films)}"] = "plain"
        elif len(self.films) > 1:
            self.films.popitem()

    @rule(model=st.sampled_from(["one", "two"]), shard_size=st.sampled_from([2, 3]))
    def change_settings(self, model, shard_size):
        self.model, self.shard_size = model, shard_size

    @invariant()
    def nothing_strange_lies_about(self):
        if hasattr(self, "home"):
            known = {self.out.name, f".{self.out.name}.success", f"{self.out.name}.job", f"{self.out.name}.job.over",
                     "films.csv", "expected"}
            assert {path.name for path in self.home.iterdir()} <= known


if __name__ == "__main__":
    sequences = int(sys.argv[1])
    run_state_machine_as_test(seed(0)(Outputs), settings=settings(
        max_examples=sequences, stateful_step_count=12, deadline=None, database=None,
        phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck)))
    print(f"{sequences} sequences, {RUNS[0]} commands")
