"""Trains a network on posters or on overviews, whatever the network is, and writes what it says of all films."""

import numpy as np
import tensorflow as tf
from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.base.options import STRICT
from movie_genres.inputs.features import in_order, pad
from movie_genres.inputs.modality import OVERVIEW, POSTER
from movie_genres.inputs.posters import DECODER
from movie_genres.training.answering import write_answers
from movie_genres.training.batches import augment, by_length, draw, drop_words, erase, mixup, shuffled
from movie_genres.training.loop import Data, TrainingOptions, train
from movie_genres.training.state import held


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
            `answering.write_answers`.
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


def poster_metadata(prepared, posters):
    """What a model of posters (`features.Posters`) needs for scoring, beside its network."""
    return {**_metadata(prepared, POSTER), "image_size": list(posters.pixels.shape[1:3]), "decoder": DECODER}


def overview_metadata(prepared, vocabulary):
    """What a model of overviews needs for scoring, beside its network."""
    return {**_metadata(prepared, OVERVIEW), "vocabulary": vocabulary.content()}


def _metadata(prepared, modality):
    return {"modality": modality, "genres": prepared.genres, "base_rates": prepared.base_rates().tolist()}


def train_on_posters(build, prepared, posters, metadata, options, outputs):
    """Trains a network on the posters of the training films; films without a poster are passed over.

    Args:
        build: function that returns a new `keras.Model` from uint8 posters to probabilities.
        prepared: `prepared.Prepared`.
        posters: `features.Posters`.
        metadata: dict to store in the checkpoint; see `poster_metadata`.
        options: `PosterTraining`.
        outputs: `loop.Outputs`.

    Returns:
        dict, see `loop.train`.
    """
    rows, validation = (prepared.rows(split, posters.present) for split in ("train", "validation"))

    def distort(pixels, rng):
        return augment(pixels, rng, options.flip, options.shift, options.brightness)

    def batches(rng):
        for batch in shuffled(draw(rows, prepared.labels, options.oversample, rng), options.batch_size, rng):
            pixels = erase(distort(posters.pixels[batch], rng), rng, options.erase)
            labels = prepared.labels[batch]
            yield mixup(pixels, labels, rng, options.mixup) if options.mixup else (pixels, labels)

    data = Data(
        batches=batches,
        steps=len(in_order(rows, options.batch_size)),
        validation=lambda: (np.asarray(posters.pixels[batch]) for batch in in_order(validation, options.batch_size)),
        labels=prepared.labels[validation],
        signature=(tf.TensorSpec((None, *posters.pixels.shape[1:]), tf.uint8),
                   tf.TensorSpec((None, len(prepared.genres)), tf.float32)),
        base_rates=prepared.base_rates(),
        contents=(prepared.labels, rows, posters.pixels),
    )
    return _train(build, data, posters, distort, metadata, options, outputs)


def train_on_overviews(build, prepared, overviews, vocabulary, metadata, options, outputs):
    """Trains a network on the overviews of the training films; films without an overview are passed over.

    Args:
        build: function that returns a new `keras.Model` from int32 token ids, 0 where an overview has ended, to
            probabilities.
        prepared: `prepared.Prepared`.
        overviews: `features.Overviews`.
        vocabulary: what made the token ids, such as a `vocabulary.Vocabulary`.
        metadata: dict to store in the checkpoint; see `overview_metadata`.
        options: `OverviewTraining`.
        outputs: `loop.Outputs`.

    Returns:
        dict, see `loop.train`.
    """
    rows, validation = (prepared.rows(split, overviews.present) for split in ("train", "validation"))
    validation = validation[np.argsort(overviews.lengths[validation], kind="stable")]

    def distort(tokens, rng, rate=options.draw_word_dropout):
        return drop_words(tokens, rng, rate, vocabulary.hidden, vocabulary.special)

    def batches(rng):
        drawn = draw(rows, prepared.labels, options.oversample, rng)
        for batch in by_length(drawn, overviews.lengths, options.batch_size, rng):
            yield distort(pad(overviews, batch), rng, options.word_dropout), prepared.labels[batch]

    data = Data(
        batches=batches,
        steps=len(in_order(rows, options.batch_size)),
        validation=lambda: (pad(overviews, batch) for batch in in_order(validation, options.batch_size)),
        labels=prepared.labels[validation],
        signature=(tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, len(prepared.genres)), tf.float32)),
        base_rates=prepared.base_rates(),
        contents=(prepared.labels, rows, overviews),
    )
    return _train(build, data, overviews, distort, metadata, options, outputs)


def _train(build, data, films, distort, metadata, options, outputs):
    with held(outputs.state):
        summary = train(build, data, options, metadata, outputs)
        write_answers(outputs.checkpoint, films, outputs.answers, options.draws, distort, options.seed)
    return summary
