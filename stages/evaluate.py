"""Measures all models, and the base rates, on the test films; writes metrics, plots and sheets of sample films."""

import json
from collections.abc import Mapping
from pathlib import Path

import click

from movie_genres.evaluation.figures import EvaluateOptions, headlines, measure_all, read_comparison
from movie_genres.evaluation.report import read_histories, write_report
from stages.common import comparison_inputs, params_option, path_option, read_options, running


@click.command(help=__doc__)
@comparison_inputs
@path_option("--metrics", "metrics/evaluate.json", "All figures, to write.")
@path_option("--summaries", "metrics/test", "Folder for the few figures of each model that one compares.", folder=True)
@path_option("--plots", "plots", "Folder for pictures and curves.", folder=True)
@params_option
def main(prepared: Path, answers: Path, decisions: Path, histories: Path, baseline: tuple[tuple[str, Path], ...],
         metrics: Path, summaries: Path, plots: Path, params: Path) -> None:
    with running():
        options = read_options(params, "evaluate", EvaluateOptions)
        films, of_models, _, comparison = read_comparison(prepared, answers, decisions, dict(baseline), options.min_films)
        figures = measure_all(comparison, options)
        write_figures(metrics, figures)
        for name, few in headlines(figures).items():
            write_figures(summaries / f"{name}.json", few)
        write_report(films, comparison, read_histories(histories, of_models), plots, options)
        for name in comparison.candidates:
            click.echo(f"{name}.skill {figures[f'{name}.skill']:.1%}")


def write_figures(path: Path, figures: Mapping[str, float | None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
