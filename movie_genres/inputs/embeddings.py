"""Embeddings of films: a vector of each, computed elsewhere and found by the film's id, as some models take them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class FilmVectors(NamedTuple):
    """The vectors of a number of films."""

    table: NDArray[np.float32]  # (rows, channels), of any number of films
    rows: NDArray[np.intp]  # (films,): the row of each film; -1: there is none
    present: NDArray[np.bool_]  # (films,): whether the film has one

    def order(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.argsort(self.rows[rows], kind="stable")  # as they stand on the disk

    def batch(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        return np.asarray(self.table[self.rows[rows]])


class Embeddings(NamedTuple):
    """A table of vectors, as `data.embeddings` reads it. Several threads may use it at once."""

    rows: Mapping[str, int]  # by film's id
    table: NDArray[np.float32]  # (rows, channels), mapped from disk: finite numbers

    @property
    def channels(self) -> int:
        """How many numbers a film has."""
        return self.table.shape[1]

    def of(self, films: Iterable[str]) -> FilmVectors:
        """What a model takes of the films of some ids, in their order."""
        rows = np.fromiter((self.rows.get(film, -1) for film in films), np.intp)
        return FilmVectors(self.table, rows, rows >= 0)
