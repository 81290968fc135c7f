"""Small pictures of posters, for the gallery."""

import os
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from movie_genres.inputs.caps import Caps
from movie_genres.inputs.posters import PosterError
from movie_genres.reporting.films import Bools
from movie_genres.scoring.poster_sources import PosterSource, look_at

SIZE = (180, 120)  # height, width in pixels
QUALITY = 80
AHEAD = 64  # posters in work


def write_thumbnails(posters: Iterable[tuple[int, PosterSource]], films: int, folder: Path, caps: Caps = Caps()) -> Bools:
    """Writes `thumbs/012/12345.jpg` below `folder` for posters, which come with their films' numbers; several at once.

    Returns which of so many films have one, of shape (films,): a poster that cannot be used gets none.
    """
    pictured = np.zeros(films, bool)
    waiting: deque[tuple[int, Future[bool]]] = deque()

    def take() -> None:
        number, written = waiting.popleft()
        pictured[number] = written.result()

    for start in range(0, films, 1000):
        (folder / "thumbs" / f"{start // 1000:03}").mkdir(parents=True)
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        for number, poster in posters:
            path = folder / "thumbs" / f"{number // 1000:03}" / f"{number}.jpg"
            waiting.append((number, workers.submit(_write, poster, path, caps)))
            if len(waiting) >= AHEAD:
                take()
        while waiting:
            take()
    return pictured


def _write(poster: PosterSource, path: Path, caps: Caps) -> bool:
    try:
        pixels, = look_at(poster, [SIZE], caps).pixels
    except PosterError:
        return False
    Image.fromarray(pixels).save(path, "JPEG", quality=QUALITY)
    return True
