"""Runs a trained model on all films, for the stages that build on it."""

import functools
import json
from pathlib import Path

import numpy as np

from movie_genres.base.files import file_digest
from movie_genres.base.progress import track
from movie_genres.inputs.features import in_order
from movie_genres.models.layers import FEATURES, reseed
from movie_genres.models.network import Network

CHUNK = 2048  # films whose answers are in memory at once


def write_answers(path, films, folder, draws=0, distort=None, seed=0):
    """Runs a model of one modality on all prepared films, for the stages that build on it; see `answers.Answers`.

    A model knows the films that it was trained on by heart: its features of them are too good to learn from. Those of
    distorted films, with dropout on, are more like those of films it has never seen.

    Args:
        path: the model's `.keras` file.
        films: `features.Posters` or `features.Overviews`, by the model's modality.
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
    """Writes which model the answers in a folder are from; see `answers.Answers`."""
    about = {"modality": modality, "digest": file_digest(path), "alone": list(alone)}
    (Path(folder) / "answers.json").write_text(json.dumps(about, indent=2) + "\n")

