"""Validates the films, fixes the genres and splits into train, validation and test."""

from pathlib import Path

import click

from movie_genres.data.preparing import PrepareOptions, prepare
from stages.common import EXISTING_FOLDER, FOLDER, params_option, read_options, running


@click.command(help=__doc__)
@click.option("--data", type=EXISTING_FOLDER, default="data", show_default=True, help="The canonical data folder.")
@click.option("--out", type=FOLDER, default="prepared", show_default=True, help="Folder for films.csv and summary.json.")
@params_option
def main(data: Path, out: Path, params: Path) -> None:
    with running():
        summary = prepare(data, out, read_options(params, "prepare", PrepareOptions))
        films = ", ".join(f"{count:,} {split}" for split, count in summary["films"].items())
        click.echo(f"{len(summary['genres'])} genres; films: {films}; left out: {summary['left_out'] or 'none'}")


if __name__ == "__main__":
    main()
