"""Whether scored films are like those that the models were trained on, beyond what chance does, and how they differ.

A measure differs where such a difference by chance is less likely than `CHANCE`, divided by the number of measures
(Bonferroni), and the distance is at least what matters. Distances and chances are those of, for

- values: the Kolmogorov-Smirnov test. The distance `d` is the largest difference of cumulative shares at the edges of bins;
  its chance is about `2 exp(-2 d² n m / (n + m))` for `n` and `m` films, less where values are in bins or films are few;
- shares of films: Fisher's exact test, times the number of shares;
- mean probabilities: the two-sample z-test, with the variance of all films together, times the number of genres. (That of
  each side alone would be too small where a small side lacks, by chance, the few films with a high probability.)
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from movie_genres.ensemble.decisions import IN_WORDS
from movie_genres.ensemble.film_counts import MEASURES, OK, PROBABILITY, AnswerCounts, FilmCounts, Histogram
from movie_genres.ensemble.film_summaries import Summary
from movie_genres.inputs.modality import BOTH, OVERVIEW, POSTER

CHANCE = 0.01  # of a single false alarm among all measures of a job of films like those of the training
MATTERS = 0.1  # distance of values, and of kinds of input
MATTERS_OF_SHARES = 0.05  # difference of shares that fail, and of a genre's mean probability
FEWEST = 30  # films on each side, to compare means

TRAINING, VALIDATION = "training films", "validation films"


class Drift(NamedTuple):
    """One measure of scored films, beside that of known ones.

    Attributes:
        measure: a key of `film_counts.MEASURES`, or `kinds`, `failures`, or `answers` and a kind: `answers:both`.
        sentence: what it is on both sides and, where it differs, in which direction; for people.
        differs: whether it does beyond sampling noise, and enough to matter.
        distance: from 0 to 1: of values see above; of kinds the total variation; the difference of the shares that fail; of
            answers the largest difference of mean probabilities.
        chance: the probability of such a difference by chance, for this measure alone.
        beside: `training films` or `validation films`.
        films, known: how many films were compared, on both sides.
        labels: of the bins that are not empty and those between them, of the kinds, or the genres.
        found, expected: for each of these, the share of films in the bin, on both sides; of answers, the mean probability.
    """

    measure: str
    sentence: str
    differs: bool
    distance: float
    chance: float
    beside: str
    films: int
    known: int
    labels: tuple[str, ...]
    found: tuple[float, ...]
    expected: tuple[float, ...]


class _Words(NamedTuple):
    """What values are, how to say that they are smaller or larger or lie elsewhere, and how to write one."""

    noun: str
    smaller: str
    larger: str
    other: str
    value: Callable[[float], str]
    unit: str = ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


WORDS = {
    "poster_width": _Words("the width of posters", "posters are narrower", "posters are wider", "posters have other widths",
                           _number, " pixels"),
    "poster_height": _Words("the height of posters", "posters are lower", "posters are higher", "posters have other heights",
                            _number, " pixels"),
    "poster_aspect": _Words("width by height of posters", "posters are narrower for their height",
                            "posters are broader for their height", "posters have other proportions",
                            lambda value: f"{value:.2f}"),
    "poster_bytes": _Words("the size of poster files", "poster files are smaller", "poster files are larger",
                           "poster files have other sizes", lambda value: f"{_number(value / 1000)} KB"),
    "overview_words": _Words("the length of overviews", "overviews are shorter", "overviews are longer",
                             "overviews have other lengths", _number, " words"),
    "unknown_words": _Words("unknown words of overviews", "fewer words of overviews are unknown",
                            "more words of overviews are unknown", "other shares of overviews are unknown",
                            lambda value: f"{value:.0%}"),
}


def compare(summary: Summary) -> list[Drift]:
    """Compares scored films with those that the models were trained on, in all that is known of both.

    Of the training films are sizes, lengths, kinds and failures; of the validation films, from which no network has learned,
    unknown words and answers. Kinds of input are compared where posters and overviews are among the films. An empty list:
    nothing is known of the films of the training.
    """
    if summary.training_films is None:
        return []
    films, training, validation = summary.films, summary.training_films.training, summary.training_films.validation
    found = [*_measured(films, training, validation), *_kinds(films, training), *_failures(films, training),
             *(_answers(kind, answers, validation.answers[kind], summary.genres)
               for kind, answers in films.answers.items() if kind in validation.answers)]
    return [_judged(drift, CHANCE / len(found)) for drift in found]


def _judged(drift: Drift, chance: float) -> Drift:
    shares = drift.measure == "failures" or drift.measure.startswith("answers")
    differs = drift.chance < chance and drift.distance >= (MATTERS_OF_SHARES if shares else MATTERS)
    alike = "too little to matter" if drift.chance < chance else "no more than chance does"
    return drift._replace(differs=differs, sentence=drift.sentence if differs else f"{drift.sentence} ({alike})")


def fisher(hits: int, films: int, other_hits: int, other_films: int) -> float:
    """The chance that shares of films differ as much, on both sides of no difference: Fisher's exact test, doubled.

    Sums the hypergeometric distribution from what was found on.
    """
    if hits * other_films < other_hits * films:  # so many misses, then
        hits, other_hits = films - hits, other_films - other_hits
    all_hits, misses = hits + other_hits, films + other_films - hits - other_hits

    def log_choose(of: int, count: int) -> float:
        return math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)

    term = math.exp(log_choose(all_hits, hits) + log_choose(misses, films - hits) - log_choose(all_hits + misses, films))
    total = term
    while hits < min(all_hits, films) and term > total * 1e-12:
        term *= (all_hits - hits) * (films - hits) / ((hits + 1) * (misses - films + hits + 1))
        total, hits = total + term, hits + 1
    return min(1.0, 2 * total)


def _measured(films: FilmCounts, training: FilmCounts, validation: FilmCounts) -> Iterator[Drift]:
    for name, words in WORDS.items():
        beside, known = (VALIDATION, validation) if name == "unknown_words" else (TRAINING, training)
        if name in films.measures and name in known.measures:
            yield _of_values(name, words, films.measures[name], known.measures[name], beside)


def _of_values(name: str, words: _Words, found: Histogram, known: Histogram, beside: str) -> Drift:
    shares = [np.array(side.counts) / side.films for side in (found, known)]
    below = np.cumsum(shares, axis=1)  # of shape (2, bins)
    apart = np.abs(below[0] - below[1])
    at = int(apart.argmax())
    distance, films, others = float(apart[at]), found.films, known.films
    chance = min(1.0, 2 * math.exp(-2 * distance**2 * films * others / (films + others)))
    there = np.flatnonzero(np.sum(shares, axis=0))
    bins = range(there[0], there[-1] + 1)
    mean, expected = (side.sum * MEASURES[name].unit / side.films for side in (found, known))
    if distance < MATTERS or abs(mean - expected) >= 0.1 * expected:
        how = words.noun if distance < MATTERS else words.larger if mean > expected else words.smaller
        sentence = f"{how}: {words.value(mean)}{words.unit} on average, {beside} {words.value(expected)}"
    else:
        edge = words.value(MEASURES[name].edges[at])
        sentence = f"{words.other}: {below[0][at]:.0%} are below {edge}{words.unit}, of {beside} {below[1][at]:.0%}"
    return Drift(name, sentence, False, distance, chance, beside, films, others, tuple(_range(name, bin) for bin in bins),
                 *(tuple(side[bins].tolist()) for side in shares))


def _range(name: str, bin: int) -> str:
    """The values in a bin, in words."""
    edges, value, unit = MEASURES[name].edges, WORDS[name].value, WORDS[name].unit
    if not bin:
        return f"below {value(edges[0])}{unit}"
    return f"{value(edges[bin - 1])}" + (f" to {value(edges[bin])}{unit}" if bin < len(edges) else f"{unit} or more")


def _kinds(films: FilmCounts, training: FilmCounts) -> Iterator[Drift]:
    names = sorted({*films.kinds, *training.kinds})
    if not training.films or not (BOTH in films.kinds or {POSTER, OVERVIEW} <= set(films.kinds)):
        return
    counts = {name: (films.kinds.get(name, 0), training.kinds.get(name, 0)) for name in names}
    shares = {name: (found / films.films, known / training.films) for name, (found, known) in counts.items()}
    chance = min(fisher(found, films.films, known, training.films) for found, known in counts.values())
    most = max(names, key=lambda name: shares[name][0] - shares[name][1])
    distance = sum(abs(found - known) for found, known in shares.values()) / 2
    how = "films come with other inputs" if distance >= MATTERS else "inputs of films"
    sentence = (f"{how}: {shares[most][0]:.0%} with {IN_WORDS.get(most, most)}, of {TRAINING} "
                f"{shares[most][1]:.0%}")
    yield Drift("kinds", sentence, False, distance, min(1.0, chance * len(names)), TRAINING, films.films, training.films,
                tuple(names), *zip(*(shares[name] for name in names)))


def _failures(films: FilmCounts, training: FilmCounts) -> Iterator[Drift]:
    if not training.films or not films.films:
        return
    failed, known = (side.films - side.statuses.get(OK, 0) for side in (films, training))
    share, expected = failed / films.films, known / training.films
    most = sorted((name for name in films.statuses if name != OK), key=lambda name: -films.statuses[name])[:3]
    why = ", ".join(f"{name} {films.statuses[name] / films.films:.1%}" for name in most)
    how = ("films that fail" if abs(share - expected) < MATTERS_OF_SHARES else
           "more films fail" if share > expected else "fewer films fail")
    sentence = (f"{how}: {share:.1%}{f' ({why})' if why else ''}, of "
                f"{TRAINING} {expected:.1%}")
    yield Drift("failures", sentence, False, abs(share - expected), fisher(failed, films.films, known, training.films),
                TRAINING, films.films, training.films, (OK, "failed"), (1 - share, share), (1 - expected, expected))


def _answers(kind: str, found: AnswerCounts, known: AnswerCounts, genres: Sequence[str]) -> Drift:
    mean, expected, all_films = (np.array(side.sums) * PROBABILITY / side.films for side in (found, known, found + known))
    variance = np.array((found + known).squares) * PROBABILITY**2 / (found.films + known.films) - all_films**2
    noise = np.sqrt(np.maximum(variance, 0) * (1 / found.films + 1 / known.films))
    off, enough = mean - expected, min(found.films, known.films) >= FEWEST
    chances = np.array([math.erfc(abs(of_one) / of_noise / math.sqrt(2)) if enough and of_noise else 1.0
                        for of_one, of_noise in zip(off, noise)])
    large = np.abs(off) >= MATTERS_OF_SHARES
    chance = min(1.0, len(genres) * float(chances[large].min() if large.any() else chances.min()))
    order = np.argsort(-np.abs(off)).tolist()
    how = np.where(large, np.where(off > 0, "is more probable,", "is less probable,"), "has").tolist()
    told = [f"{genres[genre]} {how[genre]} {mean[genre]:.0%} on average, of {VALIDATION} {expected[genre]:.0%}"
            for genre in order[:3] if large[genre] or genre == order[0]]
    return Drift(f"answers:{kind}", f"answers to films with {IN_WORDS.get(kind, kind)}: " + "; ".join(told), False,
                 float(np.abs(off).max()), chance, VALIDATION, found.films, known.films, tuple(genres), tuple(mean.tolist()),
                 tuple(expected.tolist()))
