"""From Keras models to ONNX: the same answers, by steps that ONNX Runtime runs, in files that are the same each time."""

import hashlib
import itertools
import tempfile
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
from numpy.typing import NDArray
from tf2onnx import tf_loader, tfonnx, utils

from movie_genres.checkpoints import keras_files
from movie_genres.checkpoints.layers import FEATURES
from movie_genres.models import onnx_files
from movie_genres.models.metadata import versions

OPSET, IR_VERSION = 18, 10  # of ONNX: what ONNX Runtime 1.18 and all later ones run
PACKAGES = *keras_files.PACKAGES, "onnxruntime"  # they decided what a model computes


def export(model: keras.Model, path: Path, metadata: dict[str, Any]) -> None:
    """Writes a model, and what scoring needs beside it, to an ONNX file: see `models.onnx_files`.

    The inputs are those of the model, by their names; a model of one modality gives `features` beside `probabilities`.
    """
    onnx_files.write(to_onnx(model, metadata["modality"] is not None), path, {**metadata, "versions": versions(*PACKAGES)})


def to_onnx(model: keras.Model, with_features: bool) -> onnx.ModelProto:
    """The network of a model in ONNX, whose values have names that depend on the network alone."""
    outputs = {onnx_files.PROBABILITIES: model.output}
    if with_features:
        outputs[onnx_files.FEATURES] = model.get_layer(FEATURES).output
    network = _exportable(keras.Model(model.input, outputs))
    given = model.input if isinstance(model.input, dict) else {model.input.name: model.input}
    signature = tf.nest.map_structure(lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), model.input)
    traced = _constant(network, signature).get_concrete_function(signature)
    inputs, found = [tensor.name for tensor in traced.inputs], [tensor.name for tensor in traced.outputs]
    frozen = tf_loader.from_function(traced, inputs, found)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen, name="")
        converted = tfonnx.process_tf_graph(graph, opset=OPSET, input_names=inputs, output_names=found,
                                            continue_on_error=False,
                                            custom_op_handlers={"CudnnRNNV3": (_to_lstm, []), "Log1p": (_to_log, [])})
    # TensorFlow orders what it takes, and what it gives, by name.
    return _renamed(_folded(converted.make_model(model.name)), dict(zip(inputs, sorted(given))),
                    dict(zip(found, sorted(outputs))))


def _constant(network: keras.Model, signature: Any) -> Any:
    """A network, without dropout, as a `tf.function` of constant weights; `signature` is of what it takes."""
    def call(inputs: Any, *weights: Any) -> Any:
        return network.stateless_call(*weights, inputs, training=False)[0]

    weights = [[variable.numpy() for variable in variables]
               for variables in (network.trainable_variables, network.non_trainable_variables)]
    shapes = tf.nest.map_structure(lambda weight: tf.TensorSpec(weight.shape, weight.dtype), weights)
    traced = tf.function(call).get_concrete_function(signature, *shapes)
    constants = [*tf.nest.flatten(weights), *(tensor.numpy() for tensor in traced.captured_inputs)]
    names, graph = [tensor.name for tensor in traced.inputs], traced.graph.as_graph_def()

    def run(inputs: Any) -> Any:
        given = dict(zip(names, [*tf.nest.flatten(inputs), *map(tf.constant, constants)], strict=True))
        found = tf.graph_util.import_graph_def(graph, given, [tensor.name for tensor in traced.outputs])
        return tf.nest.pack_sequence_as(traced.structured_outputs, found)

    return tf.function(run, input_signature=[signature])


def _exportable(network: keras.Model) -> keras.Model:
    """The same network, of the same layers, with others where those cannot be exported."""
    return keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=_call)


def _call(layer: keras.layers.Layer, *arguments: Any, **others: Any) -> Any:
    if isinstance(layer, keras.layers.Bidirectional):
        layer = _WholeLstm(layer)
    elif type(layer).__name__ == "Functional":  # of an average; the class has no public name
        layer = _exportable(layer)
    return layer(*arguments, **others)


class _WholeLstm(keras.layers.Layer):
    """Stands for a bidirectional LSTM in what is converted, as one step in place of a loop over steps of its own.

    It is never run: TensorFlow has the operator for GPUs only, but it means just what ONNX's means.
    """

    supports_masking = True

    def __init__(self, layer: keras.layers.Bidirectional):
        super().__init__(name=f"{layer.name}_whole")
        self.units, self.sequences = layer.forward_layer.cell.units, layer.return_sequences
        self.values = np.concatenate([weight.ravel() for weight in layer.get_weights()])

    def call(self, inputs: Any, mask: Any) -> Any:
        state = tf.zeros((2, tf.shape(inputs)[0], self.units))
        found = tf.raw_ops.CudnnRNNV3(
            input=tf.transpose(inputs, (1, 0, 2)), input_h=state, input_c=state, params=self.values, rnn_mode="lstm",
            sequence_lengths=tf.reduce_sum(tf.cast(mask, tf.int32), axis=1), direction="bidirectional", is_training=False)
        if self.sequences:
            return tf.ensure_shape(tf.transpose(found.output, (1, 0, 2)), (None, None, 2 * self.units))
        return tf.ensure_shape(tf.concat([found.output_h[0], found.output_h[1]], axis=-1), (None, 2 * self.units))

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return mask if self.sequences else None

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*shape[:-1], 2 * self.units) if self.sequences else (shape[0], 2 * self.units)


def _to_lstm(graph: Any, node: Any, name: str, arguments: Any) -> None:
    """Replaces the step of `_WholeLstm` by ONNX's operator."""
    sequences, state, _, _, lengths = node.input
    units, channels = graph.get_shape(state)[2], graph.get_shape(sequences)[2]
    kernels, recurrent, biases = [], [], []
    for values in np.split(node.inputs[3].get_tensor_value(as_list=False), 2):  # one direction, then the other
        parts = np.split(values, [4 * units * channels, 4 * units * (channels + units)])
        kernels.append(_gates(parts[0].reshape(channels, -1)))
        recurrent.append(_gates(parts[1].reshape(units, -1)))
        biases.append(np.concatenate([_gates(parts[2]), np.zeros(4 * units, np.float32)]))
    weights = [graph.make_const(utils.make_name("lstm"), np.stack(values)).output[0]
               for values in (kernels, recurrent, biases)]
    output, last = node.output[:2]
    graph.remove_node(node.name)
    lstm = graph.make_node("LSTM", [sequences, *weights, lengths], output_count=3,
                           attr={"direction": "bidirectional", "hidden_size": units})
    turned = graph.make_node("Transpose", [lstm.output[0]], attr={"perm": [0, 2, 1, 3]})  # to (length, batch, 2, units)
    shape = graph.make_const(utils.make_name("shape"), np.array([0, 0, 2 * units], np.int64))
    graph.replace_all_inputs(output, graph.make_node("Reshape", [turned.output[0], shape.output[0]]).output[0])
    graph.replace_all_inputs(last, lstm.output[1])


def _gates(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights of the gates enter, forget, candidate and leave, as Keras has them, in ONNX's order, transposed."""
    enter, forget, candidate, leave = np.split(weights, 4, axis=-1)
    return np.ascontiguousarray(np.concatenate([enter, leave, forget, candidate], axis=-1).T)


def _to_log(graph: Any, node: Any, name: str, arguments: Any) -> None:
    """Log1p as the logarithm of a sum: what it is used for here is never close to 0."""
    (value,), (output,) = node.input, node.output
    graph.remove_node(node.name)
    one = graph.make_const(utils.make_name("one"), np.array(1, np.float32))
    total = graph.make_node("Add", [value, one.output[0]])
    graph.replace_all_inputs(output, graph.make_node("Log", [total.output[0]]).output[0])


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network without steps that give the same whatever the film, and without those that undo one another."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC  # operators of the standard alone
    with tempfile.TemporaryDirectory(prefix="movie-genres-") as folder:
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _renamed(model: onnx.ModelProto, inputs: dict[str, str], outputs: dict[str, str]) -> onnx.ModelProto:
    """The same network with the given names of inputs and outputs, and numbers for all else: the converter's names vary."""
    model.ir_version, model.producer_name, model.producer_version = IR_VERSION, "movie-genres", ""
    graph, names = model.graph, {**inputs, **outputs}
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    del graph.value_info[:]
    graph.doc_string, graph.name = "", "network"
    _order_steps(graph)
    used = {name for node in graph.node for name in node.input}
    weights = {weight.name: weight for weight in graph.initializer if weight.name in used}
    numbers = itertools.count()
    for number, node in enumerate(graph.node):
        node.name, node.doc_string = f"{node.op_type}_{number}", ""
        for name in itertools.chain(node.input, node.output):
            if name and name not in names:
                names[name] = f"weight_{next(numbers)}" if name in weights else f"value_{number}_{next(numbers)}"
        node.input[:], node.output[:] = [[names.get(name, name) for name in each] for each in (node.input, node.output)]
    ordered = [weights[name] for name in names if name in weights]
    for weight in ordered:
        weight.name = names[weight.name]
    del graph.initializer[:]
    graph.initializer.extend(ordered)
    for value in (*graph.input, *graph.output):
        value.name = names[value.name]
        sizes = value.type.tensor_type.shape.dim
        for size, name in zip(sizes, (onnx_files.BATCH, onnx_files.LENGTH)):
            if not size.dim_value:
                size.dim_param = name
    return model


def _order_steps(graph: onnx.GraphProto) -> None:
    """Puts steps in an order that depends on what they do alone, and merges those that do the same."""
    what = {value.name: value.name for value in graph.input}  # by the name of each value: what it is, as text
    for weight in graph.initializer:
        content = onnx.TensorProto()
        content.CopyFrom(weight)
        content.name = ""
        what[weight.name] = hashlib.sha256(content.SerializeToString(deterministic=True)).hexdigest()
    steps: dict[str, onnx.NodeProto] = {}
    same, kept = {"": ""}, {value.name for value in graph.output}
    for node in graph.node:  # each comes after those that it reads
        node.input[:] = [same.get(name, name) for name in node.input]
        attributes = sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute)
        digest = hashlib.sha256(repr((node.op_type, attributes, [what.get(name, "") for name in node.input])).encode())
        key = digest.hexdigest()
        if kept & {*node.output}:
            key += "".join(node.output)
        same.update(zip(node.output, steps[key].output if key in steps else node.output))
        steps.setdefault(key, node)
        what.update((name, f"{key} {number}") for number, name in enumerate(node.output))
    makers = {name: key for key, node in steps.items() for name in node.output}
    sorter = TopologicalSorter({key: [makers[name] for name in node.input if name in makers] for key, node in steps.items()})
    sorter.prepare()
    del graph.node[:]
    while ready := sorted(sorter.get_ready()):
        graph.node.extend(steps[key] for key in ready)
        sorter.done(*ready)
