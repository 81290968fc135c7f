"""What the trainings are told, and the learning rate that follows from it."""

import math
from typing import ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.base.options import STRICT


@dataclass(config=STRICT, frozen=True, kw_only=True)
class TrainingOptions:
    """What the three trainings have in common."""

    epochs: int = Field(ge=1)  # at most this many passes over the training films
    batch_size: int = Field(ge=1)  # films a step
    optimizer: Literal["adam", "adamw"]  # the latter with decoupled weight decay (Loshchilov and Hutter, 2019)
    learning_rate: float = Field(gt=0)  # at the start
    # Cosine: down to 0 at the last epoch. Published: constant for 10 epochs, then multiplied by exp(-0.01) each epoch.
    schedule: Literal["constant", "cosine", "published"]
    warmup: float = Field(ge=0, lt=1)  # share of the steps over which the learning rate rises from 0
    weight_decay: float = Field(ge=0)  # of `adamw`
    # What is minimised; see `losses.build_loss`. The best epoch is chosen by plain cross-entropy all the same.
    loss: Literal["crossentropy", "weighted", "focal", "asymmetric"]
    focus: float = Field(ge=0)  # exponent of the losses `focal` and `asymmetric`
    oversample: float = Field(ge=0, le=1)  # how strongly films of rare genres are drawn more often; see `batches.draw`
    patience: int = Field(ge=1)  # stop after this many epochs without a better validation loss
    seed: int  # decides initial weights, the order of films, dropout and augmentation
    seeds: int = Field(ge=1)  # how many networks are trained, from `seed` on, and averaged
    mixed_precision: bool  # compute in bfloat16 and keep the weights in float32; for GPUs and processors that have it
    devices: int = Field(ge=1)  # how many GPUs share each batch; without a GPU, logical CPUs
    dvclive: bool  # hand each epoch's figures to DVCLive as well, for `dvc exp show` and editors to follow


@dataclass(config=STRICT, frozen=True, kw_only=True)
class NetworkTraining(TrainingOptions):
    """What trainings of networks of one modality have in common."""

    average: ClassVar[str] = "answers"  # how networks are averaged; see `checkpoints.average`
    distil: ClassVar[float] = 0.0  # how much of the labels is what a teacher says, 0 to 1; see `networks.teaching`


@dataclass(config=STRICT, frozen=True, kw_only=True)
class PosterTraining(NetworkTraining):
    """How posters vary in training."""

    flip: bool  # whether posters are mirrored at random
    shift: float = Field(ge=0, le=0.5)  # posters are moved at random by up to this share of their height and width
    brightness: float = Field(ge=0, le=1)  # brightness and contrast vary at random by up to this share
    erase: float = Field(ge=0, le=1)  # share of posters of which a rectangle is covered; see `batches.erase`
    mixup: float = Field(ge=0)  # strength, the alpha of its beta distribution; see `batches.mixup`. 0 is off
    draws: int = Field(ge=0)  # how often films are distorted for what the fusion learns from; see `trainer.run_on_films`
    int8: float | None  # the most skill that a copy of the model in 8 bits may lose on validation films; null: no copy


@dataclass(config=STRICT, frozen=True, kw_only=True)
class OverviewTraining(NetworkTraining):
    """How overviews vary in training."""

    int8: ClassVar[None] = None  # networks of overviews have no copy in 8 bits

    word_dropout: float = Field(ge=0, lt=1)  # share of words replaced by the unknown word
    draws: int = Field(ge=0)  # as in `PosterTraining`
    draw_word_dropout: float = Field(ge=0, lt=1)  # for these; more, as the network knows the training films by heart


def learning_rate(options: TrainingOptions, position: float) -> float:
    """The learning rate under `TrainingOptions` at a position in epochs, such as 1.5 in the middle of the second."""
    warmup = options.warmup * options.epochs
    rate = options.learning_rate * min(1.0, position / warmup if warmup else 1.0)
    if options.schedule == "cosine":
        return rate * 0.5 * (1 + math.cos(math.pi * position / options.epochs))
    if options.schedule == "published":
        return rate * math.exp(-0.01 * max(0, math.floor(position) - 9))
    return rate
