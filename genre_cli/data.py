"""`genre-data`: builds and checks the data folder that the pipeline reads."""

import importlib.util
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from genre_cli.common import Group, Messages
from genre_cli.embeddings import embeddings
from movie_genres.base.errors import MissingPackageError, one_line
from movie_genres.base.progress import console
from movie_genres.data.checking import Summary, check
from movie_genres.data.importing import import_films, recover
from movie_genres.data.layouts import LAYOUTS, ImportOptions

PATH = click.Path(path_type=Path)
data_option = click.option("--data", type=PATH, default="data", show_default=True, help="The data folder.")


@click.group(cls=Group)
def main() -> None:
    """Builds and checks the data folder that the pipeline reads.

    Exit code: 0 when done; 2 when it could not be done as asked; 1 when stopped by a full disk, a failed `dvc add` or
    another error of the system; 75 when another import into the folder is running; 130 after Ctrl-C.
    """
    logging.basicConfig(level=logging.INFO, handlers=[Messages()])


main.add_command(embeddings)


@main.command("import")
@click.argument("source", type=PATH)
@data_option
@click.option("--format", "layout", type=click.Choice(list(LAYOUTS)), help="The layout, where it is not recognised.")
@click.option("--posters", type=PATH, help="Folder with the posters, where it is not beside the table.")
@click.option("--id-column", help="Column with the film's id, also the name of its poster file.")
@click.option("--text-column", help="Column with the overview.")
@click.option("--genres-column", help="Column with the genres.")
@click.option("--genre-separator", help="What stands between genres; by default a bar, semicolon or comma.")
@click.option("--corrections", type=PATH, help="Table with columns id and genres: labels that replace those in SOURCE.")
@click.option("--track", is_flag=True, help="Run `dvc add` on the data folder as well.")
def import_command(source: Path, data: Path, layout: str | None, track: bool, **options: Any) -> None:
    """Builds the data folder from SOURCE: a folder, a zip archive or a table.

    Known layouts: the Multimodal_IMDB_dataset folder or zip; an MM-IMDb folder of JSON and JPEG files; a TMDB table with
    a poster folder; any table with an id, a text and a genre column. The data folder is replaced whole, or not at all, and
    only where it was made by an import and not changed since.

    With --corrections, as a review of scored films gives them, SOURCE may also be what was scored: a table without genres,
    or the folder of the posters.
    """
    if track and importlib.util.find_spec("dvc") is None:
        raise MissingPackageError("--track", "dvc", "train")
    name, summary = import_films(source, data, layout, ImportOptions(**options))
    console.print(_text(f"Imported {source} (layout {name}) into {data}/."), soft_wrap=True)
    _show(summary)
    if track and subprocess.run([sys.executable, "-m", "dvc", "add", str(data)]).returncode != 0:
        raise click.ClickException(f"{data} is in place, but `dvc add {data}` failed; its message stands above.")
    console.print(_text("Next: " + ("dvc repro" if track else f"dvc add {data} && dvc repro")), style="bold")


@main.command("check")
@data_option
def check_command(data: Path) -> None:
    """Reports what is in the data folder and what is wrong with it."""
    recover(data)
    _show(check(data))


def _show(summary: Summary) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("films", f"{summary.films:,}")
    genres = ", ".join(f"{genre} {count:,}" for genre, count in summary.genres.most_common())
    table.add_row("genres", _text(genres or "none"))
    for label, ids in [("genres unknown", summary.without_genres), ("no overview", summary.without_overview),
                       ("duplicate ids", summary.duplicate_ids), ("overviews that repeat", summary.repeated_overviews),
                       ("posters missing", summary.posters_missing), ("posters of no film", summary.posters_of_no_film)]:
        table.add_row(label, _count(ids))
    table.add_row("posters", f"{summary.posters:,}")
    table.add_row("posters unreadable", _count([f"{film} ({why})" for film, why in summary.posters_unreadable.items()]))
    for note in summary.notes:
        table.add_row("note", _text(note))
    console.print(table)


def _count(ids: Sequence[str]) -> Text:
    examples = ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
    return _text(f"{len(ids):,}" + (f" ({examples})" if ids else ""))


def _text(text: str) -> Text:
    """Text to show as it is: no markup, and nothing that a terminal would obey."""
    return Text(one_line(text))
