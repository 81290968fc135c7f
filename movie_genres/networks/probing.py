"""Predictions over features that stay as they are: a logistic regression, whose strength validation films choose."""

import logging
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from movie_genres.base.errors import Remedy, UserError
from movie_genres.checkpoints import keras_files
from movie_genres.checkpoints.layers import PREDICTIONS, log_odds
from movie_genres.inputs.prepared import Prepared
from movie_genres.models.answers import Floats
from movie_genres.models.metrics import binary_cross_entropy
from movie_genres.training.examples import EmbeddingExamples, Examples
from movie_genres.training.outputs import Outputs, validation_figures, write_summary
from movie_genres.training.trainer import publish, run_on_films

logger = logging.getLogger(__name__)


def fit_predictions(model: keras.Model, prepared: Prepared, examples: Examples | EmbeddingExamples,
                    strengths: Sequence[float], int8: float | None, metadata: dict[str, Any], outputs: Outputs
                    ) -> dict[str, Any]:
    """Fits the predictions of a model, a logistic regression over its features, and writes what it says of all films.

    Of the `strengths` of `linear_probe`, validation films choose; `int8` is as of `trainer.publish`. Returns what is in the
    metrics file.

    Raises:
        UserError: no training film, or no validation film, has what the model takes.
    """
    present = examples.films.present
    rows, validation = (prepared.rows(split, present) for split in ("train", "validation"))
    if not len(rows) or not len(validation):
        raise UserError(f"{outputs.model}: no training film or no validation film has a {examples.modality}.",
                        Remedy.TRAIN_OTHERS)
    untrained = outputs._replace(model=outputs.state / outputs.model.name, out=outputs.state / "answers")
    keras_files.save(model, untrained.model, metadata)
    publish(untrained, examples, prepared, None)
    (features,), _ = run_on_films(untrained, examples)
    shown, labels = features[validation].astype(np.float32), prepared.labels[validation]
    fits = []
    for strength in strengths:
        kernel, bias = linear_probe(features[rows].astype(np.float32), prepared.labels[rows], strength)
        loss = binary_cross_entropy(labels, _sigmoid(shown @ kernel + bias))
        logger.info("%s: C %g, validation loss %.4f", outputs.model.stem, strength, loss)
        fits.append((loss, strength, kernel, bias))
    _, best, kernel, bias = min(fits, key=lambda fit: fit[0])
    model.get_layer(PREDICTIONS).set_weights([kernel, bias])
    keras_files.save(model, outputs.model, metadata)
    published = publish(outputs, examples, prepared, int8)
    _, probabilities = run_on_films(outputs, examples)
    return write_summary(outputs, base_loss=binary_cross_entropy(labels, prepared.base_rates()), C=best,
                         parameters=model.count_params(), **published,
                         **validation_figures(labels, probabilities[validation]))


def linear_probe(features: Floats, labels: Floats, strength: float) -> tuple[Floats, Floats]:
    """A logistic regression of inverse regularisation `strength` for each genre over standardised features.

    From features of shape (films, channels) and labels of shape (films, genres) to kernel and bias, of shape (channels,
    genres) and (genres,), for features as they are; a genre that no film, or every film, has gets its base rate.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation[deviation < 1e-6] = 1.0
    standardised = (features - mean) / deviation
    kernel, bias = np.zeros((features.shape[1], labels.shape[1]), np.float32), np.array(log_odds(labels.mean(axis=0), 1e-4))
    for genre in np.flatnonzero(labels.min(axis=0) != labels.max(axis=0)):
        fit = LogisticRegression(C=strength, max_iter=300).fit(standardised, labels[:, genre])
        kernel[:, genre] = fit.coef_[0] / deviation
        bias[genre] = fit.intercept_[0] - mean @ kernel[:, genre]
    return kernel, bias


def _sigmoid(x: NDArray) -> NDArray:
    return 1 / (1 + np.exp(-x))
