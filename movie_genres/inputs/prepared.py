"""The folder that `prepare` writes and all later stages read: films, genres, labels and splits."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.files import StrPath

if TYPE_CHECKING:  # scoring has no pandas
    import pandas as pd

FILMS = "films.csv"


class Prepared(NamedTuple):
    """What `prepare` wrote, as the other stages read it.

    The columns of `films` are text: id, title, year, overview, genres (joined by a bar), poster (path, or empty) and split.
    """

    films: pd.DataFrame
    genres: list[str]  # in the order of all label and probability columns
    labels: NDArray[np.float32]  # (films, genres), 0 and 1

    def rows(self, split: str, usable: NDArray[np.bool_] | bool = True) -> NDArray[np.intp]:
        """The indices of the films of a split (and where `usable`, of shape (films,), is true), ascending."""
        return np.flatnonzero((self.films["split"] == split) & usable)

    def base_rates(self) -> NDArray[np.float64]:
        """The share of training films that have each genre, of shape (genres,)."""
        return self.labels[self.rows("train")].mean(axis=0, dtype=np.float64)


def save_prepared(films: pd.DataFrame, summary: dict[str, Any], folder: StrPath) -> None:
    """Writes the folder: films as of `Prepared`, and a summary of them, which has their `genres`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    films.to_csv(folder / FILMS, index=False, lineterminator="\n")
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")


def load_summary(folder: StrPath) -> dict[str, Any]:
    """Reads the summary that `save_prepared` wrote."""
    return json.loads((Path(folder) / "summary.json").read_text())


def load_prepared(folder: StrPath) -> Prepared:
    """Reads what `save_prepared` wrote."""
    import pandas as pd

    films = pd.read_csv(Path(folder) / FILMS, dtype=str, keep_default_na=False)
    genres = load_summary(folder)["genres"]
    labels, columns = np.zeros((len(films), len(genres)), np.float32), {genre: index for index, genre in enumerate(genres)}
    for of_film, text in zip(labels, films["genres"]):
        of_film[[columns[genre] for genre in text.split("|") if genre in columns]] = 1
    return Prepared(films, genres, labels)


def read_split(folder: StrPath, split: str) -> list[dict[str, str]]:
    """The films of one split, with their columns as in `Prepared`, without the rest of it."""
    with open(Path(folder) / FILMS, encoding="utf-8", newline="") as file:
        return [film for film in csv.DictReader(file, strict=True) if film["split"] == split]
