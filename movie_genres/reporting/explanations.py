"""Why models said what they said of some films, as the gallery shows it."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from movie_genres.explaining.explanation import FILE, Explanation, as_json, read_explanations


def shown(genres: Mapping[str, Explanation]) -> dict[str, Any]:
    """A film's explanations as `static/film.js` takes them."""
    return {"genres": as_json(genres)}


def explanations_of(place: Path, ids: Collection[str]) -> dict[str, Any]:
    """Reads the explanations of some films from a file of JSON Lines, or a folder with `explanations.jsonl`.

    Returns them by id, as `shown`. Raises `InputError` where the file cannot be read, or a line of it is something else.
    """
    films = read_explanations(place / FILE if place.is_dir() else place)
    return {film.id: shown(film.genres) for film in films if film.id in ids and film.genres}
