"""Measures all models, and the base rates, on the test films; writes metrics, plots and sheets of sample films."""

import json
from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np
import pandas as pd

from movie_genres.ensemble.decisions import read_decisions
from movie_genres.evaluation.figures import EvaluateOptions, compare, headlines, measure_all
from movie_genres.evaluation.report import write_report
from movie_genres.inputs.prepared import load_prepared
from movie_genres.models.answers import load_answers
from stages.common import EXISTING_FILE, answers_option, params_option, path_option, prepared_option, read_options, running


@click.command(help=__doc__)
@prepared_option
@answers_option
@path_option("--decisions", "models/decisions.json", "Output of tune.", exists=True)
@path_option("--histories", "history", "Folder with the models' trainings, for the curves.", folder=True, exists=True)
@click.option("--baseline", type=(str, EXISTING_FILE), multiple=True, metavar="NAME FILE",
              help="A baseline's name and its probabilities of all films. Repeat it.")
@path_option("--metrics", "metrics/evaluate.json", "All figures, to write.")
@path_option("--summaries", "metrics/test", "Folder for the few figures of each model that one compares.", folder=True)
@path_option("--plots", "plots", "Folder for pictures and curves.", folder=True)
@params_option
def main(prepared: Path, answers: Path, decisions: Path, histories: Path, baseline: tuple[tuple[str, Path], ...],
         metrics: Path, summaries: Path, plots: Path, params: Path) -> None:
    with running():
        options = read_options(params, "evaluate", EvaluateOptions)
        films, of_models = load_prepared(prepared), load_answers(answers)
        tuned = read_decisions(decisions, {name: of_model.digest for name, of_model in of_models.items()}, films.genres)
        comparison = compare(films, of_models, tuned, {name: np.load(file) for name, file in baseline}, options.min_films)
        figures = measure_all(comparison, options)
        write_figures(metrics, figures)
        for name, few in headlines(figures).items():
            write_figures(summaries / f"{name}.json", few)
        trainings = {path.stem: pd.read_csv(path) for path in histories.glob("**/*.csv")}
        write_report(films, comparison, {name: trainings[name] for name in of_models if name in trainings}, plots, options)
        for name in comparison.candidates:
            click.echo(f"{name}.skill {figures[f'{name}.skill']:.1%}")


def write_figures(path: Path, figures: Mapping[str, float | None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
