"""The figures over several random splits, as means with their spread: `python -m experiments.split_seeds`.

One split's noise is larger than many a claimed gain. Every split is a DVC experiment of its own, run outside the workspace
and named `split-SEED`, with a digest of changed parameters. What came of it is kept, by default for as long as the commit
stays the same, and not run again. Runs are made of committed code and settings alone.
"""

import logging
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import pandas as pd
from rich.console import Console
from rich.table import Table

from experiments.runs import committed_at, folder_of, git, of_commit, read_run, run_pipeline, run_split
from experiments.space import overlap_of
from genre_cli.common import Command
from movie_genres.base.files import replacing
from movie_genres.evaluation.paired import difference

NAMED = "precision", "recall", "genres_per_film", "f1_per_film"
SHOWN = "loss", "skill", "precision", "recall", "recall_at_precision", "f1", "map", "tuned_macro_f1"


class Line(NamedTuple):
    """A figure over several splits. `mean`: None where none has it; `spread`: what it may be off by, None with one split."""

    model: str
    metric: str
    mean: float | None
    spread: float | None
    splits: int


def summarise(figures: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Means and standard deviations over splits of figures by `model.metric`."""
    lines = []
    for key in (key for key in figures[0] if "." in key):
        values = [of_split[key] for of_split in figures if of_split.get(key) is not None]
        model, metric = key.split(".", 1)
        lines.append(Line(model, metric, statistics.fmean(values) if values else None,
                          statistics.stdev(values) if len(values) > 1 else None, len(values)))
    return lines


def compare(figures: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], overlap: float) -> list[Line]:
    """Mean differences to the figures of other runs on the same splits, with half of their 95 % interval; `overlap` as in
    `paired.difference`."""
    lines = []
    for key in (key for key in figures[0] if "." in key):
        pairs = [(of_split[key], other[key]) for of_split, other in zip(figures, others, strict=True)
                 if of_split.get(key) is not None and other.get(key) is not None]
        if pairs:  # both have it
            values, of_others = zip(*pairs)
            found = difference(values, of_others, overlap)
            model, metric = key.split(".", 1)
            lines.append(Line(model, metric, found.mean, found.margin, found.pairs))
    return lines


def summarise_points(points: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Means and standard deviations over splits of what is named, as text, by kind of input and what was asked for."""
    by_point = pd.concat(points).groupby(["kind", "asked"], sort=False)[list(NAMED)]
    means, spreads = by_point.mean(), by_point.std()
    return means.map("{:.3f} ± ".format) + spreads.map("{:.3f}".format)


def show(lines: Sequence[Line], title: str) -> None:
    table = Table("model", *SHOWN, title=title, title_justify="left")
    for model in dict.fromkeys(line.model for line in lines):
        cells = {line.metric: f"{line.mean:.3f} ± {line.spread:.3f}" for line in lines
                 if line.model == model and line.spread is not None}
        if "loss" in cells:
            table.add_row(model, *(cells.get(metric, "-") for metric in SHOWN))
    Console(width=170).print(table)


@click.command(cls=Command, help=__doc__.split("\n")[0])
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="How many splits.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default="predictions/split_seeds.csv",
              show_default=True, help="The CSV file to write.")
@click.option("-S", "--set-param", "settings", multiple=True, help="A parameter to change, as for `dvc exp run`.")
@click.option("--kept", type=click.Path(file_okay=False, path_type=Path),
              help="Folder for what comes of the splits; what is there is not run again.  [default: one of this commit]")
@click.option("--against", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Show differences to what was kept there of the same splits, with intervals, too.")
def main(seeds: int, out: Path, settings: Sequence[str], kept: Path | None, against: Path | None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    overlap = overlap_of(Path("params.yaml"), settings)
    # A named folder may have runs of other commits; what is made is of this one.
    commit = committed_at() if kept is None else git("rev-parse", "HEAD") or ""
    kept = kept or folder_of(commit, settings)
    runs = [run_split(seed, settings, kept, of_commit(commit, run_pipeline)) for seed in range(seeds)]
    summary = summarise([run.figures for run in runs])
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as partial:
        pd.DataFrame(summary).round(5).to_csv(partial, index=False, lineterminator="\n")
    at = ", ".join(sorted({run.commit[:7] for run in runs}))
    show(summary, f"mean ± standard deviation over {seeds} splits, measured at {at}")
    named = Table("films with", "asked for", *NAMED, title="what is named, on the same splits", title_justify="left")
    cells = summarise_points([pd.DataFrame(run.points) for run in runs]).reset_index()
    for line in cells.to_numpy().tolist():
        named.add_row(*line)
    Console(width=120).print(named)
    if against is not None:
        others = [read_run(against, seed) for seed in range(seeds)]
        show(compare([run.figures for run in runs], [other.figures for other in others], overlap),
             f"differences to {against} on the same splits, with 95 % intervals, wider for the films that these share")


if __name__ == "__main__":
    main()
