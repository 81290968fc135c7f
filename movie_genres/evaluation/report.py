"""Writes everything that `evaluate` has to say: the metrics file, the tables and the pictures."""

import json
from pathlib import Path

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.base.options import STRICT
from movie_genres.evaluation import figures, measures, plots
from movie_genres.inputs.modality import OVERVIEW, POSTER
from movie_genres.inputs.posters import PosterError, read_poster
from movie_genres.models.metrics import rounded

FILMS_ON_A_SHEET = 12
SHEET_POSTER = (240, 160)  # height, width in pixels


@dataclass(config=STRICT, frozen=True, kw_only=True)
class EvaluateOptions:
    """The `evaluate` section of `params.yaml`.

    Attributes:
        threshold: probability at or above which a genre counts as predicted, beside the tuned thresholds.
        precision: the precision at which recall is reported.
        resamples: bootstrap samples for the 95 % intervals.
        sheet_films: how many test films the sheets show.
        seed: decides the samples and which films the sheets show.
    """

    threshold: float = Field(gt=0, lt=1)
    precision: float = Field(gt=0, lt=1)
    resamples: int = Field(ge=1)
    sheet_films: int = Field(ge=0)
    seed: int


def write_report(prepared, answers, decisions, baselines, histories, metrics, folder, options):
    """Measures models and baselines on the test films and writes metrics and plots.

    Args:
        prepared: `prepared.Prepared`.
        answers: dict from model name to `answers.Answers`.
        decisions: `decisions.Decisions`.
        baselines: dict from name to a float array of shape (films, genres), probabilities of all films.
        histories: dict from model name to a data frame of its training, with the columns of `loop.Outputs`' history.
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
    labels, base_rates = prepared.labels[rows], prepared.base_rates()
    judged = figures.judged(answers, decisions, rows, baselines, base_rates)

    found = {"films": len(rows), **figures.figures(labels, judged, base_rates, options),
               **figures.single_modality_skills(answers, decisions, labels, rows, base_rates),
               **_complementarity(labels, judged, answers, decisions)}
    metrics.write_text(json.dumps(found, indent=2) + "\n")
    _write_tables(labels, judged, base_rates, prepared.genres, folder, options)
    _draw_models(labels, judged, prepared.genres, folder)
    plots.training_curves(histories, folder / "training_curves.png")
    _write_sheets(prepared, rows, {name: judged[name].probabilities for name in _shown(judged)}, folder, options)
    return found


def _shown(answers):
    """The models in pictures of single decisions: all but the constant."""
    return [name for name in answers if name != figures.BASE_RATE]


def _complementarity(labels, judged, answers, decisions):
    """Whose top genre is right, of the best model of posters and the best of overviews, as a flat dict."""
    best = [next((name for name in decisions.ranking[modality] if answers[name].modality == modality), None)
            for modality in (POSTER, OVERVIEW)]
    if None in best:
        return {}
    poster, overview = best
    shares = figures.complementarity(labels, judged[poster].probabilities, judged[overview].probabilities)
    names = {"both": "both", "only_first": f"only_{poster}", "only_second": f"only_{overview}", "neither": "neither"}
    return {f"top_genre_right.{names[key]}": rounded(share) for key, share in shares.items()}


def _write_tables(labels, answers, base_rates, genres, folder, options):
    curves = figures.precision_recall_curves(labels, answers)
    by_genre = figures.per_genre(labels, answers, genres, options.threshold)
    spread = figures.intervals(labels, answers, base_rates, options)
    for table, name in ((curves, "pr_curves"), (by_genre, "per_genre"), (spread, "intervals")):
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    plots.precision_recall(curves, labels.mean(), folder / "pr_curves.png")
    plots.per_genre(by_genre, _shown(answers), folder / "per_genre.png")
    plots.intervals(spread, folder / "intervals.png")


def _draw_models(labels, answers, genres, folder):
    for name in _shown(answers):
        matrix = figures.top_genre_confusion(labels, answers[name].probabilities)
        plots.confusion(matrix, genres, f"{name}: genre named first, % of each row", folder / f"confusion_{name}.png")
    calibrated = {name: answer for name, answer in answers.items() if answer.thresholds is not None}
    plots.reliability({name: (measures.reliability(labels, answer.raw),
                              measures.reliability(labels, answer.probabilities))
                       for name, answer in calibrated.items()}, folder / "reliability.png")


def _write_sheets(prepared, rows, answers, folder, options):
    shown = np.random.default_rng(options.seed).permutation(len(rows))[:options.sheet_films]
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
