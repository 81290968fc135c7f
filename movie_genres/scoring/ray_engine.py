"""Scores shards on a Ray cluster, or in several processes of one machine; needs the extra `ray`."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from movie_genres.base.progress import track
from movie_genres.data.cluster import Cluster
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

    `cluster` gives each task as many cores as it has threads; `embeddings`, of films, by model, are under the same paths
    too.
    """

    files: list[ModelFile]
    decisions: Decisions
    naming: Naming
    device: str
    batch_size: int
    caps: Caps
    embeddings: Mapping[str, EmbeddingsFile]
    cluster: Cluster

    def __call__(self, files: JobFiles, shards: Shards, total: int, tolerance: Tolerance) -> Iterator[Counter[str]]:
        """See `engine.Engine`; the shards come back as they are ready. Raises `UserError` where the cluster fails."""
        tracked = track(shards, -(-total // files.shard_size), "Shards", log=False)
        tasks = ((self, files, number, tuple(slots)) for number, slots in tracked)
        with contextlib.closing(self.cluster.run(_score_shard, tasks, "a shard")) as scored:
            for statuses in scored:
                tolerance.add(failed_in(statuses))
                yield statuses


def _score_shard(engine: RayEngine, files: JobFiles, number: int, slots: tuple[Slot, ...]) -> Counter[str]:
    lines = lines_of([(number, slots)], files.layout, _models_of(engine), engine.cluster.cores, engine.caps, Tolerance())
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
