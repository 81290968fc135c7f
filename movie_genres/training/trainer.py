"""Trains a network on posters or on overviews, whatever the network is, and runs it on all films."""

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from movie_genres.base.files import replacing
from movie_genres.base.progress import track
from movie_genres.inputs.features import in_order
from movie_genres.inputs.prepared import Prepared
from movie_genres.models.answers import Floats, features_on_disk, save_answers
from movie_genres.models.layers import FEATURES, reseed
from movie_genres.models.network import Network
from movie_genres.training.batches import draw
from movie_genres.training.examples import Examples
from movie_genres.training.loop import Data, train
from movie_genres.training.options import OverviewTraining, PosterTraining
from movie_genres.training.outputs import Outputs, metadata_of, write_history, write_summary
from movie_genres.training.state import best_of, held

CHUNK = 2048  # films whose answers are in memory at once


def train_network(build: Callable[[], keras.Model], prepared: Prepared, examples: Examples,
                  options: PosterTraining | OverviewTraining, outputs: Outputs, **about: Any) -> dict[str, Any]:
    """Trains a network on the training films that have its modality; the others are passed over.

    It is from what `examples` give of films to probabilities; `about` is more metadata of its checkpoint. Returns what is
    in the metrics file; raises as `loop.train`.
    """
    films, labels = examples.films, prepared.labels
    rows, validation = (prepared.rows(split, films.present) for split in ("train", "validation"))
    validation = validation[films.order(validation)]
    data = Data(
        batches=lambda rng: examples.batches(draw(rows, labels, options.oversample, rng), labels, rng),
        steps=len(in_order(rows, options.batch_size)),
        validation=lambda: map(films.batch, in_order(validation, options.batch_size)),
        labels=labels[validation],
        signature=(examples.signature, tf.TensorSpec((None, len(prepared.genres)), tf.float32)),
        base_rates=prepared.base_rates(),
        contents=(labels, rows, examples.contents),
    )
    metadata = metadata_of(examples.modality, prepared, **examples.metadata, **about)
    with held(outputs.state):
        trained = train(build, data, options, metadata, outputs)
        outputs.model.parent.mkdir(parents=True, exist_ok=True)
        with replacing(outputs.model) as partial:
            shutil.copyfile(trained.checkpoint, partial)
        write_history(outputs.history, trained.rows)
        best = best_of(trained.rows)
        summary = write_summary(outputs.metrics, best["val_loss"], best["base_rate_loss"], best["val_precision"],
                                best["val_recall"], epoch=best["epoch"], parameters=trained.parameters)
        _, probabilities = run_on_films(outputs.model, examples, outputs.out, options.draws, options.seed)
        save_answers(outputs.out, examples.modality, outputs.model, probabilities)
    return summary


def run_on_films(checkpoint: Path, examples: Examples, folder: Path, draws: int = 0, seed: int = 0
                 ) -> tuple[NDArray[np.float16], Floats]:
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
    parts = [(drawn, part) for drawn in range(1 + draws) for part in in_order(np.flatnonzero(present), CHUNK)]
    for number, (drawn, part) in enumerate(track(parts, len(parts), f"Answers of {checkpoint.stem}")):
        rng = np.random.default_rng([seed, number])
        reseed(network.model, rng)
        distort = functools.partial(examples.distort, rng=rng) if drawn else None
        features[drawn, part], answers = network.encode(part, films, distort)
        if drawn == 0:
            probabilities[part] = answers
    features.flush()
    return features, probabilities
