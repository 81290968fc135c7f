"""What a trained network gives of distorted films, with dropout on: more like what it gives of films it has never seen."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from movie_genres.checkpoints import keras_files
from movie_genres.checkpoints.layers import FEATURES, reseed
from movie_genres.inputs.features import in_order
from movie_genres.inputs.modality import FilmArrays
from movie_genres.models.answers import Floats, Rows

BATCH_SIZE = 128


class NoisyNetwork:
    """A trained network of one modality, compiled once for batches of a fixed size; smaller ones are filled up.

    Raises:
        InputError: as `keras_files.load`.
    """

    def __init__(self, path: Path):
        self._model, _ = keras_files.load(path)
        self._model.trainable = False  # keeps batch normalisation as it was learned when dropout is on
        features = keras.Model(self._model.input, self._model.get_layer(FEATURES).output)
        given = self._model.input
        signature = tf.TensorSpec((BATCH_SIZE, *given.shape[1:]), given.dtype)
        self._run = tf.function(lambda inputs: features(inputs, training=True), input_signature=[signature])

    def encode(self, rows: Rows, films: FilmArrays, distort: Callable[[NDArray], NDArray], rng: np.random.Generator
               ) -> Floats:
        """Features of any number of films that have this network's modality, of shape (rows, channels).

        `distort` distorts a batch of pixels or token ids as in training; dropout follows from `rng`.
        """
        reseed(self._model, rng)
        order = films.order(rows)
        parts = [self._batch(distort(films.batch(rows[lines]))) for lines in in_order(order, BATCH_SIZE)]
        return np.concatenate(parts)[np.argsort(order)]

    def _batch(self, batch: NDArray) -> Floats:
        filled = np.zeros((BATCH_SIZE, *batch.shape[1:]), batch.dtype)
        filled[:len(batch)] = batch
        return self._run(filled).numpy()[:len(batch)]
