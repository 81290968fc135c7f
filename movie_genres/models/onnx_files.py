"""Model files of scoring: ONNX, byte-stable, with the metadata inside."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from movie_genres.base.errors import InputError, Remedy
from movie_genres.base.files import StrPath, open_regular, read_capped, reason_of, replacing
from movie_genres.models.metadata import AGAIN, FORMAT, KEY, check_metadata

EXPECTED = "a model file (.onnx) that this toolkit wrote"
LARGEST_FILE = 2_000_000_000  # bytes; no ONNX file in one piece can have more
FEATURES, PROBABILITIES = "features", "probabilities"  # what networks give: the penultimate output, and the last
BATCH, LENGTH = "batch", "length"  # what the sizes that vary are called: films, and tokens of the longest overview
INT8 = "int8"  # folder beside model files, for copies of them in 8 bits under the same names


class OnnxFile(NamedTuple):
    """A model file that was read: its bytes, their SHA-256, what they hold, and the metadata of it."""

    data: bytes
    digest: str
    model: onnx.ModelProto
    metadata: dict[str, Any]


def answers_input(name: str) -> str:
    """What the input of a fusion model for the probabilities of another model is called."""
    return f"{name}_answers"


def int8_path(path: Path) -> Path:
    """Where the copy in 8 bits of a model file is, if there is one."""
    return path.parent / INT8 / path.name


def write(model: onnx.ModelProto, path: Path, metadata: dict[str, Any]) -> None:
    """Writes a network and what scoring needs beside it. The same give the same bytes; a failure keeps an older file."""
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {KEY: json.dumps({"format": FORMAT, **metadata}, ensure_ascii=False)})
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_bytes(model.SerializeToString(deterministic=True))


def write_small(source: Path, path: Path, bits: int = 16, **changes: Any) -> None:
    """Copies a model file, with changes of its metadata, to one whose large weights have 16 or 8 bits.

    On loading they are widened, so that a network computes in 32 bits. With 8 bits, each output channel, and each token of
    an embedding, has a scale of its own.
    """
    _, _, model, metadata = read(source)
    graph = model.graph
    channels = {name: axes for node in graph.node for name, axes in _channels(node)}
    widened = []
    for weight in [weight for weight in graph.initializer if weight.data_type == TensorProto.FLOAT and len(weight.dims) > 1]:
        graph.initializer.remove(weight)
        axes = channels.get(weight.name) if bits == 8 else None
        arrays, nodes = _narrow(weight.name, numpy_helper.to_array(weight), axes)
        graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
        widened += nodes
    nodes = [*widened, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    write(model, path, {**metadata, **changes})


def _channels(node: onnx.NodeProto) -> list[tuple[str, tuple[int, ...]]]:
    """The large weights that a step may have, by name, and the axes along which they add to other numbers of its result."""
    about = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    if node.op_type in ("Gather", "Slice"):  # embeddings of tokens and of places
        return [(node.input[0], (0,))]
    if node.op_type == "LSTM":
        return [(name, (0, 1)) for name in node.input[1:3]]
    if node.op_type == "Einsum" and len(node.input) == 2:
        terms, given = about["equation"].decode().replace(" ", "").split("->")
        return [(node.input[1], tuple(axis for axis, letter in enumerate(terms.split(",")[1]) if letter in given))]
    axes = {"MatMul": (-1,), "Conv": (0,), "Gemm": (0,) if about.get("transB") else (1,)}
    return [(node.input[1], axes[node.op_type])] if node.op_type in axes else []


def _narrow(name: str, weight: NDArray[np.float32], axes: tuple[int, ...] | None
            ) -> tuple[dict[str, NDArray], list[onnx.NodeProto]]:
    """A weight in 16 bits, or with scales along some axes in 8: arrays by name, and the steps that make `name` of them."""
    if axes is None:
        cast = onnx.helper.make_node("Cast", [f"{name}_half"], [name], f"Cast_{name}", to=TensorProto.FLOAT)
        return {f"{name}_half": weight.astype(np.float16)}, [cast]
    kept = {axis % weight.ndim for axis in axes}
    others = tuple(axis for axis in range(weight.ndim) if axis not in kept)
    scale = np.maximum(np.abs(weight).max(axis=others, keepdims=True), 1e-12) / 127
    narrow = np.round(weight / scale).astype(np.int8)
    return {f"{name}_8": narrow, f"{name}_scale": scale}, [
        onnx.helper.make_node("Cast", [f"{name}_8"], [f"{name}_wide"], f"Cast_{name}", to=TensorProto.FLOAT),
        onnx.helper.make_node("Mul", [f"{name}_wide", f"{name}_scale"], [name], f"Scale_{name}")]


def read(path: StrPath) -> OnnxFile:
    """Reads a model file, of whose network nothing is looked at yet.

    Raises:
        InputError: no such file, or not a model file of this toolkit.
    """
    try:
        with open_regular(path) as file:
            data = read_capped(file, LARGEST_FILE)
        if len(data) > LARGEST_FILE:
            raise InputError(path, f"a model file of at most {LARGEST_FILE:,} bytes", "more", AGAIN)
        model = onnx.load_model_from_string(data)
        metadata = json.loads(next(prop.value for prop in model.metadata_props if prop.key == KEY))
    except FileNotFoundError:
        raise InputError(path, "a model file", "no such file", remedy=Remedy.TRAIN) from None
    except OSError as error:
        raise InputError(path, EXPECTED, reason_of(error), AGAIN) from None
    except StopIteration:
        raise InputError(path, EXPECTED, "an ONNX file without its metadata", AGAIN) from None
    except (DecodeError, ValueError, RecursionError) as error:
        raise InputError(path, EXPECTED, str(error) or type(error).__name__, AGAIN) from None
    return OnnxFile(data, hashlib.sha256(data).hexdigest(), model, check_metadata(path, metadata, EXPECTED))
