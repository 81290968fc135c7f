"""What models say of all prepared films: what training, tuning and evaluation hand to each other."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from movie_genres.inputs.modality import MODALITIES


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
    """Reads what `answering.write_answers` and `fusion.train_fusion` wrote, in any folder below `folder`.

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


