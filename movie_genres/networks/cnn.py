"""Networks that tell genres from a poster."""

import functools
from typing import Any, Literal

import keras
from keras import layers
from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.base.options import STRICT
from movie_genres.checkpoints.layers import FEATURES, predictions
from movie_genres.inputs.features import Posters
from movie_genres.inputs.prepared import Prepared
from movie_genres.models.answers import Floats
from movie_genres.training.examples import PosterExamples
from movie_genres.training.options import PosterTraining
from movie_genres.training.outputs import Outputs
from movie_genres.training.trainer import train_network

Size = tuple[int, int]  # (height, width) in pixels, each at least 16


@dataclass(config=STRICT, frozen=True, kw_only=True)
class CnnOptions(PosterTraining):
    """The `cnn` section of `params.yaml`."""

    architecture: Literal["residual", "plain"]  # the latter is the published one
    width: int = Field(ge=4)  # channels of the first stage of `residual`
    dropout: float = Field(ge=0, lt=1)  # before the predictions of `residual`
    distil: float = Field(ge=0, le=1)  # type: ignore[misc]  # share of a teacher's answers in the labels


def build_cnn(image_size: Size, genres: int, options: CnnOptions) -> keras.Model:
    """Builds the network that the options name."""
    if options.architecture == "plain":
        return plain_cnn(image_size, genres)
    return residual_cnn(image_size, genres, options)


def plain_cnn(image_size: Size, genres: int) -> keras.Model:
    """The published network of the field's coursework projects: 3,464,601 parameters at 64x64 pixels and 25 genres.

    From uint8 (batch, height, width, 3), RGB, to float32 (batch, genres), probabilities.

    >>> plain_cnn((64, 64), 25).count_params()
    3464601
    """
    posters = keras.Input((*image_size, 3), dtype="uint8", name="poster")
    x = layers.Rescaling(1 / 255)(posters)
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    for channels in (32, 64, 128):
        x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
        x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
        x = layers.Dropout(0.2)(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(1024, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Dense(1024, activation="relu", name=FEATURES)(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(posters, predictions(genres)(x), name="plain_cnn")


def residual_cnn(image_size: Size, genres: int, options: CnnOptions) -> keras.Model:
    """A small residual network (He et al., "Deep Residual Learning for Image Recognition", 2016) with average pooling.

    A strided convolution, then four residual blocks of `width` to 8 x `width` channels, each but the first at half the
    resolution of the one before; shortcuts are averaged, not strided. 1.2 million parameters at width 32.

    It takes and gives the same as `plain_cnn`.
    """
    posters = keras.Input((*image_size, 3), dtype="uint8", name="poster")
    x = layers.Rescaling(1 / 127.5, offset=-1)(posters)
    x = _convolution(x, options.width, strides=2)
    x = layers.ReLU()(x)
    for stage in range(4):
        x = _residual_block(x, options.width * 2**stage, halve=stage > 0)
    x = layers.GlobalAveragePooling2D(name=FEATURES)(x)
    x = layers.Dropout(options.dropout)(x)
    return keras.Model(posters, predictions(genres)(x), name="residual_cnn")


def _residual_block(x: Any, channels: int, halve: bool) -> Any:
    shortcut = layers.AveragePooling2D(2, padding="same")(x) if halve else x
    if shortcut.shape[-1] != channels:
        shortcut = _convolution(shortcut, channels, size=1)
    x = _convolution(x, channels, strides=2 if halve else 1)
    x = layers.ReLU()(x)
    x = _convolution(x, channels)
    return layers.ReLU()(layers.Add()([shortcut, x]))


def _convolution(x: Any, channels: int, size: int = 3, strides: int = 1) -> Any:
    x = layers.Conv2D(channels, size, strides=strides, padding="same", use_bias=False)(x)
    # A short memory: the statistics must follow the weights within the few hundred steps of a small dataset.
    return layers.BatchNormalization(momentum=0.95)(x)


def train_cnn(prepared: Prepared, posters: Posters, options: CnnOptions, outputs: Outputs, teacher: Floats | None = None
              ) -> dict[str, Any]:
    """Trains a network from scratch; see `trainer.train_network`."""
    build = functools.partial(build_cnn, posters.pixels.shape[1:3], len(prepared.genres), options)
    return train_network(build, prepared, PosterExamples(posters, options), options, outputs, teacher)
