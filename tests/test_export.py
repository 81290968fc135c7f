"""Networks as ONNX files: the same answers as in Keras, the same bytes each time. Writes them all: `python FILE FOLDER`."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import REAL_DATA, REPOSITORY, encoder_options, options_of

from movie_genres.checkpoints.average import average_answers, average_heads
from movie_genres.checkpoints.export import PACKAGES, export
from movie_genres.checkpoints.layers import FEATURES
from movie_genres.inputs.features import Posters
from movie_genres.inputs.posters import DECODER, read_poster
from movie_genres.inputs.vocabulary import Vocabulary
from movie_genres.models.metadata import versions
from movie_genres.models.network import Network
from movie_genres.models.onnx_files import read
from movie_genres.networks.cnn import CnnOptions, build_cnn
from movie_genres.networks.fusion import FusionOptions, build_blend, build_fusion
from movie_genres.networks.lstm import LstmOptions, build_lstm

RNG = np.random.default_rng
GENRES, TOKENS = list("ABCDE"), 20


class Case(NamedTuple):
    build: Callable[[dict[str, str]], keras.Model]  # from folders of presets
    about: dict[str, Any]
    inputs: dict[str, np.ndarray]  # of five films


def of_posters(size, build):
    values = np.arange(5 * size[0] * size[1] * 3) % 256
    about = {"modality": "poster", "image_size": size, "decoder": DECODER}
    return Case(build, about, {"poster": RNG(0).permutation(values).astype(np.uint8).reshape(5, *size, 3)})


def cnn(size, **options):
    return of_posters(size, lambda presets: build_cnn(size, len(GENRES), options_of(CnnOptions, **options)))


def of_overviews(build, length=12):
    ids = RNG(1).integers(1, TOKENS, (5, length), dtype=np.int32)
    ids[np.arange(length) >= np.array([[7], [0], [1], [9], [4]])] = 0
    vocabulary = Vocabulary(map(str, range(TOKENS - 2)), length)
    return Case(build, {"modality": "overview", "vocabulary": vocabulary.content()}, {"overview": ids})


def lstm(**options):
    return of_overviews(lambda presets: build_lstm(TOKENS, len(GENRES), options_of(LstmOptions, **options)))


def fusion(architecture, heads=1):
    channels, rng = {"cnn": 6, "lstm": 4}, RNG(2)

    def build(presets):
        statistics = {name: (RNG(3).normal(size=size), RNG(4).uniform(0.5, 2, size)) for name, size in channels.items()}
        head = average_heads([build_fusion(statistics, len(GENRES), options_of(
            FusionOptions, architecture=architecture, units=8)) for _ in range(heads)])
        rates = np.linspace(0.05, 0.6, len(GENRES))
        return build_blend(head, RNG(5).uniform(0, 1, (3, 3)), rates, np.array([True, False]))

    inputs = {"present": np.float32([[1, 1], [1, 0], [0, 1], [0, 0], [1, 1]])}
    for column, (name, size) in enumerate(channels.items()):
        there = inputs["present"][:, [column]]
        inputs[name] = rng.normal(size=(5, size)).astype(np.float32) * there
        inputs[f"{name}_answers"] = rng.choice(np.float32([0, 1e-7, 0.01, 0.3, 0.9, 1]), (5, len(GENRES))) * there
    return Case(build, {"modality": None, "channels": channels, "inputs": dict.fromkeys(channels, "")}, inputs)


CASES = {
    "plain": cnn((64, 48), architecture="plain"), "residual": cnn((64, 48)),
    "plain of 16x16": cnn((16, 16), architecture="plain"), "residual of 16x16": cnn((16, 16), width=4),
    "residual of odd size": cnn((37, 23), width=5),
    "stacked": lstm(architecture="stacked"), "mean": lstm(embedding=8, units=4),
    **{name: fusion(name) for name in ("concat", "gated", "attention")},
    "average of cnns": of_posters((16, 16), lambda presets: average_answers(
        [build_cnn((16, 16), len(GENRES), options_of(CnnOptions, width=4)) for _ in range(3)])),
    "average of lstms": of_overviews(lambda presets: average_answers(
        [build_lstm(TOKENS, len(GENRES), options_of(LstmOptions, embedding=8, units=4)) for _ in range(2)])),
    "average of heads": fusion("gated", heads=2),
    "poster encoder": of_posters((32, 24), lambda presets: encoder_options(presets, "poster").build(len(GENRES))),
    "overview encoder": of_overviews(lambda presets: encoder_options(presets, "overview").build(len(GENRES))),
}
OF_PRESETS = {"poster encoder", "overview encoder"}


def built(name, presets):
    """The network of a case, with weights and statistics that are no longer those it starts with."""
    keras.utils.set_random_seed(0)
    model, rng = CASES[name].build(presets), RNG(6)
    for weight in model.weights:
        if weight.dtype == "float32":
            value = weight.numpy()
            changed = value + rng.normal(0, 0.05, value.shape)
            weight.assign(np.abs(changed) if "variance" in weight.path else changed)
    return model


def exported(name, model, folder):
    path = folder / f"{name}.onnx"
    export(model, path, {"genres": GENRES, **CASES[name].about})
    return path


@pytest.fixture(params=CASES)
def case(request):
    """(name of a case, its network)"""
    presets = request.getfixturevalue("presets") if request.param in OF_PRESETS else {}
    return request.param, built(request.param, presets)


def in_keras(model, inputs):
    """What Keras says of one batch, as `Network` gives it."""
    layers = {"probabilities": model.output}
    if not isinstance(model.input, dict):
        layers["features"], inputs = model.get_layer(FEATURES).output, *inputs.values()
    return {name: found.numpy() for name, found in keras.Model(model.input, layers)(inputs, training=False).items()}


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, array in found.items():
        assert array.dtype == np.float32 and array.shape == expected[name].shape
        assert np.allclose(array, expected[name], rtol=1e-5, atol=1e-5), np.abs(array - expected[name]).max()


def test_answers_as_in_keras_together_and_one_by_one(case, tmp_path):
    name, model = case
    network, inputs = Network(exported(name, model, tmp_path)), CASES[name].inputs
    for rows in (slice(None), *(slice(row, row + 1) for row in range(5))):
        batch = {name: array[rows] for name, array in inputs.items()}
        assert_same(network(batch), in_keras(model, batch))


@pytest.mark.parametrize("name", ["stacked", "mean", "overview encoder"])
def test_padding_changes_nothing(name, request, tmp_path):
    presets = request.getfixturevalue("presets") if name in OF_PRESETS else {}
    network, ids = Network(exported(name, built(name, presets), tmp_path)), CASES[name].inputs["overview"]
    alone = [network({"overview": line[None, :max(1, np.count_nonzero(line))]}) for line in ids]
    together = network({"overview": np.pad(ids, ((0, 0), (0, 7)))})
    assert_same(together, {name: np.concatenate([of_one[name] for of_one in alone]) for name in together})


def test_the_same_network_gives_the_same_bytes(case, tmp_path):
    name, model = case
    contents = [exported(name, model, tmp_path).read_bytes() for _ in range(3)]
    assert contents == contents[:1] * 3


def test_other_processes_and_what_they_did_before_give_the_same_bytes(presets_or_none, tmp_path):
    running = [subprocess.Popen([sys.executable, __file__, tmp_path / seed, order, *presets_or_none], cwd=REPOSITORY,
                                env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)},
                                stderr=subprocess.PIPE) for seed, order in (("1", "forwards"), ("2", "backwards"))]
    for process in running:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
    first, second = ({path.stem: path.read_bytes() for path in (tmp_path / seed).iterdir()} for seed in "12")
    assert set(first) == set(second) == set(CASES) - (set() if presets_or_none else OF_PRESETS)
    assert [name for name in first if first[name] != second[name]] == []


@pytest.fixture
def presets_or_none(request):
    try:
        return list(request.getfixturevalue("presets").values())
    except pytest.skip.Exception:  # KerasHub is not installed
        return []


@pytest.mark.parametrize("name", ["stacked", "mean"])
def test_an_lstm_is_one_step_and_no_loop(name, tmp_path):
    graph = read(exported(name, built(name, {}), tmp_path)).model.graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("LSTM") == {"stacked": 2, "mean": 1}[name] and not {"Loop", "Scan", "If"} & set(kinds)


def test_a_file_holds_what_scoring_needs(models, small_arrays):
    prepared, _, _, vocabulary = small_arrays
    about = {path.stem: read(path).metadata for path in models.glob("*.onnx")}
    assert set(about) == {"cnn", "lstm", "fusion"}
    for of_one in about.values():
        assert of_one["genres"] == prepared.genres and of_one["base_rates"] == prepared.base_rates().tolist()
        assert of_one["versions"] == versions(*PACKAGES) and set(PACKAGES) == set(of_one["versions"])
    assert about["cnn"]["image_size"] == [16, 16] and about["cnn"]["decoder"] == DECODER
    assert about["lstm"]["vocabulary"] == vocabulary.content()
    assert about["fusion"]["inputs"] == {name: read(models / f"{name}.onnx").digest for name in ("cnn", "lstm")}


@pytest.fixture(scope="module")
def real_films():
    """(posters of 64x64 pixels, overviews) of a hundred real films."""
    if not REAL_DATA.exists():
        pytest.skip("the real films are not part of the repository")
    films = pd.read_csv(REAL_DATA / "IMDB_overview_genres.csv")
    paths = [path for path in (REAL_DATA / "Images" / f"{film}.jpg" for film in films["Id"]) if path.exists()][:100]
    return np.stack([read_poster(path, (64, 64)) for path in paths]), films["Overview"].fillna("")[:100].tolist()


@pytest.mark.parametrize("architecture", ["plain", "residual"])
def test_real_posters_are_answered_as_in_keras(real_films, tmp_path, architecture):
    pixels, _ = real_films
    model = build_cnn((64, 64), len(GENRES), options_of(CnnOptions, architecture=architecture))
    about = {"modality": "poster", "image_size": (64, 64), "decoder": DECODER, "genres": GENRES}
    assert_answers_alike(model, about, Posters(pixels, np.full(100, True)), pixels, tmp_path)


@pytest.mark.parametrize("architecture", ["stacked", "mean"])
def test_real_overviews_are_answered_as_in_keras(real_films, tmp_path, architecture):
    _, texts = real_films
    vocabulary = Vocabulary.fit(texts, 10_000, 256)
    overviews = vocabulary.encode(texts)
    model = build_lstm(len(vocabulary), len(GENRES), options_of(LstmOptions, architecture=architecture))
    about = {"modality": "overview", "vocabulary": vocabulary.content(), "genres": GENRES}
    assert_answers_alike(model, about, overviews, overviews.batch(np.arange(100)), tmp_path)


def assert_answers_alike(model, about, films, batch, folder):
    export(model, folder / "m.onnx", about)
    found = dict(zip(("features", "probabilities"), Network(folder / "m.onnx").encode(np.arange(100), films)))
    assert_same(found, in_keras(model, {about["modality"]: batch}))


def write_all(folder, order, *presets):
    """Writes the networks of all cases; those of presets only where there are any."""
    names = [name for name in CASES if presets or name not in OF_PRESETS]
    for name in reversed(names) if order == "backwards" else names:
        exported(name, built(name, dict(zip(("overview", "poster"), presets))), Path(folder))


if __name__ == "__main__":
    write_all(*sys.argv[1:])
