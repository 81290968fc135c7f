"""Answers of trained models: the one way from decoded posters and token ids to probabilities."""

import functools
import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from movie_genres import checkpoints
from movie_genres.batches import in_order, pad
from movie_genres.errors import InputError
from movie_genres.files import file_digest
from movie_genres.layers import FEATURES, reseed
from movie_genres.models import BOTH, FUSION, OVERVIEW, POSTER
from movie_genres.posters import DECODER
from movie_genres.progress import track
from movie_genres.vocabulary import restore_vocabulary

BATCH_SIZE = 128
CHUNK = 2048  # films whose answers are in memory at once


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
            films: `arrays.Posters` or `arrays.Overviews`, by the network's modality.
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


def write_answers(path, films, folder, draws=0, distort=None, seed=0):
    """Runs a model of one modality on all prepared films, for the stages that build on it; see `arrays.Answers`.

    A model knows the films that it was trained on by heart: its features of them are too good to learn from. Those of
    distorted films, with dropout on, are more like those of films it has never seen.

    Args:
        path: the model's `.keras` file.
        films: `arrays.Posters` or `arrays.Overviews`, by the model's modality.
        folder: where to; streamed, so that memory does not grow with the number of films.
        draws: how many times the films are distorted, beside once not.
        distort: function of (a batch of pixels or token ids, a `numpy.random.Generator`) that returns it distorted.
        seed: decides the distortions.
    """
    network, folder, present = Network(path), Path(folder), films.present
    folder.mkdir(parents=True, exist_ok=True)
    shape = (1 + draws, len(present), network.model.get_layer(FEATURES).output.shape[-1])
    features = np.lib.format.open_memmap(folder / "features.npy", "w+", np.float16, shape)
    probabilities = np.full((len(present), len(network.metadata["genres"])), np.nan, np.float32)
    parts = [(draw, part) for draw in range(1 + draws) for part in in_order(np.flatnonzero(present), CHUNK)]
    for number, (draw, part) in enumerate(track(parts, len(parts), f"Answers of {Path(path).stem}")):
        rng = np.random.default_rng([seed, number])
        reseed(network.model, rng)
        features[draw, part], answers = network.encode(part, films, functools.partial(distort, rng=rng) if draw else None)
        if draw == 0:
            probabilities[part] = answers
    features.flush()
    np.save(folder / "probabilities.npy", probabilities)
    write_about(folder, path, network.modality)


def write_about(folder, path, modality, alone=()):
    """Writes which model the answers in a folder are from; see `arrays.Answers`."""
    about = {"modality": modality, "digest": file_digest(path), "alone": list(alone)}
    (Path(folder) / "answers.json").write_text(json.dumps(about, indent=2) + "\n")


class Models:
    """Models that belong together: those of single modalities, and the fusion model over them.

    Args:
        files: list of `models.ModelFile`.
        decisions: `decisions.Decisions`: which model to believe, and how to calibrate its answers.
        batch_size: films a step.

    Attributes:
        genres: list of names, the order of all probabilities.
        networks: dict from name to `Network`, those of single modalities.
        fusion: `Network`, or None.

    Raises:
        InputError: a model cannot be loaded.
    """

    def __init__(self, files, decisions, batch_size=BATCH_SIZE):
        networks = {file.name: Network(file.path, batch_size) for file in files}
        self.networks = {name: network for name, network in networks.items() if network.modality is not None}
        self.fusion, self.decisions = networks.get(FUSION), decisions
        self.genres = next(iter(networks.values())).metadata["genres"]

    def of_modality(self, modality):
        """The networks of a modality, a dict from name to `Network`."""
        return {name: network for name, network in self.networks.items() if network.modality == modality}

    def predict(self, count, films):
        """Probabilities of some films by each model, as it gives them.

        Args:
            count: number of films.
            films: dict from the name of each model of one modality to the `arrays.Posters` or `arrays.Overviews` that it
                takes.

        Returns:
            dict from model name to float32 array of shape (count, genres); NaN where a model has nothing to go by.
        """
        answers, encoded = {}, {}
        for name, network in self.networks.items():
            answers[name] = np.full((count, len(self.genres)), np.nan, np.float32)
            rows = np.flatnonzero(films[name].present)
            if len(rows):
                encoded[name] = rows, *network.encode(rows, films[name])
                answers[name][rows] = encoded[name][-1]
        if self.fusion is not None:
            inputs = fusion_inputs(count, self.fusion.metadata["channels"], len(self.genres), encoded)
            answers[FUSION] = run_fusion(self.fusion, inputs)
        return answers

    def decide(self, count, films):
        """The answers to give a user: for each film those of the model that did best on validation films like it.

        Args: as of `predict`.

        Returns:
            (probabilities, thresholds): float arrays of shape (count, genres); calibrated where the decisions say how, NaN
            for a film that no model has anything to go by; thresholds are 0.5 where none are tuned.
        """
        answers = self.predict(count, films)
        shown = {modality: np.any([films[name].present for name in self.of_modality(modality)], axis=0)
                 for modality in (POSTER, OVERVIEW) if self.of_modality(modality)}
        both = np.all(list(shown.values()), axis=0) & (len(shown) > 1)
        probabilities, thresholds = np.full((2, count, len(self.genres)), np.nan)
        for films_like_it, ranking in self.decisions.ranking.items():
            rows = both if films_like_it == BOTH else shown.get(films_like_it, np.zeros(count, bool)) & ~both
            for name in reversed([name for name in ranking if name in answers]):  # the best one last: it prevails
                lines = np.flatnonzero(rows & ~np.isnan(answers[name][:, 0]))
                decision = self.decisions.of(name, len(self.genres), films_like_it)
                probabilities[lines], thresholds[lines] = decision.calibrate(answers[name][lines]), decision.thresholds
        return probabilities, thresholds


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
