"""An interrupted training goes on as if nothing had happened."""

import dataclasses
import os
import shutil

import filelock
import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY, options_of, outputs
from test_pipeline import files_of

from movie_genres.base import files
from movie_genres.base.errors import LockedError
from movie_genres.models.answers import load_answers
from movie_genres.networks.cnn import CnnOptions, train_cnn
from movie_genres.networks.fusion import FusionOptions, train_fusion
from movie_genres.networks.lstm import LstmOptions, train_lstm
from movie_genres.training import loop as training
from movie_genres.training import state as resuming
from movie_genres.training import trainer

CNN = options_of(CnnOptions, width=4, batch_size=16, epochs=4, draws=1)
FUSION = options_of(FusionOptions, units=8, epochs=4)


class Killed(BaseException):
    """Nothing catches it, as nothing catches a kill."""


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def trainings(small_arrays, models):
    prepared, posters, overviews, vocabulary = small_arrays
    lstm = options_of(LstmOptions, embedding=8, units=4, batch_size=16, epochs=4, draws=1)
    return {
        "cnn": lambda folder: train_cnn(prepared, posters, CNN, outputs(folder)),
        "lstm": lambda folder: train_lstm(prepared, overviews, vocabulary, lstm, outputs(folder)),
        "fusion": lambda folder, options=FUSION: train_fusion(prepared, {name: of_model for name, of_model in load_answers(
            models.parent / "answers").items() if name != "fusion"}, options, outputs(folder)),
    }


@pytest.fixture
def epochs(monkeypatch):
    """The epochs that are run, a list that grows."""
    seen, real = [], training._run_epoch

    def run_epoch(model, data, options, epoch, display):
        seen.append(epoch)
        return real(model, data, options, epoch, display)

    monkeypatch.setattr(training, "_run_epoch", run_epoch)
    return seen


def break_in_epoch(monkeypatch, epoch):
    """Breaks a training in the middle of an epoch."""
    real = training._validate

    def validate(model, data):
        if len(seen) == epoch:
            raise Killed
        seen.append(None)
        return real(model, data)

    seen = []
    monkeypatch.setattr(training, "_validate", validate)


@pytest.mark.parametrize("name", ["cnn", "lstm", "fusion"])
def test_goes_on_after_the_last_whole_epoch_and_ends_with_the_same_bytes(trainings, epochs, tmp_path, monkeypatch, name):
    trainings[name](tmp_path / "undisturbed")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        break_in_epoch(patch, 2)
        trainings[name](tmp_path / "broken")
    assert not (tmp_path / "broken" / "models" / "m.keras").exists()
    del epochs[:]
    trainings[name](tmp_path / "broken")
    assert epochs == [2, 3]
    assert content(tmp_path / "broken") == content(tmp_path / "undisturbed")


def test_broken_at_any_write_a_training_repeats_at_most_an_epoch_and_ends_with_the_same_bytes(trainings, epochs, tmp_path,
                                                                                             monkeypatch):
    short = dataclasses.replace(FUSION, epochs=2)
    trainings["fusion"](tmp_path / "undisturbed", short)
    expected = content(tmp_path / "undisturbed")
    del epochs[:]
    broken = 0
    for target in range(1, 200):
        with monkeypatch.context() as patch:
            count_writes(patch, target)
            try:
                trainings["fusion"](tmp_path / f"{target}", short)
                break
            except Killed:
                broken += 1
        trainings["fusion"](tmp_path / f"{target}", short)
        assert len(epochs) <= 3, f"write {target}: the epochs {epochs} were run"
        assert content(tmp_path / f"{target}") == expected, f"write {target}"
        del epochs[:]
    assert broken > 10


def count_writes(patch, target):
    """Breaks the write to the disk of number `target`: what makes a file durable, renames it or removes it."""
    count = 0

    def wrap(owner, name):
        real = getattr(owner, name)

        def write(*args, **options):
            nonlocal count
            count += 1
            if count == target:
                raise Killed
            return real(*args, **options)

        patch.setattr(owner, name, write)

    for owner, name in ((files.os, "fsync"), (files.os, "replace"), (resuming.shutil, "rmtree"), (np, "save")):
        wrap(owner, name)


def test_a_training_that_was_killed_after_its_last_epoch_trains_no_more(trainings, epochs, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(trainer, "run_on_films", lambda *_: (_ for _ in ()).throw(Killed))
        trainings["cnn"](tmp_path)
    del epochs[:]
    trainings["cnn"](tmp_path)
    assert epochs == [] and len(pd.read_csv(tmp_path / "m.csv")) == 4


@pytest.mark.parametrize("change", [
    lambda small_arrays: (small_arrays[0], small_arrays[1], {"learning_rate": 0.01}),
    lambda small_arrays: (small_arrays[0], small_arrays[1]._replace(pixels=np.asarray(small_arrays[1].pixels) ^ 1), {}),
    lambda small_arrays: (small_arrays[0]._replace(labels=1 - small_arrays[0].labels), small_arrays[1], {}),
], ids=["options", "posters", "labels"])
def test_the_state_of_another_training_is_never_used(small_arrays, epochs, tmp_path, monkeypatch, change):
    prepared, posters, _, _ = small_arrays
    with monkeypatch.context() as patch, pytest.raises(Killed):
        break_in_epoch(patch, 2)
        train_cnn(prepared, posters, CNN, outputs(tmp_path))
    del epochs[:]
    prepared, posters, options = change(small_arrays)
    options = {"width": 4, "batch_size": 16, "epochs": 4, "draws": 1, **options}
    train_cnn(prepared, posters, options_of(CnnOptions, **options),
              outputs(tmp_path))
    assert epochs == [0, 1, 2, 3]


@pytest.mark.parametrize("damage", [
    lambda state: (state / "state.npz").write_bytes((state / "state.npz").read_bytes()[:-30]),
    lambda state: (state / "state.npz").write_bytes(b""),
    lambda state: next(state.glob("best-*")).unlink(),
    lambda state: os.truncate(next(state.glob("best-*")), 100),
], ids=["cut", "empty", "without its checkpoint", "with another checkpoint"])
def test_a_damaged_state_is_not_used(trainings, epochs, tmp_path, monkeypatch, damage):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        break_in_epoch(patch, 2)
        trainings["fusion"](tmp_path)
    damage(tmp_path / "state" / "m")
    del epochs[:]
    trainings["fusion"](tmp_path)
    assert epochs == [0, 1, 2, 3]


def test_two_trainings_do_not_share_a_state(trainings, tmp_path):
    (tmp_path / "state" / "m").mkdir(parents=True)
    lock = filelock.FileLock(tmp_path / "state" / "m" / "lock")
    with lock, pytest.raises(LockedError, match="another process is training"):
        trainings["fusion"](tmp_path)


@pytest.mark.parametrize("file, decides", [
    ("evaluation/plots.py", False), ("scoring/job.py", False), ("networks/lstm.py", False),
    ("networks/cnn.py", True), ("training/loop.py", True), ("models/network.py", True), ("checkpoints/layers.py", True)])
def test_the_state_is_bound_to_the_code_that_decides_the_training(tmp_path, monkeypatch, file, decides):
    package = tmp_path / "movie_genres"
    shutil.copytree(REPOSITORY / "movie_genres", package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(resuming, "PACKAGE", package)
    before = resuming.fingerprint(CNN)
    (package / file).write_text((package / file).read_text() + "\n# edited\n")
    assert (resuming.fingerprint(CNN) != before) is decides


# Of files of embeddings and frozen encoders, only predictions are fitted, anew each time: no state is bound to these.
FITTED = {f"movie_genres/{file}.py" for file in (
    "networks/embeddings", "networks/probing", "data/embeddings", "data/parquet", "data/tables", "data/reading",
    "data/access")}


@pytest.mark.parametrize("network, without_state", [
    ("cnn", set()), ("lstm", set()), ("fusion", set()), ("encoders", FITTED)])
def test_that_code_is_what_the_stage_imports_of_the_library(network, without_state):
    run = {file for file in files_of(f"train_{network}") if file.startswith("movie_genres/")}
    assert {REPOSITORY / file for file in run - without_state} <= {*resuming.code_files(f"movie_genres.networks.{network}")}
