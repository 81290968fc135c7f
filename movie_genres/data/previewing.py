"""Tells what an import would make of a source, before anything is written."""

import dataclasses
from collections import Counter

from movie_genres.base.files import StrPath
from movie_genres.data.films import Film
from movie_genres.data.importing import read_content
from movie_genres.data.sources import ImportOptions

SHOWN = 5  # films


@dataclasses.dataclass(frozen=True)
class Preview:
    """What an import understood of a source."""

    layout: str
    understood: dict[str, str]  # what was taken as what, in words: such as the column of ids, by "id"
    films: int
    posters: int  # of these films
    genres: Counter[str]
    without_genres: int
    without_overview: int
    first: list[tuple[Film, bool]]  # the first films, and whether each has a poster
    notes: list[str]


def preview(source: StrPath, layout: str | None = None, options: ImportOptions = ImportOptions()) -> Preview:
    """Reads a source as `importing.import_films` does, and writes nothing; posters are not opened where they are files.

    Raises:
        InputError: the source cannot be used.
    """
    name, content = read_content(source, layout, options)
    films = content.films
    return Preview(name, content.understood, len(films), sum(film.id in content.posters for film in films),
                   Counter(genre for film in films for genre in film.genres), sum(not film.genres for film in films),
                   sum(not film.overview for film in films),
                   [(film, film.id in content.posters) for film in films[:SHOWN]], content.notes)
