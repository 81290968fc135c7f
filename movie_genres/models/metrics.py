"""Metrics of multi-label predictions. Undefined values are None, never 0."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

EPSILON = 1e-7  # probabilities are clipped to [EPSILON, 1 - EPSILON], as Keras does


def binary_cross_entropy(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean binary cross-entropy in nats. Labels are 0 or 1, of shape (films, genres); probabilities broadcast to that."""
    p = np.clip(np.asarray(probabilities, dtype=np.float64), EPSILON, 1 - EPSILON)
    return float(-np.mean(np.where(np.asarray(labels) > 0, np.log(p), np.log1p(-p))))


def skill(loss: float, base_loss: float) -> float:
    """The share of the base-rate loss that a model saves: 0 for the base rates, 1 for a perfect model, negative if worse."""
    return 1 - loss / base_loss


def counts(labels: ArrayLike, decisions: ArrayLike) -> tuple[NDArray[np.int_], NDArray[np.int_], NDArray[np.int_]]:
    """True positives, predicted positives and actual positives of each genre, of shape (genres,)."""
    labels, decisions = np.asarray(labels) > 0, np.asarray(decisions) > 0
    return (labels & decisions).sum(axis=0), decisions.sum(axis=0), labels.sum(axis=0)


def precision_recall_f1(true_positives: float, predicted: float, actual: float
                        ) -> tuple[float | None, float | None, float | None]:
    """Precision, recall and F1 from counts; None where the denominator is 0."""
    return ratio(true_positives, predicted), ratio(true_positives, actual), ratio(2 * true_positives, predicted + actual)


def ratio(numerator: float, denominator: float) -> float | None:
    """numerator / denominator as a float, None where the denominator is 0."""
    return float(numerator) / float(denominator) if denominator else None


def rounded(value: float | None, digits: int = 4) -> float | None:
    """A float rounded for a metrics file; None and NaN become None."""
    return None if value is None or np.isnan(value) else round(float(value), digits)
