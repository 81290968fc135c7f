"""Figures and tables on films that no training, and no choice of epoch, has seen."""

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve

from movie_genres import metrics
from movie_genres.models import FUSION

BASE_RATE = "base_rate"
RECALL_GRID = np.linspace(0.01, 1, 100)


def answers(models, rows, posters, overviews):
    """Probabilities of each model for some films, and of the base-rate constant.

    A film that lacks what a model needs gets the base rates, so that all models are measured on the same films.

    Args:
        models: `inference.Models`.
        rows: int array of film indices.
        posters, overviews: as in `inference.Models.encode`.

    Returns:
        dict from name (`base_rate` first) to float array of shape (rows, genres).
    """
    constant = np.broadcast_to(models.base_rates, (len(rows), len(models.genres)))
    predicted = models.predict(rows, posters, overviews)
    return {BASE_RATE: constant,
            **{name: np.where(np.isnan(of_model), constant, of_model) for name, of_model in predicted.items()}}


def figures(labels, predictions, threshold):
    """All metrics of all models in one flat dict, rounded for a metrics file.

    Args:
        labels: 0/1 array of shape (films, genres).
        predictions: dict as of `answers`.
        threshold: probability at or above which a genre counts as predicted.

    Returns:
        dict from `model.metric` to float or None.
    """
    base_rates = predictions[BASE_RATE][0]
    return {f"{name}.{metric}": metrics.rounded(value)
            for name, probabilities in predictions.items()
            for metric, value in metrics.evaluate(labels, probabilities, base_rates, threshold).items()}


def single_modality_skills(models, labels, rows, posters, overviews):
    """Skill of the fusion model when it is shown only posters and only overviews, as a flat dict like `figures`."""
    if models.fusion is None:
        return {}
    shown = {"posters_only": (posters, None), "overviews_only": (None, overviews)}
    base_loss = metrics.binary_cross_entropy(labels, models.base_rates)
    return {f"{FUSION}.skill_{name}": metrics.rounded(metrics.skill(
        metrics.binary_cross_entropy(labels, answers(models, rows, *given)[FUSION]), base_loss))
        for name, given in shown.items()}


def per_genre(labels, predictions, genres, threshold):
    """Precision, recall and F1 of each genre.

    Returns:
        data frame with a line for each genre: genre, support (films that have it), then `model.metric` columns; None
        where undefined.
    """
    columns = {"genre": genres, "support": labels.sum(axis=0).astype(int)}
    for name, probabilities in predictions.items():
        by_genre = zip(*metrics.counts(labels, probabilities >= threshold))
        scores = [metrics.precision_recall_f1(*of_genre) for of_genre in by_genre]
        for metric, values in zip(("precision", "recall", "f1"), zip(*scores)):
            columns[f"{name}.{metric}"] = [metrics.rounded(value) for value in values]
    return pd.DataFrame(columns)


def precision_recall_curves(labels, predictions):
    """Micro-averaged precision at each recall of a fixed grid: the best precision at that recall or above.

    Returns:
        data frame with the column recall (0.01 to 1) and one of precision for each model.
    """
    columns = {"recall": RECALL_GRID}
    for name, probabilities in predictions.items():
        precision, recall, _ = precision_recall_curve(labels.ravel(), np.asarray(probabilities).ravel())
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
