"""The first page of a pipeline run: what the models can and cannot do, beside base rates and TF-IDF."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pandas as pd

from movie_genres.ensemble.decisions import IN_WORDS
from movie_genres.evaluation.figures import BASE_RATE
from movie_genres.evaluation.plots import WITH_INTERVALS
from movie_genres.inputs.modality import MODALITIES
from movie_genres.reporting import charts, words
from movie_genres.reporting.charts import DASHES, MARKS, PLAIN, PRECISION, RECALL, Axis, Chart, Series, line_chart
from movie_genres.reporting.genre_figures import Outcome, outcomes_of, views_of
from movie_genres.reporting.run import Run
from movie_genres.reporting.site import Page

FEW = 10  # test films of a genre; with fewer, its figures say little
CHANGED = ("skill", "tuned_f1", "tuned_macro_f1", "map", "recall_at_precision")  # of each model, to compare revisions by
OF_ANSWERS = {"precision": "precision", "recall": "recall", "f1_per_film": "F1 of a film"}
ABOUT = {
    "skill": "the share of the base rates' loss that a model saves: 0 for always answering how frequent each genre is",
    "f1": "the harmonic mean of precision and recall over all films and genres, at thresholds tuned on validation films",
    "macro_f1": "the mean of the genres' F1, rare ones counting as much as frequent ones",
    "map": "the mean over genres of the average precision, which needs no threshold",
    "recall_at_precision": "the share of true genres found at a threshold where {precision} of the named ones are right",
}


class Change(NamedTuple):
    """A headline figure now and in another revision; None where it is not there. `margin`: half its 95 % interval."""

    of: str
    metric: str
    now: float | None
    before: float | None
    margin: float | None

    @property
    def difference(self) -> float | None:
        return None if self.now is None or self.before is None else self.now - self.before

    @property
    def verdict(self) -> str:
        if self.difference is None:
            return "only now" if self.before is None else "gone"
        if not self.difference:
            return "the same"
        direction = "higher" if self.difference > 0 else "lower"
        return f"{direction}, within the interval" if self.margin and abs(self.difference) <= self.margin else direction


def overview(run: Run) -> Page:
    """The page `index.html`."""
    return Page("index.html", "Overview", "overview.html.j2", {
        "w": words, "run": run, "best": run.best, "kinds": IN_WORDS, "points": points(run), "always": always(run),
        "strong": sorted(_judged(run), key=lambda outcome: -(outcome.f1 or 0))[:3], "about": about(run),
        "weak": [outcome for outcome in _judged(run) if (outcome.f1 or 0) <= (outcome.naive_f1 or 0)],
        "few": [genre for genre, films in zip(run.genres, run.comparison.labels.sum(axis=0)) if films < FEW], "fewest": FEW,
        "metrics": list(ABOUT), "interval_charts": list(_interval_charts(run)), "curves": precision_recall_chart(run),
        "points_chart": _points_chart(run), "trainings": list(_training_charts(run)), "changes": list(changes(run)),
        "overlap": _overlap(run), "BASE_RATE": BASE_RATE, "names": list(run.comparison.candidates)})


def about(run: Run) -> dict[str, str]:
    """What each metric with an interval means, by its name."""
    return {metric: text.format(precision=words.share(run.settings["evaluate"]["precision"], 0))
            for metric, text in ABOUT.items()}


def points(run: Run) -> list[dict[str, Any]]:
    """The operating points of films with a poster, an overview or both, as of `figures.operating_points`."""
    return [line for line in _records(run) if line["kind"] in IN_WORDS]


def always(run: Run) -> dict[str, Any]:
    """What naming the most frequent genres of every film comes to: as `points`."""
    return next(line for line in _records(run) if line["asked"] == "always")


def _records(run: Run) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in line.items()}
            for line in run.tables["operating_points"].to_dict("records")]


def changes(run: Run) -> Iterator[Change]:
    """The headline figures of this run beside those of the other revision, if it has any."""
    before = run.earlier.figures if run.earlier else None
    if before is None:
        return
    of_models = [(name, metric) for name in run.comparison.candidates if name != BASE_RATE for metric in CHANGED]
    gone = [(name, metric) for name, _, metric in map(lambda key: key.partition("."), before)
            if metric in CHANGED and name not in run.comparison.candidates]
    for name, metric in of_models + gone:
        short = metric.removeprefix("tuned_")
        found = run.interval(name, short)
        margin = None if found is None else (found["high"] - found["low"]) / 2
        key = f"{name}.{metric}"
        yield Change(words.label(name), words.METRICS[short], run.figures.get(key), before.get(key), margin)
    for kind, in_words in IN_WORDS.items():
        for metric, name in OF_ANSWERS.items():
            now, then = (figures.get(f"answers_to_{kind}.{metric}") for figures in (run.figures, before))
            if now is not None or then is not None:
                yield Change(f"named of films with {in_words}", name, now, then, None)


def _judged(run: Run) -> list[Outcome]:
    """What users get of each genre that has test films enough."""
    answers, *_ = views_of(run)
    return [outcome for outcome in outcomes_of(run, answers) if outcome.support >= FEW]


def _overlap(run: Run) -> list[str]:
    """The baselines whose interval of the skill overlaps that of the best model."""
    best = run.interval(run.best, "skill")
    found = {name: run.interval(name, "skill") for name in run.baselines}
    return [name for name, other in found.items() if best and other and other["high"] >= best["low"]]


def _interval_charts(run: Run) -> Iterator[Chart]:
    of_name = charts.colors(run.answers, run.baselines)
    for metric in WITH_INTERVALS:
        found = {name: measured for name in run.comparison.candidates if (measured := run.interval(name, metric))}
        title = words.METRICS[metric]
        about = f"{title} of each model on the test films, with 95 % bootstrap intervals"
        yield charts.interval_chart(f"interval-{metric.replace('_', '-')}", title, about, found, of_name)


def precision_recall_chart(run: Run) -> Chart:
    """Precision by recall over all genres, of all models and baselines."""
    table, names, of_name = run.tables["pr_curves"], run.comparison.candidates, charts.colors(run.answers, run.baselines)
    series = [Series(words.label(name), of_name[name], list(zip(table["recall"], table[name])), dash)
              for name, dash in charts.dashes(names).items()]
    return line_chart("precision-recall", "Precision by recall, over all films and genres",
                      "Precision at each recall, a line for each model and baseline", RECALL, PRECISION, series)


def _points_chart(run: Run) -> Chart:
    series = []
    for place, kind in enumerate((*MODALITIES, "both")):
        found = sorted((line["recall"], line["precision"]) for line in points(run)
                       if line["kind"] == kind and line["asked"] != "single threshold")
        if found:
            color = f"--series-{place + 1}"
            series.append(Series(f"films with {IN_WORDS[kind]}", color, found, DASHES[place], MARKS[place]))
    naive = always(run)
    series.append(Series("most frequent genres, always", PLAIN, [(naive["recall"], naive["precision"])], (), "star", False))
    about = "Precision and recall on test films of all operating points, a line for each kind of input"
    return line_chart("points", "What asking for a precision or a recall comes to", about, RECALL, PRECISION, series)


def _training_charts(run: Run) -> Iterator[tuple[str, list[Chart]]]:
    """By model: the losses, then precision and recall on validation films, by epoch."""
    of_name = charts.colors(run.answers, run.baselines)
    for place, (name, history) in enumerate(run.histories.items()):
        epoch, color = Axis("epoch", 1, int(history["epoch"].max())), of_name[name]
        losses = [_epochs(history, "loss", "training", color, DASHES[1]), _epochs(history, "val_loss", "validation", color),
                  _epochs(history, "base_rate_loss", "base rates, validation", PLAIN, DASHES[2])]
        found = [_epochs(history, "val_precision", "precision", color),
                 _epochs(history, "val_recall", "recall", color, DASHES[1])]
        about = f"of {name} by epoch"
        yield name, [
            line_chart(f"loss-{place}", f"{name}: loss", f"Loss {about}, training and validation films, and base rates",
                       epoch, Axis("binary cross-entropy"), losses, 5),
            line_chart(f"found-{place}", f"{name}: precision and recall", f"Precision and recall {about}, validation films",
                       epoch, Axis("share", 0, 1, True), found, 5)]


def _epochs(history: pd.DataFrame, column: str, title: str, color: str, dash: Sequence[int] = ()) -> Series:
    values = [None if value != value else float(value) for value in history[column]]
    return Series(title, color, list(zip(history["epoch"].astype(int).tolist(), values)), dash)
