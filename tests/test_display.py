"""What a person sees of a training."""

import io
import sys

import pandas as pd
import pytest
from conftest import options_of, outputs
from rich.console import Console

from movie_genres.base.errors import MissingPackageError
from movie_genres.networks.cnn import CnnOptions, train_cnn
from movie_genres.training import display
from movie_genres.training.display import LiveLog, TrainingDisplay

ROWS = [{"epoch": 1, "loss": 0.5, "val_loss": 0.4, "val_precision": None, "val_recall": 0.0},
        {"epoch": 2, "loss": 0.3, "val_loss": 0.45, "val_precision": 0.75, "val_recall": 0.25}]


def test_a_terminal_shows_each_epoch_and_the_best(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(display, "console", Console(file=screen, force_terminal=True, width=120))
    with TrainingDisplay("cnn", 4, 10, 0.5) as shown:
        for row in ROWS:
            shown.epoch_done(row, ROWS[0], 60.0, 3.0)
    last = screen.getvalue().rsplit("cnn: base-rate validation loss 0.5000", 1)[1]
    for text in ("1/4", "+20.0%", "2/4", "0.750", "0.250", "0.4000 (1)", "5%", "00:02:00"):
        assert text in last, text


def test_dvclive_gets_the_epochs(small_arrays, tmp_path, monkeypatch):
    pytest.importorskip("dvclive", reason="the extra `dvclive` is not installed")
    monkeypatch.chdir(tmp_path)
    prepared, posters, _, _ = small_arrays
    given = outputs(tmp_path)
    train_cnn(prepared, posters, options_of(CnnOptions, width=4, batch_size=16, epochs=3, draws=0, dvclive=True), given)
    logged = pd.read_csv(given.live / "plots" / "metrics" / "val_loss.tsv", sep="\t")
    assert logged["val_loss"].round(5).tolist() == pd.read_csv(given.history)["val_loss"].tolist()
    assert (given.live.parent / "dvc.yaml").exists() and not (tmp_path / "dvc.yaml").exists()


def test_dvclive_gets_the_epochs_before_an_interruption_once(tmp_path, monkeypatch):
    pytest.importorskip("dvclive", reason="the extra `dvclive` is not installed")
    monkeypatch.chdir(tmp_path)
    for done in ([], ROWS[:1]):
        log = LiveLog(tmp_path / "live" / "cnn", done)
        for row in ROWS[len(done):]:
            log.epoch_done(row)
    logged = pd.read_csv(tmp_path / "live" / "cnn" / "plots" / "metrics" / "val_loss.tsv", sep="\t")
    assert logged["val_loss"].tolist() == [0.4, 0.45]


def test_a_missing_dvclive_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dvclive", None)
    with pytest.raises(MissingPackageError, match="needs the package dvclive"):
        LiveLog(tmp_path, [])
