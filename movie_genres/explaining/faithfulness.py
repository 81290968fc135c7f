"""Whether explanations are faithful: what they mark counts more for the model than what they do not.

The tenth that is marked most is hidden, and for comparison a tenth at random (deletion, as in Samek et al., "Evaluating the
Visualization of What a Deep Neural Network Has Learned", 2017): the probability should fall more by the first.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from movie_genres.ensemble.scorer import Models
from movie_genres.explaining.asking import Film, Question
from movie_genres.explaining.explain import explained
from movie_genres.explaining.hiding import BLURRED, MEAN, hide_words, spans

SHARE = 0.1  # of the poster's area, and of the words
STAND_IN = "someone"  # a word that says nothing of a film
# By name, what hidden cells show and what stands for hidden words. The first is how explanations are made; the second is
# not, so that they are not judged by what they were made of.
WAYS = {"as explained": (BLURRED, ""), "in another way": (MEAN, STAND_IN)}
HIDDEN = ("marked", "scattered", "moved")  # tenths that are hidden; see `falls`


def falls(models: Models, film: Film, rng: np.random.Generator, draws: int = 10) -> dict[str, list[float]] | None:
    """By how much the probability of a film's most probable genre falls when a tenth of all that it has is hidden.

    Returns:
        for each of `WAYS`, in the order of `HIDDEN`, the fall by the marked tenth; the mean fall by `draws` tenths of cells
        and of words at random; and by as many tenths of the shape of the marked one, moved by a random distance (around the
        edges). None: the models have nothing to go by.
    """
    question = Question(models, film)
    if not question.modalities:
        return None
    genre = int(np.nanargmax(question.probabilities))
    why = explained(question, models.genres, [models.genres[genre]])[models.genres[genre]]
    cells = None if why.poster is None else _variants(why.poster, rng, draws)
    parts = spans(film.overview)
    words = None
    if why.words is not None:
        weights = np.zeros(len(parts))
        weights[[number for number, part in enumerate(parts) if part]] = [weight for _, weight in why.words]
        numbers = np.arange(1, len(parts), 2)[:question.length]
        words = [numbers[chosen] for chosen in _variants(weights[numbers], rng, draws)]
    found = {}
    for way, (fill, stand_in) in WAYS.items():
        overviews = words and [hide_words(parts, set(chosen.tolist()), stand_in) for chosen in words]
        hidden = 1 / (1 + np.exp(-question.ask(cells, overviews, fill)[:, genre]))
        of_draws = why.probability - hidden
        found[way] = [float(of_draws[0]), *(float(part.mean()) for part in np.split(of_draws[1:], 2))]
    return found


def _variants(weights: NDArray[np.floating], rng: np.random.Generator, draws: int) -> NDArray[np.bool_]:
    """What to hide of things of these weights: the tenth that weighs most, then `draws` random ones, then as many copies of
    the first that are moved; of shape (1 + 2 * draws, *weights.shape)."""
    count = max(1, round(SHARE * weights.size))
    chosen = np.zeros((1 + 2 * draws, weights.size), bool)
    chosen[0, np.argsort(-weights.ravel(), kind="stable")[:count]] = True
    for line in chosen[1:draws + 1]:
        line[rng.choice(weights.size, count, replace=False)] = True
    shaped = chosen.reshape(-1, *weights.shape)
    for variant in shaped[draws + 1:]:
        shift = np.unravel_index(rng.integers(min(1, weights.size - 1), weights.size), weights.shape)
        variant[...] = np.roll(shaped[0], shift, range(weights.ndim))
    return shaped


class Summary(NamedTuple):
    """A mean over films, and its 95 % bootstrap interval (Efron and Tibshirani, "An Introduction to the Bootstrap")."""

    mean: float
    low: float
    high: float


def summary(values: Sequence[float], seed: int = 0, resamples: int = 2000) -> Summary:
    """The mean of values of films; `ValueError` for none."""
    if not len(values):
        raise ValueError("expected values of films; found none")
    sample = np.asarray(values, dtype=np.float64)
    rows = np.random.default_rng(seed).integers(0, len(sample), (resamples, len(sample)))
    low, high = np.quantile(sample[rows].mean(axis=1), (0.025, 0.975))
    return Summary(float(sample.mean()), float(low), float(high))
