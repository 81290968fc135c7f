"""What a model of one modality learns from: the films' posters or overviews, their batches and how they are distorted."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from movie_genres.inputs.embeddings import FilmVectors
from movie_genres.inputs.features import Overviews, Posters
from movie_genres.inputs.modality import Modality, Tokenizer
from movie_genres.inputs.poster_text import READER, SIZE
from movie_genres.inputs.posters import DECODER
from movie_genres.models.answers import Floats, Rows
from movie_genres.models.metadata import EMBEDDING
from movie_genres.training.batches import Batch, Pixels, augment, by_length, drop_words, erase, mixup, shuffled
from movie_genres.training.options import OverviewTraining, PosterTraining


class PosterExamples:
    """Posters of all films, and how they vary."""

    modality = Modality.POSTER

    def __init__(self, films: Posters, options: PosterTraining):
        self.films, self._options = films, options
        self.signature = tf.TensorSpec((None, *films.pixels.shape[1:]), tf.uint8)  # of what the network takes of a batch
        self.contents = (films.pixels,)  # what batches are made of; see `state.fingerprint`
        self.metadata: dict[str, Any] = {"image_size": list(films.pixels.shape[1:3]), "decoder": DECODER}  # for scoring

    def batches(self, rows: Rows, labels: Floats, rng: np.random.Generator) -> Iterator[Batch]:
        """The training batches of an epoch: some films as they vary in training, and their labels, given those of all."""
        for batch in shuffled(rows, self._options.batch_size, rng):
            pixels = erase(self.distort(self.films.batch(batch), rng), rng, self._options.erase)
            yield mixup(pixels, labels[batch], rng, self._options.mixup) if self._options.mixup else (pixels, labels[batch])

    def distort(self, batch: Pixels, rng: np.random.Generator) -> Pixels:
        """A batch as the fusion learns from its features."""
        return augment(batch, rng, self._options.flip, self._options.shift, self._options.brightness)


class OverviewExamples:
    """Like `PosterExamples`, of overviews; the vocabulary is what made their token ids.

    Or of the text on posters, which makes the model one of posters, for those who can read them.
    """

    def __init__(self, films: Overviews, vocabulary: Tokenizer, options: OverviewTraining, of_posters: bool = False):
        self.modality = Modality.POSTER if of_posters else Modality.OVERVIEW
        self.films, self._vocabulary, self._options = films, vocabulary, options
        self.signature = tf.TensorSpec((None, None), tf.int32)
        self.contents = films
        how = {"image_size": list(SIZE), "decoder": DECODER, "reader": READER} if of_posters else {}
        self.metadata: dict[str, Any] = {"vocabulary": vocabulary.content(), **how}

    def batches(self, rows: Rows, labels: Floats, rng: np.random.Generator) -> Iterator[Batch]:
        for batch in by_length(rows, self.films.lengths, self._options.batch_size, rng):
            yield self._drop_words(self.films.batch(batch), rng, self._options.word_dropout), labels[batch]

    def distort(self, batch: NDArray, rng: np.random.Generator) -> NDArray[np.int32]:
        return self._drop_words(batch, rng, self._options.draw_word_dropout)

    def _drop_words(self, tokens: NDArray, rng: np.random.Generator, rate: float) -> NDArray[np.int32]:
        return drop_words(tokens, rng, rate, self._vocabulary.hidden, self._vocabulary.special)


class EmbeddingExamples:
    """Embeddings of all films, of one modality. They do not vary, and no network is trained on them by batches."""

    def __init__(self, films: FilmVectors, modality: Modality):
        self.films, self.modality = films, modality
        self.metadata: dict[str, Any] = {EMBEDDING: films.table.shape[1]}

    def distort(self, batch: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        return batch


Examples = PosterExamples | OverviewExamples
