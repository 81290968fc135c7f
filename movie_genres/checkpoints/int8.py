"""Copies of networks that compute in 8 bits: several times as fast on a processor, with nearly the same answers."""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from movie_genres.models import onnx_files


class _Samples(CalibrationDataReader):
    """What the network is shown, to see in which range each of its steps answers."""

    def __init__(self, name: str, batches: Iterable[NDArray]):
        self._batches: Iterator[dict[str, NDArray]] = iter([{name: batch} for batch in batches])

    def get_next(self) -> dict[str, NDArray] | None:  # type: ignore[override]
        return next(self._batches, None)


def write_int8(path: Path, copy: Path, batches: Iterable[NDArray]) -> None:
    """Writes a copy in 8 bits of a model file, as `models.onnx_files` has them.

    Weights have a scale for each output channel, activations one for each step, from what the network gives of the training
    films in `batches` (Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
    Inference", 2018). Weights use 7 of their 8 bits: processors without VNNI add up pairs of products in 16 bits, where
    those of 8 bits do not fit. From the features on all is computed in 32 bits: probabilities need the digits.
    """
    file, logger = onnx_files.read(path), logging.getLogger()
    level = logger.level
    with tempfile.TemporaryDirectory(prefix="movie-genres-") as folder:
        quantized = Path(folder) / "quantized.onnx"
        logger.setLevel(logging.ERROR)  # the library logs at the root: advice that has been followed
        try:
            network = _with_merged_pools(file.model)
            quantize_static(network, quantized, _Samples(network.graph.input[0].name, batches), QuantFormat.QDQ,
                            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
                            reduce_range=True, nodes_to_exclude=_last_steps(network.graph))
        finally:
            logger.setLevel(level)
        model = onnx.load(quantized)
    del model.graph.value_info[:]
    model.producer_name, model.producer_version = file.model.producer_name, file.model.producer_version
    used = {node.domain for node in model.graph.node}
    for opset in [opset for opset in model.opset_import if opset.domain not in used]:
        model.opset_import.remove(opset)
    onnx_files.write(model, copy, {**file.metadata, "copy_of": file.digest})


def _last_steps(graph: onnx.GraphProto) -> list[str]:
    """The names of the steps that give the features, and of all that follow from these."""
    makers = {name: node for node in graph.node for name in node.output}
    last = makers[onnx_files.FEATURES]
    while last.op_type == "Identity":
        last = makers[last.input[0]]
    names, found = {*last.output}, [last.name]
    if last.op_type == "Concat":  # of the features of several networks
        found += [makers[name].name for name in last.input]
    for node in graph.node:  # in an order in which each comes after those that it reads
        if names & {*node.input}:
            names.update(node.output)
            found.append(node.name)
    return found


def _with_merged_pools(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with one strided convolution in place of each average of 2x2 pixels before a convolution of 1x1.

    That is the same sum, and ONNX Runtime's average in 8 bits takes longer than a convolution does.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    weights = {weight.name: weight for weight in graph.initializer}
    for node in list(graph.node):  # of which pools are taken away meanwhile
        pool = makers.get(node.input[0]) if node.op_type == "Conv" else None
        if pool is None or pool.op_type != "AveragePool" or readers[pool.output[0]] != [node]:
            continue
        of_pool, of_node = _attributes(pool), _attributes(node)
        kernel = numpy_helper.to_array(weights[node.input[1]])
        if (of_pool["kernel_shape"] == of_pool.get("strides") == [2, 2] and not any(of_pool.get("pads", []))
                and of_pool.get("auto_pad", b"VALID") in (b"NOTSET", b"VALID") and kernel.shape[2:] == (1, 1)
                and of_node.get("strides", [1, 1]) == [1, 1] and of_node.get("group", 1) == 1):
            spread = np.ascontiguousarray(np.broadcast_to(kernel / 4, (*kernel.shape[:2], 2, 2)))
            weights[node.input[1]].CopyFrom(numpy_helper.from_array(spread, node.input[1]))
            del node.attribute[:]
            node.attribute.extend(onnx.helper.make_attribute(name, [2, 2]) for name in ("kernel_shape", "strides"))
            node.input[0] = pool.input[0]
            graph.node.remove(pool)
    return model


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
