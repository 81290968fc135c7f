"""Writes everything that `evaluate` has to say: the metrics file, the tables and the pictures."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres import evaluation, plots
from movie_genres.options import STRICT
from movie_genres.posters import PosterError, read_poster

FILMS_ON_A_SHEET = 12
SHEET_POSTER = (240, 160)  # height, width in pixels


@dataclass(config=STRICT, frozen=True)
class EvaluateOptions:
    """The `evaluate` section of `params.yaml`.

    Attributes:
        threshold: probability at or above which a genre counts as predicted.
        sheet_films: how many test films the sheets show.
        sheet_seed: decides which.
    """

    threshold: float = Field(default=0.5, gt=0, lt=1)
    sheet_films: int = Field(default=24, ge=0)
    sheet_seed: int = 0


def write_report(prepared, posters, overviews, models, trainings, metrics, folder, options):
    """Measures models on the test films and writes metrics and plots.

    Args:
        prepared: `arrays.Prepared`.
        posters: `arrays.Posters`.
        overviews: `arrays.Overviews`.
        models: `inference.Models`.
        trainings: dict from model name to (path of its history, path of its training metrics).
        metrics: path of the JSON file with all figures.
        folder: for the pictures and tables.
        options: `EvaluateOptions`.

    Returns:
        dict, the content of the metrics file.
    """
    folder, metrics = Path(folder), Path(metrics)
    folder.mkdir(parents=True, exist_ok=True)
    metrics.parent.mkdir(parents=True, exist_ok=True)
    rows = prepared.rows("test")
    labels = prepared.labels[rows]
    answers = evaluation.answers(models, rows, posters, overviews)

    figures = {"films": len(rows), **evaluation.figures(labels, answers, options.threshold),
               **evaluation.single_modality_skills(models, labels, rows, posters, overviews)}
    metrics.write_text(json.dumps(figures, indent=2) + "\n")

    curves = evaluation.precision_recall_curves(labels, answers)
    curves.to_csv(folder / "pr_curves.csv", index=False, lineterminator="\n")
    plots.precision_recall(curves, labels.mean(), folder / "pr_curves.png")
    by_genre = evaluation.per_genre(labels, answers, prepared.genres, options.threshold)
    by_genre.to_csv(folder / "per_genre.csv", index=False, lineterminator="\n")
    trained = {name: probabilities for name, probabilities in answers.items() if name != evaluation.BASE_RATE}
    plots.per_genre(by_genre, list(trained), folder / "per_genre.png")
    for name, probabilities in trained.items():
        plots.confusion(evaluation.top_genre_confusion(labels, probabilities), prepared.genres,
                        f"{name}: genre named first, % of each row",
                        folder / f"confusion_{name}.png")
    histories = {name: pd.read_csv(history) for name, (history, _) in trainings.items()}
    base_losses = {name: json.loads(file.read_text())["base_rate_loss"] for name, (_, file) in trainings.items()}
    plots.training_curves(histories, base_losses, folder / "training_curves.png")
    _write_sheets(prepared, rows, trained, folder, options)
    return figures


def _write_sheets(prepared, rows, answers, folder, options):
    shown = np.random.default_rng(options.sheet_seed).permutation(len(rows))[:options.sheet_films]
    for sheet, start in enumerate(range(0, len(shown), FILMS_ON_A_SHEET), start=1):
        films = []
        for line in shown[start:start + FILMS_ON_A_SHEET]:
            film = prepared.films.iloc[rows[line]]
            ranked = {name: [(prepared.genres[genre], float(of_model[line, genre]))
                             for genre in np.argsort(-of_model[line])[:3]] for name, of_model in answers.items()}
            films.append({"poster": _picture(film["poster"]), "title": film["title"] or film["id"],
                          "overview": film["overview"], "genres": film["genres"].split("|"), "answers": ranked})
        plots.film_sheet(films, folder / f"films_{sheet}.png")


def _picture(path):
    try:
        return read_poster(path, SHEET_POSTER) if path else None
    except PosterError:
        return None
