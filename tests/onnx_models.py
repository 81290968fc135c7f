"""Tiny networks in ONNX, made without Keras and without what `conftest` imports."""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from movie_genres.inputs.posters import DECODER
from movie_genres.models.metadata import KEY

SIZE, TOKENS, CHANNELS, GENRES = (6, 4), 20, 4, ["A", "B", "C"]
ABOUT = {"format": 1, "genres": GENRES, "base_rates": [0.5, 0.3, 0.2]}
OF_POSTERS = {**ABOUT, "modality": "poster", "image_size": SIZE, "decoder": DECODER}
OF_OVERVIEWS = {**ABOUT, "modality": "overview",
                "vocabulary": {"tokens": [f"word{number}" for number in range(TOKENS - 2)], "max_length": 9}}


def poster_network():
    """A convolution of posters of `SIZE`, averaged over the poster: `CHANNELS` features."""
    steps = [helper.make_node("Cast", ["poster"], ["pixels"], to=TensorProto.FLOAT),
             helper.make_node("Mul", ["pixels", "scale"], ["scaled"]),
             helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
             helper.make_node("Conv", ["planes", "kernel", "bias"], ["sums"], pads=[1, 1, 1, 1]),
             helper.make_node("Relu", ["sums"], ["active"]),
             helper.make_node("ReduceMean", ["active", "plane"], ["features"], keepdims=0)]
    weights = {"scale": np.float32(1 / 255), "kernel": normal(CHANNELS, 3, 3, 3), "bias": normal(CHANNELS),
               "plane": np.array([2, 3])}
    given = helper.make_tensor_value_info("poster", TensorProto.UINT8, ["batch", *SIZE, 3])
    return network(given, steps, weights, OF_POSTERS)


def overview_network():
    """The mean of word vectors: `CHANNELS` features. It has no notion of padding."""
    steps = [helper.make_node("Gather", ["vectors", "overview"], ["words"]),
             helper.make_node("ReduceMean", ["words", "length"], ["features"], keepdims=0)]
    given = helper.make_tensor_value_info("overview", TensorProto.INT32, ["batch", "length"])
    return network(given, steps, {"vectors": normal(TOKENS, CHANNELS), "length": np.array([1])}, OF_OVERVIEWS)


def network(given, steps, weights, about):
    """A network whose steps give `features`, of which the weights `trust` make log-odds."""
    steps += [helper.make_node("MatMul", ["features", "trust"], ["odds"]),
              helper.make_node("Sigmoid", ["odds"], ["probabilities"])]
    weights = {"trust": normal(CHANNELS, len(GENRES)), **weights}
    found = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
             for name, size in (("features", CHANNELS), ("probabilities", len(GENRES)))]
    graph = helper.make_graph(steps, "network", [given], found,
                              [numpy_helper.from_array(np.asarray(values), name) for name, values in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {KEY: json.dumps(about)})
    return model


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def metadata_of(model):
    return json.loads(model.metadata_props[0].value)


def set_metadata(model, content):
    model.metadata_props[0].value = content if isinstance(content, str) else json.dumps(content)


def parsed(data):
    return onnx.load_model_from_string(data)
