"""The pages about genres: one of all, with heat maps, and one of each."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from movie_genres.reporting import words
from movie_genres.reporting.charts import MARKS, PLAIN, PRECISION, RECALL, Axis, Chart, Series, colors, dashes, line_chart
from movie_genres.reporting.genre_figures import (Outcome, View, co_occurrence, films_of, named_instead, outcomes_of,
                                                  reliability_of, true_instead, views_of)
from movie_genres.reporting.run import Run
from movie_genres.reporting.site import Page

ANSWERS = "--accent"  # the colour of what users get


class Matrix(NamedTuple):
    """How often genres come together: of the films of a genre (a line), which share has another (a column) too.

    Attributes:
        id, title: of the matrix.
        totals: films of each genre.
        shares: of shape (genres, genres); NaN in the line of a genre without films.
    """

    id: str
    title: str
    totals: Sequence[int]
    shares: NDArray[np.floating]
    signed: bool = False  # whether these are differences of shares


def genre_pages(run: Run) -> list[Page]:
    """The page `genres.html`, then `genre-SLUG.html` of each genre, which no menu shows."""
    views, slugs = views_of(run), words.slugs(run.genres)
    outcomes = {view.id: outcomes_of(run, view) for view in views}
    context = {"w": words, "run": run, "views": views, "slugs": slugs, "outcomes": outcomes,
               "view_options": [(view.id, view.title) for view in views]}
    matrices = _matrices(run)
    return [Page("genres.html", "Genres", "genres.html.j2", {
        **context, "matrices": matrices, "matrix_options": [(matrix.id, matrix.title) for matrix in matrices]}),
            *(Page(f"genre-{slugs[genre]}.html", genre, "genre.html.j2", {
                **context, **_about_genre(run, views, {id: found[place] for id, found in outcomes.items()}, place)},
                in_menu=False) for place, genre in enumerate(run.genres))]


def _matrices(run: Run) -> list[Matrix]:
    true, named = co_occurrence(run.comparison.labels > 0), co_occurrence(run.answered.named)
    of_true, of_named = _by_line(true), _by_line(named)
    return [Matrix("true", "true genres", np.diag(true).tolist(), of_true),
            Matrix("named", "genres named by default", np.diag(named).tolist(), of_named),
            Matrix("difference", "named less true, in points", np.diag(named).tolist(), of_named - of_true, True)]


def _by_line(counts: NDArray[np.int_]) -> NDArray[np.floating]:
    totals = np.diag(counts)[:, None]
    return np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def _about_genre(run: Run, views: Sequence[View], outcomes: Mapping[str, Outcome], place: int) -> dict[str, Any]:
    genre = run.genres[place]
    of_view = {view.id: {"outcome": outcomes[view.id], "films": films_of(run, view, place),
                         "instead": named_instead(run, view, place), "true": true_instead(run, view, place),
                         "points": [point._asdict() for point in outcomes[view.id].points]} for view in views}
    tints = _tints(run, views)
    return {"genre": genre, "films": run.summary["films_by_genre"][genre], "of_view": of_view, "place": place,
            "curve": _curve(genre, views, outcomes, tints), "calibration": _calibration(run, genre, views, place, tints)}


def _tints(run: Run, views: Sequence[View]) -> dict[str, tuple[str, list[int]]]:
    """Colour and dash of each view's line."""
    by_name, dash = colors(run.answers, run.baselines), dashes(view.id for view in views)
    names = (None, *run.answers, *run.baselines, "base_rate")
    return {view.id: (by_name[name] if name else ANSWERS, dash[view.id]) for view, name in zip(views, names)}


def _curve(genre: str, views: Sequence[View], outcomes: Mapping[str, Outcome],
           tints: Mapping[str, tuple[str, list[int]]]) -> Chart:
    """Precision by recall, the chosen points, and an empty series for the point that is picked on the page."""
    series = [Series(view.title, tints[view.id][0], [
        (point.right / outcome.support, point.right / (point.right + point.wrong)) for point in outcome.points],
        tints[view.id][1], None if len(outcome.points) > 1 else "circle")
        for view in views if (outcome := outcomes[view.id]).points]
    chosen = [Series(f"{view.title}: chosen", tints[view.id][0], [(outcome.recall, outcome.precision)], (),
                     MARKS[place % len(MARKS)], False)
              for place, view in enumerate(views)
              if (outcome := outcomes[view.id]).precision is not None and outcome.recall is not None]
    chart = line_chart("curve", "Precision by recall", f"Precision by recall of {genre}, a line for each model, and the chosen "
                       "points", RECALL, PRECISION, [*series, *chosen])
    picked = {"label": "picked below", "data": [], "borderColor": "--ink", "backgroundColor": "--ink", "pointRadius": 7,
              "pointStyle": "crossRot", "borderWidth": 3, "showLine": False}
    chart.settings["data"]["datasets"].append(picked)
    return chart


def _calibration(run: Run, genre: str, views: Sequence[View], place: int, tints: Mapping[str, tuple[str, list[int]]]
                 ) -> Chart:
    series = [Series("as often as they say", PLAIN, [(0, 0), (1, 1)], (2, 2))]
    for number, view in enumerate(views[:-1]):  # the last are base rates: a single point
        sizes, means, shares = reliability_of(run, view, place)
        series.append(Series(view.title, tints[view.id][0], list(zip(means.tolist(), shares.tolist())), tints[view.id][1],
                             MARKS[number % len(MARKS)]))
    return line_chart("calibration", "Calibration", f"How often {genre} is there by the probability it was given, a line for each "
                      "model", Axis("probability", 0, 1, True), Axis("share of films that have it", 0, 1, True), series)
