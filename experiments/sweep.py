"""Searches for better settings: `python -m experiments.sweep`, or `make sweep`.

Tries the settings that `sweep.yaml` describes, each on several splits, every run a DVC experiment, and says which are better
than the committed ones by more than noise. What came of a run is kept for as long as the commit stays the same, and not run
again: a search that was killed goes on when it is started again, and comes to the same end.
"""

import csv
import dataclasses
import logging
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from experiments.runs import (
    KEPT,
    Run,
    RunFailedError,
    SplitRun,
    committed_at,
    experiment_name,
    folder_of,
    kept_file,
    kept_runs,
    of_commit,
    options_of,
    run_pipeline,
    run_split,
)
from experiments.search import Measure, measure_again, search
from experiments.space import overlap_of, read_space
from genre_cli.common import Command
from movie_genres.base.errors import UserError
from movie_genres.base.files import replacing
from movie_genres.evaluation.searching import DONE, Ranked, Search, points, ranked, to_confirm, verdict, write_search

RESULTS, TABLE = "results.json", "results.csv"
COLUMNS = ("rank", "state", "settings", "splits", "validation_skill", "test_skill", "difference", "margin", "p",
           "corrected_p", "reason", "command", "experiments")


def keeping(commit: str, run: Run) -> Measure:
    """Measures settings by runs of a commit that are kept in folders of their own, failures too, and not made again."""
    def measure(seed: int, settings: tuple[str, ...]) -> SplitRun:
        failed = kept_file(kept := folder_of(commit, settings), seed).with_suffix(".failed")
        if failed.exists():
            raise RunFailedError(failed.read_text(encoding="utf-8").strip())
        try:
            done = run_split(seed, settings, kept, run)
        except RunFailedError as error:
            if settings:  # the committed ones are mended, and tried again
                with replacing(failed) as partial:
                    partial.write_text(f"{error}\n", encoding="utf-8")
            raise
        if done.commit != commit:
            raise UserError(f"{kept_file(kept, seed)}: expected a run of commit {commit[:7]}; found one of "
                            f"{done.commit[:7]}. Remove it to make it anew.")
        return done
    return measure


def command_of(settings: Sequence[str]) -> str:
    """The command that runs the pipeline with some settings."""
    return shlex.join(["dvc", "exp", "run", *options_of(settings)])


def tell_kept(commit: str) -> None:
    """Says which runs are there from before."""
    counts = Counter(run.commit for run in kept_runs())
    here, others = counts.pop(commit, 0), {made[:7]: count for made, count in counts.items()}
    logging.info("Runs that are kept of this commit, %s, and not made again: %d.", commit[:7], here)
    if others:
        logging.info("Of other commits, %s, and so made anew, as far as DVC's cache does not have their stages: %d.",
                     ", ".join(others), sum(others.values()))


def write(found: Search, out: Path) -> None:
    """Writes `results.json`, and the ranking as `results.csv`, to a folder."""
    out.mkdir(parents=True, exist_ok=True)
    write_search(found, out / RESULTS)
    with replacing(out / TABLE) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        lines.writerows(_cells(rank, each) for rank, each in enumerate(ranked(found), 1))


def _cells(rank: int, each: Ranked) -> list[object]:
    tried, gain = each.tried, each.gain
    test = sum(tried.test) / len(tried.test) if tried.test else None
    figures = [each.validation, test, *((gain.mean, gain.margin, gain.p) if gain else (None, None, None)), each.corrected]
    return [rank, tried.state, " ".join(tried.settings) or "as committed", len(tried.test),
            *("" if value is None else f"{value:.5g}" for value in figures), tried.reason, tried.command,
            " ".join(experiment_name(seed, tried.settings) for seed in range(len(tried.test)))]


def show(found: Search) -> None:
    """Prints the ranking and what may be said of it."""
    table = Table("", "settings", "validation skill", "difference on test films", "p, corrected", "splits", "",
                  title=f"{found.model}, beside the settings as committed at {found.commit[:7]}", title_justify="left")
    for rank, each in enumerate(ranked(found), 1):
        table.add_row(str(rank), " ".join(each.tried.settings) or "as committed",
                      "-" if each.validation is None else f"{each.validation:.4f}", points(each.gain) if each.gain else "-",
                      "-" if each.corrected is None else f"{each.corrected:.2g}", str(len(each.tried.test)),
                      "" if each.tried.state == DONE else each.tried.state)
    Console(width=150, markup=False).print(table)
    click.echo(f"{verdict(found)}\nIntervals of 95 % over splits, wider for the films that these share; of "
               "two or three splits they are wide.")


@click.command(cls=Command, help=__doc__.split("\n")[0])
@click.option("--space", "path", type=click.Path(dir_okay=False, path_type=Path), default="sweep.yaml", show_default=True,
              help="What to search: parameters and their values, trials, splits.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="sweep", show_default=True,
              help="Folder for results.json and results.csv.")
@click.option("--retry-failed", is_flag=True, help="Try again what has failed before.")
def main(path: Path, out: Path, retry_failed: bool) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    space, committed = read_space(path, Path("params.yaml"))
    overlap = overlap_of(Path("params.yaml"))
    apart = path, out / RESULTS, out / TABLE
    commit = committed_at(*apart)
    if retry_failed:
        for failed in KEPT.glob("*/*.failed"):
            failed.unlink()
    tell_kept(commit)
    measure = keeping(commit, of_commit(commit, run_pipeline, *apart))
    found = search(space, committed, commit, overlap, measure, command_of)
    write(found, out)
    if first := to_confirm(found):
        logging.info("%s comes first; it is measured on %d fresh splits.", " ".join(first.settings), space.fresh)
        try:
            found = dataclasses.replace(found, fresh=measure_again(space, first.settings, measure))
            write(found, out)
        except RunFailedError as error:
            logging.warning("%s cannot be compared on fresh splits: %s", " ".join(first.settings), error)
    show(found)


if __name__ == "__main__":
    main()
