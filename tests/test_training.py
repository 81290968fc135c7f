import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import REPOSITORY, options_of, outputs

from movie_genres.base.errors import UserError
from movie_genres.networks.cnn import CnnOptions, train_cnn
from movie_genres.networks.fusion import FusionOptions, train_fusion
from movie_genres.networks.lstm import LstmOptions, train_lstm
from movie_genres.training.options import TrainingOptions, learning_rate
from stages.common import read_options
from stages.train_lstm import main as train_lstm_stage

TINY = {"width": 4, "batch_size": 16, "epochs": 3}


@pytest.mark.parametrize("schedule, epoch, expected", [
    ("constant", 15, 0.1),
    ("cosine", 0, 0.1),
    ("cosine", 10, 0.05),
    ("published", 9, 0.1),
    ("published", 10, 0.1 * math.exp(-0.01)),
    ("published", 19, 0.1 * math.exp(-0.1)),
])
def test_learning_rate(schedule, epoch, expected):
    options = options_of(TrainingOptions, schedule=schedule, learning_rate=0.1, epochs=20)
    assert learning_rate(options, epoch) == pytest.approx(expected)


def test_writes_checkpoint_history_and_metrics_beside_the_base_rates(small_arrays, tmp_path):
    prepared, posters, _, _ = small_arrays
    summary = train_cnn(prepared, posters, options_of(CnnOptions, **TINY), outputs(tmp_path))
    history = pd.read_csv(tmp_path / "m.csv")
    best = history.loc[history["val_loss"].idxmin()]
    assert json.loads((tmp_path / "m.json").read_text()) == summary
    assert json.loads((tmp_path / "metrics" / "m.json").read_text()) == {
        name: summary[name] for name in ("best_val_loss", "skill", "precision", "recall")}
    assert summary["epoch"] == best["epoch"] and summary["best_val_loss"] == pytest.approx(best["val_loss"], abs=1e-4)
    assert summary["skill"] == pytest.approx(1 - summary["best_val_loss"] / summary["base_rate_loss"], abs=1e-3)
    for suffix in ("keras", "onnx"):
        assert (tmp_path / "models" / f"m.{suffix}").exists()
    assert not (tmp_path / "state" / "m").exists()


def test_the_checkpoint_is_the_best_epoch(small_arrays, tmp_path):
    from movie_genres.models.metrics import binary_cross_entropy
    from movie_genres.models.network import Network

    prepared, posters, _, _ = small_arrays
    options = options_of(CnnOptions, **{**TINY, "learning_rate": 0.5, "patience": 2})
    summary = train_cnn(prepared, posters, options, outputs(tmp_path))
    rows = prepared.rows("validation", posters.present)
    _, probabilities = Network(tmp_path / "models" / "m.onnx").encode(rows, posters)
    assert binary_cross_entropy(prepared.labels[rows], probabilities) == pytest.approx(summary["best_val_loss"], abs=1e-4)


def test_stops_after_patience_epochs_without_gain(small_arrays, tmp_path):
    prepared, posters, _, _ = small_arrays
    options = options_of(CnnOptions, **{**TINY, "epochs": 40, "learning_rate": 3.0, "schedule": "constant", "patience": 2})
    summary = train_cnn(prepared, posters, options, outputs(tmp_path))
    epochs = len(pd.read_csv(tmp_path / "m.csv"))
    assert epochs == summary["epoch"] + 2 < 40


def logit(probabilities):
    return np.log(probabilities / (1 - probabilities))


def test_an_average_of_seeds_gives_the_mean_of_their_log_odds(small_arrays, tmp_path):
    from movie_genres.models.network import Network

    prepared, posters, _, _ = small_arrays
    options = options_of(CnnOptions, **TINY, int8=None)
    singles = [train_cnn(prepared, posters, dataclasses.replace(options, seed=seed), outputs(tmp_path, f"s{seed}"))
               for seed in (4, 5)]
    summary = train_cnn(prepared, posters, dataclasses.replace(options, seed=4, seeds=2), outputs(tmp_path))
    rows = np.flatnonzero(posters.present)
    (both, average), *of_one = (Network(tmp_path / "models" / f"{name}.onnx").encode(rows, posters)
                                for name in ("m", "s4", "s5"))
    assert np.allclose(both, np.concatenate([features for features, _ in of_one], axis=1), atol=1e-5)
    assert np.allclose(logit(average), np.mean([logit(each) for _, each in of_one], axis=0), atol=1e-4)
    assert summary["mean_val_loss_of_seeds"] == pytest.approx(np.mean([each["best_val_loss"] for each in singles]), abs=2e-4)
    assert summary["best_val_loss"] < summary["mean_val_loss_of_seeds"]
    histories = [pd.read_csv(tmp_path / f"{name}.csv")["val_loss"] for name in ("s4", "s5", "m")]
    assert histories[2].tolist() == pytest.approx(((histories[0] + histories[1]) / 2).tolist(), abs=2e-5)


def test_a_fusion_of_several_heads_gives_the_mean_of_what_they_say(small_arrays, answers, tmp_path):
    from movie_genres.checkpoints.average import average_heads
    from movie_genres.networks.fusion import build_fusion

    statistics = {name: (np.zeros(3), np.ones(3)) for name in ("cnn", "lstm")}
    heads = [build_fusion(statistics, 5, options_of(FusionOptions, units=4)) for _ in range(3)]
    shown = {**{name: np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32) for name in statistics},
             "present": np.ones((7, 2), np.float32)}
    mean = np.mean([head.predict_on_batch(shown) for head in heads], axis=0)
    assert np.allclose(average_heads(heads).predict_on_batch(shown), mean, atol=1e-6)
    summary = train_fusion(small_arrays[0], answers, options_of(FusionOptions, units=8, epochs=2, batch_size=16, seeds=2),
                           outputs(tmp_path))
    one = train_fusion(small_arrays[0], answers, options_of(FusionOptions, units=8, epochs=2, batch_size=16),
                       outputs(tmp_path, "one"))
    assert summary["parameters"] > 1.8 * one["parameters"]


def test_an_average_that_was_interrupted_goes_on_with_the_seed_it_was_at(small_arrays, tmp_path, monkeypatch):
    from movie_genres.training import loop

    prepared, posters, _, _ = small_arrays
    options, train = options_of(CnnOptions, **TINY, seeds=2), loop.train
    train_cnn(prepared, posters, options, outputs(tmp_path, "whole"))

    def killed(build, data, of_seed, *arguments):
        if of_seed.seed:
            raise KeyboardInterrupt
        return train(build, data, of_seed, *arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "train", killed)
        train_cnn(prepared, posters, options, outputs(tmp_path))
    train_cnn(prepared, posters, options, outputs(tmp_path))
    for suffix in ("keras", "onnx"):
        whole, resumed = (tmp_path / "models" / f"{name}.{suffix}" for name in ("whole", "m"))
        assert whole.read_bytes() == resumed.read_bytes()


@pytest.mark.parametrize("train", ["cnn", "lstm"])
def test_the_same_seed_gives_the_same_bytes(small_arrays, tmp_path, train):
    prepared, posters, overviews, vocabulary = small_arrays

    def run(name, seed):
        (tmp_path / name).mkdir()
        if train == "cnn":
            train_cnn(prepared, posters, options_of(CnnOptions, **TINY, mixup=0.2, seed=seed), outputs(tmp_path / name))
        else:
            options = options_of(LstmOptions, embedding=8, units=4, epochs=2, batch_size=16, seed=seed)
            train_lstm(prepared, overviews, vocabulary, options, outputs(tmp_path / name))
        return {path.relative_to(tmp_path / name): path.read_bytes() for path in sorted((tmp_path / name).rglob("*.*"))}

    first, again, other = run("a", 1), run("b", 1), run("c", 2)
    assert {Path("models/m.keras"), Path("models/m.onnx"), Path("m.csv"), Path("m.json")} <= set(first)
    assert first == again and all(first[path] != other[path] for path in first if path.parts[0] == "models")


def test_films_without_posters_are_refused_with_advice(small_arrays, tmp_path):
    prepared, posters, _, _ = small_arrays
    with pytest.raises(UserError, match="no training film or no validation film has what this model looks at"):
        train_cnn(prepared, posters._replace(present=np.zeros_like(posters.present)), options_of(CnnOptions, **TINY),
                  outputs(tmp_path))


def test_a_nan_loss_ends_the_training_and_replaces_no_checkpoint(small_arrays, tmp_path):
    prepared, posters, _, _ = small_arrays
    labels = prepared.labels.copy()
    labels[prepared.rows("train", posters.present)[0]] = np.nan
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.keras").write_bytes(b"an older one")
    with pytest.raises(UserError, match="training loss became nan in epoch 1; lower the learning rate"):
        train_cnn(prepared._replace(labels=labels), posters, options_of(CnnOptions, **TINY), outputs(tmp_path))
    assert (tmp_path / "models" / "m.keras").read_bytes() == b"an older one"


@pytest.mark.parametrize("line, message", [
    ("  epochs: many", "lstm.epochs: Input should be a valid integer"),
    ("  epochs: 0", "lstm.epochs: Input should be greater than or equal to 1"),
    ("  epoch: 3", "lstm.epoch: Unexpected keyword argument"),
    ("  architecture: huge", "lstm.architecture: Input should be 'mean' or 'stacked'"),
])
def test_a_bad_parameter_is_named(tmp_path, small_data, line, message):
    (tmp_path / "params.yaml").write_text(f"lstm:\n{line}\n")
    result = CliRunner().invoke(train_lstm_stage, ["--params", str(tmp_path / "params.yaml"), "--prepared",
                                                   str(small_data), "--overviews", str(small_data), "--teacher",
                                                   str(small_data)])
    assert result.exit_code == 2 and message in " ".join(result.stderr.split())


def test_the_committed_parameters_are_valid():
    from movie_genres.data.preparing import PrepareOptions
    from movie_genres.data.vectorizing import VectorizeOptions
    from movie_genres.evaluation.baselines import BaselinesOptions
    from movie_genres.evaluation.report import EvaluateOptions
    from movie_genres.evaluation.tuning import TuneOptions
    from stages.predict import PredictOptions

    for section, options in {"prepare": PrepareOptions, "vectorize": VectorizeOptions, "cnn": CnnOptions,
                             "lstm": LstmOptions, "fusion": FusionOptions, "baselines": BaselinesOptions,
                             "tune": TuneOptions, "evaluate": EvaluateOptions,
                             "predict": PredictOptions}.items():
        assert isinstance(read_options(REPOSITORY / "params.yaml", section, options), options)


@pytest.mark.parametrize("position, expected", [(0.0, 0.0), (1.0, 0.05), (2.0, 0.1), (15.0, 0.1)])
def test_the_learning_rate_rises_during_the_warmup(position, expected):
    options = options_of(TrainingOptions, schedule="constant", learning_rate=0.1, epochs=20, warmup=0.1)
    assert learning_rate(options, position) == pytest.approx(expected)


def test_answers_hold_every_film_once_as_it_is_and_then_distorted(small_arrays, answers):
    prepared, posters, overviews, _ = small_arrays
    assert list(answers) == ["cnn", "lstm", "fusion"]
    for name, films in (("cnn", posters), ("lstm", overviews)):
        features, present = answers[name].features, films.present
        assert features.shape[:2] == (3, len(prepared.films)) and answers[name].present.tolist() == present.tolist()
        assert not features[:, ~present].any()
        assert all(not np.array_equal(features[0, present], features[draw, present]) for draw in (1, 2))


def test_fusion_says_what_it_makes_of_one_modality_alone(small_arrays, answers):
    _, posters, overviews, _ = small_arrays
    fusion = answers["fusion"]
    assert not np.isnan(fusion.probabilities).any()
    assert np.isnan(fusion.alone["poster"][:, 0]).tolist() == (~posters.present).tolist()
    one = posters.present & ~overviews.present
    assert np.allclose(fusion.alone["poster"][one], fusion.probabilities[one])


def test_a_fusion_input_without_a_model_is_named(small_arrays, answers, tmp_path):
    with pytest.raises(UserError, match="fusion.inputs: expected names among cnn, lstm; found minilm"):
        train_fusion(small_arrays[0], answers, options_of(FusionOptions, inputs=("cnn", "minilm")), outputs(tmp_path))
