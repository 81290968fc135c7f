"""Scores shards on a Ray cluster, or in several processes of one machine; needs the extra `ray`."""

import functools
import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from movie_genres.base.errors import UserError
from movie_genres.base.progress import track
from movie_genres.data.access import within
from movie_genres.data.embeddings import EmbeddingsFile
from movie_genres.ensemble.decisions import Decisions
from movie_genres.ensemble.folder import ModelFile
from movie_genres.ensemble.naming import Naming
from movie_genres.ensemble.scorer import Models
from movie_genres.inputs.caps import Caps
from movie_genres.scoring.engine import Shards, Tolerance, failed_in, lines_of
from movie_genres.scoring.job_files import JobFiles
from movie_genres.scoring.slots import Slot


@dataclass(frozen=True)
class RayEngine:
    """Schedules the shards of a job as Ray tasks; all that makes their bytes is as in `engine.LocalEngine`.

    The workers need the same Python packages, and the models, the posters and the output under the same paths. One refuses
    model files that are others than `files`.

    Attributes:
        threads: of each task, and the cores that it is given.
        address: of a cluster; None starts one on this machine, unless the environment names one (`RAY_ADDRESS`).
        timeout: seconds to wait for a cluster.
        embeddings: of films, by model; they are under the same paths too.
        retries: how often a shard is tried again when its worker is lost.
    """

    files: list[ModelFile]
    decisions: Decisions
    naming: Naming
    device: str
    batch_size: int
    threads: int
    caps: Caps
    address: str | None
    timeout: float
    embeddings: Mapping[str, EmbeddingsFile]
    retries: int = 3

    def __call__(self, files: JobFiles, shards: Shards, total: int, tolerance: Tolerance) -> Iterator[Counter[str]]:
        """See `engine.Engine`; the shards come back as they are ready. Raises `UserError` where the cluster fails."""
        import ray

        self._connect()
        task = ray.remote(num_cpus=self.threads, max_retries=self.retries)(_score_shard)
        at_once = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)) // self.threads)
        running: list[Any] = []
        try:
            for number, slots in track(shards, -(-total // files.shard_size), "Shards", log=False):
                running.append(task.remote(self, files, number, tuple(slots)))
                if len(running) >= at_once:
                    yield self._next(running, tolerance)
            while running:
                yield self._next(running, tolerance)
        finally:
            ray.shutdown()

    def _connect(self) -> None:
        import ray

        address = self.address or os.environ.get("RAY_ADDRESS") or ""
        host, _, port = address.rpartition("://")[-1].rpartition(":")
        start = functools.partial(ray.init, address=self.address, ignore_reinit_error=True, log_to_driver=False,
                                  include_dashboard=False)
        try:
            if port.isdecimal():  # Ray itself would try a dead address for minutes
                socket.create_connection((host, int(port)), self.timeout).close()
                within(2 * self.timeout, start)
            else:
                start()
        except (OSError, OverflowError, ValueError, RuntimeError) as error:
            raise UserError(f"{address}: expected a Ray cluster; found none ({type(error).__name__}).") from None

    def _next(self, running: list[Any], tolerance: Tolerance) -> Counter[str]:
        import ray

        ready, running[:] = ray.wait(running, num_returns=1)
        try:
            statuses: Counter[str] = ray.get(ready[0])
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, (UserError, OSError, MemoryError)) else error) from None
        except ray.exceptions.RayError as error:
            raise UserError(f"a shard was lost with its worker, {1 + self.retries} times: {error}") from None
        tolerance.add(failed_in(statuses))
        return statuses


def _score_shard(engine: RayEngine, files: JobFiles, number: int, slots: tuple[Slot, ...]) -> Counter[str]:
    lines = lines_of([(number, slots)], files.layout, _models_of(engine), engine.threads, engine.caps, Tolerance())
    return files.write(number, map(itemgetter(1), lines))


_loaded: dict[tuple[Any, ...], Models] = {}  # in a worker: the models that it used last


def _models_of(engine: RayEngine) -> Models:
    options = engine.device, engine.batch_size
    key = tuple(file.run_digest for file in engine.files), engine.decisions.digest, options, tuple(engine.embeddings.items())
    if key not in _loaded:
        _loaded.clear()
        _loaded[key] = Models(engine.files, engine.decisions, *options,
                              {name: file.read() for name, file in engine.embeddings.items()})
    return _loaded[key].naming(engine.naming)
