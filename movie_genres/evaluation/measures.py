"""Measures of multi-label predictions that only evaluation needs. Undefined values are None, never 0."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve

from movie_genres.models.metrics import binary_cross_entropy, counts, precision_recall_f1, skill

Floats = NDArray[np.floating]

BINS = 10  # of probabilities, equally wide


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of the values that are not None, None where there is none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def recall_at_precision(labels: Floats, probabilities: Floats, precision: float) -> float:
    """The highest micro recall of any one threshold at which micro precision is at least `precision`; 0 if none is."""
    precisions, recalls, _ = precision_recall_curve(np.ravel(labels), np.ravel(probabilities))
    return float(recalls[:-1][precisions[:-1] >= precision].max(initial=0.0))


def expected_calibration_error(labels: Floats, probabilities: Floats) -> float:
    """Mean distance between probability and frequency over the bins of `reliability`, weighted by their size.

    (Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", 2015.)
    """
    sizes, means, shares = reliability(labels, probabilities)
    return float(np.sum(sizes * np.abs(means - shares)) / sizes.sum())


class Reliability(NamedTuple):
    """How often a genre is there, by the probability it was given, in `BINS` bins; empty bins are left out.

    Attributes:
        sizes: numbers of pairs of film and genre.
        means: their mean probabilities.
        shares: how many of them are true, 0 to 1.
    """

    sizes: NDArray[np.int_]
    means: Floats
    shares: Floats


def reliability(labels: Floats, probabilities: Floats) -> Reliability:
    """Sorts all pairs of film and genre into bins by their probability."""
    labels, probabilities = np.ravel(labels), np.ravel(probabilities)
    places = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    sizes = np.bincount(places, minlength=BINS)
    used = sizes > 0
    means = np.bincount(places, probabilities, BINS)[used] / sizes[used]
    shares = np.bincount(places, labels, BINS)[used] / sizes[used]
    return Reliability(sizes[used], means, shares)


def of_decisions(labels: Floats, decisions: NDArray[np.bool_]) -> dict[str, float | None]:
    """Figures of yes-or-no decisions, by the metric's name; arrays are of shape (films, genres).

    Precision, recall and F1 are micro-averaged, macro F1 is over the genres that occur, sample F1 the mean over films, exact
    match the share of films whose set of genres is wholly right.
    """
    true_positives, predicted, actual = counts(labels, decisions)
    precision, recall, f1 = precision_recall_f1(true_positives.sum(), predicted.sum(), actual.sum())
    f1_by_genre = [precision_recall_f1(*of_genre)[2] for of_genre in zip(true_positives, predicted, actual) if of_genre[2]]
    right, named, there = counts(labels.T, decisions.T)
    some = named + there > 0
    wrong = decisions != (labels > 0)
    return {"precision": precision, "recall": recall, "f1": f1, "macro_f1": mean(f1_by_genre),
            "sample_f1": mean(2 * right[some] / (named + there)[some]), "exact_match": float(np.mean(~wrong.any(axis=1))),
            "hamming_loss": float(np.mean(wrong))}


def of_probabilities(labels: Floats, probabilities: Floats, base_rates: Floats, precision: float) -> dict[str, float | None]:
    """Figures that need no threshold, by the metric's name; arrays are of shape (films, genres).

    Skill is over `base_rates`, those of the training films, mAP over the genres that occur, recall at `precision`.
    """
    loss, occurring = binary_cross_entropy(labels, probabilities), np.flatnonzero(labels.any(axis=0))
    return {"loss": loss, "skill": skill(loss, binary_cross_entropy(labels, base_rates)),
            "map": mean(average_precision_score(labels[:, genre], probabilities[:, genre]) for genre in occurring),
            "recall_at_precision": recall_at_precision(labels, probabilities, precision)}
