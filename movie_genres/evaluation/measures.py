"""Measures of multi-label predictions that only evaluation needs. Undefined values are None, never 0."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from movie_genres.models.metrics import binary_cross_entropy, counts, precision_recall_f1, skill


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of the values that are not None, None where there is none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def average_precisions(labels: NDArray[np.floating], probabilities: NDArray[np.floating]) -> list[float | None]:
    """Average precision of each genre; None for a genre with no positive film."""
    from sklearn.metrics import average_precision_score  # slow to import, and scoring does without

    return [float(average_precision_score(labels[:, genre], probabilities[:, genre])) if labels[:, genre].any() else None
            for genre in range(labels.shape[1])]


def recall_at_precision(labels: NDArray[np.floating], probabilities: NDArray[np.floating], precision: float) -> float:
    """The highest micro recall of any one threshold at which micro precision is at least `precision`; 0 if none is."""
    from sklearn.metrics import precision_recall_curve  # slow to import, and scoring does without

    precisions, recalls, _ = precision_recall_curve(np.ravel(labels), np.ravel(probabilities))
    return float(recalls[:-1][precisions[:-1] >= precision].max(initial=0.0))


def expected_calibration_error(labels: NDArray[np.floating], probabilities: NDArray[np.floating], bins: int = 10) -> float:
    """Mean distance between probability and frequency over equally wide bins, weighted by their size.

    (Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", 2015.) All films and
    genres together.
    """
    sizes, means, shares = reliability(labels, probabilities, bins)
    return float(np.sum(sizes * np.abs(means - shares)) / sizes.sum())


class Reliability(NamedTuple):
    """How often a genre is there, by the probability it was given, in equally wide bins; empty bins are left out.

    Attributes:
        sizes: numbers of pairs of film and genre.
        means: their mean probabilities.
        shares: how many of them are true, 0 to 1.
    """

    sizes: NDArray[np.int_]
    means: NDArray[np.floating]
    shares: NDArray[np.floating]


def reliability(labels: NDArray[np.floating], probabilities: NDArray[np.floating], bins: int = 10) -> Reliability:
    """Sorts all pairs of film and genre into bins by their probability."""
    labels, probabilities = np.ravel(labels), np.ravel(probabilities)
    places = np.minimum((probabilities * bins).astype(int), bins - 1)
    sizes = np.bincount(places, minlength=bins)
    used = sizes > 0
    means = np.bincount(places, probabilities, bins)[used] / sizes[used]
    shares = np.bincount(places, labels, bins)[used] / sizes[used]
    return Reliability(sizes[used], means, shares)


def of_decisions(labels: NDArray[np.floating], decisions: NDArray[np.bool_]) -> dict[str, float | None]:
    """Figures of yes-or-no decisions, by the metric's name; arrays are of shape (films, genres).

    Returns:
        micro precision, recall and F1; macro F1 over the genres that occur; sample
        F1, the mean over films; exact match, the share of films whose set of genres is wholly right; Hamming loss.
    """
    true_positives, predicted, actual = counts(labels, decisions)
    precision, recall, f1 = precision_recall_f1(true_positives.sum(), predicted.sum(), actual.sum())
    f1_by_genre = [precision_recall_f1(*of_genre)[2] if of_genre[2] else None
                   for of_genre in zip(true_positives, predicted, actual)]
    f1_by_film = [precision_recall_f1(*of_film)[2] for of_film in zip(*counts(labels.T, decisions.T))]
    wrong = np.asarray(decisions) != (np.asarray(labels) > 0)
    return {"precision": precision, "recall": recall, "f1": f1, "macro_f1": mean(f1_by_genre),
            "sample_f1": mean(f1_by_film), "exact_match": float(np.mean(~wrong.any(axis=1))),
            "hamming_loss": float(np.mean(wrong))}


def of_probabilities(labels: NDArray[np.floating], probabilities: NDArray[np.floating], base_rates: NDArray[np.floating],
                     precision: float) -> dict[str, float | None]:
    """Figures that need no threshold, by the metric's name; arrays are of shape (films, genres).

    Args:
        base_rates: of the training films, of shape (genres,), for the skill.
        precision: for the recall at that precision.

    Returns:
        loss, skill, mAP over the genres that occur, recall at the precision.
    """
    loss = binary_cross_entropy(labels, probabilities)
    return {"loss": loss, "skill": skill(loss, binary_cross_entropy(labels, base_rates)),
            "map": mean(average_precisions(labels, probabilities)),
            "recall_at_precision": recall_at_precision(labels, probabilities, precision)}

