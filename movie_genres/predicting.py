"""A whole scoring job, from what a user asks for to the finished output."""

import contextlib
import logging
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from movie_genres.checkpoints import read_metadata
from movie_genres.decisions import choose_models
from movie_genres.errors import UserError
from movie_genres.items import Films, survey
from movie_genres.jobs import Job, LocalEngine, Tolerance, run, with_kept_rows
from movie_genres.listing import TableOptions
from movie_genres.loading import load_models
from movie_genres.models import OVERVIEW, POSTER, model_name
from movie_genres.outputs import Layout, all_columns, format_of
from movie_genres.posters import Caps
from movie_genres.ray_engine import RayEngine

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to score, with what, and how to write it.

    Attributes:
        posters: where posters are, text (see `listing.list_posters`), or `-` for a list on standard input; or None.
        overviews: path or URL of a table, or None.
        id_column, text_column, poster_column, encoding, delimiter: see `listing.TableOptions`.
        max_bytes, max_pixels: see `posters.Caps`.
        models: the models folder.
        threshold, top, excel_safe: see `outputs.Layout`.
        batch_size: films a step.
        threads: to decode and compute with; None: as many as there are cores.
        mixed_precision: see `inference.use_mixed_precision`.
        out: the file to write, or a folder for parts: one that exists, or a name with a slash at its end.
        format: one of `outputs.FORMATS`; None: by the suffix of `out`, `csv` in a folder.
        columns: names joined by commas, see `outputs.all_columns`; None for the usual ones.
        model_column: whether `model` stands beside the usual ones.
        overwrite, shard_size, num_shards, shard_index: see `jobs.Job`.
        strict: whether the first failed row stops the job.
        max_failure_rate: share of all films that may fail; None: all.
        retry_failed: whether the failed rows of an older output are scored again, and the others kept.
        engine: `local` or `ray`.
        ray_address: see `ray_engine.RayEngine`.
    """

    out: str
    models: str
    posters: str | None = None
    overviews: str | None = None
    id_column: str | None = None
    text_column: str | None = None
    poster_column: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    max_bytes: int = Caps().bytes
    max_pixels: int = Caps().pixels
    threshold: float | None = None
    batch_size: int = 128
    threads: int | None = None
    mixed_precision: bool = False
    format: str | None = None
    columns: str | None = None
    top: int = 3
    model_column: bool = False
    excel_safe: bool = False
    overwrite: bool = False
    strict: bool = False
    max_failure_rate: float | None = None
    retry_failed: bool = False
    shard_size: int = 8192
    num_shards: int = 1
    shard_index: int = 0
    engine: str = "local"
    ray_address: str | None = None


def predict(request):
    """Scores films and writes their rows; goes on with a job that was interrupted. TensorFlow is imported last.

    Args:
        request: `Request`.

    Returns:
        `collections.Counter` of the rows by status.

    Raises:
        UserError: something that was asked for cannot be done: `LockedError` where another process works on the output,
            `StoppedError` where too many rows failed.
    """
    inputs = {POSTER: request.posters, OVERVIEW: request.overviews}
    modalities = tuple(name for name, given in inputs.items() if given is not None)
    parts = request.out.endswith("/") or Path(request.out).is_dir()
    _check(request, modalities, parts)
    files, decisions = choose_models(request.models, modalities)
    name = model_name(request.models, files)
    layout = _layout(request, read_metadata(files[0].path)["genres"], name, parts)
    job = Job(request.out, layout, parts, request.shard_size, request.num_shards, request.shard_index)
    job.check_output(request.overwrite or request.retry_failed)
    caps = Caps(request.max_bytes, request.max_pixels)
    tables = TableOptions(request.id_column, request.text_column, request.poster_column, request.encoding,
                          request.delimiter and request.delimiter.replace("\\t", "\t"))
    with _listed(request.posters) as posters:
        films = Films(posters, request.overviews, caps.bytes, tables, request.out)
        total, digest = survey(films)
        with job.held():
            if request.retry_failed:
                films = with_kept_rows(films, job.previous_rows(), layout)
            same = ("batch_size", "mixed_precision", "shard_size", "num_shards", "retry_failed")
            settings = {**layout._asdict(), **caps._asdict(), **{name: getattr(request, name) for name in same}}
            job.begin({"films": total, "input": digest, **settings}, request.overwrite)
            engine = _engine(request, files, decisions, modalities, caps)
            allowed = None if request.max_failure_rate is None else int(request.max_failure_rate * total)
            started = time.monotonic()
            statuses, scored = run(job, films, total, engine, Tolerance(0 if request.strict else allowed))
            _report(request.out, statuses, scored / (time.monotonic() - started), name, files)
    return statuses


def _check(request, modalities, parts):
    if not modalities:
        raise UserError("Nothing to score: give --posters, --overviews or both.")
    folder = Path(request.out).parent
    if not folder.is_dir():
        raise UserError(f"{request.out}: expected an existing folder to write to; found no folder {folder}.")
    if request.num_shards > 1 and not parts:
        raise UserError("--num-shards: expected a folder as --out, with a slash at its end, for the parts of all machines; "
                        f"found {request.out}.")
    if request.shard_index >= request.num_shards:
        raise UserError(f"--shard-index: expected 0 to {request.num_shards - 1}; found {request.shard_index}.")
    if request.retry_failed and request.num_shards > 1:
        raise UserError("--retry-failed: expected one machine; found --num-shards.")


def _layout(request, genres, name, parts):
    columns = tuple(request.columns.split(",")) if request.columns else None
    unknown = sorted(set(columns or ()) - set(all_columns(genres)))
    if unknown:
        raise UserError(f"--columns: expected names among {', '.join(all_columns(genres))}; found {', '.join(unknown)}.")
    if request.retry_failed and columns and not {"id", "status"} <= set(columns):
        raise UserError("--retry-failed: expected the columns id and status in the output; found " + ", ".join(columns))
    given = request.format or ("csv" if parts else None)
    layout = Layout(tuple(genres), columns, format_of(request.out, given), request.top, request.threshold, name,
                    request.excel_safe)
    return layout._replace(columns=(*layout.shown, "model")) if request.model_column else layout


@contextlib.contextmanager
def _listed(posters):
    """Where the posters are; a list on standard input is put into a file, since it is read twice."""
    if posters != "-":
        yield posters
        return
    with tempfile.NamedTemporaryFile(prefix="movie-genres-") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        yield file.name


def _engine(request, files, decisions, modalities, caps):
    if request.engine == "ray":
        return RayEngine(request.models, modalities, request.batch_size, request.threads or 1, request.mixed_precision, caps,
                         request.ray_address)
    models = load_models(files, decisions, request.batch_size, request.threads, request.mixed_precision)
    return LocalEngine(models, request.threads, caps)


def _report(out, statuses, rate, name, files):
    failed = {kind: count for kind, count in statuses.most_common() if kind != "ok"}
    logger.info("%s: %s rows, %s ok%s; %s rows/s with %s (%s)", out, f"{statuses.total():,}", f"{statuses['ok']:,}",
                ", failed: " + ", ".join(f"{kind} {count:,}" for kind, count in failed.items()) if failed else "",
                f"{rate:,.0f}", name, ", ".join(file.name for file in files),
                extra={"summary": {"out": out, "rows": statuses.total(), "ok": statuses["ok"], "failed": failed,
                                   "rows_per_second": round(rate, 1), "model": name}})
