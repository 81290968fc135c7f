"""Measures of multi-label predictions that only evaluation needs. Undefined values are None, never 0."""

import numpy as np

from movie_genres.models.metrics import binary_cross_entropy, counts, precision_recall_f1, skill


def mean(values):
    """The mean of the values that are not None, None where there is none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def average_precisions(labels, probabilities):
    """Average precision of each genre, a list; None for a genre with no positive film."""
    from sklearn.metrics import average_precision_score  # slow to import, and scoring does without

    return [float(average_precision_score(labels[:, genre], probabilities[:, genre])) if labels[:, genre].any() else None
            for genre in range(labels.shape[1])]


def recall_at_precision(labels, probabilities, precision):
    """The highest micro recall of any one threshold at which micro precision is at least `precision`; 0 if none is."""
    from sklearn.metrics import precision_recall_curve  # slow to import, and scoring does without

    precisions, recalls, _ = precision_recall_curve(np.ravel(labels), np.ravel(probabilities))
    return float(recalls[:-1][precisions[:-1] >= precision].max(initial=0.0))


def expected_calibration_error(labels, probabilities, bins=10):
    """Mean distance between probability and frequency over equally wide bins, weighted by their size.

    (Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", 2015.) All films and
    genres together.
    """
    _, counts, means, shares = reliability(labels, probabilities, bins)
    return float(np.sum(counts * np.abs(means - shares)) / counts.sum())


def reliability(labels, probabilities, bins=10):
    """How often a genre is there, by the probability it was given, in equally wide bins; empty bins are left out.

    Returns:
        (lower edges, numbers of pairs of film and genre, mean probabilities, shares that are true): arrays of equal length.
    """
    labels, probabilities = np.ravel(labels), np.ravel(probabilities)
    places = np.minimum((probabilities * bins).astype(int), bins - 1)
    counts = np.bincount(places, minlength=bins)
    used = counts > 0
    means = np.bincount(places, probabilities, bins)[used] / counts[used]
    shares = np.bincount(places, labels, bins)[used] / counts[used]
    return np.flatnonzero(used) / bins, counts[used], means, shares


def of_decisions(labels, decisions):
    """Figures of yes-or-no decisions.

    Args:
        labels, decisions: 0/1 or bool arrays of shape (films, genres).

    Returns:
        dict from metric name to float or None: micro precision, recall and F1; macro F1 over the genres that occur; sample
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


def of_probabilities(labels, probabilities, base_rates, precision):
    """Figures of probabilities that need no threshold.

    Args:
        labels: 0/1 array of shape (films, genres).
        probabilities: float array of the same shape.
        base_rates: the training base rates, shape (genres,), for the skill.
        precision: for the recall at that precision.

    Returns:
        dict from metric name to float or None: loss, skill, mAP over the genres that occur, recall at the precision.
    """
    loss = binary_cross_entropy(labels, probabilities)
    return {"loss": loss, "skill": skill(loss, binary_cross_entropy(labels, base_rates)),
            "map": mean(average_precisions(labels, probabilities)),
            "recall_at_precision": recall_at_precision(labels, probabilities, precision)}

