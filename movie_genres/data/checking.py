"""Reports what is in a data folder and what is wrong with it."""

import dataclasses
from collections import Counter

from movie_genres.base.files import StrPath
from movie_genres.base.progress import track
from movie_genres.base.threads import in_threads
from movie_genres.data.films import poster_files, read_films
from movie_genres.inputs.posters import PosterError, read_poster
from movie_genres.inputs.text import normalise


@dataclasses.dataclass
class Summary:
    """What `check` found in a data folder; lists hold ids, in the order of the table."""

    films: int
    genres: Counter[str]
    without_genres: list[str]
    without_overview: list[str]
    duplicate_ids: list[str]
    repeated_overviews: list[str]
    posters: int
    posters_missing: list[str]
    posters_unreadable: dict[str, str]
    posters_of_no_film: list[str]
    notes: list[str] = dataclasses.field(default_factory=list)


def check(data: StrPath) -> Summary:
    """Reads a whole data folder, with every poster; `InputError` where `films.csv` cannot be read."""
    films, posters = read_films(data), poster_files(data)
    ids = Counter(film.id for film in films)
    words = [normalise(film.overview) for film in films]
    overviews = Counter(filter(None, words))
    reasons = list(track(in_threads(_why_unreadable, posters.values()), len(posters), "Checking posters"))
    return Summary(
        films=len(films),
        genres=Counter(genre for film in films for genre in film.genres),
        without_genres=[film.id for film in films if not film.genres],
        without_overview=[film.id for film, text in zip(films, words) if not text],
        duplicate_ids=[film_id for film_id, count in ids.items() if count > 1],
        repeated_overviews=[film.id for film, text in zip(films, words) if overviews[text] > 1],
        posters=len(posters),
        posters_missing=[film_id for film_id in ids if film_id not in posters],
        posters_unreadable={film_id: reason for film_id, reason in zip(posters, reasons) if reason},
        posters_of_no_film=[film_id for film_id in posters if film_id not in ids],
    )


def _why_unreadable(path: StrPath) -> str | None:
    try:
        read_poster(path, (8, 8))
    except PosterError as error:
        return f"{error.kind}: {error}"
    return None
