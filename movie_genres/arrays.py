"""What the stages hand to each other: the prepared films, decoded posters and token ids, read from their folders."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd


class Prepared(NamedTuple):
    """What `prepare` wrote, as the other stages read it.

    Attributes:
        films: data frame of text with the columns id, title, year, overview, genres, poster (path, or empty) and split.
        genres: list of genre names, the order of all label and probability columns.
        labels: float32 array of shape (films, genres) of 0 and 1.
    """

    films: pd.DataFrame
    genres: list
    labels: np.ndarray

    def rows(self, split, usable=True):
        """The indices of the films of a split (and where the bool array `usable` is true), an int array, ascending."""
        return np.flatnonzero((self.films["split"] == split) & usable)

    def base_rates(self):
        """The share of training films that have each genre: float64 array of shape (genres,)."""
        return self.labels[self.rows("train")].mean(axis=0, dtype=np.float64)


def load_prepared(folder):
    """Reads the folder that `prepare` wrote, as `Prepared`."""
    films = pd.read_csv(Path(folder) / "films.csv", dtype=str, keep_default_na=False)
    genres = json.loads((Path(folder) / "summary.json").read_text())["genres"]
    labels = np.array([[genre in of_film.split("|") for genre in genres] for of_film in films["genres"]])
    return Prepared(films, genres, labels.astype(np.float32))


class Posters(NamedTuple):
    """Decoded posters of a number of films.

    Attributes:
        pixels: uint8 array of shape (films, height, width, 3), RGB; zeros for films without a poster.
        present: bool array of shape (films,): whether the film has one.
    """

    pixels: np.ndarray
    present: np.ndarray


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


def load_posters(folder):
    """Maps from disk what `write_posters` wrote, as `Posters`."""
    return Posters(np.load(Path(folder) / "pixels.npy", mmap_mode="r"), np.load(Path(folder) / "present.npy"))


def load_overviews(folder):
    """Reads what `write_overviews` wrote, as `Overviews`."""
    return Overviews(np.load(Path(folder) / "ids.npy"), np.load(Path(folder) / "starts.npy"))


def load_vocabulary(folder):
    """Reads the vocabulary that `write_overviews` wrote: (list of words without the reserved ids, max_length)."""
    content = json.loads((Path(folder) / "vocabulary.json").read_text(encoding="utf-8"))
    return content["tokens"], content["max_length"]
