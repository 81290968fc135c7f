"""Distillation: a teacher speaks of films that it has not seen, and small networks learn from that."""

import json
import shutil

import numpy as np
import pytest
from conftest import encoder_options, options_of, outputs

from movie_genres.base.errors import InputError, UserError
from movie_genres.models.answers import load_teacher, save_teacher
from movie_genres.networks.cnn import CnnOptions, train_cnn
from movie_genres.networks.fusion import FusionOptions
from movie_genres.training import trainer
from stages.teach import main

pytest.importorskip("keras_hub", reason="the extra `encoders` is not installed")
from movie_genres.networks import teaching  # noqa: E402
from movie_genres.networks.embeddings import EmbeddingsEncoder  # noqa: E402
from movie_genres.networks.teaching import TeachOptions, teach  # noqa: E402

FUSION = options_of(FusionOptions, units=8, epochs=1, batch_size=16)
FOLDS = options_of(TeachOptions, folds=3)


@pytest.fixture
def encoders(presets):
    return {"text": encoder_options(presets, "overview", fine_tune=True, epochs=1)}


def taught(small_arrays, encoders, folder):
    prepared, posters, _, _ = small_arrays
    return teach(prepared, posters.present, None, encoders, FUSION, FOLDS, folder / "teacher", folder / "state")


def test_a_teacher_says_something_of_training_films_alone(small_arrays, encoders, tmp_path):
    prepared, _, overviews, _ = small_arrays
    said = taught(small_arrays, encoders, tmp_path)
    known = ~np.isnan(said).any(axis=1)
    assert known.tolist() == np.isin(np.arange(len(said)), prepared.rows("train", overviews.present)).tolist()
    assert np.array_equal(load_teacher(tmp_path / "teacher"), said, equal_nan=True)
    assert (said[known] > 0).all() and (said[known] < 1).all() and not (tmp_path / "state").exists()


def test_no_film_is_spoken_of_by_a_teacher_that_has_seen_it(small_arrays, encoders, tmp_path, monkeypatch):
    prepared, _, _, _ = small_arrays
    seen, train = [], teaching.train_encoder
    monkeypatch.setattr(teaching, "train_encoder", lambda others, *rest: seen.append(others) or train(others, *rest))
    taught(small_arrays, encoders, tmp_path)
    train_rows = set(prepared.rows("train"))
    held = [train_rows - set(others.rows("train")) for others in seen]
    assert sorted(row for rows in held for row in rows) == sorted(train_rows) and len(held) == 3
    for others in seen:
        assert all(others.rows(split).tolist() == prepared.rows(split).tolist() for split in ("validation", "test"))


def test_a_file_of_embeddings_that_is_not_there_is_named(small_arrays, tmp_path):
    encoders = {"seen": EmbeddingsEncoder(modality="poster", file=str(tmp_path / "none.npz"), strengths=(1.0,))}
    with pytest.raises(InputError, match="none.npz: expected a file of embeddings; found No such file"):
        taught(small_arrays, encoders, tmp_path)


def test_an_interrupted_teacher_goes_on(small_arrays, encoders, tmp_path, monkeypatch):
    whole = taught(small_arrays, encoders, tmp_path / "whole")
    calls, train = [], teaching.train_fusion

    def killed(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(teaching, "train_fusion", killed)
        taught(small_arrays, encoders, tmp_path / "killed")
    trained, encode = [], teaching.train_encoder
    monkeypatch.setattr(teaching, "train_encoder", lambda *rest: trained.append(1) or encode(*rest))
    assert np.array_equal(taught(small_arrays, encoders, tmp_path / "killed"), whole, equal_nan=True)
    assert len(trained) == 1  # the third fold's alone: the second one's encoder was done


def test_what_an_interrupted_teacher_left_is_not_used_with_other_settings(small_arrays, encoders, tmp_path, monkeypatch):
    import dataclasses

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(teaching, "train_fusion", killed)
        taught(small_arrays, encoders, tmp_path / "killed")
    trained, encode = [], teaching.train_encoder
    monkeypatch.setattr(teaching, "train_encoder", lambda *rest: trained.append(1) or encode(*rest))
    taught(small_arrays, {"text": dataclasses.replace(encoders["text"], seed=1)}, tmp_path / "killed")
    assert len(trained) == 3


def test_a_teacher_needs_encoders(small_arrays, tmp_path):
    with pytest.raises(UserError, match="teach: expected encoders, .* found none in the section encoders"):
        taught(small_arrays, {}, tmp_path)


@pytest.mark.parametrize("teacher, share, expected", [
    ([[0.5, 0.5]], 0.0, [[1, 0]]), ([[0.5, 0.5]], 1.0, [[0.5, 0.5]]), ([[0.6, 0.2]], 0.5, [[0.8, 0.1]]),
    ([[np.nan, np.nan]], 0.5, [[1, 0]])])
def test_labels_are_mixed_with_what_the_teacher_says(teacher, share, expected):
    assert trainer._taught(np.float32([[1, 0]]), np.float32(teacher), share) == pytest.approx(np.array(expected))


def test_a_network_learns_what_its_teacher_says(small_arrays, tmp_path):
    prepared, posters, _, _ = small_arrays
    teacher = np.full_like(prepared.labels, np.nan)
    teacher[prepared.rows("train")] = 0.9
    options = options_of(CnnOptions, width=4, epochs=20, batch_size=16, draws=0, learning_rate=0.03, patience=20, distil=1.0,
                         int8=None, mixup=0.0, erase=0.0, dropout=0.0)
    train_cnn(prepared, posters, options, outputs(tmp_path), teacher)
    history = (tmp_path / "m.csv").read_text().splitlines()
    losses = [float(line.split(",")[1]) for line in history[1:]]
    assert losses[-1] < 0.45 < losses[0]  # the entropy of 0.9 is 0.33


def test_without_a_teacher_nothing_can_be_distilled(small_arrays, tmp_path):
    prepared, posters, _, _ = small_arrays
    with pytest.raises(UserError, match="distil: expected a teacher's answers; found none, as the parameter teach.folds"):
        train_cnn(prepared, posters, options_of(CnnOptions, width=4, distil=0.5), outputs(tmp_path))


def test_what_a_teacher_says_is_read_back(tmp_path):
    said = np.float32([[0.5, np.nan]])
    for probabilities in (said, None):
        save_teacher(tmp_path / str(probabilities is None), probabilities)
    assert np.array_equal(load_teacher(tmp_path / "False"), said, equal_nan=True) and load_teacher(tmp_path / "True") is None


def test_the_stage_has_a_teacher_where_one_is_asked_for(arrays_folder, presets, small_data, tmp_path, run):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "texts.json").write_text("null")
    given = ["--prepared", arrays_folder / "prepared", "--posters", arrays_folder / "posters", "--texts", tmp_path / "texts",
             "--out", tmp_path / "teacher", "--state", tmp_path / "state", "--params", tmp_path / "params.yaml"]
    (tmp_path / "params.yaml").write_text("teach: {folds: 0, seed: 0}\n")
    assert "no teacher is asked for" in run(main, *given).output
    from conftest import REPOSITORY

    content = (REPOSITORY / "params.yaml").read_text()
    encoder = {"modality": "overview", "preset": presets["overview"], "fine_tune": True, "epochs": 1, "max_length": 30}
    content = content.replace("encoders: {}", f"encoders: {json.dumps({'text': encoder})}").replace("folds: 0", "folds: 2")
    (tmp_path / "params.yaml").write_text(content)
    result = run(main, *given)
    assert result.exit_code == 0, result.output
    assert not np.isnan(load_teacher(tmp_path / "teacher")).all()
    shutil.rmtree(tmp_path / "teacher")
    (tmp_path / "params.yaml").write_text(content.replace("folds: 2", "folds: 1"))
    assert "teach.folds: Value error, 0 or at least 2" in run(main, *given).output
