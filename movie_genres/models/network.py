"""Answers of trained models: the one way from decoded posters and token ids to probabilities."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from movie_genres.base.errors import InputError
from movie_genres.inputs.features import in_order
from movie_genres.inputs.modality import FilmArrays, Modality, Tokenizer
from movie_genres.inputs.posters import DECODER
from movie_genres.inputs.vocabulary import Vocabulary
from movie_genres.models import checkpoints
from movie_genres.models.answers import Floats, Rows
from movie_genres.models.layers import FEATURES

BATCH_SIZE = 128
Arrays = dict[str, Floats]


def use_mixed_precision() -> None:
    """Lets networks compute in half precision from now on, where they can; probabilities change by up to about 0.01."""
    options = {"auto_mixed_precision": True, "auto_mixed_precision_onednn_bfloat16": True}  # for a GPU, for a processor
    tf.config.optimizer.set_experimental_options(options)


class Network:
    """One trained model, compiled once for batches of a fixed size; smaller ones are filled up.

    Raises:
        InputError: as `checkpoints.load`, or the model was made for another decoder.
    """

    def __init__(self, path: Path, batch_size: int = BATCH_SIZE):
        self.model, self.metadata = checkpoints.load(path)  # the latter is checked as `checkpoints.Metadata`
        self.modality: Modality | None = self.metadata["modality"] and Modality(self.metadata["modality"])
        self.batch_size = batch_size
        if self.metadata.get("decoder", DECODER) != DECODER:
            raise InputError(path, f"a model for the poster decoder {DECODER}", self.metadata["decoder"], "Train it again.")
        self.image_size: tuple[int, int] | None = None  # (height, width) of posters
        self.vocabulary: Tokenizer | None = None
        if self.modality is Modality.POSTER:
            self.image_size = cast(tuple[int, int], tuple(self.metadata["image_size"]))
        elif self.modality is Modality.OVERVIEW:
            self.vocabulary = restore_vocabulary(self.metadata["vocabulary"])
        self._check_shapes(path)
        self.model.trainable = False  # keeps batch normalisation as it was learned when dropout is on
        inputs, outputs = self.model.input, self.model.output
        if self.modality is not None:
            outputs = [self.model.get_layer(FEATURES).output, outputs]
        network = keras.Model(inputs, outputs)
        signature = tf.nest.map_structure(lambda x: tf.TensorSpec((batch_size, *x.shape[1:]), x.dtype), inputs)
        noisy = tf.function(functools.partial(network, training=True), input_signature=[signature])
        self._run = {False: _frozen(network, signature), True: noisy}

    def _check_shapes(self, path: Path) -> None:
        """Refuses a model whose network is not the one that its metadata describe."""
        genres, shape = len(self.metadata["genres"]), self.model.output_shape
        if not isinstance(shape, tuple) or shape[-1] != genres:
            raise InputError(path, f"a probability for each of {genres} genres", f"the output {shape}", "Train it again.")
        if self.image_size and self.model.input_shape != (None, *self.image_size, 3):
            raise InputError(path, f"an input of {self.image_size} pixels", f"{self.model.input_shape}", "Train it again.")

    def __call__(self, inputs: NDArray | Arrays, noisy: bool = False) -> Any:
        """Runs one batch of at most `batch_size` films, a line each; `noisy`: with dropout.

        Returns float32 arrays: [features, probabilities], or only probabilities of a fusion model.
        """
        count = len(tf.nest.flatten(inputs)[0])
        filled = tf.nest.map_structure(self._fill, inputs)
        return tf.nest.map_structure(lambda x: x.numpy()[:count], self._run[noisy](filled))

    def _fill(self, array: NDArray) -> NDArray:
        filled = np.zeros((self.batch_size, *array.shape[1:]), array.dtype)
        filled[:len(array)] = array
        return filled

    def encode(self, rows: Rows, films: FilmArrays, distort: Callable[[NDArray], NDArray] | None = None
               ) -> tuple[Floats, Floats]:
        """Features and probabilities of any number of films that have this network's modality, a line for each of `rows`.

        `distort` distorts a batch of pixels or token ids as in training; dropout is then on. None: neither.
        """
        order = films.order(rows)
        inputs = (films.batch(rows[lines]) for lines in in_order(order, self.batch_size))
        batches = map(self, inputs) if distort is None else (self(distort(batch), noisy=True) for batch in inputs)
        features, probabilities = (np.concatenate(parts) for parts in zip(*batches))
        back = np.argsort(order)
        return features[back], probabilities[back]


def _frozen(network: Any, signature: Any) -> Callable[[Any], Any]:
    """A network, without dropout, with its weights as constants, which TensorFlow folds into fewer and faster steps."""
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


def fusion_inputs(count: int, channels: Mapping[str, int], genres: int,
                  encoded: Mapping[str, tuple[Rows, NDArray, Floats]]) -> Arrays:
    """The inputs of a fusion model for `count` films, from what the models below it give.

    By the names of these, `channels` has the number of features, in the order of the fusion model, and `encoded` the films
    that there is something to go by, their features and their probabilities.

    Returns:
        arrays, 0 where absent: NAME of shape (count, channels) and `NAME_answers` of shape (count, genres) for each model,
        and `present` of shape (count, models), 1 where it has something to go by.
    """
    inputs = {"present": np.zeros((count, len(channels)), np.float32)}
    for column, (name, size) in enumerate(channels.items()):
        inputs[name] = np.zeros((count, size), np.float32)
        inputs[answers_input(name)] = np.zeros((count, genres), np.float32)
        if name in encoded:
            rows, inputs[name][rows], inputs[answers_input(name)][rows] = encoded[name]
            inputs["present"][rows, column] = 1
    return inputs


def answers_input(name: str) -> str:
    """What the input of a fusion model for the probabilities of another model is called."""
    return f"{name}_answers"


def run_fusion(network: Network, inputs: Arrays) -> Floats:
    """Probabilities by a fusion model of any number of films, from `fusion_inputs`; NaN where no input is there."""
    answers = np.full((len(inputs["present"]), len(network.metadata["genres"])), np.nan, np.float32)
    for rows in in_order(np.flatnonzero(inputs["present"].any(axis=1)), network.batch_size):
        answers[rows] = network({name: array[rows] for name, array in inputs.items()})
    return answers


def restore_vocabulary(content: dict[str, Any]) -> Tokenizer:
    """The vocabulary of a model from its metadata: of whole words, or the subwords of a pretrained encoder."""
    if "tokenizer" in content:
        from movie_genres.models.subwords import Subwords  # needs the extra `encoders`

        return Subwords.restore(content)
    return Vocabulary(**content)
