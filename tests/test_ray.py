"""The Ray engine, with two workers of which one is killed in the middle."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import image_bytes

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
