"""Writes small, versioned copies of the trained models and their model card; run by hand, not part of the pipeline."""

from pathlib import Path

import click
import pandas as pd

from movie_genres.evaluation.figures import EvaluateOptions
from movie_genres.evaluation.releasing import Facts, model_card, release
from movie_genres.inputs.prepared import load_prepared
from stages.common import models_option, params_option, path_option, prepared_option, read_options, running

REMAKE = ("genre-data import SOURCE --track && dvc repro && "
          "python -m stages.release --name NAME --version VERSION --data TEXT --limit TEXT")


@click.command(help=__doc__)
@models_option
@prepared_option
@path_option("--intervals", "plots/intervals.csv", "The figures with their intervals, output of evaluate.", exists=True)
@path_option("--out", "released", "Folder to write.", folder=True)
@path_option("--package", "movie_genres/released", "Folder to write of what the wheel carries.", folder=True)
@path_option("--card", "MODEL_CARD.md", "The model card to write.")
@click.option("--name", required=True, help="Name of the release.")
@click.option("--version", required=True, help="Version of the release.")
@click.option("--data", required=True, help="A sentence on the films, for the model card.")
@click.option("--limit", "limits", multiple=True,
              help="A sentence on what was not among the films, such as languages, for the model card. Repeat it.")
@params_option
def main(models: Path, prepared: Path, intervals: Path, out: Path, package: Path, card: Path, name: str, version: str,
         data: str, limits: tuple[str, ...], params: Path) -> None:
    with running():
        options = read_options(params, "evaluate", EvaluateOptions)
        decisions = release(models, out, package, name, version)
        facts = Facts(name, version, data, limits, REMAKE)
        card.write_text(model_card(facts, load_prepared(prepared), decisions, pd.read_csv(intervals), options), "utf-8")
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        click.echo(f"{out}: {name} {version}, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
