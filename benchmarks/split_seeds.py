"""The figures over several random splits, as means with their spread: `python -m benchmarks.split_seeds`.

One split's noise is larger than many a claimed gain. Every split is a DVC experiment of its own, run outside the workspace
and named `split-SEED`, with a digest of changed parameters; those that the current commit already has are not run again.
"""

import hashlib
import io
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pandas as pd
from rich.console import Console
from rich.table import Table

from movie_genres.base.files import replacing

NAMED = "precision", "recall", "genres_per_film", "f1_per_film"
SEEDED = "prepare", "teach", "cnn", "lstm", "encoder_defaults.poster", "encoder_defaults.overview", "fusion"
FIGURES, POINTS = "metrics/evaluate.json", "plots/operating_points.csv"
SHOWN = "loss", "skill", "precision", "recall", "recall_at_precision", "f1", "map", "tuned_macro_f1"


def git(*arguments: str) -> str | None:
    """What a git command prints, or None where it fails."""
    result = subprocess.run(["git", *arguments], capture_output=True, text=True)
    return result.stdout.strip() if result.returncode == 0 else None


def written(name: str, file: str) -> str | None:
    """The content of a file in an experiment of the current commit, or None where there is none."""
    commit = git("rev-parse", "HEAD") or ""
    return git("show", f"refs/exps/{commit[:2]}/{commit[2:]}/{name}:{file}")


def run_split(seed: int, settings: Sequence[str]) -> tuple[dict[str, Any], pd.DataFrame]:
    """Runs the pipeline on the split of a seed, unless that has been done.

    Returns its figures, and what is named at its operating points.
    """
    digest = hashlib.sha256("\n".join(settings).encode()).hexdigest()[:8]
    name = f"split-{seed}-{digest}" if settings else f"split-{seed}"
    if written(name, FIGURES) is None:
        seeds = [f"{section}.seed={seed}" for section in SEEDED]
        chosen = [part for setting in (*seeds, *settings) for part in ("--set-param", setting)]
        subprocess.run([sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", name, *chosen], check=True)
    return json.loads(written(name, FIGURES) or ""), pd.read_csv(io.StringIO(written(name, POINTS)))


def summarise(figures: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Means and standard deviations over splits of figures by `model.metric`.

    Returns columns model, metric, mean, spread and splits.
    """
    lines = []
    for key in (key for key in figures[0] if "." in key):
        values = [of_split[key] for of_split in figures if of_split.get(key) is not None]
        model, metric = key.split(".", 1)
        lines.append({"model": model, "metric": metric, "mean": statistics.fmean(values) if values else None,
                      "spread": statistics.stdev(values) if len(values) > 1 else None, "splits": len(values)})
    return pd.DataFrame(lines)


def summarise_points(points: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Means and standard deviations over splits of what is named, as text, by kind of input and what was asked for."""
    by_point = pd.concat(points).groupby(["kind", "asked"], sort=False)[list(NAMED)]
    means, spreads = by_point.mean(), by_point.std()
    return means.map("{:.3f} ± ".format) + spreads.map("{:.3f}".format)


def differences(figures: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By how much figures differ from those of other runs on the same splits, of what both have."""
    return [{key: of_split[key] - other[key] for key in of_split
             if "." in key and of_split[key] is not None and other.get(key) is not None}
            for of_split, other in zip(figures, others, strict=True)]


def show(summary: pd.DataFrame, title: str) -> None:
    table = Table("model", *SHOWN, title=title, title_justify="left")
    for model, of_model in summary.groupby("model", sort=False):
        cells = {row.metric: f"{row.mean:.3f} ± {row.spread:.3f}" for row in of_model.itertuples() if row.splits > 1}
        if "loss" in cells:
            table.add_row(model, *(cells.get(metric, "-") for metric in SHOWN))
    Console(width=170).print(table)


@click.command(help=__doc__.split("\n")[0])
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="How many splits.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default="predictions/split_seeds.csv",
              show_default=True, help="The CSV file to write.")
@click.option("-S", "--set-param", "settings", multiple=True, help="A parameter to change, as for `dvc exp run`.")
@click.option("--compare", is_flag=True, help="Show differences to the same splits without changed parameters, too.")
def main(seeds: int, out: Path, settings: Sequence[str], compare: bool) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    figures, points = zip(*(run_split(seed, settings) for seed in range(seeds)))
    summary = summarise(figures)
    with replacing(out) as partial:
        summary.round(5).to_csv(partial, index=False, lineterminator="\n")
    show(summary, f"mean ± standard deviation over {seeds} splits")
    named = Table("films with", "asked for", *NAMED, title="what is named, on the same splits", title_justify="left")
    for (kind, asked), cells in summarise_points(points).iterrows():
        named.add_row(kind, asked, *cells)
    Console(width=120).print(named)
    if compare:
        plain = [run_split(seed, ())[0] for seed in range(seeds)]
        show(summarise(differences(figures, plain)), "differences to the committed parameters on the same splits")


if __name__ == "__main__":
    main()
