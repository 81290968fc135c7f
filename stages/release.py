"""Writes small, versioned copies of the trained models and their model card; run by hand, not part of the pipeline."""

import json

import click
import pandas as pd

from movie_genres.evaluation.releasing import release
from stages.common import EXISTING_FILE, FILE, FOLDER, models_option, prepared_option, running


@click.command(help=__doc__)
@models_option
@prepared_option
@click.option("--intervals", type=EXISTING_FILE, default="plots/intervals.csv", show_default=True,
              help="The figures with their intervals, output of evaluate.")
@click.option("--out", type=FOLDER, default="released", show_default=True, help="Folder to write.")
@click.option("--card", type=FILE, default="MODEL_CARD.md", show_default=True, help="The model card to write.")
@click.option("--name", required=True, help="Name of the release.")
@click.option("--version", required=True, help="Version of the release.")
@click.option("--data", required=True, help="A sentence on the films, for the model card.")
def main(models, prepared, intervals, out, card, name, version, data):
    with running():
        summary = json.loads((prepared / "summary.json").read_text(encoding="utf-8"))
        release(models, out, card, name, version, data, summary, pd.read_csv(intervals))
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        click.echo(f"{out}: {name} {version}, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
