"""What a training computes with: several devices, and bfloat16."""

import os
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY, options_of, outputs

from movie_genres.base.errors import UserError
from movie_genres.checkpoints import keras_files
from movie_genres.networks.cnn import CnnOptions, train_cnn
from movie_genres.networks.lstm import LstmOptions, train_lstm
from movie_genres.training.loop import _divisible


@pytest.mark.slow
def test_two_devices_train_as_one_does(small_arrays, arrays_folder, tmp_path):
    process = subprocess.run([sys.executable, REPOSITORY / "tests" / "two_devices.py", arrays_folder, tmp_path],
                             env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    one, two = (pd.read_csv(tmp_path / devices / "lstm.csv") for devices in "12")
    assert np.allclose(one["val_loss"], two["val_loss"], atol=1e-3) and one["val_loss"].nunique() == 2
    for name in ("cnn", "lstm", "fusion"):
        model, _ = keras_files.load(tmp_path / "2" / "models" / f"{name}.keras")
        assert model.count_params() > 0


@pytest.mark.parametrize("films, devices, expected", [
    (4, 2, [0, 1, 2, 3]), (3, 2, [0, 1, 2, 0]), (1, 4, [0, 0, 0, 0]), (5, 1, [0, 1, 2, 3, 4])])
def test_each_device_gets_an_equal_part_of_a_batch(films, devices, expected):
    inputs, labels = _divisible(({"x": np.arange(films)}, np.arange(films)), devices)
    assert inputs["x"].tolist() == labels.tolist() == expected


def test_more_devices_than_there_are_are_refused(small_arrays, tmp_path):
    prepared, posters, _, _ = small_arrays
    with pytest.raises(UserError, match="devices: expected at most 1, the number of .PUs here; found 64"):
        train_cnn(prepared, posters, options_of(CnnOptions, width=4, devices=64), outputs(tmp_path))


def test_mixed_precision_changes_a_little_and_the_checkpoint_stays_plain(small_arrays, tmp_path):
    prepared, _, overviews, vocabulary = small_arrays
    for mixed in (False, True):
        options = options_of(LstmOptions, embedding=8, units=4, epochs=2, batch_size=16, draws=1, mixed_precision=mixed)
        train_lstm(prepared, overviews, vocabulary, options, outputs(tmp_path / f"{mixed}"))
    plain, mixed = (pd.read_csv(tmp_path / name / "m.csv")["val_loss"] for name in ("False", "True"))
    assert np.allclose(plain, mixed, atol=0.01)
    weights = [keras_files.load(tmp_path / name / "models" / "m.keras")[0].get_weights() for name in ("False", "True")]
    assert any(not np.array_equal(one, other) for one, other in zip(*weights))
    with zipfile.ZipFile(tmp_path / "True" / "models" / "m.keras") as archive:
        assert b"bfloat16" not in archive.read("config.json")
