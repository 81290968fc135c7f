"""What `vectorize` makes of films, in memory and in its folders: decoded posters, token ids."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.files import StrPath
from movie_genres.inputs.posters import LazyPixels


class Posters(NamedTuple):
    """Decoded posters of a number of films.

    Attributes:
        pixels: of shape (films, height, width, 3), RGB; zeros for films without a poster.
        present: of shape (films,): whether the film has one.
    """

    pixels: NDArray[np.uint8] | LazyPixels
    present: NDArray[np.bool_]


class Overviews(NamedTuple):
    """Token ids of the overviews of a number of films.

    Attributes:
        ids: of all overviews, one after the other.
        starts: of shape (films + 1,): overview `i` is `ids[starts[i]:starts[i + 1]]`.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each overview, of shape (films,)."""
        return np.diff(self.starts)

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether the film has an overview with at least one token, of shape (films,)."""
        return self.lengths > 0


@contextlib.contextmanager
def saving_posters(folder: StrPath, films: int, size: tuple[int, int]
                   ) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    """Gives the two arrays of `Posters`, without any, to be filled in: pixels on disk, of posters of `size` (height, width).

    They are whole when the block has ended.
    """
    pixels = np.lib.format.open_memmap(Path(folder) / "pixels.npy", "w+", np.uint8, (films, *size, 3))
    present = np.zeros(films, dtype=bool)
    yield pixels, present
    pixels.flush()
    np.save(Path(folder) / "present.npy", present)


def load_posters(folder: StrPath) -> Posters:
    """Maps from disk what `saving_posters` wrote."""
    return Posters(np.load(Path(folder) / "pixels.npy", mmap_mode="r"), np.load(Path(folder) / "present.npy"))


def save_overviews(overviews: Overviews, folder: StrPath) -> None:
    """Writes `ids.npy` and `starts.npy`."""
    np.save(Path(folder) / "ids.npy", overviews.ids)
    np.save(Path(folder) / "starts.npy", overviews.starts)


def load_overviews(folder: StrPath) -> Overviews:
    """Reads what `save_overviews` wrote."""
    return Overviews(np.load(Path(folder) / "ids.npy"), np.load(Path(folder) / "starts.npy"))


def pad(overviews: Overviews, rows: NDArray[np.intp]) -> NDArray[np.int32]:
    """Token ids of the overviews of these indices, of shape (rows, length): 0 where one has ended; length is at least 1."""
    ids, starts = overviews
    lengths = starts[rows + 1] - starts[rows]
    batch = np.zeros((len(rows), lengths.max(initial=1)), dtype=np.int32)
    for line, (row, length) in enumerate(zip(rows, lengths)):
        batch[line, :length] = ids[starts[row]:starts[row] + length]
    return batch


def in_order(rows: NDArray[np.intp], batch_size: int) -> list[NDArray[np.intp]]:
    """Splits an index array into batches, in order."""
    return [rows[start:start + batch_size] for start in range(0, len(rows), batch_size)]


def join_ids(ids: list[list[int]], meaningless: set[int]) -> Overviews:
    """Joins the token ids of several overviews; one of nothing but `meaningless` ids, which say nothing, becomes empty."""
    known = [[] if meaningless.issuperset(of_one) else of_one for of_one in ids]
    starts = np.cumsum([0, *map(len, known)], dtype=np.int64)
    return Overviews(np.fromiter(itertools.chain.from_iterable(known), np.int32, starts[-1]), starts)
