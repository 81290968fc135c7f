"""Writes what a trained model makes of films before it tells their genres: embeddings, for other software or models."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.errors import SettingError, UserError
from movie_genres.base.files import replacing
from movie_genres.data.embeddings_writing import can_hold, check_name, write_embeddings
from movie_genres.data.films import poster_files, read_films
from movie_genres.ensemble.decisions import Decisions
from movie_genres.ensemble.folder import ModelFile, find_models, models_folder
from movie_genres.ensemble.scorer import Models
from movie_genres.inputs.caps import Caps
from movie_genres.models.run_options import RunOptions
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.chunks import chunks_of, encode
from movie_genres.scoring.poster_sources import LocalPoster
from movie_genres.scoring.slots import Slot, to_score

logger = logging.getLogger(__name__)


class Exported(NamedTuple):
    """How many films have an embedding in a file that was written, how many numbers each has, and how many have none.

    `without`: the model has nothing to go by, such as no poster that can be read; `repeated`: an earlier film has that id;
    `unnamed`: no file can hold its id, see `embeddings_writing.can_hold`.
    """

    films: int
    channels: int
    without: int
    repeated: int
    unnamed: int


def films_of_data(data: Path) -> Iterator[Entry]:
    """The films of a data folder, with posters and overviews; raises as `films.read_films`."""
    posters = poster_files(data)
    for film in read_films(data):
        path = posters.get(film.id)
        yield Entry(film.id, None if path is None else LocalPoster(str(path)), film.overview or None)


def export_embeddings(films: Iterable[Entry], name: str, out: Path, folder: Path | str | None = None,
                      threads: int | None = None, caps: Caps = Caps(), dtype: str = RunOptions.dtype) -> Exported:
    """Writes the features that the model `name` of a folder gives of films, as of `embeddings_writing.write_embeddings`.

    With them stand the model's name and the SHA-256 of the file that is run: its copy in 8 bits, where it has one and the
    `dtype` is not `float32`, else its own. Films that the model has nothing to go by of are left out.
    They are computed as scoring computes them, in a stream; only ids stay in memory. The file is whole, or not there.

    Raises:
        SettingError: another suffix than those known; no model of that name, or one that gives no features of its own.
        UserError: there is not a single embedding; and as `find_models` and `write_embeddings`, and whatever reading the
            films raises.
    """
    check_name(out)
    file = _model(models_folder(folder), name, RunOptions(dtype=dtype).dtype_on("cpu"))
    models = Models([file], Decisions({}, {}))
    counts = {"films": 0, "without": 0, "repeated": 0, "unnamed": 0}
    channels = models.networks[name].channels

    def blocks() -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        seen: set[str] = set()
        chunks = (to_score(chunk) for chunk in chunks_of(map(Slot, films)))
        for of_chunk, encoded in encode(chunks, models, threads, caps):
            rows, features, _ = encoded.get(name, (np.zeros(0, np.intp), np.zeros((0, channels), np.float32), None))
            ids = [of_chunk[row].id for row in rows.tolist()]
            fresh = []
            for line, film in enumerate(ids):
                if not can_hold(film):
                    counts["unnamed"] += 1
                elif film in seen:
                    counts["repeated"] += 1
                else:
                    seen.add(film)
                    fresh.append(line)
            counts["without"] += len(of_chunk) - len(rows)
            counts["films"] += len(fresh)
            if fresh:
                yield [ids[line] for line in fresh], features[fresh]
        if not counts["films"]:
            raise UserError(f"{out}: expected films that the model {name} has something to go by; found none.")

    if not out.parent.is_dir():
        raise UserError(f"{out}: expected an existing folder to write to; found no folder {out.parent}.")
    with replacing(out) as partial:
        write_embeddings(partial, blocks(), channels, model=name, digest=file.run_digest)
    return Exported(channels=channels, **counts)


def _model(folder: Path, name: str, dtype: str) -> ModelFile:
    files = {file.name: file for file in find_models(folder, None, dtype) if file.modality and not file.embedding}
    if name not in files:
        raise SettingError("model", f"the name of a model of posters or overviews: {', '.join(files)}", name)
    return files[name]
