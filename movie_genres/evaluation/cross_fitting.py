"""How likely each genre of each film is, said by models that have not seen the film, from its inputs and its other genres.

Cheap on purpose: logistic regressions over words, over the colours of posters, and over what these say and the film's other
genres, so that an audit of thousands of films takes a minute and needs no network.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from movie_genres.base.progress import track
from movie_genres.inputs.features import Posters
from movie_genres.inputs.text import normalise

Floats = NDArray[np.float64]
Matrix: TypeAlias = sparse.csr_matrix

WORD = r"\b\w{1,6}"  # a word's first letters, so that its forms become one: overviews are short
GRID, SHADES = 8, 4  # a poster's colours: the mean of 8 by 8 fields, and the share of each of 4 x 4 x 4 shades
BATCH = 256  # posters that are read at a time
WORDS_C, COLOURS_C, JOINT_C = 3.0, 0.001, 1.0  # inverse regularisation of the regressions


class Inputs(NamedTuple):
    """What the regressions see of films; no label has a part in it."""

    words: Matrix  # (films, words), TF-IDF, rows of length 1; zeros for films without an overview
    colours: Floats  # (films, numbers), standardised; zeros for films without a poster


def see_films(overviews: Sequence[str], posters: Posters) -> Inputs:
    """The inputs of films, from their overviews and their decoded posters."""
    return Inputs(count_words(overviews), _colours(posters))


def count_words(overviews: Sequence[str]) -> Matrix:
    """TF-IDF of the words of overviews, cut to six letters, of shape (films, words); at least one column."""
    texts = [normalise(overview) for overview in overviews]
    if not any(texts):
        return sparse.csr_matrix((len(texts), 1))
    return TfidfVectorizer(sublinear_tf=True, token_pattern=WORD, lowercase=False).fit_transform(texts)


def _colours(posters: Posters) -> Floats:
    present = np.flatnonzero(posters.present)
    colours = np.zeros((len(posters.present), GRID * GRID * 3 + SHADES ** 3))
    if not len(present):
        return colours
    for start in range(0, len(present), BATCH):
        rows = present[start:start + BATCH]
        pixels = posters.batch(rows)
        parts = [part.mean(axis=(1, 2)) / 255 for line in np.array_split(pixels, GRID, axis=1)
                 for part in np.array_split(line, GRID, axis=2)]
        shade = (pixels // (256 // SHADES)).astype(np.intp) @ np.array([SHADES * SHADES, SHADES, 1])
        shares = [np.bincount(of_film.ravel(), minlength=SHADES ** 3) / of_film.size for of_film in shade]
        colours[rows] = np.concatenate([*parts, np.sqrt(shares)], axis=1)
    colours[present] = StandardScaler().fit_transform(colours[present])
    return colours


def cross_fit(inputs: Inputs, labels: NDArray[np.floating], genres: NDArray[np.intp], folds: int, repeats: int, seed: int
              ) -> Floats:
    """The probability of each of `genres`, columns of `labels`, for each film, of shape (films, len(genres)).

    `labels`, 0/1, are of shape (films, all genres). Films are dealt to `folds`, at least 3, and a film's probabilities come
    from models that were trained on the other folds: two regressions of a genre, over words and colours, and one over their
    answers, the film's other genres and how many these are. That last one learns from answers out of sample, too: the first
    two are fitted without every pair of folds, the one to be answered for and the one to be learned from. (Wolpert, "Stacked
    generalization", 1992.) `repeats` with other folds are averaged, in log-odds.
    """
    rng = np.random.default_rng(seed)
    log_odds = np.zeros((len(labels), len(genres)))
    steps = list(itertools.product(range(repeats), genres))
    dealt = [rng.permutation(len(labels)) % folds for _ in range(repeats)]
    with threadpool_limits(1):  # these are small: threads would mostly wait for each other
        for repeat, genre in track(steps, len(steps), "Genres, by models that have not seen the films"):
            column = np.flatnonzero(genres == genre)
            log_odds[:, column] += _genre(inputs, labels, genre, dealt[repeat])[:, None] / repeats
    return expit(log_odds)


def _genre(inputs: Inputs, labels: NDArray[np.floating], genre: np.intp, fold: NDArray[np.intp]) -> Floats:
    """The log-odds of one genre, each film's by models that have not seen its fold; of shape (films,)."""
    target, count = labels[:, genre], fold.max(initial=0) + 1
    said = np.zeros((count, len(labels), 2))  # by the fold left out for good: what words and colours say
    kinds = [kind for kind in ((0, inputs.words, WORDS_C, "liblinear"), (1, inputs.colours, COLOURS_C, "newton-cholesky"))
             if abs(kind[1]).max() > 0]
    for one, other in itertools.combinations(range(count), 2):
        left_out = (fold == one) | (fold == other)
        for kind, features, strength, solver in kinds:
            answer = _regress(features, target, ~left_out, left_out, strength, solver)
            for outer, inner in ((one, other), (other, one)):
                said[outer, fold == inner, kind] = answer[fold[left_out] == inner]
                said[outer, fold == outer, kind] += answer[fold[left_out] == outer] / (count - 1)
    others = np.delete(labels, genre, axis=1)
    number = others.sum(axis=1).astype(int)
    beside = np.concatenate([others, np.eye(number.max(initial=0) + 1)[number]], axis=1)
    log_odds = np.zeros(len(labels))
    for outer in range(count):
        features = np.concatenate([said[outer], beside], axis=1)
        log_odds[fold == outer] = _regress(features, target, fold != outer, fold == outer, JOINT_C, "newton-cholesky")
    return log_odds


def _regress(features: Floats | Matrix, target: NDArray[np.floating], known: NDArray[np.bool_], asked: NDArray[np.bool_],
             strength: float, solver: str) -> Floats:
    """Log-odds for films that are `asked` about, by a logistic regression on those that are `known`."""
    there, absent = target[known].sum(), (1 - target[known]).sum()
    if not there or not absent:  # nothing to learn: how frequent the genre is, smoothed
        return np.full(asked.sum(), np.log((there + 1) / (absent + 1)))
    model = LogisticRegression(C=strength, solver=solver, random_state=0, max_iter=200)
    return model.fit(features[known], target[known]).decision_function(features[asked])
