"""`genre-data`: builds and checks the data folder that the pipeline reads."""

import importlib.util
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from genre_cli.collect import collect_command
from genre_cli.common import Group, Messages
from genre_cli.embeddings import embeddings
from movie_genres.base.errors import MissingPackageError, one_line
from movie_genres.base.progress import console
from movie_genres.data.checking import Summary, check
from movie_genres.data.exporting import FORMATS, export_films
from movie_genres.data.importing import import_films, recover
from movie_genres.data.layouts import LAYOUTS
from movie_genres.data.previewing import Preview, preview
from movie_genres.data.sources import ImportOptions

SHOWN_CHARACTERS = 60  # of a cell in a preview
PATH = click.Path(path_type=Path)
data_option = click.option("--data", type=PATH, default="data", show_default=True, help="The data folder.")


@click.group(cls=Group)
def main() -> None:
    """Builds and checks the data folder that the pipeline reads.

    Exit code: 0 when done; 2 when it could not be done as asked; 1 when stopped by a full disk, a failed `dvc add` or
    another error of the system; 3 when some films could not be collected; 75 when another import or collector works on
    the folder; 130 after Ctrl-C.
    """
    logging.basicConfig(level=logging.INFO, handlers=[Messages()])


main.add_command(collect_command)
main.add_command(embeddings)


@main.command("import")
@click.argument("source", type=PATH)
@data_option
@click.option("--format", "layout", type=click.Choice(list(LAYOUTS)), help="The layout, where it is not recognised.")
@click.option("--posters", type=PATH, help="Folder with the posters, where it is not beside the table.")
@click.option("--id-column", help="Column with the film's id, also the name of its poster file.")
@click.option("--text-column", help="Column with the overview.")
@click.option("--genres-column", multiple=True, help="Column with genres; several times where there are several, or for "
              "columns named by a genre, of 0 and 1.")
@click.option("--genre-separator", help="What stands between genres; by default a bar, semicolon or comma.")
@click.option("--corrections", type=PATH, help="Table with columns id and genres: labels that replace those in SOURCE.")
@click.option("--preview", "only_preview", is_flag=True, help="Show what was understood of SOURCE, and write nothing.")
@click.option("--track", is_flag=True, help="Run `dvc add` on the data folder as well.")
def import_command(source: Path, data: Path, layout: str | None, only_preview: bool, track: bool, **options: Any) -> None:
    """Builds the data folder from SOURCE: a folder, a zip archive or a table.

    Known layouts: the Multimodal_IMDB_dataset folder or zip; an MM-IMDb folder of JSON and JPEG files; MovieLens with
    posters named by any of its ids; a TMDB table with a poster folder; any table with an id, a text and genres, in one
    column or several, as names, as TMDB's numbers (genre_ids) or as columns of 0 and 1; a folder of pictures for each
    genre. Tables are CSV and the like, JSON Lines or a JSON list, also packed by gzip, or Parquet, also of several files
    and with pictures in a column. Folders such as train and test are read as one. The data folder is replaced whole, or not
    at all, and only where it was made by an import and not changed since.

    With --corrections, as a review of scored films gives them, SOURCE may also be what was scored: a table without genres,
    or the folder of the posters.
    """
    settings = ImportOptions(**options)
    if only_preview:
        if track:
            raise click.UsageError("--preview writes nothing that --track could add.")
        _show_preview(preview(source, layout, settings))
        return
    if track and importlib.util.find_spec("dvc") is None:
        raise MissingPackageError("--track", "dvc", "train")
    name, summary = import_films(source, data, layout, settings)
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


@main.command("export", help="Writes the data folder to OUT, a new folder, in a format that `import` reads.\n\n"
              "Formats: " + "; ".join(f"{name}: {about.content}" for name, about in FORMATS.items()) + ". OUT appears whole "
              "or not at all, after what was written has been read back. Only genre-folders leaves something out: titles, "
              "years, overviews, and films without a poster or a genre.")
@click.argument("out", type=PATH)
@data_option
@click.option("--format", "layout", type=click.Choice(list(FORMATS)), default="csv", show_default=True, help="See above.")
def export_command(out: Path, data: Path, layout: str) -> None:
    recover(data)
    for note in export_films(data, out, layout):
        console.print(_text(f"note: {note}"))
    console.print(_text(f"Exported {data}/ to {out}/ ({layout})."), soft_wrap=True)


def _show_preview(found: Preview) -> None:
    about = _grid()
    about.add_row("layout", found.layout)
    for what, words in found.understood.items():
        about.add_row(what, _text(words))
    about.add_row("films", f"{found.films:,}")
    about.add_row("posters", f"{found.posters:,} found, {found.films - found.posters:,} missing")
    about.add_row("genres of films", _text(_counts(found.genres)))
    about.add_row("genres unknown", f"{found.without_genres:,}")
    about.add_row("no overview", f"{found.without_overview:,}")
    for note in found.notes:
        about.add_row("note", _text(note))
    console.print(about)
    films = Table("id", "title", "year", "genres", "overview", "poster")
    for film, has_poster in found.first:
        cells = film.id, film.title, film.year, ", ".join(film.genres), film.overview
        films.add_row(*(_text(_cut(cell)) for cell in cells), "yes" if has_poster else "no")
    console.print(films)
    console.print(_text("Nothing was written: this is a preview."), style="bold")


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS - 1] + "…"


def _counts(genres: Counter[str]) -> str:
    return ", ".join(f"{genre} {count:,}" for genre, count in genres.most_common()) or "none"


def _grid() -> Table:
    return Table(show_header=False, box=None, pad_edge=False)


def _show(summary: Summary) -> None:
    table = _grid()
    table.add_row("films", f"{summary.films:,}")
    table.add_row("genres", _text(_counts(summary.genres)))
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
