"""A whole scoring job, from what a user asks for to the finished output."""

import contextlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from movie_genres.base.errors import UserError
from movie_genres.data.access import Access
from movie_genres.data.tables import TableOptions
from movie_genres.ensemble.decisions import choose_models
from movie_genres.ensemble.folder import model_name
from movie_genres.ensemble.loading import load_models
from movie_genres.inputs.modality import OVERVIEW, POSTER
from movie_genres.inputs.posters import DECODER, Caps
from movie_genres.models import checkpoints
from movie_genres.scoring.catalogue import Catalogue, survey
from movie_genres.scoring.engine import KeptRows, LocalEngine, Tolerance, run
from movie_genres.scoring.job import Job
from movie_genres.scoring.ray_engine import RayEngine
from movie_genres.scoring.records import difference
from movie_genres.scoring.rows import RowFormat, all_columns, check_writable, format_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to score, with what, and how to write it.

    Attributes:
        posters: where posters are, text (see `listing.list_posters`), or `-` for a list on standard input; or None.
        overviews: path or URL of a table, or None.
        id_column, text_column, poster_column, encoding, delimiter: see `tables.TableOptions`.
        max_bytes, max_pixels: see `posters.Caps`.
        poster_root, private_hosts, timeout, retries: see `access.Access`.
        url_schemes: its `schemes`, joined by commas.
        models: the models folder.
        threshold, top, excel_safe: see `rows.RowFormat`.
        batch_size: films a step.
        threads: to decode and compute with; None: as many as there are cores.
        mixed_precision: see `network.use_mixed_precision`.
        out: the file to write, or a folder for parts: one that exists, or a name with a slash at its end.
        format: one of `rows.FORMATS`; None: by the suffix of `out`, `csv` in a folder.
        columns: names joined by commas, see `rows.all_columns`; None for the usual ones.
        model_column: whether `model` stands beside the usual ones.
        overwrite, shard_size, num_shards, shard_index: see `job.Job`.
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
    poster_root: str | None = Access().root
    url_schemes: str = ",".join(Access().schemes)
    private_hosts: bool = Access().private_hosts
    timeout: float = Access().timeout
    retries: int = Access().retries
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
    layout = _layout(request, files[0].genres, name, parts)
    job = Job(request.out, layout, parts, request.shard_size, request.num_shards, request.shard_index)
    with job.held(), _listed(request.posters) as posters:
        if not (request.overwrite or request.retry_failed or job.has_begun):
            job.check_output()  # before the films are read, which may take long; `begin` looks again
        films, record = _films(request, posters, job), None
        settings = _settings(request, layout, files, decisions)
        if request.retry_failed:
            record = job.record()
            _check_retry(request, record, settings)
            films = KeptRows(films, job, record)
        found = survey(films)
        _say_what_was_found(request, found)
        binding = {"films": found.films, "input": found.digest, "num_shards": request.num_shards,
                   "retried": record and record.digest(), **settings}
        finished = job.begin(binding, request.overwrite, request.retry_failed)
        if finished:  # by a process that was killed in its very last steps
            statuses, scored, missing, started = Counter(finished.statuses), 0, 0, None
        else:
            engine = _engine(request, files, decisions)
            allowed = None if request.max_failure_rate is None else int(request.max_failure_rate * found.films)
            started = time.monotonic()
            statuses, scored, missing = run(job, films, found, engine, Tolerance(0 if request.strict else allowed))
        _report(request.out, statuses, scored / (time.monotonic() - started) if scored else 0.0, name, files, missing)
    return statuses


def _check(request, modalities, parts):
    if not modalities:
        raise UserError("Nothing to score: give --posters, --overviews or both.")
    out = Path(request.out)
    if not out.parent.is_dir():
        raise UserError(f"{request.out}: expected an existing folder to write to; found no folder {out.parent}.")
    if out.exists() and not out.is_dir() and not out.is_file():
        raise UserError(f"{request.out}: expected a file or a folder to write to; found a device, a pipe or a socket.")
    for name, given in (("--posters", request.posters), ("--overviews", request.overviews)):
        if given is not None and out.is_file() and os.path.exists(given) and os.path.samefile(given, out):
            raise UserError(f"{request.out}: expected another file as output than as {name}; found the same.")
    if request.num_shards > 1 and not parts:
        raise UserError("--num-shards: expected a folder as --out, with a slash at its end, for the parts of all machines; "
                        f"found {request.out}.")
    if request.shard_index >= request.num_shards:
        raise UserError(f"--shard-index: expected 0 to {request.num_shards - 1}; found {request.shard_index}.")
    if request.retry_failed and request.num_shards > 1:
        raise UserError("--retry-failed: expected one machine; found --num-shards.")
    if request.engine == "ray" and importlib.util.find_spec("ray") is None:
        raise UserError("--engine ray needs the package ray. Install it with: pip install 'movie-genres[ray]'")


def _access(request):
    return Access(request.poster_root, tuple(request.url_schemes.lower().split(",")), request.private_hosts, request.timeout,
                  request.retries)


def _films(request, posters, job):
    tables = TableOptions(request.id_column, request.text_column, request.poster_column, request.encoding,
                          request.delimiter and request.delimiter.replace("\\t", "\t"))
    return Catalogue(posters, request.overviews, request.max_bytes, tables, job.owns, _access(request))


def _say_what_was_found(request, found):
    """Warns where the input is hardly what its user thinks it is."""
    if not found.films:
        logger.warning("%s: no film in it; the output will have no rows", request.overviews or request.posters)
    elif found.posters and found.overviews and not found.both:
        logger.warning("%s posters and %s overviews have not a single id in common, and each is scored alone; a poster's id "
                       "is its path without extension", f"{found.posters:,}", f"{found.overviews:,}")


def _settings(request, layout, files, decisions):
    """All beside the films that decides the rows, a dict: no row is ever put beside one that was made in another way."""
    models = {f"model {file.name}": file.digest for file in files}
    same = ("max_bytes", "max_pixels", "poster_root", "url_schemes", "private_hosts", "batch_size", "mixed_precision",
            "shard_size")
    return {**layout._asdict(), **models, "decisions": decisions.digest, "decoder": DECODER,
            "package": importlib.metadata.version("movie-genres"), **checkpoints.versions(),
            **{name: getattr(request, name) for name in same}}


def _check_retry(request, record, settings):
    """Refuses to put rows beside those of an output that was made with other settings."""
    free = ("films", "input", "num_shards", "retried")  # the films are checked one by one
    made_with = {key: value for key, value in record.binding.items() if key not in free}
    given = json.loads(json.dumps(settings))  # as it was read: lists for tuples
    if made_with != given:
        raise UserError(f"{request.out}: {difference(made_with, given)}. That is what the output is bound to: give the "
                        "options and models that it was made with, or score all anew with --overwrite.")


def _layout(request, genres, name, parts):
    columns = tuple(request.columns.split(",")) if request.columns else None
    if columns and len(set(columns)) < len(columns):
        raise UserError(f"--columns: expected each name once; found {request.columns}.")
    unknown = sorted(set(columns or ()) - set(all_columns(genres)))
    if unknown:
        raise UserError(f"--columns: expected names among {', '.join(all_columns(genres))}; found {', '.join(unknown)}.")
    if request.retry_failed and columns and not {"id", "status"} <= set(columns):
        raise UserError("--retry-failed: expected the columns id and status in the output; found " + ", ".join(columns))
    given = request.format or ("csv" if parts else None)
    layout = RowFormat(tuple(genres), columns, format_of(request.out, given), request.top, request.threshold, name,
                    request.excel_safe)
    check_writable(layout.format)
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


def _engine(request, files, decisions):
    caps = Caps(request.max_bytes, request.max_pixels)
    if request.engine == "ray":
        return RayEngine(files, decisions, request.batch_size, request.threads or 1, request.mixed_precision, caps,
                         request.ray_address, request.timeout)
    models = load_models(files, decisions, request.batch_size, request.threads, request.mixed_precision)
    return LocalEngine(models, request.threads, caps)


def _report(out, statuses, rate, name, files, missing):
    failed = {kind: count for kind, count in statuses.most_common() if kind != "ok"}
    logger.info("%s: %s rows, %s ok%s; %s rows/s with %s (%s)", out, f"{statuses.total():,}", f"{statuses['ok']:,}",
                ", failed: " + ", ".join(f"{kind} {count:,}" for kind, count in failed.items()) if failed else "",
                f"{rate:,.0f}", name, ", ".join(file.name for file in files),
                extra={"summary": {"out": out, "rows": statuses.total(), "ok": statuses["ok"], "failed": failed,
                                   "rows_per_second": round(rate, 1), "model": name, "complete": not missing}})
    if missing:
        logger.info("%s: this machine's share is done; %s shards of others are missing, the output appears with the last",
                    out, f"{missing:,}")
