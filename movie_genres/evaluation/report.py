"""Writes the tables and the pictures of `evaluate`."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from movie_genres.evaluation import figures, measures, plots
from movie_genres.evaluation.figures import Candidate, Comparison, EvaluateOptions
from movie_genres.evaluation.measures import Floats
from movie_genres.inputs.posters import PosterError, read_poster
from movie_genres.inputs.prepared import Prepared

FILMS_ON_A_SHEET = 12
SHEET_POSTER = (240, 160)  # height, width in pixels


def write_report(prepared: Prepared, comparison: Comparison, histories: Mapping[str, pd.DataFrame], folder: Path,
                 options: EvaluateOptions) -> None:
    """Writes tables and pictures of a comparison to a folder, and the curves of the models' trainings, by model name."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = {name: candidate for name, candidate in comparison.candidates.items() if name != figures.BASE_RATE}
    curves = figures.precision_recall_curves(comparison)
    by_genre = figures.per_genre(comparison, prepared.genres)
    spread = figures.intervals(comparison, options)
    points = figures.operating_points(comparison)
    for name, table in {"pr_curves": curves, "per_genre": by_genre, "intervals": spread, "operating_points": points}.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    plots.precision_recall(curves, comparison.labels.mean(), folder / "pr_curves.png")
    plots.per_genre(by_genre, list(shown), folder / "per_genre.png")
    plots.intervals(spread, folder / "intervals.png")
    for name, candidate in shown.items():
        plots.confusion(figures.top_genre_confusion(comparison.labels, candidate.probabilities), prepared.genres,
                        f"{name}: genre named first, % of each row", folder / f"confusion_{name}.png")
    plots.reliability({name: (measures.reliability(comparison.labels, candidate.raw),
                              measures.reliability(comparison.labels, candidate.probabilities))
                       for name, candidate in shown.items() if candidate.raw is not None}, folder / "reliability.png")
    plots.training_curves(histories, folder / "training_curves.png")
    _write_sheets(prepared, comparison.rows, shown, folder, options)


def read_histories(folder: Path, names: Iterable[str]) -> dict[str, pd.DataFrame]:
    """The epochs of the models' trainings below a folder, by name, in the order of `names`; a frozen encoder has none."""
    epochs = {path.stem: pd.read_csv(path) for path in folder.glob("**/*.csv")}
    return {name: epochs[name] for name in names if name in epochs}


def _write_sheets(prepared: Prepared, rows: NDArray[np.intp], candidates: Mapping[str, Candidate], folder: Path,
                  options: EvaluateOptions) -> None:
    shown = films_of_sheets(len(rows), options)
    for sheet, start in enumerate(range(0, len(shown), FILMS_ON_A_SHEET), start=1):
        films = []
        for line in shown[start:start + FILMS_ON_A_SHEET]:
            film = prepared.films.iloc[rows[line]]
            ranked = {name: _likeliest(candidate.probabilities[line], prepared.genres)
                      for name, candidate in candidates.items()}
            films.append(plots.SheetFilm(_picture(film["poster"]), film["title"] or film["id"], film["overview"],
                                         film["genres"].split("|"), ranked))
        plots.film_sheet(films, folder / f"films_{sheet}.png")


def films_of_sheets(count: int, options: EvaluateOptions) -> NDArray[np.intp]:
    """Which of `count` test films the sheets show, in this order."""
    return np.random.default_rng(options.seed).permutation(count)[:options.sheet_films]


def _likeliest(probabilities: Floats, genres: list[str]) -> list[tuple[str, float]]:
    return [(genres[genre], float(probabilities[genre])) for genre in np.argsort(-probabilities)[:3]]


def _picture(path: str) -> NDArray[np.uint8] | None:
    try:
        return read_poster(path, SHEET_POSTER) if path else None
    except PosterError:
        return None
