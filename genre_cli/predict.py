"""`genre-predict`: scores posters, overviews or both with trained models."""

import json
import logging
import sys
import warnings

import click

from genre_cli.common import Messages, Reporting, reporting
from movie_genres.base.errors import one_line

FAILED_ROWS = 3  # exit code; the others are in `common`

logger = logging.getLogger(__name__)

SECTIONS = {
    "Input": ("posters", "overviews", "id_column", "text_column", "poster_column", "encoding", "delimiter"),
    "Limits": ("max_bytes", "max_pixels", "poster_root", "url_schemes", "private_hosts", "timeout", "retries"),
    "Models": ("models", "threshold", "batch_size", "threads", "mixed_precision"),
    "Output": ("out", "format", "columns", "top", "model_column", "excel_safe", "overwrite"),
    "Failures": ("strict", "max_failure_rate", "retry_failed"),
    "Large jobs": ("shard_size", "num_shards", "shard_index", "engine", "ray_address"),
    "Messages": ("quiet", "log_format"),
}


class Command(Reporting, click.Command):
    """A command whose help lists the options by section."""

    def format_options(self, ctx, formatter):
        records = {param.name: param.get_help_record(ctx) for param in self.params}
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([records[name] for name in names], col_max=26)


@click.command(cls=Command, context_settings={"max_content_width": 110})
@click.option("--posters", metavar="WHERE", help="Folder (with its subfolders), glob, zip or tar archive, table, list of "
              "paths, URL, or - for a list on stdin.")
@click.option("--overviews", metavar="TABLE", help="CSV, TSV or Parquet table with overviews, also .gz or a URL.")
@click.option("--id-column", metavar="NAME", help="Column with the film's id.")
@click.option("--text-column", metavar="NAME", help="Column with the overview.")
@click.option("--poster-column", metavar="NAME", help="Column with the poster's path, in a table given to --posters.")
@click.option("--encoding", metavar="NAME", show_default="by the byte-order mark, else UTF-8",
              help="Encoding of the tables, such as latin-1.")
@click.option("--delimiter", metavar="CHAR", show_default="by the header line", help="Separator of the tables.")
@click.option("--max-bytes", type=click.IntRange(min=1), default=50_000_000, show_default=True,
              help="Larger poster files are refused.")
@click.option("--max-pixels", type=click.IntRange(min=1), default=100_000_000, show_default=True,
              help="JPEGs with more pixels are refused before they are decoded; other formats with a quarter as many.")
@click.option("--poster-root", type=click.Path(exists=True, file_okay=False),
              show_default="a table's own folder; else anywhere",
              help="Only posters below this folder are read; relative paths of a table start there.")
@click.option("--url-schemes", metavar="A,B,…", default="http,https", show_default=True,
              help="URLs that lists and tables may name.")
@click.option("--private-hosts", is_flag=True, help="Let URLs of lists and tables lead into networks that are not public.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", default=10, show_default=True,
              help="How long to wait for each answer from a URL or a Ray cluster.")
@click.option("--retries", type=click.IntRange(min=0), default=2, show_default=True,
              help="How often to try a URL again that fails at once.")
@click.option("--models", type=click.Path(exists=True, file_okay=False), default="models", show_default=True,
              help="Folder with the trained models.")
@click.option("--threshold", type=click.FloatRange(0, 1), show_default="tuned for each genre",
              help="Probability from which a genre stands in the column `genres`.")
@click.option("--batch-size", type=click.IntRange(min=1), default=128, show_default=True, help="Films a step.")
@click.option("--threads", type=click.IntRange(min=1), show_default="all cores", help="Threads to decode and compute with.")
@click.option("--mixed-precision", is_flag=True, help="Compute in half precision, which is faster; changes probabilities "
              "by up to 0.01.")
@click.option("--out", required=True, metavar="PATH", help="File to write, or a folder, with a slash at the end, for a file "
              "for each shard.")
@click.option("--format", metavar="NAME", show_default="by the suffix of --out; csv in a folder",
              help="csv, csv.gz, jsonl, jsonl.gz or parquet.")
@click.option("--columns", metavar="A,B,…", show_default="all but the last two",
              help="Columns to write, of: id, source, status, error, genres, top, p_<Genre>, file, model.")
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="Genres in the column `top`.")
@click.option("--model-column", is_flag=True, help="Add a column `model`: name and version of the models.")
@click.option("--excel-safe", is_flag=True, help="Put an apostrophe before text that a spreadsheet would run as a formula.")
@click.option("--overwrite", is_flag=True, help="Replace an output, or a job begun with other settings.")
@click.option("--strict", is_flag=True, help="Stop at the first film that cannot be scored.")
@click.option("--max-failure-rate", type=click.FloatRange(0, 1), metavar="SHARE",
              help="Stop when more than this share of all films has failed.")
@click.option("--retry-failed", is_flag=True, help="Score the failed rows of an output again, and keep the others.")
@click.option("--shard-size", type=click.IntRange(min=1), default=8192, show_default=True,
              help="Films a shard: what an interruption costs at most.")
@click.option("--num-shards", type=click.IntRange(min=1), default=1, show_default=True,
              help="Machines that share the job; --out is a folder then.")
@click.option("--shard-index", type=click.IntRange(min=0), default=0, show_default=True, help="Which of them this one is.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
              help="What runs the shards: this process, or a Ray cluster.")
@click.option("--ray-address", metavar="ADDRESS", show_default="RAY_ADDRESS, else one started here",
              help="A running Ray cluster.")
@click.option("--quiet", is_flag=True, help="Only errors.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="Messages for people or for machines.")
def main(quiet, log_format, **options):
    """Tells the genres of films from their posters, their overviews, or both.

    With both, they are joined by id: that of a poster is its path below the folder, without its extension. Every poster and
    every row of the table gets a row in the output, in their order; a row that could not be scored says why.

    A job that was interrupted goes on where it stopped when the same command is given again.

    \b
    Exit code: 0 when all rows are ok; 3 when some failed; 1 when stopped by --strict, --max-failure-rate or a full
    disk or memory; 2 when the command could not be run; 75 when another process works on the output; 130 after Ctrl-C.
    """
    _set_up_logging(quiet, log_format == "json")
    with reporting(main, logger.error, "interrupted; the same command goes on where this one stopped"):
        from movie_genres.scoring.request import Request, predict

        statuses = predict(Request(**options))
    sys.exit(0 if set(statuses) <= {"ok"} else FAILED_ROWS)


class JsonMessages(Messages):
    """Hands log records on as JSON, a line each."""

    def text(self, record):
        about = {"time": record.created, "level": record.levelname.lower(), "message": one_line(record.getMessage())}
        return json.dumps({**about, **getattr(record, "summary", {})})


def _set_up_logging(quiet, as_json):
    warnings.filterwarnings("ignore", module="PIL")  # of damaged metadata in pictures that can be decoded
    handler = JsonMessages() if as_json else Messages()
    logging.basicConfig(level=logging.ERROR if quiet else logging.INFO, handlers=[handler], force=True)
