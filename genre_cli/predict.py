"""`genre-predict`: scores posters, overviews or both with trained models."""

import importlib.metadata
import json
import logging
import sys
import warnings
from dataclasses import dataclass
from typing import Annotated, Any

import click

from genre_cli.answer import in_words, why_in_words
from genre_cli.common import Messages, reporting
from genre_cli.options import SectionedCommand, options_for
from movie_genres.base.errors import one_line
from movie_genres.base.settings import Option, build
from movie_genres.scoring.request import Request

FAILED_ROWS = 3  # exit code; the others are in `common`

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SingleOptions:
    """A film that is described on the command line."""

    overview: Annotated[str | None, Option("Input", "An overview: its film's answer is printed, with that of a single "
                                           "poster in `posters`.", metavar="TEXT")] = None


@dataclass(frozen=True)
class MessageOptions:
    """What to say, and how."""

    quiet: Annotated[bool, Option("Messages", "Only errors.")] = False
    log_format: Annotated[str, Option("Messages", "Messages for people or for machines.", choices=("text", "json"))] = "text"
    version: Annotated[bool, Option("Messages", "Tell the versions of the package and of the models.")] = False
    describe: Annotated[bool, Option("Messages", "Tell what the models are, on what films they were trained, and the "
                                     "precision and recall to expect.")] = False


@click.command(cls=SectionedCommand, params=options_for(SingleOptions, Request, MessageOptions),
               context_settings={"max_content_width": 110})
def main(overview: str | None, quiet: bool, log_format: str, version: bool, describe: bool, **options: Any) -> None:
    """Tells the genres of films from their posters, their overviews, or both.

    \b
    genre-predict --posters heat.jpg                  prints an answer
    genre-predict --posters DIR --out preds.csv       writes a row for each poster
    genre-predict --posters heat.jpg --explain why    writes why to the folder why

    With both, they are joined by id: that of a poster is its path below the folder, without its extension. Every poster and
    every row of the table gets a row in the output, in their order; a row that could not be scored says why.

    A job that was interrupted goes on where it stopped when the same command is given again.

    \b
    Exit code: 0 when all rows are ok; 3 when some failed; 1 when stopped by --strict, --max-failure-rate or a full
    disk or memory; 2 when the command could not be run; 75 when another process works on the output; 130 after Ctrl-C.
    """
    warnings.filterwarnings("ignore", module="PIL")  # of damaged metadata in pictures that can be decoded
    handler = JsonMessages() if log_format == "json" else Messages()
    logging.basicConfig(level=logging.ERROR if quiet else logging.INFO, handlers=[handler], force=True)
    with reporting(main, logger.error, "interrupted; the same command goes on where this one stopped"):
        request = build(Request, options)
        if version:
            click.echo(versions(request.models))
            return
        if describe:
            from genre_cli.describe import description

            click.echo(description(request.models, request.naming))
            return
        if request.explain is not None:
            sys.exit(0 if explain(request, overview) <= {"ok"} else FAILED_ROWS)
        if overview is not None or not request.out:
            from movie_genres.scoring.predict import predict_single

            predictor, found = predict_single(request, overview)
            click.echo(in_words(predictor, found), err=not found.probabilities)
            sys.exit(0 if found.status == "ok" else FAILED_ROWS)
        from movie_genres.scoring.predict import predict

        statuses = predict(request)
    sys.exit(0 if set(statuses) <= {"ok"} else FAILED_ROWS)


def explain(request: Request, overview: str | None) -> set[str]:
    """Explains films, scores them first where an output is asked for, and tells of a single one; returns the statuses."""
    from movie_genres.scoring.explain import explain_films, films_to_explain
    from movie_genres.scoring.predict import predict

    films = films_to_explain(request, overview)
    statuses = set(predict(request)) if request.out else set()
    predictor, explained = explain_films(request, films)
    if len(explained) == 1:
        (found, explanations), = explained
        click.echo(in_words(predictor, found), err=not found.probabilities)
        click.echo(why_in_words(explanations.values()), nl=bool(explanations))
    return statuses | {found.status for found, _ in explained}


def versions(folder: str | None) -> str:
    """The versions of the package, and of the models in a folder, in words."""
    from movie_genres.ensemble.folder import find_models, model_name, models_folder

    found = models_folder(folder)
    return (f"movie-genres {importlib.metadata.version('movie-genres')}\n"
            f"models {model_name(found, find_models(found))}, in {found}")


class JsonMessages(Messages):
    """Hands log records on as JSON, a line each."""

    def text(self, record: logging.LogRecord) -> str:
        about = {"time": record.created, "level": record.levelname.lower(), "message": one_line(record.getMessage())}
        return json.dumps({**about, **getattr(record, "summary", {})})
