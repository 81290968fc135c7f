"""The written report of a pipeline run: data, method, results, failures and limits, as Markdown and as a page."""

import itertools
import re
from typing import Any

import jinja2
import markdown_it
from markupsafe import Markup

from movie_genres.ensemble.decisions import IN_WORDS
from movie_genres.evaluation.figures import BASE_RATE
from movie_genres.models.metrics import binary_cross_entropy
from movie_genres.reporting import words
from movie_genres.reporting.genre_figures import SHOWN, Told, outcomes_of, told_film, views_of
from movie_genres.reporting.overview import FEW, about, always, points
from movie_genres.reporting.run import Run
from movie_genres.reporting.site import HERE, Page

FILE = "report.md"
SETTINGS = ("architecture", "preset", "fine_tune", "epochs", "batch_size", "optimizer", "learning_rate", "schedule",
            "weight_decay", "dropout", "loss", "seeds")  # of a training, those that a reader asks for first


def written_report(run: Run) -> str:
    """The report as Markdown (CommonMark with tables), which shows text from outside as it is."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE / "templates"), undefined=jinja2.StrictUndefined,
                                     trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
                                     finalize=lambda value: words.NONE if value is None else value)
    answers, *_ = views_of(run)
    outcomes = outcomes_of(run, answers)
    judged = [outcome for outcome in outcomes if outcome.support >= FEW]
    return environment.get_template("report.md.j2").render(
        w=words, md=words.markdown, run=run, films=run.summary["films"], kinds=IN_WORDS, points=points(run),
        always=always(run), about=about(run), models=[_model(run, name) for name in run.answers], outcomes=outcomes,
        best=run.best, worst_genres=sorted(judged, key=lambda outcome: outcome.f1 or 0)[:3], few=FEW, settings=SETTINGS,
        rare=[outcome for outcome in outcomes if outcome.support < FEW], worst=_worst_films(run), BASE_RATE=BASE_RATE,
        nothing=int((~run.answered.named.any(axis=1)).sum()), unlabelled=int((run.comparison.labels.sum(axis=1) == 0).sum()))


def report_page(run: Run) -> Page:
    """The report as the page `report.html`."""
    rendered = markdown_it.MarkdownIt("commonmark", {"html": False}).enable("table").render(written_report(run))
    return Page("report.html", "Report", "report.html.j2", {"content": Markup(_scrolling(rendered)), "file": FILE})


def _scrolling(html: str) -> str:
    """Tables in boxes that scroll by themselves, also by keyboard."""
    number = itertools.count(1)
    html = re.sub("<table>", lambda _: '<div class="table" tabindex="0" role="region" '
                  f'aria-label="Table {next(number)}"><table>', html)
    return html.replace("</table>", "</table></div>")


def _model(run: Run, name: str) -> dict[str, Any]:
    """What is told of a model: its name, what it looks at, its settings, and what its training measured."""
    modality = run.answers[name].modality
    named = run.settings.get("encoders", {}).get(name)
    given = run.settings.get(name, {}) if named is None else {**run.settings["encoder_defaults"].get(modality, {}), **named}
    return {"name": name, "modality": modality, "settings": given, "trained": run.trainings.get(name, {}),
            "inputs": list(run.settings.get(name, {}).get("inputs", ())) if modality is None else [],
            "epochs": len(run.histories[name]) if name in run.histories else None}


def _worst_films(run: Run) -> list[Told]:
    """The test films of the highest loss of what users get."""
    answers, *_ = views_of(run)
    losses = [binary_cross_entropy(labels, given) for labels, given in zip(run.comparison.labels, answers.probabilities)]
    order = sorted(range(len(losses)), key=lambda row: -losses[row])[:SHOWN]
    return [told_film(run, answers, row, losses[row]) for row in order]
