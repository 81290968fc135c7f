"""Tells a film's genres from its poster and its plot overview.

>>> from movie_genres import Predictor
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from movie_genres.scoring.predictor import Prediction, Predictions, Predictor

__all__ = ["Prediction", "Predictions", "Predictor"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from movie_genres.scoring import predictor  # only where it is asked for: it takes a moment, as it brings ONNX Runtime

    return getattr(predictor, name)
