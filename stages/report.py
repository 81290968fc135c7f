"""Writes the site of the run: overview, gallery, genres, a page for reviewing, the written report."""

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click
import yaml

from stages.common import (
    comparison_inputs,
    embedding_files,
    embeddings_option,
    models_option,
    params_option,
    path_option,
    read_options,
    running,
)

if TYPE_CHECKING:
    from movie_genres.reporting.run import Earlier


@click.command(help=__doc__)
@comparison_inputs
@path_option("--metrics", "metrics/evaluate.json", "Output of evaluate: figures.", exists=True)
@path_option("--plots", "plots", "Output of evaluate: tables.", folder=True, exists=True)
@path_option("--audit", "audit", "Output of audit.", folder=True)
@path_option("--search", "sweep/results.json", "What a search for better settings found.", exists=True)
@models_option
@embeddings_option
@path_option("--out", "report", "Folder for the site.", folder=True)
@params_option
def main(prepared: Path, answers: Path, decisions: Path, histories: Path, baseline: tuple[tuple[str, Path], ...],
         metrics: Path, plots: Path, audit: Path, search: Path, models: Path, embeddings: Path, out: Path,
         params: Path) -> None:
    with running():
        from movie_genres.evaluation.figures import EvaluateOptions
        from movie_genres.evaluation.report import films_of_sheets
        from movie_genres.evaluation.searching import read_search
        from movie_genres.reporting.run import read_run
        from movie_genres.reporting.run_films import ReportOptions, explain_films, write_run_site

        options = read_options(params, "report", ReportOptions)
        settings = yaml.safe_load(params.read_text(encoding="utf-8"))
        run = read_run(prepared, answers, decisions, dict(baseline), metrics, plots, histories, settings,
                       None if options.against is None else _earlier(options.against, metrics))
        test = run.prepared.rows("test")
        sheets = test[films_of_sheets(len(test), read_options(params, "evaluate", EvaluateOptions))]
        explained = explain_films(run, sheets, models, embedding_files(params, embeddings))
        write_run_site(run, options, out, audit, read_search(search), explained)
        click.echo(f"Open {out / 'index.html'}")


def _earlier(revision: str, metrics: Path) -> "Earlier":
    """The figures of another revision, as Git keeps them."""
    from movie_genres.reporting.run import Earlier

    try:
        found = subprocess.run(["git", "show", f"{revision}:./{metrics.as_posix()}"], capture_output=True, check=True)
        return Earlier(revision, json.loads(found.stdout))
    except (OSError, subprocess.CalledProcessError, ValueError):
        return Earlier(revision, None, f"Git has no figures of {revision}.")


if __name__ == "__main__":
    main()
