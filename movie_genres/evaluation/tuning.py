"""Fits temperatures, thresholds and the ranking of models, on validation films only."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass
from scipy.optimize import minimize_scalar
from sklearn.metrics import precision_recall_curve

from movie_genres.base.options import STRICT
from movie_genres.ensemble.decisions import Decision, Decisions
from movie_genres.inputs.modality import BOTH, MODALITIES
from movie_genres.models.answers import Answers
from movie_genres.models.metrics import binary_cross_entropy


@dataclass(config=STRICT, frozen=True, kw_only=True)
class TuneOptions:
    """The `tune` section of `params.yaml`.

    Attributes:
        aim: `f1`, the highest F1 of each genre, or `recall`, the most recall at a precision.
        precision: the precision to hold with the aim `recall`.
        min_films: genres with fewer validation films take the shared threshold.
    """

    aim: Literal["f1", "recall"]
    precision: float = Field(gt=0, lt=1)
    min_films: int = Field(ge=1)


def fit_decision(labels: NDArray[np.floating], probabilities: NDArray[np.floating], options: TuneOptions) -> Decision:
    """Fits temperature and thresholds of a model on validation films; arrays are of shape (films, genres).

    The temperature minimises the cross-entropy (Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural
    Networks", 2017).
    """
    undecided = Decision(1.0, np.full(labels.shape[1], 0.5))

    def loss(log_temperature: float) -> float:
        return binary_cross_entropy(labels, undecided._replace(temperature=np.exp(log_temperature)).calibrate(probabilities))

    decision = undecided._replace(temperature=float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x)))
    return decision._replace(thresholds=fit_thresholds(labels, decision.calibrate(probabilities), options))


def fit_thresholds(labels: NDArray[np.floating], probabilities: NDArray[np.floating],
                   options: TuneOptions) -> NDArray[np.floating]:
    """A threshold for each genre; one for all genres with too few films. Arrays are of shape (films, genres)."""
    shared = _best_threshold(labels.ravel(), probabilities.ravel(), options, 0.5)
    return np.array([_best_threshold(labels[:, genre], probabilities[:, genre], options, shared)
                     if labels[:, genre].sum() >= options.min_films else shared for genre in range(labels.shape[1])])


def _best_threshold(labels: NDArray[np.floating], probabilities: NDArray[np.floating], options: TuneOptions,
                    otherwise: float) -> float:
    """The threshold that serves the aim on these films, `otherwise` where none does."""
    if not labels.any():
        return otherwise
    precision, recall, thresholds = precision_recall_curve(labels, probabilities)
    precision, recall = precision[:-1], recall[:-1]  # the last point has no threshold
    if options.aim == "f1":
        score = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    else:
        score = np.where(precision >= options.precision, recall, -1.0)
    best = int(score.argmax())
    if score[best] <= 0:
        return otherwise
    below = thresholds[best - 1] if best else 0.0
    return float((below + thresholds[best]) / 2)  # between two films: no film lies on the edge


def tune(answers: Mapping[str, Answers], labels: NDArray[np.floating], rows: NDArray[np.intp],
         options: TuneOptions) -> Decisions:
    """Fits the decisions of models on the validation films `rows`, and ranks them; `labels`, 0/1, are of all films."""
    found = Decisions({}, {}, aim=options.aim, precision=options.precision if options.aim == "recall" else None)
    for name, of_model in answers.items():
        alone = {f"{name}:{kind}": probabilities for kind, probabilities in of_model.alone.items()}
        for key, probabilities in {name: of_model.probabilities, **alone}.items():
            known = rows[~np.isnan(probabilities[rows, 0])]
            if len(known):
                found.models[key] = fit_decision(labels[known], probabilities[known], options)
    for kind in (*MODALITIES, BOTH):
        given = {name: of_model.alone.get(kind, of_model.probabilities)[rows] for name, of_model in answers.items()
                 if kind == BOTH or kind == of_model.modality or kind in of_model.alone}
        found.ranking[kind] = _rank({name: found.of(name, labels.shape[1], kind).calibrate(probabilities)
                                     for name, probabilities in given.items()}, labels[rows])
    return found


def _rank(answers: Mapping[str, NDArray[np.floating]], labels: NDArray[np.floating]) -> list[str]:
    """The names of models from the lowest loss on, measured on films that all of them have something to go by."""
    known = np.all([~np.isnan(of_model[:, 0]) for of_model in answers.values()], axis=0)
    if not known.any():
        return list(answers)[::-1]
    return sorted(answers, key=lambda name: binary_cross_entropy(labels[known], answers[name][known]))
