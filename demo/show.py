"""Shows the first rows of a file that `genre-predict` wrote: `python -m demo.show preds.csv`."""

import csv
import itertools
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table


@click.command(help=__doc__)
@click.argument("scored", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--rows", type=click.IntRange(min=1), default=12, show_default=True, help="How many rows to show.")
def main(scored, rows):
    table = Table("id", "status", "genres", "top", title=f"{scored}, first {rows} rows", title_justify="left")
    with scored.open(encoding="utf-8", newline="") as file:
        for row in itertools.islice(csv.DictReader(file), rows):
            table.add_row(row["id"], row["status"], row["genres"], row["top"])
    Console().print(table)


if __name__ == "__main__":
    main()
