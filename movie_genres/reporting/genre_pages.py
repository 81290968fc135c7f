"""The pages about genres: one of all, with heat maps, and one of each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from movie_genres.evaluation.figures import BASE_RATE
from movie_genres.reporting import genre_figures, words
from movie_genres.reporting.charts import MARKS, PLAIN, PRECISION, RECALL, Axis, Chart, Series, colors, dashes, line_chart
from movie_genres.reporting.genre_figures import Outcome, View, co_occurrence, outcomes_of, views_of
from movie_genres.reporting.run import Run
from movie_genres.reporting.site import Page

ANSWERS = "--ink/.35"  # the colour of what users get


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
               "view_options": _options(views)}
    matrices = _matrices(run)
    return [Page("genres.html", "Genres", "genres.html.j2", {
        **context, "matrices": matrices, "matrix_options": _options(matrices)}),
            *(Page(f"genre-{slugs[genre]}.html", genre, "genre.html.j2", {
                **context, **_about_genre(run, views, {id: found[place] for id, found in outcomes.items()}, place)},
                in_menu=False) for place, genre in enumerate(run.genres))]


def _options(of: Sequence[View] | Sequence[Matrix]) -> list[tuple[str, str]]:
    """What a switch between these has to choose from."""
    return [(each.id, each.title) for each in of]


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
    genre, tints = run.genres[place], _tints(run, views)
    # Of the base rates, the last of the views, there is nothing to look at: they say the same of all films.
    of_view = {view.id: {"outcome": outcomes[view.id], "films": genre_figures.films_of(run, view, place),
                         "instead": genre_figures.named_instead(run, view, place),
                         "true": genre_figures.true_instead(run, view, place),
                         "points": [(round(threshold, 5), *counts) for threshold, *counts in outcomes[view.id].points],
                         "calibration": _calibration(run, view, place, tints[view.id].color)} for view in views[:-1]}
    return {"genre": genre, "films": run.summary["films_by_genre"][genre], "outcomes": outcomes, "of_view": of_view,
            "view_options": _options(views[:-1]), "curve": _curve(genre, views, outcomes, tints)}


class Tint(NamedTuple):
    """How the line of a view is drawn."""

    color: str
    dash: list[int]
    width: float = 2


def _tints(run: Run, views: Sequence[View]) -> dict[str, Tint]:
    by_name, dash = colors(run.answers, run.baselines), dashes(view.id for view in views[1:])
    names = (*run.answers, *run.baselines, BASE_RATE)
    of_others = {view.id: Tint(by_name[name], dash[view.id]) for view, name in zip(views[1:], names)}
    return {views[0].id: Tint(ANSWERS, [], 6), **of_others}


def _curve(genre: str, views: Sequence[View], outcomes: Mapping[str, Outcome], tints: Mapping[str, Tint]) -> Chart:
    """Precision by recall, the chosen points, and an empty series for the point that is picked on the page."""
    series, chosen = [], []
    for place, view in enumerate(views):
        outcome, tint = outcomes[view.id], tints[view.id]
        points = [(point.right / outcome.support, point.right / (point.right + point.wrong)) for point in outcome.points]
        if points:
            alone = len(points) == 1
            series.append(Series(view.title, tint.color, points, tint.dash, "rectRot" if alone else None, width=tint.width))
        if outcome.precision is not None and outcome.recall is not None:
            chosen.append(Series(f"{view.title}: chosen", tint.color, [(outcome.recall, outcome.precision)], (),
                                 MARKS[place % len(MARKS)], False, quiet=True))
    picked = Series("picked below", "--ink", [], (), "crossRot", False, 3)
    about = f"Precision by recall of {genre}, a line for each model, with the chosen points"
    return line_chart("curve", "Precision by recall", about, RECALL, PRECISION, [*series, *chosen, picked])


def _calibration(run: Run, view: View, place: int, color: str) -> Chart:
    """How often a genre is there by the probability that a view gives it: the more films, the larger the point."""
    sizes, means, shares = genre_figures.reliability_of(run, view, place)
    radii = (3 + 9 * np.sqrt(sizes / sizes.max())).tolist()
    line = Series("as often as it says", PLAIN, [(0, 0), (1, 1)], (2, 2))
    of_view = Series(view.title, color, list(zip(means.tolist(), shares.tolist())), (), "circle", sizes=radii)
    about = f"How often {run.genres[place]} is there by the probability it was given, {view.title}"
    chart = line_chart(f"calibration-{view.id}", f"Calibration: {view.title}", about, Axis("probability", 0, 1, True),
                       Axis("share that has it", 0, 1, True), [line, of_view])
    lines = [[round(mean, 3), round(share, 3), count] for mean, share, count in zip(means.tolist(), shares.tolist(),
                                                                                    sizes.tolist())]
    return replace(chart, columns=["mean probability", "share that has it", "films"], lines=lines)
