"""What a model may look at of a film, what a film may have, and what the code of a modality has to offer."""

import enum
from collections.abc import Collection, Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from movie_genres.inputs.features import Overviews


class Modality(enum.StrEnum):
    """What a model looks at; its name in JSON and in tables."""

    POSTER = "poster"
    OVERVIEW = "overview"


MODALITIES = POSTER, OVERVIEW = tuple(Modality)
BOTH = "both"  # what a film may have beside a single modality


class FilmArrays(Protocol):
    """What models of one modality take of a number of films: `features.Posters` or `features.Overviews`."""

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether a film has any of it, of shape (films,)."""

    def order(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Indices into `rows` that sort these films so that neighbours make good batches."""

    def batch(self, rows: NDArray[np.intp]) -> NDArray:
        """What a network takes of some films, an array with a line for each."""


class Tokenizer(Protocol):
    """Maps overviews to token ids, the same way in training and scoring: `vocabulary.Vocabulary` or `subwords.Subwords`."""

    @property
    def hidden(self) -> int:
        """The id that stands for a word that is hidden from a network in training."""

    @property
    def special(self) -> Collection[int]:
        """Ids that stand for no word."""

    @property
    def largest(self) -> int:
        """The largest id of all."""

    def content(self) -> dict[str, Any]:
        """What `network.restore_vocabulary` needs, as JSON can hold it."""

    def encode(self, overviews: Iterable[str]) -> Overviews:
        """Token ids of overviews; none for an overview of which no word is known."""
