"""Model files of scoring: ONNX, byte-stable, with the metadata inside."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from google.protobuf.message import DecodeError
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


def write_small(source: Path, path: Path, **changes: Any) -> None:
    """Copies a model file, with changes of its metadata, to one with 16-bit weights, which are widened on loading."""
    _, _, model, metadata = read(source)
    graph = model.graph
    large = [weight for weight in graph.initializer if weight.data_type == TensorProto.FLOAT and len(weight.dims) > 1]
    casts = []
    for weight in large:
        halved = numpy_helper.to_array(weight).astype(np.float16)
        casts.append(onnx.helper.make_node("Cast", [f"{weight.name}_half"], [weight.name], f"Cast_{weight.name}",
                                           to=TensorProto.FLOAT))
        graph.initializer.remove(weight)
        graph.initializer.append(numpy_helper.from_array(halved, f"{weight.name}_half"))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    write(model, path, {**metadata, **changes})


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
