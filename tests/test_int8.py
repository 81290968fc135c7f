"""Copies in 8 bits: nearly the same answers, made where they cost little, and never of another file than theirs."""

import logging
import shutil

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import encoder_options, options_of, outputs, rewrite

from movie_genres.base.errors import InputError, Remedy
from movie_genres.checkpoints.export import export
from movie_genres.checkpoints.int8 import _with_merged_pools, write_int8
from movie_genres.ensemble.decisions import choose_models
from movie_genres.ensemble.folder import find_models
from movie_genres.ensemble.scorer import Models
from movie_genres.inputs.posters import DECODER
from movie_genres.models.network import Network
from movie_genres.models.onnx_files import int8_path, read
from movie_genres.networks.cnn import CnnOptions, build_cnn, train_cnn

SIZE, GENRES = (32, 24), list("ABCDE")
ARCHITECTURES = {"residual": {"width": 8}, "plain": {"architecture": "plain"}}
SHORT = {"width": 4, "batch_size": 16, "epochs": 1, "draws": 0}


def posters(count, seed):
    """Smooth noise: a few colours each."""
    patches = np.random.default_rng(seed).integers(0, 256, (count, 4, 3, 3), dtype=np.uint8)
    return patches.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture(scope="module", params=[*ARCHITECTURES, "encoder"])
def original(request, tmp_path_factory):
    """The ONNX file of a network that has seen nothing yet."""
    path = tmp_path_factory.mktemp(request.param) / "cnn.onnx"
    keras.utils.set_random_seed(0)
    if request.param == "encoder":
        model = encoder_options(request.getfixturevalue("presets"), "poster", image_size=SIZE).build(len(GENRES))
    else:
        model = build_cnn(SIZE, len(GENRES), options_of(CnnOptions, **ARCHITECTURES[request.param]))
    rng = np.random.default_rng(0)
    for weight in model.weights:  # neither these nor statistics are those it starts with
        if weight.dtype == "float32":
            weight.assign(weight.numpy() + (rng.uniform(0, 0.2, weight.shape) if "normalization" in weight.path
                                            else rng.normal(0, 0.02, weight.shape)))
    export(model, path, {"modality": "poster", "genres": GENRES, "image_size": SIZE, "decoder": DECODER})
    return path


def copied(original, path):
    write_int8(original, path, [posters(16, seed) for seed in range(4)])
    return path


def test_a_copy_answers_nearly_as_its_original(original, tmp_path):
    pixels = posters(50, seed=9)
    one, other = (Network(path)({"poster": pixels}) for path in (original, copied(original, tmp_path / "m.onnx")))
    assert 0 < np.abs(one["probabilities"] - other["probabilities"]).max() < 0.05
    assert np.abs(one["features"] - other["features"]).max() < 0.2 * np.abs(one["features"]).max()


def test_a_copy_says_of_what_it_is_one_and_all_that_its_original_says(original, tmp_path):
    whole, copy = read(original), read(copied(original, tmp_path / "m.onnx"))
    assert copy.metadata == {**whole.metadata, "copy_of": whole.digest}
    assert copy.model.producer_name == whole.model.producer_name and copy.model.ir_version == whole.model.ir_version


def test_a_copy_computes_in_8_bits_and_is_smaller(original, tmp_path):
    copy = copied(original, tmp_path / "m.onnx")
    graph = read(copy).model.graph
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in graph.node}
    small = [weight for weight in graph.initializer if weight.data_type == onnx.TensorProto.INT8 and len(weight.dims) > 1]
    whole = [weight for weight in read(original).model.graph.initializer if len(weight.dims) > 1]
    assert len(whole) / 2 <= len(small) < len(whole)  # the last steps give features and probabilities in all their digits
    assert copy.stat().st_size < 0.8 * original.stat().st_size
    for weight in small:  # in 7 bits
        assert np.abs(onnx.numpy_helper.to_array(weight).astype(int)).max() <= 64


def test_the_same_films_give_the_same_bytes(original, tmp_path):
    first, second = (copied(original, tmp_path / name).read_bytes() for name in ("a.onnx", "b.onnx"))
    assert first == second


def test_a_copy_leaves_logging_and_its_original_as_they_were(original, tmp_path):
    before, level = original.read_bytes(), logging.getLogger().level
    copied(original, tmp_path / "m.onnx")
    assert original.read_bytes() == before and logging.getLogger().level == level
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_merged_pools_give_the_same(original, tmp_path):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(tmp_path / "plain.onnx")
    onnxruntime.InferenceSession(original.read_bytes(), options)
    network, pixels = onnx.load(tmp_path / "plain.onnx"), posters(5, seed=3)
    before, pools = run(network, pixels), pools_of(network)
    after = run(_with_merged_pools(network), pixels)
    assert (pools, pools_of(network)) in ((3, 1), (0, 0))  # one of `residual` is of 4x3 pixels, with an edge to fill up
    assert all(np.allclose(one, other, atol=1e-5) for one, other in zip(before, after, strict=True))


def run(model, pixels):
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"poster": pixels})


def pools_of(model):
    return [node.op_type for node in model.graph.node].count("AveragePool")


@pytest.mark.parametrize("most_lost, made", [(None, False), (-1.0, False), (1.0, True)])
def test_a_training_makes_a_copy_where_it_loses_little_skill(small_arrays, tmp_path, caplog, most_lost, made):
    prepared, films, _, _ = small_arrays
    given = outputs(tmp_path)
    given.int8.parent.mkdir(parents=True)
    given.int8.write_bytes(b"of an earlier training")
    with caplog.at_level(logging.INFO):
        summary = train_cnn(prepared, films, options_of(CnnOptions, **SHORT, int8=most_lost), given)
    assert given.int8.exists() is made and given.runs == (given.int8 if made else given.onnx)
    assert ("skill_lost_in_8_bits" in summary) is (most_lost is not None)
    warnings = [record.getMessage() for record in caplog.records if record.name.startswith("movie_genres")
                and record.levelno == logging.WARNING]
    assert warnings == ["m: no copy in 8 bits: it would lose more than -100.00 points"] * (most_lost == -1.0)
    assert find_models(given.model.parent)[0].run_path == given.runs


@pytest.fixture
def folder(models, tmp_path):
    """A models folder with a copy in 8 bits of its cnn."""
    shutil.copytree(models, tmp_path / "models")
    write_int8(tmp_path / "models" / "cnn.onnx", int8_path(tmp_path / "models" / "cnn.onnx"),
               [np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)])
    return tmp_path / "models"


@pytest.mark.parametrize("dtype, runs", [("int8", "int8/cnn.onnx"), ("float32", "cnn.onnx")])
def test_the_dtype_decides_which_file_is_run(folder, dtype, runs):
    files, decisions = choose_models(folder, dtype=dtype)
    paths = {file.name: file.run_path.relative_to(folder).as_posix() for file in files}
    assert paths == {"cnn": runs, "lstm": "lstm.onnx", "fusion": "fusion.onnx"}
    assert {file.digest for file in files} == {read(folder / f"{name}.onnx").digest for name in paths}
    network = Models(files, decisions).networks["cnn"]
    assert ("copy_of" in network.metadata) is (dtype == "int8")


@pytest.mark.parametrize("change", [
    lambda folder: rewrite(folder / "cnn.onnx", lambda about: about.update(note="another one")),
    lambda folder: rewrite(folder / "int8" / "cnn.onnx", lambda about: about.update(copy_of="0" * 64)),
    lambda folder: rewrite(folder / "int8" / "cnn.onnx", lambda about: about.pop("copy_of") and about),
    lambda folder: shutil.copyfile(folder / "cnn.onnx", folder / "int8" / "cnn.onnx"),
], ids=["another original", "another digest", "no digest", "no copy"])
def test_a_copy_of_another_version_is_refused(folder, change):
    change(folder)
    for choose in (find_models, choose_models):
        with pytest.raises(InputError, match=r"int8/cnn.onnx: expected a copy of cnn.onnx as it is; found one of") as error:
            choose(folder)
        assert error.value.remedy == Remedy.TRAIN


def test_a_copy_of_other_genres_is_refused(folder):
    rewrite(folder / "int8" / "cnn.onnx", lambda about: about["genres"].reverse())
    with pytest.raises(InputError, match="int8/cnn.onnx: expected"):
        Models(*choose_models(folder))


def test_a_copy_that_is_damaged_is_refused_by_its_name(folder):
    (folder / "int8" / "cnn.onnx").write_bytes(b"")
    with pytest.raises(InputError, match="int8/cnn.onnx: expected a model file"):
        find_models(folder)
    assert find_models(folder, dtype="float32")
