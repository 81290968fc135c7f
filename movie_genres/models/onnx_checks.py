"""What is looked at in a network before it is run: whether it is what it says, and whether it could do harm."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper, shape_inference

from movie_genres.base.errors import InputError, one_line
from movie_genres.base.files import StrPath, is_of_machine
from movie_genres.inputs.modality import Modality
from movie_genres.models.metadata import AGAIN, EMBEDDING, LARGEST_INPUT, takes_tokens
from movie_genres.models.onnx_files import BATCH, FEATURES, LARGEST_FILE, LENGTH, PROBABILITIES, answers_input

LARGEST_VALUE, LARGEST_TOTAL = 20_000_000, 300_000_000  # numbers a film that a step of a network may give, and all steps
LONGEST = 100_000  # tokens of an overview that a model may ask for
SEVERAL = 7  # films; sizes that grow with them are seen by it
DOMAINS = {"", "ai.onnx", "com.microsoft"}  # of operators: the standard's, and those of ONNX Runtime itself
FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}
NUMBERS = FLOATS | {TensorProto.BOOL, TensorProto.UINT8, TensorProto.INT8, TensorProto.UINT16, TensorProto.INT16,
                    TensorProto.UINT32, TensorProto.INT32, TensorProto.UINT64, TensorProto.INT64}
# What turns a few numbers into sizes of steps: such steps are worked out beforehand, up to so many numbers.
ARITHMETIC = {"Add", "Cast", "Concat", "Equal", "Expand", "Gather", "Greater", "Identity", "Less", "Max", "Min", "Mul",
              "Not", "ReduceProd", "Reshape", "Shape", "Slice", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where"}
FEW = 1000
SHOWN = 300  # characters of what was found that a message shows
Refusal = Callable[[str, str], InputError]


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
        if weight.data_type in FLOATS and not np.isfinite(values).all():
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
            expected[answers_input(name)] = TensorProto.FLOAT, [BATCH, genres]
    elif metadata.get("embedding") is not None:
        expected = {EMBEDDING: (TensorProto.FLOAT, [BATCH, metadata["embedding"]])}
    elif takes_tokens(metadata):
        expected = {Modality.OVERVIEW: (TensorProto.INT32, [BATCH, LENGTH])}
    else:
        expected = {Modality.POSTER: (TensorProto.UINT8, [BATCH, *(metadata.get("image_size") or ()), 3])}
    if inputs != expected:
        raise refuse(f"the inputs {_in_words(expected)}", _in_words(inputs))
    if sum(math.prod(size for size in shape if isinstance(size, int)) for _, shape in inputs.values()) > LARGEST_INPUT:
        raise refuse(f"a network that takes at most {LARGEST_INPUT:,} numbers a film", _in_words(inputs))
    shape = outputs.pop(PROBABILITIES, None)
    if shape != (TensorProto.FLOAT, [BATCH, genres]):
        raise refuse(f"a probability for each of {genres} genres", _in_words({PROBABILITIES: shape}) if shape else "none")
    features = outputs.pop(FEATURES, None)
    if (features is None) != (modality is None) or outputs:
        found = ", ".join([FEATURES, *outputs] if features else outputs)
        raise refuse("features and probabilities as outputs", found or "probabilities alone")
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
    if takes_tokens(metadata) and not (isinstance(longest, int) and 0 < longest <= LONGEST):
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
    """How many numbers each step gives for some films; a step of which that cannot be told is refused."""
    outline = _outline(model, {BATCH: films, LENGTH: longest})
    while True:
        try:
            inferred = shape_inference.infer_shapes(outline, check_type=True, strict_mode=True, data_prop=True).graph
        except Exception as error:  # of a damaged network, it raises whatever its operators' rules do
            raise refuse("steps that fit each other", str(error).strip().splitlines()[0]) from None
        kinds = {value.name: value.type for value in (*inferred.value_info, *inferred.input, *inferred.output)}
        shapes = {weight.name: list(weight.dims) for weight in outline.graph.initializer}
        shapes |= {name: _dims(kind) for name, kind in kinds.items() if name not in shapes and _dims(kind) is not None}
        unknown = [node for node in outline.graph.node if not shapes.keys() >= {*filter(None, node.output)}]
        if not unknown or not _fold(outline, shapes):
            break
    for value in model.graph.output:
        expected = [films if size == BATCH else size for size in _shape(value)[1]]
        if shapes.get(value.name) != expected:
            raise refuse(f"{value.name} of shape {expected}", f"{shapes.get(value.name, 'another one')}")
    if unknown:
        raise refuse("steps whose sizes are known beforehand", f"one that is not: {unknown[0].op_type} {unknown[0].name!r}")
    found = {}
    for node in outline.graph.node:
        for name in filter(None, node.output):
            if kinds[name].tensor_type.elem_type not in NUMBERS:
                raise refuse("steps that give numbers", f"others by {node.op_type} {node.name!r}")
            found[name] = math.prod(shapes[name])
    return found


def _outline(model: onnx.ModelProto, sizes: dict[str, int]) -> onnx.ModelProto:
    """A network with sizes for those that vary, but without its large weights' numbers and what it claims of its steps."""
    graph = onnx.GraphProto(name=model.graph.name, node=model.graph.node, input=model.graph.input)
    for value in graph.input:
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in sizes:
                size.dim_value = sizes[size.dim_param]
    for value in model.graph.output:
        graph.output.append(onnx.helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, None))
    for weight in model.graph.initializer:
        if math.prod(weight.dims) <= FEW:
            graph.initializer.append(weight)
        else:
            graph.input.append(onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
    return onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, graph=graph)


def _dims(kind: onnx.TypeProto) -> list[int] | None:
    """The sizes of a value; None where they are not known, or it is no tensor."""
    if not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    return [size.dim_value for size in dims] if all(size.HasField("dim_value") for size in dims) else None


def _fold(outline: onnx.ModelProto, shapes: dict[str, list[int]]) -> bool:
    """Puts numbers in the place of steps that give a few of them whatever the film; returns whether there were any.

    Shape inference alone loses sight of sizes that are computed from others.
    """
    graph, folded = outline.graph, False
    numbers: dict[str, Any] = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    ends = {value.name for value in graph.output}
    for node in list(graph.node):
        name: str = node.output[0] if len(node.output) == 1 else ""
        if node.op_type not in ARITHMETIC or node.domain or name in ends or math.prod(shapes.get(name, [FEW + 1])) > FEW:
            continue
        given: list[str] = [each for each in node.input if each]
        if node.op_type == "Shape" and given[0] in shapes:
            ends_at = {attribute.name: attribute.i for attribute in node.attribute}
            numbers[name] = np.array(shapes[given[0]][ends_at.get("start", 0):ends_at.get("end")], np.int64)
        elif given and all(each in numbers for each in given):
            from onnx.reference import ReferenceEvaluator  # takes long, and our own small models do without

            (result,) = ReferenceEvaluator(node).run(None, {each: numbers[each] for each in given})
            numbers[name] = np.asarray(result)
        else:
            continue
        graph.node.remove(node)
        graph.initializer.append(numpy_helper.from_array(numbers[name], name))
        folded = True
    return folded
