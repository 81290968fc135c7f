"""Where a training writes, and what it writes of a trained model beside the model itself."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from movie_genres.inputs.modality import Modality
from movie_genres.inputs.prepared import Prepared
from movie_genres.models.answers import Floats
from movie_genres.models.metrics import binary_cross_entropy, counts, precision_recall_f1, rounded, skill
from movie_genres.models.onnx_files import int8_path


class Outputs(NamedTuple):
    """Where a training writes."""

    model: Path  # the `.keras` file: the epoch with the lowest validation loss; or of several seeds, the average of these
    history: Path  # a CSV file with a row for each epoch, of several seeds with means
    metrics: Path  # a JSON file with the few validation figures that one compares; `summary` has all
    out: Path  # folder for what the trained model says of all films; see `answers.Answers`
    state: Path  # folder for what a training that is interrupted goes on from; see `state.TrainingState`
    live: Path  # folder for DVCLive

    @property
    def summary(self) -> Path:
        """A JSON file with all figures of the training, beside its history."""
        return self.history.with_suffix(".json")

    @property
    def onnx(self) -> Path:
        """The model's ONNX file, which scoring runs."""
        return self.model.with_suffix(".onnx")

    @property
    def int8(self) -> Path:
        """Its copy in 8 bits, if there is one; see `onnx_files.int8_path`."""
        return int8_path(self.onnx)

    @property
    def runs(self) -> Path:
        """The file that scoring runs on a processor."""
        return self.int8 if self.int8.exists() else self.onnx


def metadata_of(modality: Modality | None, prepared: Prepared, **about: Any) -> dict[str, Any]:
    """What a model file says of itself; see `metadata.Metadata`."""
    return {"modality": modality, "genres": prepared.genres, "base_rates": prepared.base_rates().tolist(), **about}


def validation_figures(labels: Floats, probabilities: Floats) -> dict[str, Any]:
    """Loss, precision and recall at 0.5 of validation films, by these names."""
    true_positives, predicted, actual = counts(labels, probabilities >= 0.5)
    precision, recall, _ = precision_recall_f1(true_positives.sum(), predicted.sum(), actual.sum())
    return {"loss": binary_cross_entropy(labels, probabilities), "precision": precision, "recall": recall}


def write_history(path: Path, epochs: pd.DataFrame) -> None:
    """Writes figures of epochs, a row for each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    epochs.round(5).to_csv(path, index=False, lineterminator="\n")


def write_summary(outputs: Outputs, loss: float, base_loss: float, precision: float | None, recall: float | None, **more: Any
                  ) -> dict[str, Any]:
    """Writes the validation figures of a trained model beside those of the base rates, and returns all of them."""
    headlines = {"best_val_loss": rounded(loss), "skill": rounded(skill(loss, base_loss)), "precision": rounded(precision),
                 "recall": rounded(recall)}
    summary = {**headlines, "base_rate_loss": rounded(base_loss), **more}
    for path, figures in ((outputs.metrics, headlines), (outputs.summary, summary)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=2) + "\n")
    return summary
