"""Answers of trained models: the one way from decoded posters and token ids to probabilities."""

import functools
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from movie_genres import checkpoints
from movie_genres.batches import in_order, pad
from movie_genres.errors import InputError
from movie_genres.layers import FEATURES
from movie_genres.models import FUSION, POSTER
from movie_genres.posters import DECODER
from movie_genres.vocabulary import Vocabulary

BATCH_SIZE = 128


class Network:
    """One trained model, compiled once for batches of a fixed size.

    Args:
        path: its `.keras` file.
        batch_size: films a step; smaller batches are filled up.

    Attributes:
        metadata: dict; `modality` is `poster` or `overview`, or None for a fusion model.

    Raises:
        InputError: as `checkpoints.load`, or the model was made for another decoder.
    """

    def __init__(self, path, batch_size=BATCH_SIZE):
        self.model, self.metadata = checkpoints.load(path)
        self.modality, self.batch_size = self.metadata["modality"], batch_size
        if self.metadata.get("decoder", DECODER) != DECODER:
            raise InputError(path, f"a model for the poster decoder {DECODER}", self.metadata["decoder"], "Train it again.")
        self.model.trainable = False  # keeps batch normalisation as it was learned when dropout is on
        inputs, outputs = self.model.input, self.model.output
        if self.modality is not None:
            outputs = [self.model.get_layer(FEATURES).output, outputs]
        network = keras.Model(inputs, outputs)
        signature = tf.nest.map_structure(lambda x: tf.TensorSpec((batch_size, *x.shape[1:]), x.dtype), inputs)
        self._run = {noisy: tf.function(functools.partial(network, training=noisy), input_signature=[signature])
                     for noisy in (False, True)}

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

    def encode(self, rows, posters=None, overviews=None, distort=None):
        """Runs any number of films that have this network's modality.

        Args:
            rows: int array of film indices.
            posters: `arrays.Posters`, for a network of posters.
            overviews: `arrays.Overviews`, for a network of overviews.
            distort: function of a batch of pixels or token ids that returns it distorted, as in training; dropout is
                then on. None: neither.

        Returns:
            (features, probabilities): float32 arrays with a line for each of `rows`.
        """
        if self.modality == POSTER:
            order = np.arange(len(rows))
            inputs = (posters.pixels[rows[lines]] for lines in in_order(order, self.batch_size))
        else:  # like lengths together: little padding
            order = np.argsort(overviews.lengths[rows], kind="stable")
            inputs = (pad(overviews, rows[lines]) for lines in in_order(order, self.batch_size))
        batches = map(self, inputs) if distort is None else (self(distort(batch), noisy=True) for batch in inputs)
        features, probabilities = (np.concatenate(parts) for parts in zip(*batches))
        back = np.argsort(order)
        return features[back], probabilities[back]


class Models:
    """Models that belong together: those of single modalities, and the fusion model over them.

    Args:
        paths: list of `.keras` files; see `models.find_models`.
        batch_size: films a step.
        decisions: dict from model name to `decisions.Decision`: their probabilities are then calibrated; see
            `decisions.read_decisions`.

    Attributes:
        genres: list of names, the order of all probabilities.
        base_rates: float array of shape (genres,), the shares of the training films.
        image_size: (height, width) of posters, None without a poster model.
        vocabulary: `Vocabulary`, None without an overview model.

    Raises:
        InputError: a model cannot be loaded.
    """

    def __init__(self, paths, batch_size=BATCH_SIZE, decisions=None):
        networks = {Path(path).stem: Network(path, batch_size) for path in paths}
        self.networks = {name: network for name, network in networks.items() if network.modality is not None}
        self.fusion = next((network for network in networks.values() if network.modality is None), None)
        metadata = {key: value for network in networks.values() for key, value in network.metadata.items()}
        self.genres, self.base_rates = metadata["genres"], np.array(metadata["base_rates"])
        self.image_size = tuple(metadata["image_size"]) if "image_size" in metadata else None
        self.decisions = decisions or {}
        self.vocabulary = Vocabulary(metadata["tokens"], metadata["max_length"]) if "tokens" in metadata else None

    def encode(self, rows, posters=None, overviews=None, distort=None):
        """Runs the models of single modalities on those films of `rows` that have the modality.

        Args:
            rows: int array of film indices.
            posters: `arrays.Posters`, or None: no film has one.
            overviews: `arrays.Overviews`, or None: no film has one.
            distort: dict from modality to a function as of `Network.encode`, or None.

        Returns:
            dict from model name to (bool array of shape (rows,), where the film has the modality, and for those films
            the features and the probabilities), without models that no film has the modality of.
        """
        encoded = {}
        for name, network in self.networks.items():
            given = posters if network.modality == POSTER else overviews
            present = np.zeros(len(rows), bool) if given is None else given.present[rows]
            if present.any():
                distortion = distort and distort[network.modality]
                encoded[name] = present, *network.encode(rows[present], posters, overviews, distortion)
        return encoded

    def predict(self, rows, posters=None, overviews=None, calibrated=True):
        """Probabilities of some films by each model, calibrated where there is a decision. Arguments as of `encode`.

        Returns:
            dict from model name to float32 array of shape (rows, genres); NaN where a model has nothing to go by.
        """
        encoded = self.encode(rows, posters, overviews)
        answers = {name: np.full((len(rows), len(self.genres)), np.nan, np.float32) for name in self.networks}
        for name, (present, _, probabilities) in encoded.items():
            answers[name][present] = probabilities
        if self.fusion is not None:
            answers[FUSION] = self._fuse(len(rows), encoded)
        return {name: self.decisions[name].calibrate(of_model) if calibrated and name in self.decisions else of_model
                for name, of_model in answers.items()}

    def best(self, answers):
        """Of the answers of `predict`, those to give a user.

        The fusion model's where it had two inputs or more; where only one model had something to go by, its own answer,
        which is the better one then.

        Returns:
            (probabilities, thresholds): float arrays of shape (rows, genres); thresholds are 0.5 for a model without a
            decision.
        """
        names = [*self.networks, *([FUSION] if self.fusion is not None else [])]
        known = np.stack([~np.isnan(answers[name][:, 0]) for name in self.networks])  # (networks, rows)
        chosen = known.argmax(axis=0)
        if self.fusion is not None:
            chosen = np.where(known.sum(axis=0) > 1, len(self.networks), chosen)
        half = np.full(len(self.genres), 0.5)
        thresholds = np.stack([self.decisions[name].thresholds if name in self.decisions else half for name in names])
        return np.stack([answers[name] for name in names])[chosen, np.arange(len(chosen))], thresholds[chosen]

    def _fuse(self, count, encoded):
        sizes = {name: self.fusion.model.get_layer(name).output.shape[-1] for name in self.fusion.metadata["inputs"]}
        inputs = fusion_inputs(count, sizes, encoded)
        answers = np.full((count, len(self.genres)), np.nan, np.float32)
        for rows in in_order(np.flatnonzero(inputs["present"].any(axis=1)), self.fusion.batch_size):
            answers[rows] = self.fusion({name: array[rows] for name, array in inputs.items()})
        return answers


def fusion_inputs(count, sizes, encoded):
    """The inputs of a fusion model from the answers of the models below it.

    Args:
        count: number of films.
        sizes: dict from the name of each input to its number of features, in the order of the fusion model.
        encoded: as `Models.encode` returns it.

    Returns:
        dict from the same names to float32 (count, size), 0 where absent, and `present`: float32 (count, inputs).
    """
    inputs = {name: np.zeros((count, size), np.float32) for name, size in sizes.items()}
    inputs["present"] = np.zeros((count, len(sizes)), np.float32)
    for column, name in enumerate(sizes):
        if name in encoded:
            present, features, _ = encoded[name]
            inputs[name][present] = features
            inputs["present"][present, column] = 1
    return inputs
