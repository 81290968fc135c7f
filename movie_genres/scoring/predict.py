"""A whole scoring job, from what a user asks for to the finished output."""

import contextlib
import dataclasses
import importlib.util
import itertools
import logging
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from movie_genres.base.errors import MissingPackageError, SettingError, UserError
from movie_genres.data.cluster import Cluster, check_ray
from movie_genres.data.embeddings import EmbeddingsFile, find_embeddings
from movie_genres.ensemble.decisions import Decisions, choose_models
from movie_genres.ensemble.drift import compare
from movie_genres.ensemble.film_summaries import SummaryFile, read_summary, read_training_films
from movie_genres.ensemble.folder import ModelFile, check_embeddings, model_name, models_folder
from movie_genres.ensemble.scorer import Models
from movie_genres.inputs.embeddings import Embeddings
from movie_genres.inputs.modality import BOTH, OVERVIEW, POSTER
from movie_genres.inputs.posters import DECODER
from movie_genres.models.metadata import versions
from movie_genres.models.network import PACKAGES, resolve_device
from movie_genres.scoring.catalogue import Catalogue, Entry, Survey
from movie_genres.scoring.engine import Engine, LocalEngine, Outcome, Tolerance, run
from movie_genres.scoring.job import Share, open_job
from movie_genres.scoring.job_files import JobFiles
from movie_genres.scoring.predictor import Prediction, Predictor
from movie_genres.scoring.ray_engine import RayEngine
from movie_genres.scoring.request import Request, check_not_input
from movie_genres.scoring.rows import EXPECTED, RowFormat, all_columns, format_of

logger = logging.getLogger(__name__)


def predict(request: Request) -> Counter[str]:
    """Scores films, writes their rows, and returns how many have each status; goes on with a job that was interrupted.

    Raises:
        UserError: something that was asked for cannot be done: `LockedError` where another process works on the output,
            `StoppedError` where too many rows failed.
    """
    inputs = {POSTER: request.posters, OVERVIEW: request.overviews}
    modalities = tuple(name for name, given in inputs.items() if given is not None)
    is_folder = request.out.endswith("/") or Path(request.out).is_dir()
    _check(request, is_folder)
    device, folder = resolve_device(request.run.device), models_folder(request.models)
    embeddings = find_embeddings(embeddings_of(request))
    models, decisions = choose_models(folder, modalities, request.run.dtype_on(device), list(embeddings))
    decisions.check(request.naming, [file.name for file in models])
    vectors = {name: file.read() for name, file in embeddings.items()}  # whole, before a job is bound to them
    check_embeddings(models, {name: given.channels for name, given in vectors.items()})
    name = model_name(folder, models)
    layout = _layout(request, models[0].genres, name, is_folder)
    summary = _summary(request, folder, decisions, layout)
    files = JobFiles(request.out, layout, request.shard_size, is_folder, summary)
    with (_listed(request.posters) as posters,
          open_job(files, _films(request, posters, files), _settings(request, layout, models, decisions, device, embeddings),
                   Share(request.num_shards, request.shard_index), request.overwrite, request.retry_failed) as job):
        _say_what_was_found(request, job.survey)
        for sentence in decisions.unreached(request.naming, _kinds(job.survey), [file.name for file in models]):
            logger.warning("%s", sentence)
        if job.finished:
            outcome, seconds = Outcome(Counter(job.finished.statuses), 0, 0), 0.0
        else:
            engine = _engine(request, models, decisions, device, embeddings, vectors)
            allowed = None if request.max_failure_rate is None else int(request.max_failure_rate * job.survey.films)
            started = time.monotonic()
            outcome = run(job, engine, Tolerance(0 if request.strict else allowed))
            seconds = time.monotonic() - started
    _report(request.out, outcome, outcome.scored / seconds if outcome.scored else 0.0, name, models)
    if summary and not outcome.missing:
        _say_what_drifted(summary, files.summarised)
    return outcome.statuses


def predict_single(request: Request, overview: str | None) -> tuple[Predictor, Prediction]:
    """Scores the film of an overview, of the one poster that is asked for, or of both; returns what did it, and the answer.

    Raises:
        UserError: nothing, or more than one film, is asked for, or an output; or as `predict`.
    """
    film = single_film(request, overview)
    predictor = load_predictor(request)
    return predictor, predictor.score([film], request.naming, caps=request.caps)[0]


def load_predictor(request: Request) -> Predictor:
    """The models that are asked for, with the embeddings that are given for them; raises as `Predictor.load`."""
    return Predictor.load(request.models, **vars(request.run), embeddings=embeddings_of(request))


def embeddings_of(request: Request) -> dict[str, str]:
    """The files of embeddings that are given, by model; raises `SettingError` where one is given without, or two for one."""
    found: dict[str, str] = {}
    for given in request.embeddings:
        name, _, file = given.partition("=")
        if not (name and file):
            raise SettingError("embeddings", "a model and its file, such as resnet=resnet.parquet", given)
        if name in found:
            raise SettingError("embeddings", "one file for a model", f"{found[name]} and {file} for {name}")
        found[name] = file
    return found


def single_film(request: Request, overview: str | None) -> Entry:
    """The film of an overview, of the one poster that is asked for, or of both; raises as `predict_single`."""
    if request.out:
        raise SettingError("overview", "no `out`, as the answer is printed; `overviews` names a table of them", request.out)
    if request.summary:
        raise SettingError("summary", "`out` as well, as it is of the films of an output", "none")
    if request.overviews or overview is None and request.posters is None:
        raise SettingError("out", "a file to write, or else a single poster or `overview`", "neither")
    films = first_films(request, 2) if request.posters is not None else [Entry("overview")]
    if len(films) > 1:
        raise SettingError("out", "a file to write, as there are several posters", "none")
    return films[0]._replace(overview=overview)


def first_films(request: Request, most: int) -> list[Entry]:
    """The first films that are asked for, up to so many."""
    with _listed(request.posters) as posters:
        return list(itertools.islice(_films(request, posters), most))


def _check(request: Request, is_folder: bool) -> None:
    if request.posters is None and request.overviews is None:
        raise SettingError("posters", "posters, or else `overviews`, to score", "neither")
    out = Path(request.out)
    if not out.parent.is_dir():
        raise UserError(f"{request.out}: expected an existing folder to write to; found no folder {out.parent}.")
    if out.exists() and not out.is_dir() and not out.is_file():
        raise UserError(f"{request.out}: expected a file or a folder to write to; found a device, a pipe or a socket.")
    check_not_input(request.out, [("posters", request.posters), ("overviews", request.overviews),
                                  *(("embeddings", file) for file in embeddings_of(request).values())])
    if request.num_shards > 1 and not is_folder:
        raise SettingError("out", "a folder, with a slash at its end, for the parts of all machines", request.out)
    if request.shard_index >= request.num_shards:
        raise SettingError("shard_index", f"0 to {request.num_shards - 1}", str(request.shard_index))
    if request.retry_failed and request.num_shards > 1:
        raise SettingError("retry_failed", "one machine", f"`num_shards` {request.num_shards}")
    if request.engine == "ray":
        check_ray()


def _layout(request: Request, genres: tuple[str, ...], name: str, is_folder: bool) -> RowFormat:
    columns = request.row.columns or ()
    if len(set(columns)) < len(columns):
        raise SettingError("columns", "each name once", ",".join(columns))
    if unknown := sorted(set(columns) - set(all_columns(genres))):
        raise SettingError("columns", f"names among {', '.join(all_columns(genres))}", ", ".join(unknown))
    if request.retry_failed and columns and not {"id", "status"} <= set(columns):
        raise SettingError("retry_failed", "the columns id and status in the output", ", ".join(columns))
    format = format_of(request.out, request.format or ("csv" if is_folder else None))
    if format == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise MissingPackageError("Parquet", "pyarrow", "parquet")
    layout = RowFormat(tuple(genres), format, name, **{**vars(request.row), "columns": columns or None})
    asked = [name for name, wanted in ((EXPECTED, request.expected_precision), ("model", request.model_column)) if wanted]
    return dataclasses.replace(layout, columns=(*layout.shown, *(name for name in asked if name not in layout.shown)))


def _summary(request: Request, folder: Path, decisions: Decisions, layout: RowFormat) -> SummaryFile | None:
    if not request.summary:
        return None
    path = Path(os.path.realpath(request.summary))
    if not path.parent.is_dir():
        raise UserError(f"{request.summary}: expected an existing folder to write to; found no folder {path.parent}.")
    if path == Path(os.path.realpath(request.out)):
        raise SettingError("summary", "another file than `out`", request.summary)
    summary = SummaryFile(path, layout.genres, layout.model, vars(request.naming),
                          read_training_films(folder, decisions.digest, layout.genres))
    summary.check()
    return summary


@contextlib.contextmanager
def _listed(posters: str | None) -> Iterator[str | None]:
    """Where the posters are; a list on standard input is put into a file, since it is read twice."""
    if posters != "-":
        yield posters
        return
    with tempfile.NamedTemporaryFile(prefix="movie-genres-") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        yield file.name


def _films(request: Request, posters: str | None, files: JobFiles | None = None) -> Catalogue:
    tables, access = request.tables, request.access
    tables = dataclasses.replace(tables, delimiter=tables.delimiter and tables.delimiter.replace("\\t", "\t"))
    access = dataclasses.replace(access, schemes=tuple(map(str.lower, access.schemes)))
    return Catalogue(posters, request.overviews, request.caps.bytes, tables, access=access,
                     **({"is_own": files.owns} if files else {}))


def _settings(request: Request, layout: RowFormat, models: list[ModelFile], decisions: Decisions, device: str,
              embeddings: Mapping[str, EmbeddingsFile]) -> dict[str, Any]:
    """All beside the films that decides the rows: no row is ever put beside one that was made in another way."""
    caps, access = request.caps, request.access
    return {**vars(layout), **vars(request.naming), **{f"model {file.name}": file.run_digest for file in models},
            **{f"embeddings {name}": file.digest for name, file in embeddings.items()},
            "decisions": decisions.digest, "decoder": DECODER, **versions("movie-genres", *PACKAGES), "device": device,
            "max_bytes": caps.bytes, "max_pixels": caps.pixels, "poster_root": access.root,
            "url_schemes": ",".join(access.schemes), "private_hosts": access.private_hosts,
            "batch_size": request.run.batch_size, "shard_size": request.shard_size}


def _say_what_was_found(request: Request, found: Survey) -> None:
    """Warns where the input is hardly what its user thinks it is."""
    if not found.films:
        logger.warning("%s: no film in it; the output will have no rows", request.overviews or request.posters)
    elif found.posters and found.overviews and not found.both:
        logger.warning("%s posters and %s overviews have not a single id in common, and each is scored alone; a poster's id "
                       "is its path without extension", f"{found.posters:,}", f"{found.overviews:,}")


def _say_what_drifted(summary: SummaryFile, is_ours: bool) -> None:
    if not is_ours:  # what is there may be of an earlier job
        logger.info("%s: written by the machine that has finished the output", summary.path)
        return
    if summary.training_films is None:
        logger.info("%s: nothing is known of the films that the models were trained on, to compare with", summary.path)
    for drift in compare(read_summary(summary.path)):
        if drift.differs:
            logger.warning("unlike the films of the training: %s", drift.sentence)


def _kinds(found: Survey) -> list[str]:
    """What kinds of input the films have."""
    films = {POSTER: found.posters - found.both, OVERVIEW: found.overviews - found.both, BOTH: found.both}
    return [kind for kind, count in films.items() if count]


def _engine(request: Request, models: list[ModelFile], decisions: Decisions, device: str,
            embeddings: Mapping[str, EmbeddingsFile], vectors: Mapping[str, Embeddings]) -> Engine:
    if request.engine == "ray":  # whose workers read the embeddings themselves
        cluster = Cluster(request.ray_address, request.access.timeout, request.run.threads or 1)
        return RayEngine(models, decisions, request.naming, device, request.run.batch_size, request.caps, embeddings,
                         cluster)
    loaded = Models(models, decisions, device, request.run.batch_size, vectors).naming(request.naming)
    return LocalEngine(loaded, request.run.threads, request.caps)


def _report(out: str, outcome: Outcome, rate: float, name: str, models: list[ModelFile]) -> None:
    statuses = outcome.statuses
    failed = {kind: count for kind, count in statuses.most_common() if kind != "ok"}
    logger.info("%s: %s rows, %s ok%s; %s rows/s with %s (%s)", out, f"{statuses.total():,}", f"{statuses['ok']:,}",
                ", failed: " + ", ".join(f"{kind} {count:,}" for kind, count in failed.items()) if failed else "",
                f"{rate:,.0f}", name, ", ".join(file.name for file in models),
                extra={"summary": {"out": out, "rows": statuses.total(), "ok": statuses["ok"], "failed": failed,
                                   "rows_per_second": round(rate, 1), "model": name, "complete": not outcome.missing}})
    if outcome.missing:
        logger.info("%s: this machine's share is done; %s shards of others are missing, the output appears with the last",
                    out, f"{outcome.missing:,}")
