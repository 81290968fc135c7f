"""Trains a network on posters or on overviews, whatever the network is, and writes what it says of all films."""

import shutil
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from movie_genres.base.files import file_digest, replacing
from movie_genres.inputs.features import in_order
from movie_genres.inputs.prepared import Prepared
from movie_genres.models.answers import save_answers
from movie_genres.training.answering import run_on_films
from movie_genres.training.batches import draw
from movie_genres.training.examples import Examples
from movie_genres.training.loop import Data, train
from movie_genres.training.options import OverviewTraining, PosterTraining
from movie_genres.training.outputs import Outputs, metadata_of, write_history, write_summary
from movie_genres.training.state import best_of, held


def train_network(build: Callable[[], keras.Model], prepared: Prepared, examples: Examples,
                  options: PosterTraining | OverviewTraining, outputs: Outputs, **about: Any) -> dict[str, Any]:
    """Trains a network on the training films that have its modality; the others are passed over.

    It is from what `examples` give of films to probabilities; `about` is more metadata of its checkpoint. Returns what is
    in the metrics file; raises as `loop.train`.
    """
    films, labels, base_rates = examples.films, prepared.labels, prepared.base_rates()
    rows, validation = (prepared.rows(split, films.present) for split in ("train", "validation"))
    validation = validation[films.order(validation)]
    data = Data(
        batches=lambda rng: examples.batches(draw(rows, labels, options.oversample, rng), labels, rng),
        steps=len(in_order(rows, options.batch_size)),
        validation=lambda: map(films.batch, in_order(validation, options.batch_size)),
        labels=labels[validation],
        signature=(examples.signature, tf.TensorSpec((None, len(prepared.genres)), tf.float32)),
        base_rates=base_rates,
        contents=(labels, rows, examples.contents),
    )
    metadata = metadata_of(examples.modality, prepared, **examples.metadata, **about)
    with held(outputs.state):
        trained = train(build, data, options, metadata, outputs)
        outputs.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        with replacing(outputs.checkpoint) as partial:
            shutil.copyfile(trained.checkpoint, partial)
        write_history(outputs.history, trained.rows)
        best = best_of(trained.rows)
        summary = write_summary(outputs.metrics, best["val_loss"], best["base_rate_loss"], best["val_precision"],
                                best["val_recall"], epoch=best["epoch"], parameters=trained.parameters)
        _, probabilities = run_on_films(outputs.checkpoint, examples, outputs.answers, options.draws, options.seed)
        save_answers(outputs.answers, examples.modality, file_digest(outputs.checkpoint), probabilities)
    return summary
