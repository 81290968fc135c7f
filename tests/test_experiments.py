import dataclasses
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from conftest import REPOSITORY

from experiments import runs, split_seeds
from experiments.runs import RunFailedError, SplitRun, kept_file, read_run, run_pipeline, run_split
from experiments.split_seeds import compare, summarise, summarise_points
from movie_genres.base.errors import UserError
from movie_genres.evaluation.searching import ranked, read_search


def test_summarise_gives_mean_and_spread_and_leaves_out_what_is_undefined():
    loss, precision = summarise([{"films": 5, "cnn.loss": 0.2, "cnn.precision": None},
                                 {"films": 5, "cnn.loss": 0.4, "cnn.precision": 0.5}])
    assert (loss.model, loss.metric, loss.splits) == ("cnn", "loss", 2)
    assert loss.mean == pytest.approx(0.3) and loss.spread == pytest.approx(0.1414, abs=1e-4)
    assert (precision.mean, precision.spread, precision.splits) == (0.5, None, 1)


def test_differences_are_taken_split_by_split():
    changed = [{"films": 5, "cnn.loss": 0.2, "cnn.precision": None}, {"films": 5, "cnn.loss": 0.4, "cnn.precision": 0.5}]
    plain = [{"films": 5, "cnn.loss": 0.3, "cnn.precision": 0.1}, {"films": 5, "cnn.loss": 0.3, "lstm.loss": 0.5}]
    line, = compare(changed, plain, 0)
    assert line[:3] == ("cnn", "loss", pytest.approx(0, abs=1e-12)) and line.splits == 2
    assert line.spread == pytest.approx(12.706 * 0.1, rel=1e-3)  # of ±0.1: a standard error of 0.1, one degree of freedom


def test_what_is_named_is_averaged_by_kind_and_by_what_was_asked_for():
    splits = [pd.DataFrame({"kind": ["poster", "both"], "asked": "default", "precision": [first, 0.5], "recall": 0.5,
                            "genres_per_film": 2.0, "f1_per_film": 0.5}) for first in (0.4, 0.6)]
    found = summarise_points(splits)
    assert found["precision"].to_dict() == {("poster", "default"): "0.500 ± 0.141", ("both", "default"): "0.500 ± 0.000"}


def made(seed, settings, log):
    return SplitRun(seed, "c0", settings, {"fusion.skill": 0.5}, ({"kind": "both"},), {"fusion": {"skill": 0.4}})


def test_a_run_is_made_once_and_what_is_kept_is_of_the_same_parameters(tmp_path):
    first = run_split(3, ("a=1",), tmp_path, made)
    assert run_split(3, ("a=1",), tmp_path, None) == first == read_run(tmp_path, 3)
    with pytest.raises(UserError, match="found one with a=1"):
        run_split(3, ("a=2",), tmp_path, None)


def test_a_damaged_file_is_named(tmp_path):
    kept_file(tmp_path, 1).write_text("{")
    with pytest.raises(UserError, match="split-1.json: expected what a run"):
        read_run(tmp_path, 1)


@pytest.mark.parametrize("log, expected", [
    ("Running stage\nError: fusion.units: no\nERROR: failed to reproduce 'fusion'\n", "Error: fusion.units: no"),
    ("a\nERROR: Could not find 'fusion'\n\n", "ERROR: Could not find 'fusion'"),
    ("Traceback\nValueError: \x1b[31mx\n", "ValueError:  [31mx"), ("", "DVC ended with code 7"), ("x" * 999, "x" * 300),
    ("x" * 299 + " y", "x" * 299)])
def test_the_reason_of_a_failure_is_what_the_stage_says(tmp_path, log, expected):
    (tmp_path / "log").write_text(log)
    failure = runs._failure(tmp_path / "log", 7)
    assert isinstance(failure, RunFailedError) and str(failure) == expected


@pytest.mark.parametrize("log, code, found", [
    (f"ERROR: failed to reproduce 'cnn': failed to run: {'x' * 400}, exited with -9\n", 255, "exited with -9"),
    ("Error: no\nERROR: failed to run: a, exited with 137\n", 255, "exited with 137"),
    ("ERROR: a, exited with 143\nhint\n", 255, "exited with 143"), ("", 0, "DVC ended well"),
    ("OSError: [Errno 28] No space left on device: 'a'\nERROR: a, exited with 1\n", 255, "No space left on device"),
    ("ERROR: Unable to acquire lock. Most likely another process\n", 255, "Unable to acquire lock")])
def test_what_the_machine_did_is_no_failure_of_the_settings(tmp_path, log, code, found):
    (tmp_path / "log").write_text(log)
    failure = runs._failure(tmp_path / "log", code)
    assert not isinstance(failure, RunFailedError) and f"found {found!r}. Start again" in str(failure)
    assert isinstance(runs._failure(tmp_path / "log", 255), RunFailedError) == (code == 0)


def test_a_run_that_goes_on_elsewhere_is_waited_for_and_that_is_said(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(runs, "git", lambda *arguments: "c0")
    monkeypatch.setattr(runs, "_read_experiment", lambda seed, commit, settings, revision: made(seed, settings, None))
    elsewhere = open(tmp_path / "log", "a")
    fcntl.flock(elsewhere, fcntl.LOCK_EX)
    threading.Timer(0.3, elsewhere.close).start()
    with caplog.at_level("INFO"):
        assert run_pipeline(3, (), tmp_path / "log").seed == 3
    assert elsewhere.closed and f"waiting for its end  (its messages: {tmp_path / 'log'})" in caplog.text


def test_runs_of_uncommitted_settings_are_neither_made_nor_taken_from_what_is_kept(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    params = Path("params.yaml")
    params.write_text("prepare: {validation: 0.1, test: 0.1}")
    for command in ("init -q", "config user.email a@b", "config user.name a", "add params.yaml", "commit -qm first"):
        subprocess.run(["git", *command.split()], check=True)
    row = {"kind": "both", "asked": "default", "precision": 0.5, "recall": 0.5, "genres_per_film": 2.0, "f1_per_film": 0.5}
    monkeypatch.setattr(split_seeds, "run_pipeline", lambda *given: dataclasses.replace(made(*given), points=(row,)))
    assert run(split_seeds.main, "--seeds", 1).exit_code == 0
    assert run(split_seeds.main, "--seeds", 1, "--kept", "named").exit_code == 0
    params.write_text("prepare: {validation: 0.1, test: 0.2}")
    for options, code in (["--seeds", 1], 2), (["--seeds", 2, "--kept", "named"], 2), (["--seeds", 1, "--kept", "named"], 0):
        result = run(split_seeds.main, *options)
        assert result.exit_code == code and ("found changes of params.yaml. Commit or" in result.output) == (code == 2)


STAGE = """
import json, os, pathlib, time, yaml
fusion = yaml.safe_load(open("params.yaml"))["fusion"]
with open("STARTED", "a") as started: print(fusion["seed"], fusion["units"], file=started)
if fusion["units"] == -2: os.kill(os.getpid(), 9)
if fusion["units"] < 0: raise SystemExit("Error: fusion.units: too few")
time.sleep(2)
for name, figures in {"metrics/fusion.json": {"skill": fusion["units"] / 1000},
                      "metrics/evaluate.json": {"fusion.skill": fusion["seed"] / 10}}.items():
    pathlib.Path(name).parent.mkdir(exist_ok=True)
    pathlib.Path(name).write_text(json.dumps(figures))
pathlib.Path("plots").mkdir(exist_ok=True)
pathlib.Path("plots/operating_points.csv").write_text("kind,asked,precision\\nboth,default,0.5\\n")
"""


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    """A repository with a pipeline of one small stage, which is entered; gives the file that tells its starts."""
    repository, started = tmp_path / "repository", tmp_path / "started"
    repository.mkdir()
    monkeypatch.chdir(repository)
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
    plain, encoder = {"seed": 0}, {"poster": {"seed": 0}, "overview": {"seed": 0}}
    Path("params.yaml").write_text(json.dumps({**{name: plain for name in ("teach", "cnn", "lstm")},
                                               "prepare": plain | {"validation": 0.1, "test": 0.1},
                                               "encoder_defaults": encoder, "fusion": {"seed": 0, "units": 8}}))
    Path("dvc.yaml").write_text(json.dumps({"stages": {"evaluate": {
        "cmd": "python stage.py", "deps": ["stage.py"], "params": ["fusion"], "metrics": ["metrics/fusion.json"],
        "outs": [{"plots": {"cache": False}}, {"metrics/evaluate.json": {"cache": False}}]}}}))
    Path("sweep.yaml").write_text("{model: fusion, trials: 2, splits: 2, fresh: 2, seed: 0, stop_early: true, parameters: "
                                  "{fusion.units: {choices: [8, 16, 32]}}}")
    Path("stage.py").write_text(STAGE.replace("STARTED", str(started)))
    Path(".gitignore").write_text("/state\n")
    Path(".dvcignore").write_text("/state\n")
    for command in ("git init -q", "git config user.email a@b", "git config user.name a", "dvc init -q", "git add --all",
                    "git commit -qm first"):
        subprocess.run(command.split(), check=True)
    return started


@pytest.mark.slow
def test_a_run_is_an_experiment_of_dvc_whose_cached_figures_are_read(pipeline, tmp_path):
    done = run_pipeline(2, ("fusion.units=64",), tmp_path / "log")
    assert (done.validation, done.figures) == ({"fusion": {"skill": 0.064}}, {"fusion.skill": 0.2})
    assert done.points == ({"kind": "both", "asked": "default", "precision": 0.5},)
    assert run_pipeline(2, ("fusion.units=64",), tmp_path / "log") == done
    with pytest.raises(RunFailedError, match="^Error: fusion.units: too few$"):
        run_pipeline(2, ("fusion.units=-1",), tmp_path / "log")
    with pytest.raises(UserError, match="found 'exited with (-9|137)'. Start again to go on"):
        run_pipeline(2, ("fusion.units=-2",), tmp_path / "log")
    assert pipeline.read_text().splitlines() == ["2 64", "2 -1", "2 -2"]


@pytest.mark.slow
def test_a_search_that_is_killed_while_dvc_works_goes_on_with_what_dvc_makes_without_it(pipeline):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "experiments.sweep"]
    killed = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    while killed.poll() is None and (not pipeline.exists() or len(pipeline.read_text().splitlines()) < 3):
        time.sleep(0.1)
    killed.kill()
    killed.wait()
    again = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "and not made again: 2." in again.stderr and "No setting is better" in again.stdout
    assert sorted(pipeline.read_text().splitlines()) == ["0 16", "0 32", "0 8", "1 16", "1 32", "1 8"]
    found = read_search(Path("sweep/results.json"))
    assert [each.tried.settings for each in ranked(found)] == [("fusion.units=32",), ("fusion.units=16",), ()]
