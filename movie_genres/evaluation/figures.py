"""Figures and tables on films that no training, and no choice of epoch, has seen."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve

from movie_genres.evaluation import measures
from movie_genres.models import metrics

BASE_RATE = "base_rate"
RECALL_GRID = np.linspace(0.01, 1, 100)


class Predictions(NamedTuple):
    """What one model says of some films.

    Attributes:
        probabilities: float array of shape (films, genres), calibrated where the model is.
        thresholds: float array of shape (genres,), or None: not tuned.
        raw: the probabilities before calibration.
    """

    probabilities: np.ndarray
    thresholds: np.ndarray | None
    raw: np.ndarray


def judged(answers, decisions, rows, baselines, base_rates):
    """What each baseline and each model says of some films.

    A film that lacks what a model needs gets the base rates, so that all models are measured on the same films.

    Args:
        answers: dict from model name to `answers.Answers`.
        decisions: `decisions.Decisions`.
        rows: int array of film indices.
        baselines: dict from name to probabilities of all films.
        base_rates: float array of shape (genres,).

    Returns:
        dict from name to `Predictions`: `base_rate`, the constant, first, then the baselines, then the models.
    """
    constant = np.broadcast_to(base_rates, (len(rows), len(base_rates)))
    found = {BASE_RATE: Predictions(constant, None, constant),
             **{name: Predictions(of_all[rows], None, of_all[rows]) for name, of_all in baselines.items()}}
    for name, of_model in answers.items():
        raw = np.where(np.isnan(of_model.probabilities[rows]), constant, of_model.probabilities[rows])
        decision = decisions.of(name, len(base_rates))
        found[name] = Predictions(decision.calibrate(raw), decision.thresholds, raw)
    return found


def figures(labels, answers, base_rates, options):
    """All metrics of all models in one flat dict, rounded for a metrics file.

    Args:
        labels: 0/1 array of shape (films, genres).
        answers: dict from model name to `Predictions`.
        base_rates: float array of shape (genres,).
        options: `report.EvaluateOptions`.

    Returns:
        dict from `model.metric` to float or None. Metrics named `tuned_…` are at the tuned thresholds, the others that need
        a threshold at `options.threshold`; `…_uncalibrated` are those of the raw probabilities.
    """
    found = {}
    for name, (probabilities, thresholds, raw) in answers.items():
        of_model = {**measures.of_probabilities(labels, probabilities, base_rates, options.precision),
                    **measures.of_decisions(labels, probabilities >= options.threshold),
                    "calibration_error": measures.expected_calibration_error(labels, probabilities)}
        if thresholds is not None:
            of_model |= {f"tuned_{metric}": value
                         for metric, value in measures.of_decisions(labels, probabilities >= thresholds).items()}
            of_model |= {"loss_uncalibrated": metrics.binary_cross_entropy(labels, raw),
                         "calibration_error_uncalibrated": measures.expected_calibration_error(labels, raw)}
        found |= {f"{name}.{metric}": metrics.rounded(value) for metric, value in of_model.items()}
    return found


def intervals(labels, answers, base_rates, options):
    """95 % bootstrap intervals over test films (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).

    Args: as of `figures`.

    Returns:
        data frame with the columns model, metric, value, low and high.
    """
    rng = np.random.default_rng(options.seed)
    samples = [rng.integers(0, len(labels), len(labels)) for _ in range(options.resamples)]
    lines = []
    for name, (probabilities, thresholds, _) in answers.items():
        limits = options.threshold if thresholds is None else thresholds

        def measure(rows, probabilities=probabilities, limits=limits):
            return {**measures.of_probabilities(labels[rows], probabilities[rows], base_rates, options.precision),
                    **measures.of_decisions(labels[rows], probabilities[rows] >= limits)}

        values = measure(np.arange(len(labels)))
        resampled = [measure(rows) for rows in samples]
        for metric, value in values.items():
            known = [of_sample[metric] for of_sample in resampled if of_sample[metric] is not None]
            low, high = np.percentile(known, [2.5, 97.5]) if known else (None, None)
            lines.append({"model": name, "metric": metric, "value": metrics.rounded(value), "low": metrics.rounded(low),
                          "high": metrics.rounded(high)})
    return pd.DataFrame(lines)


def complementarity(labels, first, second):
    """Shares of films whose top genre both models, only one of them, or neither gets right.

    Args:
        labels: 0/1 array of shape (films, genres).
        first, second: probabilities of the same shape.

    Returns:
        dict with both, only_first, only_second and neither, which sum to 1.
    """
    rows = np.arange(len(labels))
    right, also = (labels[rows, np.argmax(probabilities, axis=1)] > 0 for probabilities in (first, second))
    return {"both": np.mean(right & also), "only_first": np.mean(right & ~also), "only_second": np.mean(~right & also),
            "neither": np.mean(~right & ~also)}


def single_modality_skills(answers, decisions, labels, rows, base_rates):
    """Skill of a fusion model when it is shown only posters and only overviews, as a flat dict like `figures`."""
    found, base_loss = {}, metrics.binary_cross_entropy(labels, base_rates)
    for name, of_model in answers.items():
        for modality, probabilities in of_model.alone.items():
            shown = decisions.of(name, len(base_rates), modality).calibrate(probabilities[rows])
            loss = metrics.binary_cross_entropy(labels, np.where(np.isnan(shown), base_rates, shown))
            found[f"{name}.skill_{modality}s_only"] = metrics.rounded(metrics.skill(loss, base_loss))
    return found


def per_genre(labels, answers, genres, threshold):
    """Precision, recall and F1 of each genre, at the tuned thresholds where there are any.

    Args:
        labels: 0/1 array of shape (films, genres).
        answers: dict from model name to `Predictions`.
        genres: list of names.
        threshold: of models without tuned ones.

    Returns:
        data frame with a line for each genre: genre, support (films that have it), then `model.metric` columns; None
        where undefined.
    """
    columns = {"genre": genres, "support": labels.sum(axis=0).astype(int)}
    for name, (probabilities, thresholds, _) in answers.items():
        limits = threshold if thresholds is None else thresholds
        by_genre = zip(*metrics.counts(labels, probabilities >= limits))
        scores = [metrics.precision_recall_f1(*of_genre) for of_genre in by_genre]
        for metric, values in zip(("precision", "recall", "f1"), zip(*scores)):
            columns[f"{name}.{metric}"] = [metrics.rounded(value) for value in values]
    return pd.DataFrame(columns)


def precision_recall_curves(labels, answers):
    """Micro-averaged precision at each recall of a fixed grid: the best precision at that recall or above.

    Returns:
        data frame with the column recall (0.01 to 1) and one of precision for each model.
    """
    columns = {"recall": RECALL_GRID}
    for name, answer in answers.items():
        precision, recall, _ = precision_recall_curve(labels.ravel(), np.asarray(answer.probabilities).ravel())
        best = np.maximum.accumulate(precision)  # recall falls along the curve
        position = np.searchsorted(-recall, -RECALL_GRID, side="right") - 1
        columns[name] = best[position].round(4)
    return pd.DataFrame(columns).round(4)


def top_genre_confusion(labels, probabilities):
    """Which genre a model names first, by the genres that films have.

    A film counts in the row of each of its genres, so that a row sums to the genre's films. With several genres a film,
    not all of a row can be on the diagonal: only one genre is named first.

    Returns:
        int array of shape (genres, genres): rows are true genres, columns the genre named first.
    """
    first = np.eye(labels.shape[1], dtype=int)[np.argmax(probabilities, axis=1)]
    return (labels > 0).astype(int).T @ first
