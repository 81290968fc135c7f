"""The page about the answers of a scored catalogue: what is named, how sure it is, and whether its films have drifted.

Needs neither pandas nor scikit-learn.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from movie_genres.base.errors import InputError
from movie_genres.ensemble.decisions import IN_WORDS, Decisions, choose_models
from movie_genres.ensemble.drift import Drift
from movie_genres.models import onnx_files
from movie_genres.models.metrics import rounded
from movie_genres.reporting import words
from movie_genres.reporting.charts import PLAIN, SHARE_OF_FILMS, Axis, Chart, bar_chart
from movie_genres.reporting.films import Films, Floats
from movie_genres.reporting.scored import Scored
from movie_genres.reporting.site import Page

FILE = "answers.html"
BINS = 10


def pages_of_catalogue(scored: Scored, models: Path | None = None, drifts: Sequence[Drift] = ()) -> list[Page]:
    """The page `answers.html` of a scored catalogue.

    Args:
        models: the folder of the models that scored it, if it is there: what to expect of them, and their base rates.
        drifts: how the films compare with those that the models know, if a summary of them was written.

    Raises `InputError` as `choose_models`, and where the rows have genres that the models do not know.
    """
    films, decisions, base_rates = scored.films, None, dict[str, float]()
    if models is not None:
        files, decisions = choose_models(models)
        if unknown := sorted({*films.genres, *scored.named} - set(files[0].genres)):
            raise InputError(models, "the models that scored these films", f"none that knows the genre {unknown[0]}")
        *_, metadata = onnx_files.read(files[0].path)
        base_rates = dict(zip(files[0].genres, metadata.get("base_rates") or ()))
    sure = expected_precisions(films)
    context = {"w": words, "scored": scored, "shown": len(films.ids), "sure": rounded(_mean(sure)),
               "doubt": rounded(_mean(films.said[0].doubt())), "genres": _genres_chart(scored, base_rates),
               "charts": [chart for chart in (_sure_chart(sure), _doubt_chart(films)) if chart],
               "expectations": _expectations(decisions, films), "always": decisions.always if decisions else None,
               "validation": decisions.films if decisions else 0,
               "drifts": [(drift, _drift_chart(place, drift)) for place, drift in enumerate(drifts)]}
    return [Page(FILE, "Answers", "answers.html.j2", context)]


def expected_precisions(films: Films) -> Floats:
    """The mean probability of the genres that are named of each film, of shape (films,); NaN where that is not known."""
    said = films.said[0]
    named = said.named.sum(axis=1)
    total = np.where(said.named, said.probabilities, 0).sum(axis=1)
    return np.divide(total, named, out=np.full(len(named), np.nan), where=named > 0)


def _mean(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _genres_chart(scored: Scored, base_rates: Mapping[str, float]) -> Chart:
    genres = [genre for genre, _ in scored.named.most_common()]
    genres += [genre for genre in scored.films.genres if genre not in scored.named]
    series = {"named here": ("--series-1", [scored.named[genre] / scored.rows for genre in genres])}
    if base_rates:
        series["among training films"] = (PLAIN, [base_rates.get(genre, 0.0) for genre in genres])
    return bar_chart("genres", "How many films have a genre", "The share of films of which each genre is named"
                     + (", beside that of the training films that have it" if base_rates else ""), genres, SHARE_OF_FILMS,
                     series, wide=True)


def _sure_chart(sure: Floats) -> Chart | None:
    return _histogram(sure, np.linspace(0, 1, BINS + 1), "sure", "How sure the answers are",
                      "mean probability of a film’s named genres")


def _doubt_chart(films: Films) -> Chart | None:
    return _histogram(films.said[0].doubt(), np.linspace(0, np.log(2), BINS + 1), "doubt", "How much the models doubt",
                      "the loss they expect, nats a genre")


def _histogram(values: Floats, edges: Floats, id: str, title: str, what: str) -> Chart | None:
    """Shares of films by a value; None where it is known of none."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    counts, _ = np.histogram(known, edges)
    names = [f"{low:.2f} to {high:.2f}" for low, high in zip(edges, edges[1:])]
    shares = (counts / len(known)).tolist()
    return bar_chart(id, title, f"Shares of films by {what}", names, SHARE_OF_FILMS, {what: ("--series-2", shares)})


def _expectations(decisions: Decisions | None, films: Films) -> list[dict[str, object]]:
    """What validation films say of the models that answer, for each kind of input that films here have."""
    if decisions is None:
        return []
    names = {name.partition(":")[0] for name in decisions.models}
    kinds = [kind for kind in IN_WORDS if kind in films.sources] or list(IN_WORDS)
    found = {kind: believed for kind in kinds if (believed := decisions.believed(kind, names))}
    return [{"kind": IN_WORDS[kind], "model": model, **choice.measured._asdict()} for kind, (model, choice) in found.items()]


def _drift_chart(place: int, drift: Drift) -> Chart:
    axis = Axis("mean probability" if drift.measure.startswith("answers") else "share of films", 0, percent=True)
    return bar_chart(f"drift-{place}", drift.sentence, f"{drift.sentence}: bars for films here and for {drift.beside}",
                     drift.labels, axis, {"here": ("--series-1", drift.found), drift.beside: (PLAIN, drift.expected)})
