"""Shows what `make repro` made: `python -m demo.show metrics/evaluate.json preds.csv`."""

import csv
import itertools
import json
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
METRICS = ("loss", "skill", "precision", "recall", "f1", "macro_f1", "map")


@click.command(help=__doc__)
@click.argument("metrics", type=FILE)
@click.argument("scored", type=FILE)
@click.option("--rows", type=click.IntRange(min=1), default=8, show_default=True, help="How many scored films to show.")
def main(metrics: Path, scored: Path, rows: int) -> None:
    console = Console()
    console.print(_models(metrics))
    console.print(_films(scored, rows))


def _models(metrics: Path) -> Table:
    figures = json.loads(metrics.read_text())
    table = Table("model", *METRICS, box=SIMPLE, padding=(0, 1), title_justify="left",
                  title=f"{metrics}: {figures['films']} test films")
    for model in (name.removesuffix(".loss") for name in figures if name.endswith(".loss")):
        values = (figures[f"{model}.{metric}"] for metric in METRICS)
        table.add_row(model, *("-" if value is None else f"{value:.3f}" for value in values))
    return table


def _films(scored: Path, rows: int) -> Table:
    columns = ("id", "status", Column("genres", overflow="fold"), Column("top", overflow="fold"))
    table = Table(*columns, box=SIMPLE, padding=(0, 1), title=f"{scored}: the first {rows} films", title_justify="left")
    with scored.open(encoding="utf-8", newline="") as file:
        for row in itertools.islice(csv.DictReader(file), rows):
            table.add_row(row["id"], row["status"], *(row[name].replace("|", " ") for name in ("genres", "top")))
    return table


if __name__ == "__main__":
    main()
