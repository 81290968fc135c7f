"""Answers of trained models: the one way from decoded posters and token ids to probabilities."""

import functools

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from movie_genres.base.errors import InputError
from movie_genres.inputs.features import in_order, pad
from movie_genres.inputs.modality import OVERVIEW, POSTER
from movie_genres.inputs.posters import DECODER
from movie_genres.inputs.vocabulary import Vocabulary
from movie_genres.models import checkpoints
from movie_genres.models.layers import FEATURES

BATCH_SIZE = 128


def use_mixed_precision():
    """From now on, networks are compiled to compute in half precision where the processor or GPU can.

    That changes probabilities by up to about 0.01.
    """
    options = {"auto_mixed_precision": True, "auto_mixed_precision_onednn_bfloat16": True}  # for a GPU, for a processor
    tf.config.optimizer.set_experimental_options(options)


class Network:
    """One trained model, compiled once for batches of a fixed size.

    Args:
        path: its `.keras` file.
        batch_size: films a step; smaller batches are filled up.

    Attributes:
        metadata: dict; `modality` is `poster` or `overview`, or None for a fusion model.
        image_size: (height, width) of posters, None for other models.
        vocabulary: what turns overviews to token ids, such as a `vocabulary.Vocabulary`; None for other models.

    Raises:
        InputError: as `checkpoints.load`, or the model was made for another decoder.
    """

    def __init__(self, path, batch_size=BATCH_SIZE):
        self.model, self.metadata = checkpoints.load(path)
        self.modality, self.batch_size = self.metadata["modality"], batch_size
        if self.metadata.get("decoder", DECODER) != DECODER:
            raise InputError(path, f"a model for the poster decoder {DECODER}", self.metadata["decoder"], "Train it again.")
        self.image_size = tuple(self.metadata["image_size"]) if self.modality == POSTER else None
        self.vocabulary = restore_vocabulary(self.metadata["vocabulary"]) if self.modality == OVERVIEW else None
        self._check_shapes(path)
        self.model.trainable = False  # keeps batch normalisation as it was learned when dropout is on
        inputs, outputs = self.model.input, self.model.output
        if self.modality is not None:
            outputs = [self.model.get_layer(FEATURES).output, outputs]
        network = keras.Model(inputs, outputs)
        signature = tf.nest.map_structure(lambda x: tf.TensorSpec((batch_size, *x.shape[1:]), x.dtype), inputs)
        plain, noisy = (tf.function(functools.partial(network, training=training), input_signature=[signature])
                        for training in (False, True))
        self._run = {False: _frozen(plain, signature, outputs), True: noisy}

    def _check_shapes(self, path):
        """Refuses a model whose network is not the one that its metadata describe."""
        genres, shape = len(self.metadata["genres"]), self.model.output_shape
        if not isinstance(shape, tuple) or shape[-1] != genres:
            raise InputError(path, f"a probability for each of {genres} genres", f"the output {shape}", "Train it again.")
        if self.modality == POSTER and self.model.input_shape != (None, *self.image_size, 3):
            raise InputError(path, f"an input of {self.image_size} pixels", f"{self.model.input_shape}", "Train it again.")

    def __call__(self, inputs, noisy=False):
        """Runs one batch of at most `batch_size` films.

        Args:
            inputs: array, or dict of arrays, with one line a film.
            noisy: whether dropout is on.

        Returns:
            float32 arrays: (features, probabilities), or only probabilities of a fusion model.
        """
        count = len(tf.nest.flatten(inputs)[0])
        filled = tf.nest.map_structure(self._fill, inputs)
        return tf.nest.map_structure(lambda x: x.numpy()[:count], self._run[noisy](filled))

    def _fill(self, array):
        filled = np.zeros((self.batch_size, *array.shape[1:]), array.dtype)
        filled[:len(array)] = array
        return filled

    def encode(self, rows, films, distort=None):
        """Runs any number of films that have this network's modality.

        Args:
            rows: int array of film indices.
            films: `features.Posters` or `features.Overviews`, by the network's modality.
            distort: function of a batch of pixels or token ids that returns it distorted, as in training; dropout is
                then on. None: neither.

        Returns:
            (features, probabilities): float32 arrays with a line for each of `rows`.
        """
        if self.modality == POSTER:
            order = np.arange(len(rows))
            inputs = (films.pixels[rows[lines]] for lines in in_order(order, self.batch_size))
        else:  # like lengths together: little padding
            order = np.argsort(films.lengths[rows], kind="stable")
            inputs = (pad(films, rows[lines]) for lines in in_order(order, self.batch_size))
        batches = map(self, inputs) if distort is None else (self(distort(batch), noisy=True) for batch in inputs)
        features, probabilities = (np.concatenate(parts) for parts in zip(*batches))
        back = np.argsort(order)
        return features[back], probabilities[back]


def _frozen(function, signature, outputs):
    """The same function with its weights as constants, which TensorFlow folds into fewer and faster steps."""
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    return tf.function(lambda inputs: tf.nest.pack_sequence_as(outputs, frozen(*tf.nest.flatten(inputs))),
                       input_signature=[signature])


def fusion_inputs(count, channels, genres, encoded):
    """The inputs of a fusion model from what the models below it give.

    Args:
        count: number of films.
        channels: dict from the name of each model below to its number of features, in the order of the fusion model.
        genres: int, number of genres.
        encoded: dict from name to (int array of the films that the model has something to go by, their features, their
            probabilities).

    Returns:
        dict of float32 arrays, 0 where absent: NAME of shape (count, channels) and `NAME_answers` of shape (count, genres)
        for each model, and `present` of shape (count, models), 1 where it has something to go by.
    """
    inputs = {"present": np.zeros((count, len(channels)), np.float32)}
    for column, (name, size) in enumerate(channels.items()):
        inputs[name] = np.zeros((count, size), np.float32)
        inputs[answers_input(name)] = np.zeros((count, genres), np.float32)
        if name in encoded:
            rows, inputs[name][rows], inputs[answers_input(name)][rows] = encoded[name]
            inputs["present"][rows, column] = 1
    return inputs


def answers_input(name):
    """What the input of a fusion model for the probabilities of another model is called."""
    return f"{name}_answers"


def run_fusion(network, inputs):
    """Probabilities by a fusion model of any number of films, float32; NaN where no input is there.

    Args:
        network: `Network`.
        inputs: as of `fusion_inputs`.
    """
    answers = np.full((len(inputs["present"]), len(network.metadata["genres"])), np.nan, np.float32)
    for rows in in_order(np.flatnonzero(inputs["present"].any(axis=1)), network.batch_size):
        answers[rows] = network({name: array[rows] for name, array in inputs.items()})
    return answers



def restore_vocabulary(content):
    """The vocabulary of a model from its metadata: a `Vocabulary`, or `subwords.Subwords` of a pretrained encoder."""
    if "tokenizer" in content:
        from movie_genres.models.subwords import Subwords  # needs the extra `encoders`

        return Subwords.restore(content)
    return Vocabulary(**content)

