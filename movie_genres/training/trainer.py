"""Trains a network on posters or on overviews, whatever the network is, and runs it on all films."""

import functools
import logging
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from movie_genres.base.errors import UserError
from movie_genres.base.files import replacing
from movie_genres.base.progress import track
from movie_genres.checkpoints import keras_files
from movie_genres.checkpoints.average import average_answers, average_weights
from movie_genres.checkpoints.export import export
from movie_genres.checkpoints.int8 import write_int8
from movie_genres.checkpoints.noisy import NoisyNetwork
from movie_genres.inputs.features import in_order
from movie_genres.inputs.prepared import Prepared
from movie_genres.models.answers import Floats, features_on_disk, save_answers
from movie_genres.models.metrics import binary_cross_entropy, rounded
from movie_genres.models.network import Network
from movie_genres.models.run_options import RunOptions
from movie_genres.training.batches import draw
from movie_genres.training.examples import EmbeddingExamples, Examples
from movie_genres.training.loop import Data, Trained, answers_of, train_seeds
from movie_genres.training.options import OverviewTraining, PosterTraining
from movie_genres.training.outputs import Outputs, metadata_of, validation_figures, write_summary
from movie_genres.training.state import best_of, held

logger = logging.getLogger(__name__)

CHUNK = 2048  # films whose answers are in memory at once
SAMPLE = 256  # training films that tell in which range each step of a network answers


def train_network(build: Callable[[], keras.Model], prepared: Prepared, examples: Examples,
                  options: PosterTraining | OverviewTraining, outputs: Outputs, teacher: Floats | None = None, **about: Any
                  ) -> dict[str, Any]:
    """Trains a network on the training films that have its modality; the others are passed over.

    It is from what `examples` give of films to probabilities. `teacher`, of shape (films, genres), is what another model
    says of films that it has not seen, NaN elsewhere; `about` is more metadata of the checkpoint. Returns what is in the
    metrics file.

    Raises:
        UserError: there is no teacher to distil; and as `loop.train`.
    """
    films, labels = examples.films, prepared.labels
    targets = _taught(labels, teacher, options.distil)
    rows, validation = (prepared.rows(split, films.present) for split in ("train", "validation"))
    validation = validation[films.order(validation)]
    data = Data(
        batches=lambda rng: examples.batches(draw(rows, labels, options.oversample, rng), targets, rng),
        steps=len(in_order(rows, options.batch_size)),
        validation=lambda: map(films.batch, in_order(validation, options.batch_size)),
        labels=labels[validation],
        signature=(examples.signature, tf.TensorSpec((None, len(prepared.genres)), tf.float32)),
        base_rates=prepared.base_rates(),
        contents=(targets, rows, examples.contents),
    )
    metadata = metadata_of(examples.modality, prepared, **examples.metadata, **about)
    with held(outputs.state):
        trained = train_seeds(build, data, options, metadata, outputs)
        figures = _save(trained, data, options.average, metadata, outputs)
        published = publish(outputs, examples, prepared, options.int8)
        summary = write_summary(outputs, **figures, **published)
        run_on_films(outputs, examples, options.draws, options.seed)
    return summary


def _taught(labels: Floats, teacher: Floats | None, share: float) -> Floats:
    """What a network is trained to say: the labels, with a share of what a teacher says where it says anything."""
    if not share:
        return labels
    if teacher is None:
        raise UserError("distil: expected a teacher's answers; found none, as the parameter teach.folds is 0.")
    return np.where(np.isnan(teacher), labels, (1 - share) * labels + share * teacher).astype(np.float32)


def _save(trained: Sequence[Trained], data: Data, average: str, metadata: dict[str, Any], outputs: Outputs
          ) -> dict[str, Any]:
    """Writes the checkpoint of the only training, or the average of several, and returns its validation figures."""
    base_loss = binary_cross_entropy(data.labels, data.base_rates)
    if len(trained) == 1:
        outputs.model.parent.mkdir(parents=True, exist_ok=True)
        with replacing(outputs.model) as partial:
            shutil.copyfile(trained[0].checkpoint, partial)
        best = best_of(trained[0].rows)
        return {"loss": best["val_loss"], "base_loss": base_loss, "precision": best["val_precision"],
                "recall": best["val_recall"], "epoch": best["epoch"], "parameters": trained[0].parameters}
    networks = [keras_files.load(each.checkpoint)[0] for each in trained]
    model = {"weights": average_weights, "answers": average_answers}[average](networks)
    keras_files.save(model, outputs.model, metadata)
    single = [best_of(each.rows)["val_loss"] for each in trained]
    return {**validation_figures(data.labels, answers_of(model, data)), "base_loss": base_loss,
            "parameters": model.count_params(), "mean_val_loss_of_seeds": rounded(float(np.mean(single)))}


def publish(outputs: Outputs, examples: Examples | EmbeddingExamples, prepared: Prepared, most_lost: float | None
            ) -> dict[str, Any]:
    """Makes of a checkpoint what scoring runs: its ONNX file and, where that loses little skill, a copy in 8 bits.

    `most_lost` is the most skill on the validation films that the copy may lose; None: no copy. Returns what the metrics say
    of it.
    """
    model, metadata = keras_files.load(outputs.model)
    export(model, outputs.onnx, metadata)
    outputs.int8.unlink(missing_ok=True)
    if most_lost is None:
        return {}
    rows, validation = (prepared.rows(split, examples.films.present) for split in ("train", "validation"))
    sample = rows[np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).astype(int)]
    write_int8(outputs.onnx, outputs.int8, map(examples.films.batch, in_order(sample, RunOptions.batch_size)))
    labels, base_loss = prepared.labels[validation], binary_cross_entropy(prepared.labels[validation], prepared.base_rates())
    losses = [binary_cross_entropy(labels, Network(path).encode(validation, examples.films)[1])
              for path in (outputs.onnx, outputs.int8)]
    lost = (losses[1] - losses[0]) / base_loss
    logger.info("%s: in 8 bits it loses %.2f points of skill", outputs.model.stem, 100 * lost)
    if lost > most_lost:
        logger.warning("%s: no copy in 8 bits: it would lose more than %.2f points", outputs.model.stem, 100 * most_lost)
        outputs.int8.unlink()
    return {"skill_lost_in_8_bits": rounded(lost)}


def run_on_films(outputs: Outputs, examples: Examples | EmbeddingExamples, draws: int = 0, seed: int = 0
                 ) -> tuple[NDArray[np.float16], Floats]:
    """Writes what a published model of one modality says of all films; see `answers.Answers`.

    It is what scoring would say, by the same file. But a model knows the films that it was trained on by heart: its features
    of them are too good to learn from. Those of distorted films, with dropout on, are more like those of films it has never
    seen. They are distorted `draws` times, beside once not; the seed decides how. Features are streamed, so that memory does
    not grow with the number of films.

    Returns the features, mapped from disk, and probabilities of shape (films, genres), NaN for a film without the modality.
    """
    network, films, present = Network(outputs.runs), examples.films, np.flatnonzero(examples.films.present)
    features = features_on_disk(outputs.out, (1 + draws, len(examples.films.present), network.channels))
    probabilities = np.full((features.shape[1], len(network.metadata["genres"])), np.nan, np.float32)
    parts = in_order(present, CHUNK)
    with ThreadPoolExecutor() as pool:
        for part, answers in zip(parts, pool.map(lambda part: network.encode(part, films), parts)):
            features[0, part], probabilities[part] = answers
    if draws:
        noisy = NoisyNetwork(outputs.model)
        again = [(drawn, part) for drawn in range(1, 1 + draws) for part in parts]
        for number, (drawn, part) in enumerate(track(again, len(again), f"Answers of {outputs.model.stem}")):
            rng = np.random.default_rng([seed, number])
            features[drawn, part] = noisy.encode(part, films, functools.partial(examples.distort, rng=rng), rng)
    features.flush()
    save_answers(outputs.out, examples.modality, outputs.onnx, probabilities)
    return features, probabilities
