"""What the trainings are told, and the learning rate that follows from it."""

import math
from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.base.options import STRICT


@dataclass(config=STRICT, frozen=True, kw_only=True)
class TrainingOptions:
    """What the three trainings have in common.

    Attributes:
        epochs: at most this many passes over the training films.
        batch_size: films a step.
        optimizer: `adam`, or `adamw` with decoupled weight decay (Loshchilov and Hutter, 2019).
        learning_rate: at the start.
        schedule: `constant`; `cosine`, down to 0 at the last epoch; or `published`, constant for 10 epochs, then
            multiplied by exp(-0.01) each epoch.
        warmup: share of the steps over which the learning rate rises from 0.
        weight_decay: of `adamw`.
        loss: what is minimised; see `losses.build_loss`. The best epoch is chosen by plain cross-entropy all the same.
        focus: exponent of the losses `focal` and `asymmetric`.
        oversample: how strongly films of rare genres are drawn more often; see `batches.draw`. 0 is off.
        patience: stop after this many epochs without a better validation loss.
        seed: decides initial weights, the order of films, dropout and augmentation.
        mixed_precision: compute in bfloat16 and keep the weights in float32; for GPUs and processors that have it.
        devices: how many GPUs share each batch (`tf.distribute.MirroredStrategy`); without a GPU, logical CPUs.
        dvclive: hand each epoch's figures to DVCLive as well, for `dvc exp show` and editors to follow.
    """

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    optimizer: Literal["adam", "adamw"]
    learning_rate: float = Field(gt=0)
    schedule: Literal["constant", "cosine", "published"]
    warmup: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    loss: Literal["crossentropy", "weighted", "focal", "asymmetric"]
    focus: float = Field(ge=0)
    oversample: float = Field(ge=0, le=1)
    patience: int = Field(ge=1)
    seed: int
    mixed_precision: bool
    devices: int = Field(ge=1)
    dvclive: bool


@dataclass(config=STRICT, frozen=True, kw_only=True)
class PosterTraining(TrainingOptions):
    """How posters vary in training.

    Attributes:
        flip: whether posters are mirrored at random.
        shift: posters are moved at random by up to this share of their height and width.
        brightness: brightness and contrast vary at random by up to this share.
        erase: share of posters of which a rectangle is covered; see `batches.erase`.
        mixup: strength of mixup, the alpha of its beta distribution; see `batches.mixup`. 0 is off.
        draws: how many times the films are distorted for the features that the fusion learns from; see
            `answering.run_on_films`.
    """

    flip: bool
    shift: float = Field(ge=0, le=0.5)
    brightness: float = Field(ge=0, le=1)
    erase: float = Field(ge=0, le=1)
    mixup: float = Field(ge=0)
    draws: int = Field(ge=0)


@dataclass(config=STRICT, frozen=True, kw_only=True)
class OverviewTraining(TrainingOptions):
    """How overviews vary in training.

    Attributes:
        word_dropout: share of words replaced by the unknown word.
        draws: as in `PosterTraining`.
        draw_word_dropout: like `word_dropout`, for these. More than in training, as the network knows the films by heart.
    """

    word_dropout: float = Field(ge=0, lt=1)
    draws: int = Field(ge=0)
    draw_word_dropout: float = Field(ge=0, lt=1)


def learning_rate(options: TrainingOptions, position: float) -> float:
    """The learning rate under `TrainingOptions` at a position in epochs, such as 1.5 in the middle of the second."""
    warmup = options.warmup * options.epochs
    rate = options.learning_rate * min(1.0, position / warmup if warmup else 1.0)
    if options.schedule == "cosine":
        return rate * 0.5 * (1 + math.cos(math.pi * position / options.epochs))
    if options.schedule == "published":
        return rate * math.exp(-0.01 * max(0, math.floor(position) - 9))
    return rate
