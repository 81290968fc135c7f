"""The joint head over the features of other models, which answers also when some of them are missing."""

from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.batches import augment, by_length, draw, drop_words, in_order
from movie_genres.files import file_digest
from movie_genres.inference import Models, fusion_inputs
from movie_genres.layers import FEATURES, PREDICTIONS, AttentionFusion, GatedFusion
from movie_genres.models import OVERVIEW, POSTER, model_path
from movie_genres.options import STRICT
from movie_genres.training import Data, TrainingOptions, reseed, start, train


@dataclass(config=STRICT, frozen=True, kw_only=True)
class FusionOptions(TrainingOptions):
    """The `fusion` section of `params.yaml`.

    Attributes:
        inputs: names of the models whose features are joined.
        architecture: `concat`, `gated` (see `layers.GatedFusion`) or `attention` (see `layers.AttentionFusion`).
        units: channels to which each model's features are projected.
        dropout: on the features and before the predictions.
        heads: attention heads of `attention`.
        modality_dropout: in training, the share of films with more than one modality of which one is hidden at random.
        word_dropout, flip, shift, brightness: distortion of the training films, as in `LstmOptions` and `CnnOptions`.
            The models below know the training films by heart; undistorted features of them would be too good to learn
            from. So more words are dropped here than in the training of the overview model.
    """

    inputs: tuple[str, ...] = ("cnn", "lstm")
    architecture: Literal["concat", "gated", "attention"] = "gated"
    units: int = Field(default=128, ge=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    heads: int = Field(default=4, ge=1)
    modality_dropout: float = Field(default=0.5, ge=0, le=1)
    word_dropout: float = Field(default=0.4, ge=0, lt=1)
    flip: bool = True
    shift: float = Field(default=0.1, ge=0, le=0.5)
    brightness: float = Field(default=0.1, ge=0, le=1)


def build_fusion(statistics, genres, options):
    """Builds the fusion head.

    Args:
        statistics: dict from the name of each input, such as `cnn`, to (mean, variance) of its features over the
            training films: float arrays of shape (channels,).
        genres: int, number of outputs.
        options: `FusionOptions`.

    Returns:
        `keras.Model` from {name: float32 (batch, channels), …, "present": float32 (batch, inputs), 1 where that input
        is there and 0 where not} to float32 (batch, genres), probabilities.
    """
    present = keras.Input((len(statistics),), name="present")
    features = {name: keras.Input((len(mean),), name=name) for name, (mean, _) in statistics.items()}
    vectors = ops.stack([_project(features[name], name, *statistics[name], options) for name in features], axis=1)
    if options.architecture == "gated":
        x = GatedFusion(options.units)(vectors, present)
    elif options.architecture == "attention":
        x = AttentionFusion(options.heads)(vectors, present)
    else:
        x = layers.Flatten()(vectors * ops.expand_dims(present, -1))
        x = layers.Dense(options.units, activation="relu")(layers.Concatenate()([x, present]))
    x = layers.Dropout(options.dropout)(x)
    predictions = layers.Dense(genres, activation="sigmoid", name=PREDICTIONS)(x)
    return keras.Model({**features, "present": present}, predictions, name=f"{options.architecture}_fusion")


def _project(features, name, mean, variance, options):
    x = layers.Normalization(mean=mean, variance=variance, name=f"normalise_{name}")(features)
    x = layers.Dropout(options.dropout)(x)
    return layers.Dense(options.units, activation="relu", name=f"project_{name}")(x)


def hide_modalities(present, rng, share):
    """Hides one modality of a share of the films that have more than one.

    Args:
        present: float32 array of shape (batch, modalities), 1 where there.
        rng: `numpy.random.Generator`.
        share: of the films.

    Returns:
        float32 array like `present`; at least one modality of each film is left.
    """
    hidden = present.copy()
    chosen = np.flatnonzero((rng.random(len(present)) < share) & (present.sum(axis=1) > 1))
    scores = rng.random(present.shape) * present  # the highest among the present ones is hidden
    hidden[chosen, scores[chosen].argmax(axis=1)] = 0
    return hidden


def train_fusion(prepared, posters, overviews, models, options, outputs):
    """Trains the joint head on the features that trained models give of the training films.

    Args:
        prepared: `arrays.Prepared`.
        posters: `arrays.Posters`.
        overviews: `arrays.Overviews`.
        models: folder with the models that `options.inputs` names.
        options: `FusionOptions`.
        outputs: `training.Outputs`.

    Returns:
        dict, see `training.train`.
    """
    start(options.seed)
    genres, base_rates = prepared.genres, prepared.base_rates()
    encoders = Models([model_path(models, name) for name in options.inputs], options.batch_size)
    sizes = {name: network.model.get_layer(FEATURES).output.shape[-1] for name, network in encoders.networks.items()}
    films = fusion_inputs(len(prepared.films), sizes, encoders.encode(np.arange(len(prepared.films)), posters, overviews))
    present = films["present"]
    rows, validation = (prepared.rows(split, present.any(axis=1)) for split in ("train", "validation"))
    statistics = {name: _statistics(films[name][rows[present[rows, column] > 0]]) for column, name in enumerate(sizes)}

    def batches(rng):
        distort = {POSTER: lambda pixels: augment(pixels, rng, options.flip, options.shift, options.brightness),
                   OVERVIEW: lambda tokens: drop_words(tokens, rng, options.word_dropout)}
        for network in encoders.networks.values():
            reseed(network.model, rng)
        drawn = draw(rows, prepared.labels, options.oversample, rng)
        for batch in by_length(drawn, overviews.lengths, options.batch_size, rng):
            inputs = fusion_inputs(len(batch), sizes, encoders.encode(batch, posters, overviews, distort))
            shown = hide_modalities(inputs["present"], rng, options.modality_dropout)
            yield {**inputs, "present": shown}, prepared.labels[batch]

    data = Data(
        batches=batches,
        steps=len(in_order(rows, options.batch_size)),
        validation=[({name: array[batch] for name, array in films.items()}, prepared.labels[batch])
                    for batch in in_order(validation, 128)],
        signature=({name: tf.TensorSpec((None, array.shape[1]), tf.float32) for name, array in films.items()},
                   tf.TensorSpec((None, len(genres)), tf.float32)),
        base_rates=base_rates,
    )
    metadata = {"modality": None, "genres": genres, "base_rates": base_rates.tolist(),
                "inputs": {name: file_digest(model_path(models, name)) for name in options.inputs}}
    return train(build_fusion(statistics, len(genres), options), data, options, metadata, outputs)


def _statistics(features):
    """Mean and variance of each feature; one that never varies gets variance 1, so that it is not blown up."""
    variance = features.var(axis=0)
    return features.mean(axis=0), np.where(variance > 1e-8, variance, 1.0)
