"""Training losses for genres of very different frequency."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

MARGIN = 0.05  # of the asymmetric loss: negatives below this probability count as solved


class WeightedCrossentropy(keras.losses.Loss):
    """Binary cross-entropy in which the positives of each genre count by its weight."""

    def __init__(self, weights: list[float]):
        super().__init__()
        self.weights = weights

    def call(self, y_true: Any, y_pred: Any) -> Any:
        positive, negative = _log_likelihoods(y_pred)
        weights = ops.convert_to_tensor(self.weights, y_pred.dtype)
        return -ops.mean(y_true * weights * positive + (1 - y_true) * negative, axis=-1)


class AsymmetricLoss(keras.losses.Loss):
    """Asymmetric loss (Ridnik et al., "Asymmetric Loss for Multi-Label Classification", 2021).

    Negatives are focused with the exponent `focus`, gamma minus in the paper, and shifted by a margin.
    """

    def __init__(self, focus: float):
        super().__init__()
        self.focus = focus

    def call(self, y_true: Any, y_pred: Any) -> Any:
        positive, _ = _log_likelihoods(y_pred)
        shifted = ops.maximum(y_pred - MARGIN, 0.0)
        _, negative = _log_likelihoods(shifted)
        return -ops.mean(y_true * positive + (1 - y_true) * shifted**self.focus * negative, axis=-1)


def _log_likelihoods(probabilities: Any) -> tuple[Any, Any]:
    p = ops.clip(probabilities, 1e-7, 1 - 1e-7)
    return ops.log(p), ops.log1p(-p)


def build_loss(name: str, focus: float, base_rates: NDArray[np.float64]) -> keras.losses.Loss:
    """The Keras loss of a name: `crossentropy`, `weighted`, `focal` or `asymmetric`.

    In `weighted`, the positives of a genre of base rate r count sqrt((1 - r) / r) times, at least once and at most 10 times.
    The focus is the exponent of `focal` (Lin et al., "Focal Loss for Dense Object Detection", 2017) and `asymmetric`.
    """
    if name == "weighted":
        rates = np.clip(base_rates, 1e-4, 1 - 1e-4)
        return WeightedCrossentropy(np.clip(np.sqrt((1 - rates) / rates), 1, 10).tolist())
    if name == "focal":
        return keras.losses.BinaryFocalCrossentropy(gamma=focus)
    if name == "asymmetric":
        return AsymmetricLoss(focus)
    return keras.losses.BinaryCrossentropy()
