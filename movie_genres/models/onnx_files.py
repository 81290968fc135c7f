"""Model files of scoring: ONNX, byte-stable, with the metadata inside. They are data: checked before they are run."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, numpy_helper, shape_inference

from movie_genres.base.errors import InputError, Remedy, one_line
from movie_genres.base.files import StrPath, is_of_machine, open_regular, read_capped, reason_of, replacing
from movie_genres.inputs.modality import Modality
from movie_genres.models.metadata import AGAIN, FORMAT, KEY, LARGEST_INPUT, check_metadata

EXPECTED = "a model file (.onnx) that this toolkit wrote"
LARGEST_FILE = 2_000_000_000  # bytes; no ONNX file in one piece can have more
LARGEST_VALUE, LARGEST_TOTAL = 20_000_000, 300_000_000  # numbers a film that a step of a network may give, and all steps
LONGEST = 100_000  # tokens of an overview that a model may ask for
SEVERAL = 7  # films; sizes that grow with them are seen by it
FEATURES, PROBABILITIES = "features", "probabilities"  # what networks give: the penultimate output, and the last
BATCH, LENGTH = "batch", "length"  # what the sizes that vary are called: films, and tokens of the longest overview
INT8 = "int8"  # folder beside model files, for copies of them in 8 bits under the same names
DOMAINS = {"", "ai.onnx", "com.microsoft"}  # of operators: the standard's, and those of ONNX Runtime itself
FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}
NUMBERS = FLOATS | {TensorProto.BOOL, TensorProto.UINT8, TensorProto.INT8, TensorProto.UINT16, TensorProto.INT16,
                    TensorProto.UINT32, TensorProto.INT32, TensorProto.UINT64, TensorProto.INT64}
# Operators that can give more numbers than they are given; others only put together or take apart what is there.
GROWING = {"ConstantOfShape", "Expand", "NonZero", "OneHot", "Pad", "Range", "RandomNormal", "RandomUniform", "Resize",
           "Tile", "Upsample", "Col2Im", "ConvTranspose", "EyeLike", "MaxUnpool", "MelWeightMatrix", "DFT", "STFT"}
SHOWN = 300  # characters of what was found that a message shows
Refusal = Callable[[str, str], InputError]


class OnnxFile(NamedTuple):
    """A model file that was read: its bytes, their SHA-256, what they hold, and the metadata of it."""

    data: bytes
    digest: str
    model: onnx.ModelProto
    metadata: dict[str, Any]


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


def check(path: StrPath, model: onnx.ModelProto, metadata: dict[str, Any]) -> None:
    """Refuses a network that is not the one that its metadata describe, or that could do harm when it is run.

    That is one with operators of others than the standard and ONNX Runtime, with networks inside of it (loops, functions),
    with weights in other files or weights that are not finite, or of which a step could take more memory than it should.

    Raises:
        InputError: it is one of these.
    """
    def refuse(expected: str, found: str) -> InputError:
        return InputError(path, expected, one_line(found)[:SHOWN], AGAIN)

    try:
        _check_steps(model, refuse)
        _check_ends(model.graph, metadata, refuse)
        _check_weights(model.graph, refuse)
        _check_sizes(model, metadata, refuse)
    except InputError:
        raise
    except Exception as error:  # of a damaged file, whose parts are not what their types say
        if is_of_machine(error):
            raise
        raise refuse("a whole network", f"{type(error).__name__}: {error}") from None


def _check_steps(model: onnx.ModelProto, refuse: Refusal) -> None:
    graph = model.graph
    domains = {*(each.domain for each in model.opset_import), *(node.domain for node in graph.node)}
    if others := sorted(domains - DOMAINS):
        raise refuse("operators of the standard and of ONNX Runtime alone", f"the domain {others[0]!r}")
    kinds = onnx.AttributeProto
    for node in graph.node:
        for each in node.attribute:
            if each.type in (kinds.GRAPH, kinds.GRAPHS):
                raise refuse("a network of plain steps", f"a loop or a branch: {node.op_type}")
            if each.type in (kinds.SPARSE_TENSOR, kinds.SPARSE_TENSORS):
                raise refuse("plain weights", f"sparse ones in {node.name!r}")
            if not np.isfinite([each.f, *each.floats]).all():
                raise refuse("finite weights", f"NaN or infinity in {node.name!r}")
    if model.functions or model.training_info:
        raise refuse("a network of plain steps", "functions, or steps for training")
    if graph.sparse_initializer:
        raise refuse("plain weights", "sparse ones")
    named = [weight.name for weight in graph.initializer], [value.name for value in graph.output]
    if any(len(set(names)) < len(names) for names in named):
        raise refuse("each name once", "a weight or an output twice")
    for name in (name for node in graph.node for name in (node.op_type, *node.input, *node.output)):
        if not isinstance(name, str):
            raise refuse("names that are text", repr(name))


def _check_weights(graph: onnx.GraphProto, refuse: Refusal) -> None:
    for weight in _weights(graph):
        if weight.external_data or weight.data_location == TensorProto.EXTERNAL:
            raise refuse("a file that holds all of its weights", f"{weight.name!r} in another one")
        if weight.data_type not in NUMBERS:
            raise refuse("weights that are numbers", f"others in {weight.name!r}")
        if any(size < 0 for size in weight.dims) or math.prod(weight.dims) > LARGEST_FILE:
            raise refuse("weights of possible sizes", f"{list(weight.dims)}")
        values = numpy_helper.to_array(weight)
        if weight.data_type in FLOATS and not np.isfinite(values.astype(np.float64, copy=False)).all():
            raise refuse("finite weights", f"NaN or infinity in {weight.name!r}")


def _weights(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t,) if attribute.type == onnx.AttributeProto.TENSOR else attribute.tensors


def _check_ends(graph: onnx.GraphProto, metadata: dict[str, Any], refuse: Refusal) -> None:
    """What goes in and comes out of a network must be as its metadata say."""
    modality, genres = metadata["modality"], len(metadata["genres"])
    weights = {weight.name for weight in graph.initializer}
    inputs = {value.name: _shape(value) for value in graph.input if value.name not in weights}
    outputs = {value.name: _shape(value) for value in graph.output}
    if modality is None:
        channels = metadata.get("channels") or {}
        if not channels:
            raise refuse("a fusion of other models", "one of none")
        expected = {"present": (TensorProto.FLOAT, [BATCH, len(channels)])}
        for name, size in channels.items():
            expected[name] = TensorProto.FLOAT, [BATCH, size]
            expected[f"{name}_answers"] = TensorProto.FLOAT, [BATCH, genres]
    elif modality == Modality.POSTER:
        expected = {modality: (TensorProto.UINT8, [BATCH, *(metadata.get("image_size") or ()), 3])}
    else:
        expected = {modality: (TensorProto.INT32, [BATCH, LENGTH])}
    if inputs != expected:
        raise refuse(f"the inputs {_in_words(expected)}", _in_words(inputs))
    if sum(math.prod(size for size in shape if isinstance(size, int)) for _, shape in inputs.values()) > LARGEST_INPUT:
        raise refuse(f"a network that takes at most {LARGEST_INPUT:,} numbers a film", _in_words(inputs))
    shape = outputs.pop(PROBABILITIES, None)
    if shape != (TensorProto.FLOAT, [BATCH, genres]):
        raise refuse(f"a probability for each of {genres} genres", _in_words({PROBABILITIES: shape}) if shape else "none")
    features = outputs.pop(FEATURES, None)
    if (features is None) != (modality is None) or outputs:
        raise refuse("features and probabilities as outputs", ", ".join([FEATURES, *outputs] if features else outputs))
    if features and (features[0] != TensorProto.FLOAT or len(features[1]) != 2 or not isinstance(features[1][1], int)):
        raise refuse("one vector of features a film", _in_words({FEATURES: features}))


def _shape(value: onnx.ValueInfoProto) -> tuple[int, list[int | str]]:
    """The type of a network's input or output, and its sizes, those that vary by name."""
    tensor = value.type.tensor_type
    return tensor.elem_type, [size.dim_value if size.HasField("dim_value") else size.dim_param for size in tensor.shape.dim]


def _in_words(values: Mapping[str, tuple[int, Any]]) -> str:
    known = TensorProto.DataType.keys()
    return ", ".join(f"{name} {known[kind].lower() if kind < len(known) else kind} ({', '.join(map(str, shape))})"
                     for name, (kind, shape) in values.items()) or "none"


def _check_sizes(model: onnx.ModelProto, metadata: dict[str, Any], refuse: Refusal) -> None:
    """No step may give more for a film than it should, nor more than so many times that for several films."""
    longest = (metadata.get("vocabulary") or {}).get("max_length")
    if metadata["modality"] == Modality.OVERVIEW and not (isinstance(longest, int) and 0 < longest <= LONGEST):
        raise refuse(f"a vocabulary of overviews of 1 to {LONGEST:,} tokens", repr(longest))
    one, several = (_sizes(model, films, longest or 1, refuse) for films in (1, SEVERAL))
    for name, size in one.items():
        if size > LARGEST_VALUE:
            raise refuse(f"steps that give at most {LARGEST_VALUE:,} numbers a film", f"more as {name!r}")
        if several.get(name, size) > SEVERAL * max(size, 1):
            raise refuse("steps that give as much for each film", f"more for more films as {name!r}")
    if sum(one.values()) > LARGEST_TOTAL:
        raise refuse(f"steps that give at most {LARGEST_TOTAL:,} numbers a film together", "more")


def _sizes(model: onnx.ModelProto, films: int, longest: int, refuse: Refusal) -> dict[str, int]:
    """How many numbers each step gives for some films, where that can be told; of a `GROWING` one it must be."""
    sizes, probe = {BATCH: films, LENGTH: longest}, onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.value_info[:]  # what the file claims
    expected = {value.name: [sizes.get(str(size), size) for size in _shape(value)[1]] for value in probe.graph.output}
    for value in probe.graph.output:
        value.type.tensor_type.ClearField("shape")
    for value in probe.graph.input:
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in sizes:
                size.dim_value = sizes[size.dim_param]
    try:
        inferred = shape_inference.infer_shapes(probe, check_type=True, strict_mode=True, data_prop=True).graph
    except Exception as error:  # of a damaged network, it raises whatever its operators' rules do
        raise refuse("steps that fit each other", str(error).strip().splitlines()[0]) from None
    known, found = {value.name: value for value in (*inferred.value_info, *inferred.output)}, {}
    for node in inferred.node:
        for name in filter(None, node.output):
            kind = known[name].type if name in known else None
            if kind and (kind.WhichOneof("value") != "tensor_type" or kind.tensor_type.elem_type not in NUMBERS):
                raise refuse("steps that give numbers", f"others by {node.op_type} {node.name!r}")
            shape = kind.tensor_type.shape if kind and kind.tensor_type.HasField("shape") else None
            if shape is not None and all(size.HasField("dim_value") for size in shape.dim):
                found[name] = math.prod(size.dim_value for size in shape.dim)
                if expected.get(name, given := [size.dim_value for size in shape.dim]) != given:
                    raise refuse(f"{name} of shape {expected[name]}", f"{given}")
            elif node.op_type in GROWING:
                raise refuse("steps whose sizes are known beforehand", f"one that is not: {node.op_type} {node.name!r}")
    return found
