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
    """Decoded posters of a number of films."""

    pixels: NDArray[np.uint8] | LazyPixels  # (films, height, width, 3), RGB; zeros for films without a poster
    present: NDArray[np.bool_]  # (films,): whether the film has one

    def order(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.arange(len(rows))

    def batch(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        return np.asarray(self.pixels[rows])


class Overviews(NamedTuple):
    """Token ids of the overviews of a number of films."""

    ids: NDArray[np.int32]  # of all overviews, one after the other
    starts: NDArray[np.int64]  # (films + 1,): overview `i` is `ids[starts[i]:starts[i + 1]]`

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each overview, of shape (films,)."""
        return np.diff(self.starts)

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether the film has an overview with at least one token, of shape (films,)."""
        return self.lengths > 0

    def order(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.argsort(self.lengths[rows], kind="stable")  # like lengths together: little padding

    def batch(self, rows: NDArray[np.intp]) -> NDArray[np.int32]:
        """Token ids of these overviews, of shape (rows, length): 0 where one has ended; length is at least 1."""
        starts, ends = self.starts[rows], self.starts[rows + 1]
        batch = np.zeros((len(rows), (ends - starts).max(initial=1)), dtype=np.int32)
        for line, start, end in zip(batch, starts, ends):
            line[:end - start] = self.ids[start:end]
        return batch


@contextlib.contextmanager
def saving_posters(folder: StrPath, films: int, size: tuple[int, int]) -> Iterator[tuple[NDArray, NDArray]]:
    """Gives the arrays of `Posters` of `size` (height, width), to be filled in: whole on disk when the block has ended."""
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


def in_order(rows: NDArray[np.intp], batch_size: int) -> list[NDArray[np.intp]]:
    """Splits an index array into batches, in order."""
    return [rows[start:start + batch_size] for start in range(0, len(rows), batch_size)]


def join_ids(ids: list[list[int]], meaningless: set[int]) -> Overviews:
    """Joins the token ids of several overviews; one of nothing but `meaningless` ids, which say nothing, becomes empty."""
    known = [[] if meaningless.issuperset(of_one) else of_one for of_one in ids]
    starts = np.cumsum([0, *map(len, known)], dtype=np.int64)
    return Overviews(np.fromiter(itertools.chain.from_iterable(known), np.int32, starts[-1]), starts)
