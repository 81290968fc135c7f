"""Scoring and vectorizing on Ray, with two workers of which one is killed in the middle."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import image_bytes

from movie_genres.base.errors import StoppedError, UserError
from movie_genres.data import vectorizing
from movie_genres.data.cluster import Cluster
from movie_genres.data.vectorizing import decode_block, write_posters
from movie_genres.inputs.caps import Caps
from movie_genres.scoring.engine import Tolerance
from movie_genres.scoring.ray_engine import RayEngine

pytest.importorskip("ray", reason="needs the extra ray")


def predict(*arguments):
    return [sys.executable, "-c", "from genre_cli.predict import main; main()", *map(str, arguments)]


@pytest.mark.slow
def test_a_killed_worker_costs_only_its_shard_and_the_bytes_stay_the_same(models, tmp_path):
    (tmp_path / "posters").mkdir()
    for number in range(400):
        (tmp_path / "posters" / f"{number:03}.png").write_bytes(
            image_bytes(size=(200, 300), format="PNG", color=(number % 256, 80, 30)))
    command = predict("--posters", tmp_path / "posters", "--models", models, "--shard-size", 10)
    subprocess.run([*command, "--out", tmp_path / "local.csv"], check=True)

    job = subprocess.Popen([*command, "--out", tmp_path / "ray.csv", "--engine", "ray"], stderr=subprocess.PIPE, text=True,
                           env={**os.environ, "RAY_ADDRESS": "local"})
    while job.poll() is None and not (killed := sorted((tmp_path / "ray.csv.job").glob("*.done")) and workers_of(job.pid)):
        time.sleep(0.02)
    assert killed, job.communicate()[1]
    os.kill(killed[0], signal.SIGKILL)
    errors = job.communicate()[1]
    assert job.returncode == 0, errors
    assert (tmp_path / "ray.csv").read_bytes() == (tmp_path / "local.csv").read_bytes()


@pytest.mark.slow
def test_vectorizing_on_ray_gives_the_same_bytes_though_a_worker_dies(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "local")
    (tmp_path / "posters").mkdir()
    paths = [os.path.relpath(tmp_path / "posters" / f"{number}.jpg") for number in range(150)]
    for number, path in enumerate(paths):
        Path(path).write_bytes(b"" if number == 70 else image_bytes(color=(number, 80, 30)))
    paths[100] = ""
    write_posters(paths, tmp_path / "local", (16, 12))

    def dying(start, *about):
        if start and not os.path.exists(tmp_path / "died"):
            (tmp_path / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return decode_block(start, *about)

    monkeypatch.setattr(vectorizing, "decode_block", dying)
    assert write_posters(paths, tmp_path / "ray", (16, 12), "ray") == {paths[70]: "empty: the file is empty"}
    assert (tmp_path / "died").exists()
    for name in ("pixels.npy", "present.npy", "report.json"):
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()


def test_a_cluster_that_is_not_there_is_told_at_once():
    with pytest.raises(UserError, match="127.0.0.1:9: expected a Ray cluster; found none"):
        next(Cluster("127.0.0.1:9", timeout=1).run(print, [], "a task"))


def test_the_cluster_is_left_at_once_where_too_many_rows_fail():
    left = []

    def failing():
        try:
            yield Counter(corrupt=2)
        finally:
            left.append(True)

    running = failing()  # is not closed for being out of use
    engine = RayEngine([], None, None, "cpu", 1, Caps(), {}, SimpleNamespace(run=lambda *about: running))
    with pytest.raises(StoppedError):
        list(engine(SimpleNamespace(shard_size=1), [], 1, Tolerance(1)))
    assert left


def workers_of(pid):
    """Process ids of the Ray workers, below a process, that run a shard."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
    parents = {int(child): int(parent) for child, parent, _ in rows}

    def is_below(child):
        while child in parents:
            child = parents[child]
            if child == pid:
                return True
        return False

    return [int(child) for child, _, name in rows if name.startswith("ray::_score_shard") and is_below(int(child))]
