"""Pretrained encoders of KerasHub as models of posters or overviews, frozen or fine-tuned; needs the extra `encoders`."""

import functools
import logging
from pathlib import Path
from typing import Annotated, Literal

import keras
import keras_hub
import numpy as np
from keras import layers, ops
from pydantic import Field
from pydantic.dataclasses import dataclass
from sklearn.linear_model import LogisticRegression

from movie_genres.base.errors import UserError
from movie_genres.base.options import STRICT
from movie_genres.inputs.features import Posters
from movie_genres.inputs.posters import LazyPixels
from movie_genres.models import checkpoints
from movie_genres.models.layers import FEATURES, PREDICTIONS, MaskedMean, log_odds, predictions
from movie_genres.models.metrics import binary_cross_entropy
from movie_genres.models.subwords import Subwords
from movie_genres.training.answering import write_about, write_answers
from movie_genres.training.loop import start, validation_figures, write_summary
from movie_genres.training.single import (
    OverviewTraining,
    PosterTraining,
    overview_metadata,
    poster_metadata,
    train_on_overviews,
    train_on_posters,
)

logger = logging.getLogger(__name__)


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Pretrained:
    """What encoders of both modalities are told, beside how to fine-tune them.

    Attributes:
        preset: a KerasHub name such as `efficientnet_lite0_ra_imagenet`, `hf://…` such as
            `hf://sentence-transformers/all-MiniLM-L6-v2`, or a local folder.
        fine_tune: train the encoder; otherwise only a logistic regression over its features is fitted.
        strengths: values of C that are tried for this regression; validation films choose.
    """

    preset: str
    fine_tune: bool
    strengths: tuple[float, ...]


@dataclass(config=STRICT, frozen=True, kw_only=True)
class PosterEncoder(Pretrained, PosterTraining):
    """An entry of the `encoders` section of `params.yaml` for posters.

    Attributes:
        modality: `poster`.
        image_size: (height, width) in pixels. Posters are taller than wide: 3:2 keeps their proportions.
        pixels: (mean, scale): the encoder gets (pixel - mean) / scale; None takes what the preset says.
        dropout: before the predictions when fine-tuning.
    """

    modality: Literal["poster"]
    image_size: tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]]
    pixels: tuple[float, float] | None
    dropout: float = Field(ge=0, lt=1)


@dataclass(config=STRICT, frozen=True, kw_only=True)
class OverviewEncoder(Pretrained, OverviewTraining):
    """An entry of the `encoders` section of `params.yaml` for overviews.

    Attributes:
        modality: `overview`.
        max_length: overviews are cut after this many tokens.
        dropout: before the predictions when fine-tuning.
    """

    modality: Literal["overview"]
    max_length: int = Field(ge=3)
    dropout: float = Field(ge=0, lt=1)


Encoder = Annotated[PosterEncoder | OverviewEncoder, Field(discriminator="modality")]


def build_poster_encoder(options, genres):
    """A pretrained image network whose features are averaged over the poster, and a new layer of predictions.

    Args:
        options: `PosterEncoder`.
        genres: int, number of outputs.

    Returns:
        `keras.Model` from uint8 (batch, height, width, 3), RGB, to float32 (batch, genres), probabilities.

    Raises:
        UserError: the preset cannot be loaded, or does not say how it wants pixels.
    """
    backbone = _load_backbone(options.preset)
    for layer in backbone._flatten_layers():  # batch statistics of a few thousand posters are worse than ImageNet's
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    posters = keras.Input((*options.image_size, 3), dtype="uint8", name="poster")
    x = backbone(_rescale(options)(posters))
    x = (layers.GlobalAveragePooling2D if len(x.shape) == 4 else layers.GlobalAveragePooling1D)(name=FEATURES)(x)
    return _with_predictions(posters, x, options, genres, "zeros")  # pooled pixels are large: a random start is noise


def build_overview_encoder(options, genres):
    """A pretrained text network whose states are averaged over the overview, and a new layer of predictions.

    Args:
        options: `OverviewEncoder`.
        genres: int, number of outputs.

    Returns:
        `keras.Model` from int32 (batch, length), ids of `subwords.Subwords`, to float32 (batch, genres), probabilities.

    Raises:
        UserError: the preset cannot be loaded.
    """
    backbone = _load_backbone(options.preset)
    states = backbone.output["sequence_output"] if isinstance(backbone.output, dict) else backbone.output
    overviews = keras.Input((None,), dtype="int32", name="overview")
    present = overviews > 0
    given = {"token_ids": ops.maximum(overviews - 1, 0), "padding_mask": ops.cast(present, "int32"),
             "segment_ids": ops.zeros_like(overviews)}
    x = keras.Model(backbone.input, states, name=backbone.name)({name: given[name] for name in backbone.input})
    x = MaskedMean(name=FEATURES)(x, mask=present)
    return _with_predictions(overviews, x, options, genres, "glorot_uniform")


def _load_backbone(preset):
    """A preset's network, in the precision that networks are built in now rather than the one it was saved with."""
    return _load(keras_hub.models.Backbone, preset, dtype=keras.config.dtype_policy().name)


def _load(kind, preset, **settings):
    try:
        return kind.from_preset(preset, **settings)
    except Exception as error:  # KerasHub lets through whatever its downloaders and parsers raise
        raise UserError(f"encoders: expected {preset!r} to be a KerasHub preset, hf://… or a folder with one; "
                        f"loading it failed: {error}") from error


def _rescale(options):
    if options.pixels is not None:
        mean, scale = options.pixels
        return layers.Rescaling(1 / scale, offset=-mean / scale)
    try:
        converter = keras_hub.layers.ImageConverter.from_preset(options.preset)
    except Exception:
        raise UserError(f"encoders: the preset {options.preset} does not say how it wants its pixels; give pixels: "
                        "[mean, scale], such as [127.5, 127.5]") from None
    return layers.Rescaling(converter.scale, offset=converter.offset or 0.0)


def _with_predictions(inputs, features, options, genres, initializer):
    x = layers.Dropout(options.dropout)(features)
    x = predictions(genres, initializer)(x)
    return keras.Model(inputs, x, name=f"{options.modality}_encoder")


def train_encoder(prepared, readable, options, outputs):
    """Fits predictions over a pretrained encoder, or fine-tunes it, and writes what it says of all films.

    Args:
        prepared: `prepared.Prepared`.
        readable: bool array of shape (films,): whether the film has a poster that can be decoded.
        options: `PosterEncoder` or `OverviewEncoder`.
        outputs: `loop.Outputs`; a frozen encoder has no history.

    Returns:
        dict, see `loop.train`.

    Raises:
        UserError: the preset cannot be loaded.
    """
    genres = len(prepared.genres)
    if isinstance(options, PosterEncoder):
        films = Posters(LazyPixels(prepared.films["poster"].tolist(), options.image_size), readable)
        build, metadata = functools.partial(build_poster_encoder, options, genres), poster_metadata(prepared, films)
        fine_tune = functools.partial(train_on_posters, build, prepared, films)
    else:
        vocabulary = Subwords(_load(keras_hub.models.TextClassifierPreprocessor, options.preset,
                                    sequence_length=options.max_length))
        films = vocabulary.encode(prepared.films["overview"].tolist())
        build, metadata = functools.partial(build_overview_encoder, options, genres), overview_metadata(prepared, vocabulary)
        fine_tune = functools.partial(train_on_overviews, build, prepared, films, vocabulary)
    metadata["preset"] = Path(options.preset).name
    if options.fine_tune:
        return fine_tune(metadata, options, outputs)
    start(options.seed)
    return _fit_predictions(build(), prepared, films, options, metadata, outputs)


def _fit_predictions(model, prepared, films, options, metadata, outputs):
    """A logistic regression over the features of a frozen encoder."""
    checkpoints.save(model, outputs.checkpoint, metadata)
    write_answers(outputs.checkpoint, films, outputs.answers)
    features = np.load(outputs.answers / "features.npy", mmap_mode="r")[0]
    rows, validation = (prepared.rows(split, films.present) for split in ("train", "validation"))
    if not len(rows) or not len(validation):
        raise UserError(f"{outputs.checkpoint}: no training film or no validation film has a {options.modality}")
    shown, labels = features[validation].astype(np.float32), prepared.labels[validation]
    fits = {}
    for strength in options.strengths:
        kernel, bias = linear_probe(features[rows].astype(np.float32), prepared.labels[rows], strength)
        fits[strength] = binary_cross_entropy(labels, _sigmoid(shown @ kernel + bias)), kernel, bias
        logger.info("%s: C %g, validation loss %.4f", outputs.checkpoint.stem, strength, fits[strength][0])
    best = min(fits, key=lambda strength: fits[strength][0])
    _, kernel, bias = fits[best]
    model.get_layer(PREDICTIONS).set_weights([kernel, bias])
    checkpoints.save(model, outputs.checkpoint, metadata)
    probabilities = np.full((len(films.present), len(bias)), np.nan, np.float32)
    probabilities[films.present] = _sigmoid(features[films.present].astype(np.float32) @ kernel + bias)
    np.save(outputs.answers / "probabilities.npy", probabilities)
    write_about(outputs.answers, outputs.checkpoint, options.modality)
    return write_summary(outputs.metrics, base_loss=binary_cross_entropy(labels, prepared.base_rates()), C=best,
                         parameters=model.count_params(), **validation_figures(labels, probabilities[validation]))


def linear_probe(features, labels, strength):
    """A logistic regression for each genre over standardised features.

    Args:
        features: float32 array of shape (films, channels).
        labels: 0/1 array of shape (films, genres).
        strength: inverse regularisation, C.

    Returns:
        (kernel, bias): float32 arrays of shape (channels, genres) and (genres,), for features as they are; a genre that
        no film, or every film, has gets its base rate.
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


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))
