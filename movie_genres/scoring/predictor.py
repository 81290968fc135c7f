"""Scores films that are in memory, or that a program names: what `genre-predict` does, to be called from Python."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from movie_genres.base.errors import MissingPackageError, SettingError, UserError
from movie_genres.base.files import StrPath
from movie_genres.data.embeddings import as_id, find_embeddings
from movie_genres.ensemble.decisions import choose_models
from movie_genres.ensemble.folder import model_name, models_folder
from movie_genres.ensemble.naming import Naming
from movie_genres.ensemble.scorer import Models
from movie_genres.explaining.asking import Film
from movie_genres.explaining.explain import explain
from movie_genres.explaining.explanation import Explanation
from movie_genres.inputs.caps import Caps
from movie_genres.inputs.modality import BOTH, OVERVIEW, POSTER, Modality
from movie_genres.inputs.posters import PosterError
from movie_genres.models.network import resolve_device
from movie_genres.models.run_options import RunOptions
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.chunks import chunks_of, score
from movie_genres.scoring.poster_sources import FailedPoster, LoadedPoster, Picture, PosterSource, held, look_at, poster_at
from movie_genres.scoring.rows import Cell, Row, RowFormat, expected_precision
from movie_genres.scoring.slots import Slot, to_score

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

# A path or a URL; the bytes of an image file; or a picture: an array is uint8 of shape (height, width), for grey, or
# (height, width, channels), for RGB or RGBA, with values from 0 to 255.
Poster = StrPath | bytes | Image.Image | NDArray[np.uint8]


@dataclass(frozen=True)
class Prediction:
    """What the models say of one film.

    Attributes:
        id, source, status, error: as in the rows of `genre-predict`.
        genres: those that the film has, by name, with their probabilities; the most probable first.
        probabilities: of all genres, by name, the most probable first; empty where nothing could be scored.
        expected_precision: the share of `genres` that is right, as far as the models know: for people who review by doubt.
    """

    id: str
    source: str
    status: str
    error: str
    genres: dict[str, float]
    probabilities: dict[str, float]
    expected_precision: float | None


class Predictions(Sequence[Prediction]):
    """A table with a row for each film, in their order.

    As a sequence it gives a `Prediction` for each; `rows` and `to_pandas` give the cells that `genre-predict` writes.
    """

    def __init__(self, rows: Sequence[Row], layout: RowFormat):
        self._rows, self._layout = rows, layout

    @overload
    def __getitem__(self, index: int) -> Prediction: ...

    @overload
    def __getitem__(self, index: slice) -> Predictions: ...

    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        if isinstance(index, slice):
            return Predictions(self._rows[index], self._layout)
        return _prediction(self._rows[index], self._layout)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<Predictions of {len(self):,} films: {', '.join(self.columns)}>"

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns; see `rows.all_columns`."""
        return self._layout.shown

    def rows(self) -> Iterator[dict[str, Cell]]:
        """The cells of each row by column: text, lists of text, and probabilities with four digits."""
        return (dict(zip(self.columns, self._layout.cells(row))) for row in self._rows)

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a table of pandas; `MissingPackageError` without it."""
        try:
            import pandas as pd
        except ImportError:
            raise MissingPackageError("A table of pandas", "pandas", "train") from None
        return pd.DataFrame(list(self.rows()), columns=list(self.columns))


class Predictor:
    """Trained models, ready to tell the genres of films; `load` makes one. Several threads may use it at once.

    Attributes:
        genres: all that it knows. base_rates: the share of the films it was trained on that have each, by genre, if known.
        name: name and version of the models.
    """

    def __init__(self, models: Models, name: str, threads: int | None = None):
        self._models, self._threads, self.name = models, threads, name
        self.genres: tuple[str, ...] = tuple(models.genres)
        rates = next(iter(models.networks.values())).metadata.get("base_rates")
        self.base_rates: dict[str, float] = dict(zip(self.genres, rates or ()))

    @classmethod
    def load(cls, folder: StrPath | None = None, *, device: str = RunOptions.device, dtype: str = RunOptions.dtype,
             batch_size: int = RunOptions.batch_size, threads: int | None = None,
             embeddings: Mapping[str, StrPath] = {}) -> Predictor:
        """Loads the models of a folder: by default of `models`, if there are any, else those that come with the package.

        Args:
            device: `cpu`, `cuda`, or `auto` for the latter where there is one.
            dtype: `float32`; `int8` for copies in 8 bits of the models that have one; `auto` for these on a processor.
            batch_size: films a step; a GPU is faster with more.
            threads: to decode and compute with, by default as many as there are cores.
            embeddings: files of embeddings, by the names of the models that take them; see `data.embeddings`. Films without
                one, and all where no file is given, are scored without it.

        Raises:
            SettingError: embeddings for a model that takes no such.
            InputError: there are no models, or they cannot be loaded, or do not belong together.
            MissingPackageError: the device cannot be used.
        """
        options = RunOptions(device=device, dtype=dtype)
        found, place = resolve_device(device), models_folder(None if folder is None else os.fspath(folder))
        files, decisions = choose_models(place, None, options.dtype_on(found), list(embeddings))
        vectors = {name: file.read() for name, file in find_embeddings(embeddings).items()}
        return cls(Models(files, decisions, found, batch_size, vectors), model_name(place, files), threads)

    def looks_at(self, kind: str) -> bool:
        """Whether there are models for films with a `poster`, an `overview`, or `both`."""
        return all(self._models.of(modality) for modality in Modality if kind in (modality, BOTH))

    def predict(self, posters: Iterable[Poster | None] | None = None, overviews: Iterable[str | None] | None = None,
                ids: Iterable[str | int] | None = None, *, precision: float | None = None, recall: float | None = None,
                threshold: float | None = None, max_genres: int | None = None, top: int = 3) -> Predictions:
        """Tells the genres of films from their posters, their overviews or both: a row for each film, in their order.

        A poster or an overview that cannot be used fails nothing but its film, whose status then says why.

        Args:
            posters, overviews: of the films, in one order, None where a film has none.
            ids: of the films, text or whole numbers, by which embeddings are found; by default a poster's file name without
                extension, else the film's number, where no embeddings are loaded.
            precision, recall, threshold, max_genres: which genres are named; see `naming.Naming`. The most probable one
                always is. A warning is logged where a precision is out of reach, and films get the nearest.
            top: how many genres stand in the column `top`.

        Raises:
            SettingError: neither posters nor overviews are given, or the models look at none of what is; other numbers of
                posters, overviews or ids; an array that is no picture; an id that is none, or none where it is needed; and
                as `Naming` and `Decision.point`.
        """
        naming = Naming(precision=precision, recall=recall, threshold=threshold, max_genres=max_genres)
        return self.score(list(self._films(posters, overviews, ids)), naming, top)

    def score(self, films: Sequence[Entry], naming: Naming = Naming(), top: int = 3, caps: Caps = Caps()) -> Predictions:
        """As `predict`, of films as the rest of scoring has them, with posters of limited size."""
        layout = RowFormat(self.genres, model=self.name, top=top)
        kinds = {BOTH if film.poster and film.overview else POSTER if film.poster else OVERVIEW for film in films}
        for sentence in self._models.decisions.unreached(naming, kinds, self._models.names):
            logger.warning("%s", sentence)
        chunks = ((number, to_score(chunk)) for number, chunk in enumerate(chunks_of(map(Slot, films))))
        return Predictions([row for _, rows in score(chunks, self._models.naming(naming), self._threads, caps)
                            for row in rows], layout)

    def predict_one(self, poster: Poster | None = None, overview: str | None = None, *, id: str | int | None = None,
                    precision: float | None = None, recall: float | None = None, threshold: float | None = None,
                    max_genres: int | None = None) -> Prediction:
        """Tells the genres of one film; which are named is asked for as in `predict`.

        Raises:
            UserError: nothing of it can be scored; and as `predict`.
        """
        return _answered(self.predict(*_columns(poster, overview, id), precision=precision, recall=recall,
                                      threshold=threshold, max_genres=max_genres)[0])

    def explain(self, poster: Poster | None = None, overview: str | None = None, genres: Iterable[str] | None = None, *,
                id: str | int | None = None) -> dict[str, Explanation]:
        """Tells why a film has its genres: where on the poster, by which words, how much from each; see `Explanation`.

        It takes about a hundred times as long as to score the film: the poster is looked at with each of its parts hidden.

        Args:
            genres: to explain, by name; by default those that are named.
            id: as of `predict`.

        Raises:
            SettingError: a genre that the models do not know.
            UserError: nothing of it can be scored; the models do not say how frequent genres are; and as `predict`.
        """
        film, = self._films(*_columns(poster, overview, id))
        found, explanations = self.explain_film(film, None if genres is None else list(genres))
        _answered(found)
        return explanations

    def explain_film(self, film: Entry, genres: Sequence[str] | None = None, naming: Naming = Naming(), caps: Caps = Caps()
                     ) -> tuple[Prediction, dict[str, Explanation]]:
        """As `explain`, of a film as the rest of scoring has it, and what is said of it; nothing of one that fails."""
        models = self._models.naming(naming)
        film = film._replace(poster=film.poster and held(film.poster, caps))
        (_, (row,)), = score([(0, [film])], models, 1, caps)
        pixels = None
        if film.poster:
            with contextlib.suppress(PosterError):  # the row says so
                pixels = dict(zip(models.sizes, look_at(film.poster, models.sizes, caps).pixels))
        return _prediction(row, RowFormat(self.genres)), explain(
            models, Film(pixels, film.overview or "", film.id), genres)

    def _films(self, posters: Iterable[Poster | None] | None, overviews: Iterable[str | None] | None,
               ids: Iterable[str | int] | None) -> Iterator[Entry]:
        given = {"posters": posters, "overviews": overviews, "ids": ids}
        columns = {name: list(of_films) for name, of_films in given.items() if of_films is not None}
        if not set(columns) - {"ids"}:
            raise SettingError("posters", "posters, overviews or both", "neither")
        for name, modality in (("posters", Modality.POSTER), ("overviews", Modality.OVERVIEW)):
            if name in columns and not self._models.of(modality):
                raise SettingError(name, "none, as the models look at none", f"{len(columns[name])}")
        count = len(next(iter(columns.values())))
        for name, of_films in columns.items():
            if len(of_films) != count:
                raise SettingError(name, f"{count}, as many as {next(iter(columns))}", f"{len(of_films)}")
        nothing = [None] * count
        for number, (poster, overview, film) in enumerate(zip(*(columns.get(name, nothing) for name in given))):
            source = None if poster is None else _source(poster, number)
            if overview is not None and not isinstance(overview, str):
                if overview == overview:  # not NaN, which stands for nothing in a column of pandas
                    raise SettingError(f"overviews[{number}]", "text or None", type(overview).__name__)
                overview = None
            if film is None and isinstance(poster, (str, os.PathLike)):
                film, _ = os.path.splitext(os.path.basename(os.fsdecode(poster)))
            yield Entry(self._id(film, number), source, overview)

    def _id(self, film: object, number: int) -> str:
        film = as_id(film)
        if film is None and not self._models.by_id:
            return str(number)
        if not isinstance(film, str):
            raise SettingError(f"ids[{number}]", "text or a whole number, by which embeddings are found",
                               "none" if film is None else type(film).__name__)
        return film


def _columns(*film: Any) -> Iterator[list[Any] | None]:
    """What is given of a film as columns of one."""
    return ([given] if given is not None else None for given in film)


def _source(poster: Poster, number: int) -> PosterSource | Picture:
    name = f"posters[{number}]"
    if isinstance(poster, (str, os.PathLike)):
        return poster_at(os.fsdecode(poster))
    if isinstance(poster, (bytes, bytearray, memoryview)):
        return LoadedPoster(name, bytes(poster), len(poster))
    if isinstance(poster, Image.Image):
        try:
            return Picture(name, poster.copy())  # the caller may go on with it while other threads look at it
        except Exception as error:  # it was opened, and is read only now
            return FailedPoster(name, "corrupt", f"damaged or cut short ({type(error).__name__})")
    if not isinstance(poster, np.ndarray):
        raise SettingError(name, "a path, bytes, a PIL image or an array", type(poster).__name__)
    channels = poster.shape[2:]
    if poster.dtype != np.uint8 or not poster.size or poster.ndim < 2 or channels not in ((), (3,), (4,)):
        raise SettingError(name, "an array of uint8 of shape (height, width), (height, width, 3) or (height, width, 4)",
                           f"{poster.dtype} of shape {poster.shape}")
    return Picture(name, Image.fromarray(poster))


def _answered(found: Prediction) -> Prediction:
    if not found.probabilities:
        raise UserError(f"{found.id}: {found.status}, {found.error}.")
    return found


def _prediction(row: Row, layout: RowFormat) -> Prediction:
    order, values = layout.ranked(row)
    probabilities = {layout.genres[number]: values[number] for number in order}
    named = dict(itertools.islice(probabilities.items(), row.named))
    return Prediction(row.id, row.source, row.status, row.error, named, probabilities, expected_precision(row, order))
