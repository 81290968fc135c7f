"""What models say of each genre on the test films: counts, points to pick, confusions, best and worst films."""

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score

from movie_genres.evaluation.figures import BASE_RATE
from movie_genres.evaluation.measures import Floats, Reliability, expected_calibration_error, reliability
from movie_genres.models.metrics import precision_recall_f1
from movie_genres.reporting import words
from movie_genres.reporting.run import Run

POINTS = 50  # at most, to pick of a genre
SHOWN = 5  # genres and films in a list, at most
Flags = NDArray[np.bool_]


class View(NamedTuple):
    """Something that names genres of the test films; arrays are of shape (films, genres).

    Attributes:
        id: for elements of pages.
        title: plain text.
        thresholds: of each genre; None: what is named depends on a film's other genres too.
    """

    id: str
    title: str
    probabilities: Floats
    named: Flags
    thresholds: Floats | None = None


class Point(NamedTuple):
    """What a threshold of a genre comes to: films that are rightly named, and wrongly."""

    threshold: float
    right: int
    wrong: int


class Outcome(NamedTuple):
    """What a view came to for one genre. Figures are None where they are not defined.

    Attributes:
        right, wrong, missed, rest: true and false positives, false and true negatives.
        precision, recall, f1: of these, with 95 % intervals (Wilson, 1927) of the first two as `low`, `high`.
        average_precision: of the probabilities; that of guessing is `share`.
        share: of the films that have the genre, which is the precision of naming it of every film.
        points: thresholds to pick, the highest first: at each, one more true film is found, or a few.
    """

    genre: str
    films: int
    support: int
    right: int
    wrong: int
    missed: int
    rest: int
    precision: float | None
    recall: float | None
    f1: float | None
    average_precision: float | None
    calibration_error: float
    threshold: float | None
    points: Sequence[Point]

    @property
    def share(self) -> float:
        return self.support / self.films

    @property
    def naive_f1(self) -> float | None:
        """F1 of naming the genre of every film."""
        return precision_recall_f1(self.support, self.films, self.support)[2]

    @property
    def precision_interval(self) -> dict[str, float] | None:
        return _wilson(self.right, self.right + self.wrong)

    @property
    def recall_interval(self) -> dict[str, float] | None:
        return _wilson(self.right, self.support)


class Confusion(NamedTuple):
    """How often another genre is there among some films: how many, which share of them, and which share of all films."""

    genre: str
    films: int
    share: float
    of_all: float


class Told(NamedTuple):
    """A film in a list: its id, title, year, true and named genres, and the probability that it was given."""

    id: str
    title: str
    year: str
    genres: Sequence[str]
    named: Sequence[str]
    probability: float


def views_of(run: Run) -> list[View]:
    """What users get by default, then the models and baselines at their tuned thresholds, the base rates last."""
    comparison = run.comparison
    names = [name for name in (*run.answers, *run.baselines, BASE_RATE)]
    found = [(name, comparison.candidates[name]) for name in names]
    return [View("answers", "named by default", *run.answered),
            *(View(f"view-{place}", words.label(name), each.probabilities, each.named, each.thresholds)
              for place, (name, each) in enumerate(found))]


def outcomes_of(run: Run, view: View) -> list[Outcome]:
    """What a view came to, genre by genre."""
    labels = run.comparison.labels > 0
    return [_outcome(genre, labels[:, place], view.probabilities[:, place], view.named[:, place],
                     None if view.thresholds is None else float(view.thresholds[place]))
            for place, genre in enumerate(run.genres)]


def _outcome(genre: str, there: Flags, probabilities: Floats, named: Flags, threshold: float | None) -> Outcome:
    right, wrong, support = int((there & named).sum()), int((~there & named).sum()), int(there.sum())
    average = float(average_precision_score(there, probabilities)) if support else None
    return Outcome(genre, len(there), support, right, wrong, support - right, len(there) - support - wrong,
                   *precision_recall_f1(right, right + wrong, support), average,
                   expected_calibration_error(there.astype(float), probabilities), threshold, _points(there, probabilities))


def _points(there: Flags, probabilities: Floats) -> list[Point]:
    found = np.sort(probabilities[there])[::-1]
    places = np.linspace(0, len(found) - 1, min(POINTS, len(found))).round().astype(int)
    return [Point(float(level), int((found >= level).sum()), int((probabilities[~there] >= level).sum()))
            for level in np.unique(found[places])[::-1]]


def _wilson(successes: int, trials: int) -> dict[str, float] | None:
    if not trials:
        return None
    found = binomtest(successes, trials).proportion_ci(method="wilson")
    return {"value": successes / trials, "low": float(found.low), "high": float(found.high)}


def reliability_of(run: Run, view: View, genre: int) -> Reliability:
    """How often a genre is there by the probability that a view gives it."""
    return reliability(run.comparison.labels[:, genre], view.probabilities[:, genre])


def named_instead(run: Run, view: View, genre: int) -> tuple[list[Confusion], int]:
    """Of the films where a genre is missed: the genres that are named without being there, and how many films have no other
    genre named at all."""
    labels = run.comparison.labels > 0
    missed = labels[:, genre] & ~view.named[:, genre]
    return _confusions(run.genres, view.named & ~labels, missed, genre), int((~view.named[missed].any(axis=1)).sum())


def true_instead(run: Run, view: View, genre: int) -> list[Confusion]:
    """Of the films where a genre is wrongly named: the genres that they have."""
    labels = run.comparison.labels > 0
    return _confusions(run.genres, labels, ~labels[:, genre] & view.named[:, genre], genre)


def _confusions(genres: Sequence[str], flags: Flags, among: Flags, but: int) -> list[Confusion]:
    counts, of_all = flags[among].sum(axis=0), flags.mean(axis=0)
    order = [place for place in np.argsort(-counts, kind="stable") if counts[place] and place != but][:SHOWN]
    return [Confusion(genres[place], int(counts[place]), float(counts[place] / among.sum()), float(of_all[place]))
            for place in order]


def films_of(run: Run, view: View, genre: int) -> dict[str, list[Told]]:
    """Films to look at: rightly and wrongly named, with the highest probability, and missed, with the lowest."""
    there, named, given = run.comparison.labels[:, genre] > 0, view.named[:, genre], view.probabilities[:, genre]

    def told(flags: Flags, sign: int) -> list[Told]:
        chosen = heapq.nsmallest(SHOWN, np.flatnonzero(flags).tolist(), key=lambda row: sign * given[row])
        return [told_film(run, view, row, float(given[row])) for row in chosen]

    return {"right": told(there & named, -1), "wrong": told(~there & named, -1), "missed": told(there & ~named, 1)}


def told_film(run: Run, view: View, row: int, probability: float) -> Told:
    """One of the test films, by its row among them."""
    film = run.prepared.films.iloc[run.comparison.rows[row]]
    return Told(film["id"], film["title"] or film["id"], film["year"], _names(run.genres, run.comparison.labels[row] > 0),
                _names(run.genres, view.named[row]), probability)


def co_occurrence(flags: NDArray) -> NDArray[np.int_]:
    """How many films have both of two genres, of shape (genres, genres); on the diagonal, how many have one."""
    counted = flags.astype(int)
    return counted.T @ counted


def _names(genres: Sequence[str], flags: Iterable[bool]) -> list[str]:
    return [genre for genre, there in zip(genres, flags) if there]
