import sys
import zipfile

import keras
import numpy as np
import pytest
from conftest import options_of
from test_damaged_models import altered
from test_pipeline import blob, listing

from movie_genres.base.errors import InputError, MissingPackageError
from movie_genres.checkpoints import keras_files
from movie_genres.checkpoints.layers import FEATURES, lstm
from movie_genres.ensemble.decisions import choose_models
from movie_genres.ensemble.folder import PACKAGED, read_release
from movie_genres.ensemble.scorer import Models
from movie_genres.inputs.features import Overviews
from movie_genres.networks.cnn import CnnOptions, build_cnn, plain_cnn
from movie_genres.networks.fusion import FusionOptions, build_fusion, hide_modality
from movie_genres.networks.lstm import LstmOptions, build_lstm, semantic_embedding, stacked_lstm

RNG = np.random.default_rng
POSTERS = RNG(0).integers(0, 255, (3, 32, 16, 3), dtype=np.uint8)
TOKENS = np.array([[5, 9, 2, 0], [3, 0, 0, 0], [0, 0, 0, 0]], np.int32)
STATISTICS = {"cnn": (np.zeros(6), np.ones(6)), "lstm": (np.zeros(4), np.ones(4))}
FEATURE_INPUTS = {"cnn": RNG(1).normal(size=(4, 6)).astype(np.float32),
                  "lstm": RNG(2).normal(size=(4, 4)).astype(np.float32),
                  "present": np.float32([[1, 1], [1, 0], [0, 1], [1, 1]])}

BUILDERS = {
    "plain": (lambda: build_cnn((32, 16), 5, options_of(CnnOptions, architecture="plain")), POSTERS),
    "residual": (lambda: build_cnn((32, 16), 5, options_of(CnnOptions, width=4)), POSTERS),
    "stacked": (lambda: build_lstm(20, 5, options_of(LstmOptions, architecture="stacked")), TOKENS),
    "mean": (lambda: build_lstm(20, 5, options_of(LstmOptions, embedding=8, units=4)), TOKENS),
    **{name: (lambda name=name: build_fusion(STATISTICS, 5, options_of(FusionOptions, architecture=name, units=8)),
              FEATURE_INPUTS)
       for name in ("concat", "gated", "attention")},
}


@pytest.mark.parametrize("model, parameters", [(lambda: plain_cnn((64, 64), 25), 3_464_601),
                                               (lambda: stacked_lstm(10_000, 25), 4_303_129)])
def test_published_architectures_have_the_published_size(model, parameters):
    assert model().count_params() == parameters


@pytest.mark.parametrize("name", BUILDERS)
def test_gives_finite_probabilities_that_survive_saving(name, tmp_path):
    build, inputs = BUILDERS[name]
    model = build()
    answers = model.predict_on_batch(inputs)
    assert answers.shape[1] == 5 and answers.dtype == np.float32
    assert ((answers > 0) & (answers < 1)).all()
    keras_files.save(model, tmp_path / "m.keras", {"modality": None, "genres": ["ä"]})
    loaded, metadata = keras_files.load(tmp_path / "m.keras")
    assert metadata["genres"] == ["ä"]
    assert np.array_equal(loaded.predict_on_batch(inputs), answers)


@pytest.mark.parametrize("name", ["mean", "gated"])
def test_a_file_of_when_our_modules_stood_elsewhere_loads_and_answers_the_same(name, tmp_path):
    build, inputs = BUILDERS[name]
    model = build()
    keras_files.save(model, tmp_path / "m.keras", {"modality": None, "genres": ["A"]})

    def move(members):
        assert b"movie_genres.checkpoints.layers" in members["config.json"]
        members["config.json"] = members["config.json"].replace(b"movie_genres.checkpoints.layers", b"movie_genres.layers")

    (tmp_path / "old.keras").write_bytes(altered((tmp_path / "m.keras").read_bytes(), move))
    loaded, _ = keras_files.load(tmp_path / "old.keras")
    assert np.array_equal(loaded.predict_on_batch(inputs), model.predict_on_batch(inputs))


def test_the_models_of_the_package_load_and_are_small():
    models = Models(*choose_models(PACKAGED))
    assert models.networks and models.fusion is not None and models.decisions.films > 100
    assert sum(path.stat().st_size for path in PACKAGED.rglob("*") if path.is_file()) <= 8_000_000


def test_the_best_models_of_the_embedded_remote_load_and_are_not_large(tmp_path):
    pytest.importorskip("tokenizers", reason="the extra `subwords` is not installed")
    for entry in listing("released.dvc")[1]:
        path = tmp_path / entry["relpath"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob(entry["md5"]).read_bytes())
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 40_000_000
    models = Models(*choose_models(tmp_path))
    assert any("preset" in network.metadata for network in models.networks.values()) and models.fusion is not None
    assert read_release(tmp_path).licences


def test_a_pretrained_encoder_without_kerashub_names_it(tmp_path, monkeypatch):
    keras_files.save(BUILDERS["mean"][0](), tmp_path / "m.keras", {"modality": "overview", "genres": ["A"], "preset": "x"})
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(MissingPackageError, match="m.keras: a pretrained encoder needs the package keras-hub"):
        keras_files.load(tmp_path / "m.keras")


@pytest.mark.parametrize("name", ["plain", "residual", "stacked", "mean"])
def test_has_a_penultimate_layer_of_one_vector_a_film(name):
    build, _ = BUILDERS[name]
    assert len(build().get_layer(FEATURES).output.shape) == 2


@pytest.mark.parametrize("name", BUILDERS)
def test_saving_twice_gives_the_same_bytes(name, tmp_path):
    model = BUILDERS[name][0]()
    for copy in "ab":
        keras_files.save(model, tmp_path / f"{copy}.keras", {})
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


def test_a_failed_save_keeps_the_old_checkpoint(tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(b"old")
    model = BUILDERS["mean"][0]()
    with pytest.raises(TypeError):
        keras_files.save(model, path, {"what JSON cannot hold": model})
    assert [file.name for file in tmp_path.iterdir()] == ["m.keras"] and path.read_bytes() == b"old"


@pytest.mark.parametrize("content, message", [
    (None, "expected a model file; found no such file"),
    (b"not a zip", "File is not a zip file"),
    ("other.zip", "There is no item named 'movie_genres.json'"),
])
def test_other_files_are_refused_by_name(tmp_path, content, message):
    path = tmp_path / "m.keras"
    if content == "other.zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        keras_files.load(path)
    assert "m.keras" in str(error.value)


@pytest.mark.parametrize("dropout", [{}, {"dropout": 0.5}, {"dropout": 0.5, "recurrent_dropout": 0.2}])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_our_lstm_computes_what_that_of_keras_does(dropout, return_sequences):
    sequences = np.random.default_rng(0).normal(size=(3, 7, 5)).astype("float32")
    mask = np.arange(7) < np.array([[7], [3], [1]])
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=return_sequences, **dropout))
    ours = lstm(4, return_sequences=return_sequences, **dropout)
    expected = theirs(sequences, mask=mask)
    ours.build(sequences.shape)
    ours.set_weights(theirs.get_weights())
    assert np.allclose(ours(sequences, mask=mask), expected, atol=1e-6)
    for one, other in ((theirs.forward_layer, ours.forward_layer), (theirs.backward_layer, ours.backward_layer)):
        masks = one.cell.get_dropout_mask(sequences[:, 0]), one.cell.get_recurrent_dropout_mask(np.ones((3, 4), "float32"))
        for layer in (one, other):  # chance is the same for both
            layer.cell.get_dropout_mask, layer.cell.get_recurrent_dropout_mask = (lambda _, of=of: of for of in masks)
    assert np.allclose(ours(sequences, mask=mask, training=True), theirs(sequences, mask=mask, training=True), atol=1e-6)


def test_padding_does_not_change_the_answer():
    model = BUILDERS["mean"][0]()
    longer = np.pad(TOKENS, ((0, 0), (0, 6)))
    assert np.allclose(model.predict_on_batch(TOKENS), model.predict_on_batch(longer), atol=1e-6)


@pytest.mark.parametrize("name", ["concat", "gated", "attention"])
def test_an_absent_modality_has_no_say(name):
    model = BUILDERS[name][0]()
    changed = {**FEATURE_INPUTS, "lstm": FEATURE_INPUTS["lstm"] + 5}
    first, second = model.predict_on_batch(FEATURE_INPUTS), model.predict_on_batch(changed)
    assert np.allclose(first[1], second[1], atol=1e-6) and not np.allclose(first[0], second[0], atol=1e-3)


def test_hide_modality_hides_all_inputs_of_one_modality():
    present = np.float32([[1, 1, 1]] * 500 + [[1, 0, 1]] * 10)
    hidden = hide_modality(present, np.array([True, False, True]), RNG(0), 0.4)
    patterns = [tuple(line) for line in hidden[:500].astype(int).tolist()]
    assert set(patterns) == {(1, 1, 1), (1, 0, 1), (0, 1, 0)}
    assert 250 < patterns.count((1, 1, 1)) < 350
    assert 0.35 < patterns.count((0, 1, 0)) / (500 - patterns.count((1, 1, 1))) < 0.65
    assert np.array_equal(hidden[500:], present[500:])


def test_semantic_embedding_brings_words_of_like_overviews_together():
    # Words 2 and 3 occur together, so do 4 and 5; word 6 occurs once, word 7 only outside the training overviews.
    texts = [[2, 3], [2, 3], [4, 5], [4, 5], [6, 2], [7, 4]]
    overviews = Overviews(np.concatenate(texts).astype(np.int32), np.arange(0, 13, 2))
    vectors = semantic_embedding(overviews, np.arange(5), 8, 4, seed=0)
    assert vectors.shape == (8, 4) and vectors.dtype == np.float32

    def cosine(a, b):
        return vectors[a] @ vectors[b] / np.linalg.norm(vectors[a]) / np.linalg.norm(vectors[b])

    assert cosine(2, 3) > 0.7 > 0.3 > abs(cosine(2, 4))
    assert not vectors[[0, 1, 6, 7]].any()
