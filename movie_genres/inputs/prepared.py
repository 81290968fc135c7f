"""The table that `prepare` writes and all later stages read: films, genres, labels and splits."""

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

