"""What models say of all prepared films: the folders that training, tuning and evaluation hand to each other."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.files import file_digest
from movie_genres.inputs.modality import MODALITIES, Modality

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]  # indices of films


class Answers(NamedTuple):
    """What one model says of all prepared films."""

    modality: Modality | None  # None for a fusion model
    digest: str  # SHA-256 of the model's file
    probabilities: Floats  # of shape (films, genres), uncalibrated; NaN where the model has nothing to go by
    # Of shape (draws, films, channels), mapped from disk, what the penultimate layer gives: in draw 0 of the films as they
    # are, in the others of distorted ones; None for a fusion model.
    features: NDArray[np.float16] | None
    alone: dict[str, Floats]  # of a fusion model that is shown one modality only, its probabilities by that modality

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether the model has something to go by, of shape (films,)."""
        return ~np.isnan(self.probabilities[:, 0])


def features_on_disk(folder: Path, shape: tuple[int, int, int]) -> np.memmap:
    """A new array for the `features` of a model in its folder, to be filled piece by piece and flushed."""
    folder.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(folder / "features.npy", "w+", np.float16, shape)


def save_answers(folder: Path, modality: Modality | None, checkpoint: Path, probabilities: Floats,
                 alone: Mapping[Modality, Floats] = {}) -> None:
    """Writes what a model says to its folder; the features of one of a single modality are there already."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "probabilities.npy", probabilities)
    for name, shown in alone.items():
        np.save(folder / f"{name}_alone.npy", shown)
    about = {"modality": modality, "digest": file_digest(checkpoint), "alone": list(alone)}
    (folder / "answers.json").write_text(json.dumps(about, indent=2) + "\n")


def load_answers(folder: str | Path) -> dict[str, Answers]:
    """Reads the folders of all models below a folder, by name: models of posters, then of overviews, then the fusion."""
    found = {}
    for file in sorted(Path(folder).glob("**/answers.json")):
        about, of_model = json.loads(file.read_text()), file.parent
        modality = about["modality"] and Modality(about["modality"])
        found[of_model.name] = Answers(
            modality, about["digest"], np.load(of_model / "probabilities.npy"),
            np.load(of_model / "features.npy", mmap_mode="r") if modality else None,
            {name: np.load(of_model / f"{name}_alone.npy") for name in about["alone"]})
    order = [*MODALITIES, None]
    return {name: found[name] for name in sorted(found, key=lambda name: order.index(found[name].modality))}


def save_teacher(folder: Path, probabilities: Floats | None) -> None:
    """Writes what a teacher says of all films, as of `networks.teaching.teach`; None: there is no teacher."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "teacher.json").write_text(json.dumps({"films": 0 if probabilities is None else len(probabilities)}) + "\n")
    if probabilities is not None:
        np.save(folder / "probabilities.npy", probabilities)


def load_teacher(folder: Path) -> Floats | None:
    """Reads what `save_teacher` wrote."""
    return np.load(folder / "probabilities.npy") if json.loads((folder / "teacher.json").read_text())["films"] else None
