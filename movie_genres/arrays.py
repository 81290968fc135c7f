"""What the stages hand to each other, read from their folders: films, decoded posters, token ids, models' answers."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from movie_genres.models import MODALITIES


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
    """Reads the vocabulary that `write_overviews` wrote, as a dict; see `vocabulary.restore_vocabulary`."""
    return json.loads((Path(folder) / "vocabulary.json").read_text(encoding="utf-8"))


class Answers(NamedTuple):
    """What one model says of all prepared films.

    Attributes:
        modality: `poster` or `overview`, or None for a fusion model.
        digest: SHA-256 of the model's file.
        probabilities: float32 array of shape (films, genres), uncalibrated; NaN where the model has nothing to go by.
        features: float16 array of shape (draws, films, channels), mapped from disk, what the model's penultimate layer
            gives: in draw 0 of the films as they are, in the others of distorted ones; None for a fusion model.
        alone: dict from modality to the probabilities of a fusion model that is shown this modality only.
    """

    modality: str | None
    digest: str
    probabilities: np.ndarray
    features: np.ndarray | None
    alone: dict

    @property
    def present(self):
        """Whether the model has something to go by, bool array of shape (films,)."""
        return ~np.isnan(self.probabilities[:, 0])


def load_answers(folder):
    """Reads what `inference.write_answers` and `fusion.train_fusion` wrote, in any folder below `folder`.

    Returns:
        dict from model name to `Answers`: models of posters, then of overviews, then the fusion model.
    """
    found = {}
    for file in sorted(Path(folder).glob("**/answers.json")):
        about, of_model = json.loads(file.read_text()), file.parent
        found[of_model.name] = Answers(
            about["modality"], about["digest"], np.load(of_model / "probabilities.npy"),
            np.load(of_model / "features.npy", mmap_mode="r") if about["modality"] else None,
            {modality: np.load(of_model / f"{modality}_alone.npy") for modality in about.get("alone", [])})
    order = [*MODALITIES, None]
    return {name: found[name] for name in sorted(found, key=lambda name: order.index(found[name].modality))}
