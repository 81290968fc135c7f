"""Runs a trained model on all films, for the stages that build on it."""

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.progress import track
from movie_genres.inputs.features import in_order
from movie_genres.models.answers import features_on_disk
from movie_genres.models.layers import FEATURES, reseed
from movie_genres.models.network import Network
from movie_genres.training.examples import Examples

CHUNK = 2048  # films whose answers are in memory at once


def run_on_films(checkpoint: Path, examples: Examples, folder: Path, draws: int = 0, seed: int = 0
                 ) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Writes the features that a model of one modality gives of all films; see `answers.Answers`.

    A model knows the films that it was trained on by heart: its features of them are too good to learn from. Those of
    distorted films, with dropout on, are more like those of films it has never seen. They are distorted `draws` times,
    beside once not; the seed decides how. Features are streamed, so that memory does not grow with the number of films.

    Returns the features, mapped from disk, and probabilities of shape (films, genres), NaN for a film without the modality.
    """
    network, films, present = Network(checkpoint), examples.films, examples.films.present
    shape = (1 + draws, len(present), network.model.get_layer(FEATURES).output.shape[-1])
    features = features_on_disk(folder, shape)
    probabilities = np.full((len(present), len(network.metadata["genres"])), np.nan, np.float32)
    parts = [(draw, part) for draw in range(1 + draws) for part in in_order(np.flatnonzero(present), CHUNK)]
    for number, (draw, part) in enumerate(track(parts, len(parts), f"Answers of {checkpoint.stem}")):
        rng = np.random.default_rng([seed, number])
        reseed(network.model, rng)
        distort = functools.partial(examples.distort, rng=rng) if draw else None
        features[draw, part], answers = network.encode(part, films, distort)
        if draw == 0:
            probabilities[part] = answers
    features.flush()
    return features, probabilities
