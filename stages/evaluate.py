"""Measures all models, and the base rates, on the test films; writes metrics, plots and sheets of sample films."""

import click
import numpy as np

from movie_genres.quiet import import_tensorflow
from stages.common import (
    EXISTING_FILE,
    FILE,
    FOLDER,
    models_option,
    overviews_option,
    params_option,
    posters_option,
    prepared_option,
    read_options,
    running,
)


@click.command(help=__doc__)
@prepared_option
@posters_option
@overviews_option
@models_option
@click.option("--baseline", type=(str, EXISTING_FILE), multiple=True, metavar="NAME FILE",
              help="A baseline's name and its probabilities of all films. Repeat it.")
@click.option("--training", type=(str, EXISTING_FILE, EXISTING_FILE), multiple=True, metavar="NAME HISTORY METRICS",
              help="A model's name, its history and its training metrics, for the training curves. Repeat it.")
@click.option("--metrics", type=FILE, default="metrics/evaluate.json", show_default=True, help="The figures to write.")
@click.option("--plots", type=FOLDER, default="plots", show_default=True, help="Folder for pictures and curves.")
@params_option
def main(prepared, posters, overviews, models, baseline, training, metrics, plots, params):
    with running():
        import_tensorflow()
        from movie_genres.arrays import load_overviews, load_posters, load_prepared
        from movie_genres.decisions import read_decisions
        from movie_genres.inference import Models
        from movie_genres.models import find_models
        from movie_genres.report import EvaluateOptions, write_report

        options = read_options(params, "evaluate", EvaluateOptions)
        paths = find_models(models)
        loaded = Models(paths, decisions=read_decisions(paths))
        baselines = {name: np.load(file) for name, file in baseline}
        trainings = {name: (history, figures) for name, history, figures in training}
        figures = write_report(load_prepared(prepared), load_posters(posters), load_overviews(overviews), loaded,
                               baselines, trainings, metrics, plots, options)
        for name, value in figures.items():
            if name.endswith(".skill"):
                click.echo(f"{name} {value:.1%}")


if __name__ == "__main__":
    main()
