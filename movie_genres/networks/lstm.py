"""Networks that tell genres from an overview."""

from typing import Any, Literal

import keras
import numpy as np
from keras import layers
from pydantic import Field
from pydantic.dataclasses import dataclass
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

from movie_genres.base.options import STRICT
from movie_genres.checkpoints.layers import FEATURES, MaskedMean, lstm, predictions
from movie_genres.inputs.features import Overviews
from movie_genres.inputs.prepared import Prepared
from movie_genres.inputs.vocabulary import Vocabulary
from movie_genres.models.answers import Floats, Rows
from movie_genres.training.examples import OverviewExamples
from movie_genres.training.options import OverviewTraining
from movie_genres.training.outputs import Outputs
from movie_genres.training.trainer import train_network

EMBEDDING = "embedding"


@dataclass(config=STRICT, frozen=True, kw_only=True)
class LstmOptions(OverviewTraining):
    """The `lstm` section of `params.yaml`; all but the architecture is of `mean`."""

    architecture: Literal["mean", "stacked"]  # the latter is the published one
    embedding: int = Field(ge=1)  # channels of the word embedding
    units: int = Field(ge=1)  # of the LSTM in each direction
    embedding_dropout: float = Field(ge=0, lt=1)  # share of embedding channels dropped for a whole overview
    dropout: float = Field(ge=0, lt=1)  # before the predictions
    semantic_start: float = Field(ge=0)  # scale at which the embedding starts from `semantic_embedding`; 0: at random
    distil: float = Field(ge=0, le=1)  # type: ignore[misc]  # share of a teacher's answers in the labels


def build_lstm(tokens: int, genres: int, options: LstmOptions) -> keras.Model:
    """Builds the network that the options name, for token ids below `tokens`."""
    if options.architecture == "stacked":
        return stacked_lstm(tokens, genres)
    return mean_lstm(tokens, genres, options)


def stacked_lstm(tokens: int, genres: int) -> keras.Model:
    """The published network of the field's coursework projects: 4,303,129 parameters at 10,000 tokens and 25 genres.

    From int32 (batch, length), 0 where an overview has ended, to float32 (batch, genres), probabilities.

    >>> stacked_lstm(10_000, 25).count_params()
    4303129
    """
    overviews = keras.Input((None,), dtype="int32", name="overview")
    x = layers.Embedding(tokens, 256, mask_zero=True, name=EMBEDDING)(overviews)
    x = lstm(256, return_sequences=True, dropout=0.5, recurrent_dropout=0.2)(x)
    x = lstm(128, dropout=0.5, recurrent_dropout=0.2)(x)
    x = layers.Dense(128, activation="relu", name=FEATURES)(x)
    x = layers.Dropout(0.8)(x)
    return keras.Model(overviews, predictions(genres)(x), name="stacked_lstm")


def mean_lstm(tokens: int, genres: int, options: LstmOptions) -> keras.Model:
    """One bidirectional LSTM whose states are averaged over the overview; takes and gives the same as `stacked_lstm`."""
    overviews = keras.Input((None,), dtype="int32", name="overview")
    words = layers.Embedding(tokens, options.embedding, mask_zero=True, name=EMBEDDING)(overviews)
    words = layers.SpatialDropout1D(options.embedding_dropout)(words)
    states = lstm(options.units, return_sequences=True)(words)
    x = MaskedMean(name=FEATURES)(states)
    x = layers.Dropout(options.dropout)(x)
    return keras.Model(overviews, predictions(genres)(x), name="mean_lstm")


def semantic_embedding(overviews: Overviews, rows: Rows, tokens: int, channels: int, seed: int) -> Floats:
    """Word vectors from latent semantic analysis of the training overviews, to start an embedding from.

    Words that occur in the same overviews get similar vectors, which a few thousand overviews cannot teach by gradient
    before the network has learned them by heart. A truncated singular value decomposition of the matrix of overviews and
    words, weighted by inverse document frequency (Deerwester et al., "Indexing by Latent Semantic Analysis", 1990).

    Returns vectors of shape (tokens, channels), of standard deviation about 1 over the words known from at least two of the
    training overviews, `rows`; 0 for all others.
    """
    ids, starts = overviews
    lengths = overviews.lengths[rows]
    if not lengths.any():
        return np.zeros((tokens, channels), np.float32)
    columns = np.concatenate([ids[starts[row]:starts[row + 1]] for row in rows])
    occurs = csr_matrix((np.ones(len(columns)), (np.repeat(np.arange(len(rows)), lengths), columns)),
                        shape=(len(rows), tokens))
    occurs.data[:] = 1  # whether, not how often
    films = np.asarray(occurs.sum(axis=0))[0]
    rarity = np.log((1 + len(rows)) / (1 + films))
    size = min(channels, len(rows) - 1, tokens - 1)
    _, _, components = randomized_svd(normalize(occurs.multiply(rarity[None]).tocsr()), size, random_state=seed)
    vectors = np.zeros((tokens, channels), dtype=np.float32)
    vectors[:, :size] = components.T * rarity[:, None]
    known = films >= 2
    vectors[~known] = 0
    return vectors / max(vectors[known].std(), 1e-9) if known.any() else vectors


def train_lstm(prepared: Prepared, overviews: Overviews, vocabulary: Vocabulary, options: LstmOptions, outputs: Outputs,
               teacher: Floats | None = None) -> dict[str, Any]:
    """Trains a network from scratch; see `trainer.train_network`."""
    tokens, vectors = len(vocabulary), None
    if options.architecture == "mean" and options.semantic_start:
        rows = prepared.rows("train", overviews.present)
        vectors = semantic_embedding(overviews, rows, tokens, options.embedding, options.seed) * options.semantic_start

    def build() -> keras.Model:
        model = build_lstm(tokens, len(prepared.genres), options)
        if vectors is not None:
            model.get_layer(EMBEDDING).embeddings.assign(vectors)
        return model

    return train_network(build, prepared, OverviewExamples(overviews, vocabulary, options), options, outputs, teacher)
