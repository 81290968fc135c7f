"""Whether a figure differs from another one on the same splits by more than chance."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95  # of intervals; what is less probable than 1 - LEVEL is beyond chance
ROUNDED = 1e-4  # figures are kept with four digits: their differences are known no better, also where all seem equal


class Difference(NamedTuple):
    """The mean of paired differences, from `mean - margin` to `mean + margin` at a confidence of `LEVEL`.

    Attributes:
        margin: half of Student's t-interval, corrected as `difference` says; None for a single pair.
        p: of a difference so large, either way, if there is none (paired t-test, corrected, two-sided); None for one pair.
        pairs: how many there are, at least 1.
    """

    mean: float
    margin: float | None
    p: float | None
    pairs: int


def difference(values: Sequence[float], others: Sequence[float], overlap: float) -> Difference:
    """By how much figures differ from others, split by split, in the same order.

    Random splits share films, and so their figures vary less than those of other films would: the standard error of the mean
    is that of independent pairs times `sqrt(1 + pairs * overlap)` (Nadeau and Bengio, "Inference for the Generalization
    Error", 2003). With two or three splits the interval is wide: of a spread that is known so badly, Student's t allows for
    anything.

    Args:
        overlap: test films of a split for each of its training films, at least 0: such as 0.1 / 0.8.

    Raises:
        ValueError: not as many of both, or none.
    """
    found = np.array([value - other for value, other in zip(values, others, strict=True)], dtype=np.float64)
    if not len(found):
        raise ValueError("expected a split or more; found none")
    mean, freedom = float(found.mean()), len(found) - 1
    if not freedom:
        return Difference(mean, None, None, 1)
    error = max(float(found.std(ddof=1)), ROUNDED) * np.sqrt(1 / len(found) + overlap)
    margin = float(stats.t.ppf((1 + LEVEL) / 2, freedom) * error)
    return Difference(mean, margin, float(2 * stats.t.sf(abs(mean) / error, freedom)), len(found))


def holm(p_values: Sequence[float], tests: int) -> list[float]:
    """P-values corrected for the number of tests, of which those whose p-value is not given count as no news.

    (Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.)
    """
    corrected, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(np.argsort(p_values, kind="stable")):
        least = max(least, min(1.0, (tests - rank) * p_values[place]))
        corrected[place] = least
    return corrected


def errors_needed(tests: int, pairs: int) -> float:
    """How many standard errors, as `difference` has them, the largest of some differences has to have, to be beyond chance
    by Holm's correction."""
    return float(stats.t.isf((1 - LEVEL) / 2 / tests, pairs - 1))
