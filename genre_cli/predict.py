"""`genre-predict`: scores posters, overviews or both with trained models."""

import logging
import sys
import time
from pathlib import Path

import click

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FAILED_ROWS = 3  # exit code


@click.command()
@click.option("--posters", type=FOLDER, help="Folder with poster files, searched with its subfolders.")
@click.option("--overviews", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Table with overviews.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The CSV file to write.")
@click.option("--models", type=FOLDER, default="models", show_default=True, help="Folder with the trained models.")
@click.option("--id-column", help="Column of the table with the film's id.")
@click.option("--text-column", help="Column of the table with the overview.")
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="Genres in the column `top`.")
@click.option("--threshold", type=click.FloatRange(0, 1), show_default="tuned for each genre",
              help="Probability from which a genre stands in the column `genres`.")
@click.option("--model-column", is_flag=True, help="Add a column `model`: name and version of the models.")
@click.option("--batch-size", type=click.IntRange(min=1), default=128, show_default=True, help="Films a step.")
def main(posters, overviews, out, models, id_column, text_column, top, threshold, model_column, batch_size):
    """Tells the genres of films from their posters, their overviews, or both.

    With both, they are joined by id: the poster's path below the folder, without its extension, is the film's id. Every
    poster file and every row of the table gets a row in the output, whatever is in it; a row that could not be scored
    says why.

    Exit code: 0 when all rows are ok, 3 when some failed, 2 when the command could not be run.
    """
    from movie_genres.errors import UserError

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if posters is None and overviews is None:
        raise click.UsageError("Nothing to score: give --posters, --overviews or both.")
    if not out.parent.is_dir():
        raise click.UsageError(f"{out}: expected an existing folder to write to; found no folder {out.parent}.")
    try:
        statuses = _predict(posters, overviews, out, models, (id_column, text_column), top, threshold, model_column,
                            batch_size)
    except UserError as error:
        raise click.UsageError(str(error)) from None
    sys.exit(0 if set(statuses) <= {"ok"} else FAILED_ROWS)


def _predict(posters, overviews, out, models, columns, top, threshold, model_column, batch_size):
    from movie_genres.decisions import choose_models
    from movie_genres.models import model_name
    from movie_genres.progress import track
    from movie_genres.quiet import import_tensorflow
    from movie_genres.scoring import find_posters, join, read_overviews, score, write_rows

    modalities = [name for name, given in (("poster", posters), ("overview", overviews)) if given is not None]
    files, decisions = choose_models(models, modalities)
    name = model_name(models, files)
    items = join(read_overviews(overviews, *columns) if overviews else [], find_posters(posters) if posters else [])

    import_tensorflow()  # only now: it takes seconds
    from movie_genres.inference import Models

    loaded = Models(files, decisions, batch_size)
    started = time.monotonic()
    statuses = write_rows(track(score(items, loaded), len(items), "Scoring", log=False), out, loaded.genres, top,
                          threshold, name if model_column else None)
    seconds = time.monotonic() - started
    failed = ", ".join(f"{kind} {count:,}" for kind, count in statuses.most_common() if kind != "ok")
    logging.getLogger(__name__).info(
        "%s: %s rows, %s ok%s; %s rows/s with %s (%s)", out, f"{statuses.total():,}", f"{statuses['ok']:,}",
        f", failed: {failed}" if failed else "", f"{statuses.total() / max(seconds, 1e-9):,.0f}",
        name, ", ".join(file.name for file in files))
    return statuses
