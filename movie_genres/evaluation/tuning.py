"""Fits calibrations, operating points and the ranking of models, on validation films only."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass
from scipy.optimize import minimize, minimize_scalar
from sklearn.metrics import precision_recall_curve

from movie_genres.base.options import STRICT
from movie_genres.ensemble.decisions import Calibration, Decision, Decisions
from movie_genres.ensemble.operating_points import Choice, Curve, Measured, OperatingPoint, likeliest
from movie_genres.evaluation import measures
from movie_genres.inputs.modality import BOTH, MODALITIES
from movie_genres.models.answers import Answers
from movie_genres.models.metrics import EPSILON, binary_cross_entropy

Floats = NDArray[np.floating]
THRESHOLDS = np.linspace(0, 1, 101)
PRIOR = 20.0  # how strongly Platt scaling is drawn to the temperature: the weight of its squares beside a film's loss


@dataclass(config=STRICT, frozen=True, kw_only=True)
class TuneOptions:
    """The `tune` section of `params.yaml`.

    Attributes:
        calibration: `temperature`, one number for all genres, or `platt`, two for each.
        min_films: genres with fewer validation films keep the temperature's calibration.
        power: of the default operating point; see `operating_points.OperatingPoint`.
        most_off: by how many genres a film the default may differ from what the training films have.
    """

    calibration: Literal["temperature", "platt"]
    min_films: int = Field(ge=1)
    power: float = Field(ge=0, le=1)
    most_off: float = Field(gt=0)


def fit_calibration(labels: Floats, probabilities: Floats, options: TuneOptions) -> Calibration:
    """Fits the calibration of a model on validation films; arrays are of shape (films, genres).

    Temperature scaling minimises the cross-entropy of all genres together (Guo, Pleiss, Sun and Weinberger, "On Calibration
    of Modern Neural Networks", 2017), Platt scaling that of each genre, with smoothed labels (Platt, "Probabilistic Outputs
    for Support Vector Machines", 1999); here it starts from the temperature, and is drawn to it where films are few.
    """
    genres = labels.shape[1]
    p = np.clip(probabilities, EPSILON, 1 - EPSILON)
    evidence = np.log(p / (1 - p))

    def loss(log_scale: float) -> float:
        return binary_cross_entropy(labels, 1 / (1 + np.exp(-np.exp(log_scale) * evidence)))

    shared = float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))
    scale, shift = np.full(genres, shared), np.zeros(genres)
    if options.calibration == "platt":
        for genre in np.flatnonzero(labels.sum(axis=0) >= options.min_films):
            scale[genre], shift[genre] = _platt(labels[:, genre], evidence[:, genre], shared)
    return Calibration(scale, shift)


def _platt(labels: Floats, evidence: Floats, shared: float) -> tuple[float, float]:
    """Scale and shift of one genre's log-odds; arrays are of shape (films,)."""
    there, absent = labels.sum(), (1 - labels).sum()
    targets = np.where(labels > 0, (there + 1) / (there + 2), 1 / (absent + 2))

    def loss(given: Floats) -> float:
        log_odds = shared * np.exp(given[0]) * evidence + given[1]
        return np.sum(np.logaddexp(0, log_odds) - targets * log_odds) + PRIOR * np.square(given).sum()

    ratio, shift = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[(-1, 1), (-2, 2)]).x
    return shared * float(np.exp(ratio)), float(shift)


def measure(labels: Floats, probabilities: Floats, count: NDArray[np.int_]) -> Measured:
    """What it comes to, to name the likeliest `count` genres of each film; arrays are of shape (films, genres), (films,)."""
    named = likeliest(probabilities, count)
    figures = measures.of_decisions(labels, named)
    precision, recall, f1 = (figures[name] or 0.0 for name in ("precision", "recall", "sample_f1"))
    return Measured(precision, recall, float(named.sum(axis=1).mean()), f1)


def fit_choice(labels: Floats, probabilities: Floats, genres_per_film: float, options: TuneOptions) -> Choice:
    """Measures operating points on validation films; arrays, calibrated, are of shape (films, genres).

    The default is the one with the best F1 per film of those that name about as many genres as films have.
    """
    def measured(threshold: float, power: float) -> Measured:
        point = OperatingPoint(threshold, power)
        return measure(labels, probabilities, point.number(probabilities))

    candidates = [(threshold, measured(threshold, options.power)) for threshold in THRESHOLDS]
    off = [abs(of_one.genres_per_film - genres_per_film) for _, of_one in candidates]
    allowed = max(options.most_off, min(off))  # where none is near enough, the nearest
    threshold, best = max((candidate for candidate, distance in zip(candidates, off) if distance <= allowed),
                          key=lambda candidate: candidate[1].f1_per_film)
    curve = Curve(THRESHOLDS, np.array([measured(each, 0.0) for each in THRESHOLDS]))
    return Choice(OperatingPoint(float(threshold), options.power), best, curve)


def tune(answers: Mapping[str, Answers], labels: Floats, rows: Mapping[str, NDArray[np.intp]], genres: list[str],
         options: TuneOptions) -> Decisions:
    """Fits the decisions of models on validation films, and ranks them.

    `labels`, 0/1, are of all films; `rows` those of each split. Of the training films only the labels are looked at.
    """
    train, validation = labels[rows["train"]], rows["validation"]
    genres_per_film = float(train.sum(axis=1).mean())
    always, reached = measure_always(train.mean(axis=0), labels[validation])
    found = Decisions({}, {}, len(validation), ([genres[genre] for genre in always], reached))
    has_both = np.all(list(present_of(answers).values()), axis=0)
    for name, of_model in answers.items():
        alone = {f"{name}:{kind}": probabilities for kind, probabilities in of_model.alone.items()}
        for key, probabilities in {name: of_model.probabilities, **alone}.items():
            known = validation[~np.isnan(probabilities[validation, 0])]
            if of_model.modality is None and key == name and has_both[known].any():  # others are answered as if alone
                known = known[has_both[known]]
            if len(known):
                calibration = fit_calibration(labels[known], probabilities[known], options)
                choice = fit_choice(labels[known], calibration(probabilities[known]), genres_per_film, options)
                found.models[key] = Decision(calibration, choice)
    for kind in (*MODALITIES, BOTH):
        given = {name: of_model.alone.get(kind, of_model.probabilities)[validation] for name, of_model in answers.items()
                 if kind == BOTH or kind == of_model.modality or kind in of_model.alone}
        found.ranking[kind] = _rank({name: found.of(name, len(genres), kind).calibration(probabilities)
                                     for name, probabilities in given.items()}, labels[validation], train.mean(axis=0))
    return found


def present_of(answers: Mapping[str, Answers]) -> dict[str, NDArray[np.bool_]]:
    """Whether some model of a modality has something to go by, of shape (films,), by modality."""
    found: dict[str, NDArray[np.bool_]] = {}
    for of_model in answers.values():
        if of_model.modality:
            found[of_model.modality] = found.get(of_model.modality, False) | of_model.present
    return found


def measure_always(base_rates: Floats, labels: Floats) -> tuple[NDArray[np.intp], Measured]:
    """The most frequent genres, as many as a training film has, and what naming them of every film comes to.

    `base_rates` are of the training films, of shape (genres,); `labels` of those measured, of shape (films, genres).
    """
    count = max(1, round(float(base_rates.sum())))
    rates = np.broadcast_to(base_rates, labels.shape)
    return np.argsort(-base_rates, kind="stable")[:count], measure(labels, rates, np.full(len(labels), count))


def _rank(answers: Mapping[str, Floats], labels: Floats, base_rates: Floats) -> list[str]:
    """The names of models from the lowest loss on, measured on films that one of them has something to go by.

    A model that has not, where another has, is taken to say the base rates, of shape (genres,).
    """
    known = np.any([~np.isnan(of_model[:, 0]) for of_model in answers.values()], axis=0) if answers else np.zeros(0, bool)
    if not known.any():
        return list(answers)[::-1]

    def loss(name: str) -> float:
        of_model = answers[name][known]
        return binary_cross_entropy(labels[known], np.where(np.isnan(of_model), base_rates, of_model))

    return sorted(answers, key=loss)


def fit_thresholds(labels: Floats, probabilities: Floats, min_films: int) -> Floats:
    """The threshold of each genre that has the highest F1; one for all genres with fewer than `min_films` films.

    Arrays are of shape (films, genres).
    """
    shared = _best_threshold(labels.ravel(), probabilities.ravel(), 0.5)
    return np.array([_best_threshold(labels[:, genre], probabilities[:, genre], shared)
                     if labels[:, genre].sum() >= min_films else shared for genre in range(labels.shape[1])])


def _best_threshold(labels: Floats, probabilities: Floats, otherwise: float) -> float:
    """The threshold with the highest F1 on these films, `otherwise` where none finds anything."""
    if not labels.any():
        return otherwise
    precision, recall, thresholds = precision_recall_curve(labels, probabilities)
    precision, recall = precision[:-1], recall[:-1]  # the last point has no threshold
    score = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    best = int(score.argmax())
    if score[best] <= 0:
        return otherwise
    below = thresholds[best - 1] if best else 0.0
    return float((below + thresholds[best]) / 2)  # between two films: no film lies on the edge
