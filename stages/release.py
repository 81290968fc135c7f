"""Writes small, versioned copies of the trained models and their model card; run by hand, not part of the pipeline."""

import click
import pandas as pd

from movie_genres.evaluation.releasing import release
from movie_genres.inputs.prepared import load_summary
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
        release(models, out, card, name, version, data, load_summary(prepared), pd.read_csv(intervals))
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        click.echo(f"{out}: {name} {version}, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
