"""Explains some films: a folder with a line for each, and with pictures of where on the posters their genres were seen."""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from movie_genres.base.errors import SettingError
from movie_genres.base.files import replacing
from movie_genres.base.names import escape_name
from movie_genres.base.progress import track
from movie_genres.explaining.explanation import FILE, ExplainedFilm, Explanation, explanation_line
from movie_genres.explaining.pictures import SIZE, heat_picture
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.poster_sources import Picture, PosterSource, held, look_at
from movie_genres.scoring.predict import first_films, load_predictor, single_film
from movie_genres.scoring.predictor import Prediction, Predictor
from movie_genres.scoring.request import Request

MOST = 200  # films: each takes as long as a hundred to score

logger = logging.getLogger(__name__)


class Explained(NamedTuple):
    """What is said of a film, and why, by genre."""

    prediction: Prediction
    explanations: dict[str, Explanation]


def films_to_explain(request: Request, overview: str | None) -> list[Entry]:
    """The films that are asked for, or that of an `overview`, if they can be explained; computes nothing yet.

    Raises:
        UserError: more than `MOST` films, or none, are asked for; the folder is not new and empty; or as `single_film`.
    """
    folder = Path(request.explain or "")
    if not folder.parent.is_dir() or folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingError("explain", "a new or an empty folder, in one that is there", f"{request.explain}")
    if request.num_shards > 1:
        raise SettingError("explain", "one machine", f"`num_shards` {request.num_shards}")
    if request.posters == "-" and request.out:
        raise SettingError("explain", "posters in a file or a folder, as they are read once more after `out`", "-")
    if request.summary and not request.out:
        raise SettingError("summary", "`out` as well, as it is of the films of an output", "none")
    if overview is not None:
        return [single_film(request, overview)]
    if request.posters is None and request.overviews is None:
        raise SettingError("explain", "films to explain, by `posters`, `overviews` or `overview`", "none")
    films = first_films(request, MOST + 1)
    if len(films) > MOST:
        raise SettingError("explain", f"at most {MOST} films; a list or a table of those to explain can be given as "
                           "`posters`, or a table as `overviews`", "more")
    return films


def explain_films(request: Request, films: list[Entry]) -> tuple[Predictor, list[Explained]]:
    """Explains the genres that are named of some films, and writes them to the folder that is asked for.

    It gets, for each film and genre, the poster with its heat, and when all are done `explanations.jsonl` with a line for
    each film, in their order: a film that fails has its status there. Returns what did it, and what it found.

    Raises:
        UserError: the models cannot be loaded, or explained; or as `Predictor.load`.
    """
    predictor, folder = load_predictor(request), Path(request.explain or "")
    folder.mkdir(exist_ok=True)

    def explain_one(number: int, film: Entry) -> Explained:
        film = film._replace(poster=film.poster and held(film.poster, request.caps))
        found = Explained(*predictor.explain_film(film, None, request.naming, request.caps))
        if film.poster:
            write_pictures(folder, number, film.id, film.poster, found.explanations, request)
        return found

    workers = ThreadPoolExecutor(request.run.threads or os.cpu_count())
    try:
        results = workers.map(explain_one, range(1, len(films) + 1), films)
        explained = list(track(results, len(films), "Explaining"))
    finally:
        workers.shutdown(cancel_futures=True)
    with replacing(folder / FILE) as partial:
        partial.write_text("".join(explanation_line(film) + "\n" for film in _as_written(films, explained)))
    statuses = Counter(found.prediction.status for found in explained)
    failed = len(explained) - statuses["ok"]
    logger.info("%s: why of %s films%s, by %s", folder, len(explained), f", failed: {failed}" if failed else "",
                predictor.name)
    return predictor, explained


def _as_written(films: list[Entry], explained: list[Explained]) -> Iterator[ExplainedFilm]:
    for film, (prediction, explanations) in zip(films, explained):
        yield ExplainedFilm(escape_name(film.id), explanations, prediction.status, prediction.error)


def write_pictures(folder: Path, number: int, film: str, poster: PosterSource | Picture,
                   explanations: Mapping[str, Explanation], request: Request) -> None:
    """Writes the poster of the film of that number with the heat of each of its genres; see `picture_name`."""
    grids = {genre: why.poster for genre, why in explanations.items() if why.poster is not None}
    if grids:
        pixels, = look_at(poster, [SIZE], request.caps).pixels
        for rank, (genre, grid) in enumerate(grids.items(), start=1):
            with replacing(folder / picture_name(number, film, rank, genre)) as partial:
                heat_picture(pixels, grid).save(partial, "PNG")


def picture_name(number: int, film: str, rank: int, genre: str) -> str:
    """The name of a film's picture for a genre: any file system takes it, and no two of a folder are alike.

    >>> picture_name(7, "../crime/Heat", 1, "Sci-Fi")
    '007-crime-Heat-1-Sci-Fi.png'
    """
    return f"{number:03}-{_plain(film)}-{rank}-{_plain(genre)}.png"


def _plain(text: str) -> str:
    short = re.sub(r"\W+", "-", text).encode()[:40].decode(errors="ignore")  # names have at most 143 to 255 bytes
    return short.strip("-") or "-"
