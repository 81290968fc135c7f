"""Validates the films, fixes the genres and splits into train, validation and test."""

from pathlib import Path

import click

from movie_genres.data.preparing import PrepareOptions, prepare
from stages.common import params_option, path_option, read_options, running


@click.command(help=__doc__)
@path_option("--data", "data", "The canonical data folder.", folder=True, exists=True)
@path_option("--out", "prepared", "Folder for films.csv and summary.json.", folder=True)
@params_option
def main(data: Path, out: Path, params: Path) -> None:
    with running():
        summary = prepare(data, out, read_options(params, "prepare", PrepareOptions))
        films = ", ".join(f"{count:,} {split}" for split, count in summary["films"].items())
        click.echo(f"{len(summary['genres'])} genres; films: {films}; left out: {summary['left_out'] or 'none'}")


if __name__ == "__main__":
    main()
