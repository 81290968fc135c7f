"""Small pictures of posters, for the gallery."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from movie_genres.base.threads import in_threads
from movie_genres.inputs.caps import Caps
from movie_genres.inputs.posters import PosterError
from movie_genres.reporting.films import Bools
from movie_genres.scoring.poster_sources import PosterSource, look_at

SIZE = (180, 120)  # height, width in pixels
QUALITY = 80


def write_thumbnails(posters: Iterable[tuple[int, PosterSource]], films: int, folder: Path, caps: Caps = Caps()) -> Bools:
    """Writes `thumbs/012/12345.jpg` below `folder` for posters, which come with their films' numbers; several at once.

    Returns which of so many films have one, of shape (films,): a poster that cannot be used gets none.
    """
    pictured = np.zeros(films, bool)
    for start in range(0, films, 1000):
        (folder / "thumbs" / f"{start // 1000:03}").mkdir(parents=True)

    def write(of_film: tuple[int, PosterSource]) -> tuple[int, bool]:
        number, poster = of_film
        return number, _write(poster, folder / "thumbs" / f"{number // 1000:03}" / f"{number}.jpg", caps)

    with contextlib.closing(in_threads(write, posters)) as written:
        for number, is_there in written:
            pictured[number] = is_there
    return pictured


def _write(poster: PosterSource, path: Path, caps: Caps) -> bool:
    try:
        pixels, = look_at(poster, [SIZE], caps).pixels
    except PosterError:
        return False
    Image.fromarray(pixels).save(path, "JPEG", quality=QUALITY)
    return True
