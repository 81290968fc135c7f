"""What the stages hand to each other, read from their folders: films, decoded posters, token ids, models' answers."""

import itertools
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Posters(NamedTuple):
    """Decoded posters of a number of films.

    Attributes:
        pixels: uint8 array of shape (films, height, width, 3), RGB; zeros for films without a poster.
        present: bool array of shape (films,): whether the film has one.
    """

    pixels: np.ndarray
    present: np.ndarray

    def order(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.arange(len(rows))

    def batch(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        return np.asarray(self.pixels[rows])


class Overviews(NamedTuple):
    """Token ids of the overviews of a number of films.

    Attributes:
        ids: int32 array of the token ids of all overviews, one after the other.
        starts: int64 array of shape (films + 1,): overview `i` is `ids[starts[i]:starts[i + 1]]`.
    """

    ids: np.ndarray
    starts: np.ndarray

    @property
    def lengths(self):
        """Number of tokens of each overview, int array of shape (films,)."""
        return np.diff(self.starts)

    @property
    def present(self):
        """Whether the film has an overview with at least one token, bool array of shape (films,)."""
        return self.lengths > 0

    def order(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.argsort(self.lengths[rows], kind="stable")  # like lengths together: little padding

    def batch(self, rows: NDArray[np.intp]) -> NDArray[np.int32]:
        return pad(self, rows)


def load_posters(folder):
    """Maps from disk what `write_posters` wrote, as `Posters`."""
    return Posters(np.load(Path(folder) / "pixels.npy", mmap_mode="r"), np.load(Path(folder) / "present.npy"))


def load_overviews(folder):
    """Reads what `write_overviews` wrote, as `Overviews`."""
    return Overviews(np.load(Path(folder) / "ids.npy"), np.load(Path(folder) / "starts.npy"))


def load_vocabulary(folder):
    """Reads the vocabulary that `write_overviews` wrote, as a dict; see `vocabulary.restore_vocabulary`."""
    return json.loads((Path(folder) / "vocabulary.json").read_text(encoding="utf-8"))



def pad(overviews, rows):
    """Token ids of some overviews as one array.

    Args:
        overviews: `features.Overviews`.
        rows: int array of overview indices.

    Returns:
        int32 array of shape (rows, length), 0 where an overview has ended; length is at least 1.
    """
    ids, starts = overviews
    lengths = starts[rows + 1] - starts[rows]
    batch = np.zeros((len(rows), lengths.max(initial=1)), dtype=np.int32)
    for line, (row, length) in enumerate(zip(rows, lengths)):
        batch[line, :length] = ids[starts[row]:starts[row] + length]
    return batch


def in_order(rows, batch_size):
    """Splits an index array into batches, in order."""
    return [rows[start:start + batch_size] for start in range(0, len(rows), batch_size)]



def join_ids(ids, meaningless):
    """Joins the token ids of several overviews to `Overviews`.

    Args:
        ids: list of lists of int.
        meaningless: set of ids that say nothing of an overview; one of nothing else becomes empty.
    """
    known = [[] if meaningless.issuperset(of_one) else of_one for of_one in ids]
    starts = np.cumsum([0, *map(len, known)], dtype=np.int64)
    return Overviews(np.fromiter(itertools.chain.from_iterable(known), np.int32, starts[-1]), starts)

