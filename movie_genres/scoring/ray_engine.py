"""Scores shards on a Ray cluster, or in several processes of one machine; needs the extra `ray`."""

import functools
import os
import socket
from typing import NamedTuple

from movie_genres.base.errors import UserError
from movie_genres.base.progress import track
from movie_genres.data.access import within
from movie_genres.ensemble.decisions import Decisions
from movie_genres.ensemble.loading import load_models
from movie_genres.inputs.posters import Caps
from movie_genres.scoring.chunks import chunks_of, score
from movie_genres.scoring.engine import failed_in


class RayEngine(NamedTuple):
    """Schedules the shards of a job as Ray tasks; all that makes their bytes is as in `job.LocalEngine`.

    The workers need the same Python packages, and the models, the posters and the output under the same paths.

    Attributes:
        files, decisions: as of `decisions.choose_models`; a worker refuses model files that are others than these.
        batch_size: films a step.
        threads: of each task, and the cores that it is given.
        mixed_precision: see `network.use_mixed_precision`.
        caps: `posters.Caps`.
        address: of a cluster; None starts one on this machine, unless the environment names one (`RAY_ADDRESS`).
        timeout: seconds to wait for a cluster.
        retries: how often a shard is tried again when its worker is lost.
    """

    files: list
    decisions: Decisions
    batch_size: int
    threads: int
    mixed_precision: bool
    caps: Caps
    address: str | None = None
    timeout: float = 10.0
    retries: int = 3

    def __call__(self, job, shards, total, tolerance):
        """See `job.LocalEngine`; the shards come back as they are ready.

        Raises:
            UserError: there is no such cluster; or a shard was lost with its worker more often than `retries`.
        """
        import ray

        self._connect()
        task = ray.remote(num_cpus=self.threads, max_retries=self.retries)(_score_shard)
        at_once = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)) // self.threads)
        running = []
        try:
            for number, items in track(shards, -(-total // job.shard_size), "Shards", log=False):
                running.append(task.remote(self, job, number, tuple(items)))
                if len(running) >= at_once:
                    yield self._next(running, tolerance)
            while running:
                yield self._next(running, tolerance)
        finally:
            ray.shutdown()

    def _connect(self):
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

    def _next(self, running, tolerance):
        import ray

        ready, running[:] = ray.wait(running, num_returns=1)
        try:
            statuses = ray.get(ready[0])
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, (UserError, OSError, MemoryError)) else error) from None
        except ray.exceptions.RayError as error:
            raise UserError(f"a shard was lost with its worker, {1 + self.retries} times: {error}") from None
        tolerance.add(failed_in(statuses))
        return statuses


def _score_shard(engine, job, number, items):
    chunks = score(chunks_of(items), _models_of(engine), engine.threads, engine.caps)
    return job.write(number, (row for rows in chunks for row in rows))


_loaded = {}  # in a worker: the models that it used last


def _models_of(engine):
    options = engine.batch_size, engine.threads, engine.mixed_precision
    key = tuple(file.digest for file in engine.files), engine.decisions.digest, options
    if key not in _loaded:
        _loaded.clear()
        _loaded[key] = load_models(engine.files, engine.decisions, *options)
    return _loaded[key]
