"""Metrics of multi-label predictions. Undefined values are None, never 0."""

import numpy as np
from sklearn.metrics import average_precision_score

EPSILON = 1e-7  # probabilities are clipped to [EPSILON, 1 - EPSILON], as Keras does


def binary_cross_entropy(labels, probabilities):
    """Mean binary cross-entropy over films and genres, in nats.

    Args:
        labels: 0/1 array of shape (films, genres).
        probabilities: float array that broadcasts to that shape.
    """
    p = np.clip(np.asarray(probabilities, dtype=np.float64), EPSILON, 1 - EPSILON)
    return float(-np.mean(np.where(np.asarray(labels) > 0, np.log(p), np.log1p(-p))))


def skill(loss, base_loss):
    """The share of the base-rate loss that a model saves: 0 for the base rates, 1 for a perfect model, negative if worse."""
    return 1 - loss / base_loss


def counts(labels, decisions):
    """True positives, predicted positives and actual positives of each genre, int arrays of shape (genres,)."""
    labels, decisions = np.asarray(labels) > 0, np.asarray(decisions) > 0
    return (labels & decisions).sum(axis=0), decisions.sum(axis=0), labels.sum(axis=0)


def precision_recall_f1(true_positives, predicted, actual):
    """Precision, recall and F1 from counts; None where the denominator is 0."""
    return (ratio(true_positives, predicted), ratio(true_positives, actual),
            ratio(2 * true_positives, predicted + actual))


def ratio(numerator, denominator):
    """numerator / denominator as a float, None where the denominator is 0."""
    return float(numerator) / float(denominator) if denominator else None


def mean(values):
    """The mean of the values that are not None, None where there is none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def average_precisions(labels, probabilities):
    """Average precision of each genre, a list; None for a genre with no positive film."""
    return [float(average_precision_score(labels[:, genre], probabilities[:, genre])) if labels[:, genre].any() else None
            for genre in range(labels.shape[1])]


def evaluate(labels, probabilities, base_rates, threshold=0.5):
    """All figures of one model on one set of films.

    Args:
        labels: 0/1 array of shape (films, genres).
        probabilities: float array of the same shape.
        base_rates: the training base rates, shape (genres,), for the skill.
        threshold: probability at or above which a genre counts as predicted.

    Returns:
        dict from metric name to float or None: loss, skill, micro precision, recall and F1, macro F1 and mAP over the
        genres that occur, and exact match (share of films whose set of genres is wholly right).
    """
    decisions = probabilities >= threshold
    true_positives, predicted, actual = counts(labels, decisions)
    precision, recall, f1 = precision_recall_f1(true_positives.sum(), predicted.sum(), actual.sum())
    f1_by_genre = [precision_recall_f1(*of_genre)[2] if of_genre[2] else None
                   for of_genre in zip(true_positives, predicted, actual)]
    loss = binary_cross_entropy(labels, probabilities)
    return {
        "loss": loss,
        "skill": skill(loss, binary_cross_entropy(labels, base_rates)),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "macro_f1": mean(f1_by_genre),
        "map": mean(average_precisions(labels, probabilities)),
        "exact_match": float(np.mean((decisions == (labels > 0)).all(axis=1))),
    }


def rounded(value, digits=4):
    """A float rounded for a metrics file; None and NaN become None."""
    return None if value is None or np.isnan(value) else round(float(value), digits)
