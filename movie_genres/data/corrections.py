"""Labels as a reviewer left them: they replace those of the source."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from movie_genres.base.errors import InputError
from movie_genres.base.names import escape_name, spreadsheet_safe
from movie_genres.data.films import Film
from movie_genres.data.genres import Genres
from movie_genres.data.places import Place
from movie_genres.data.sources import Source
from movie_genres.data.tables import cut

COLUMNS = ("id", "genres")
SHOWN = 5  # ids or genres in a sentence


def read_corrections(path: Path) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Reads a table with the columns id and genres: by id, with `file_id`, the genres, and notes on what is no genre.

    Genres are joined by a bar; an empty cell says that a film has none of them.

    Raises:
        InputError: it is no such table, has other columns, a row without an id, a film twice, or numbers alone as genres.
    """
    table, genres = Place(path).table(), Genres()
    if set(table.columns) != set(COLUMNS):
        raise InputError(path, "the columns id and genres and no others",
                         "the columns " + ", ".join(map(cut, table.columns[:20])))
    identity, labels = map(table.find, COLUMNS)
    found: dict[str, tuple[str, ...]] = {}
    for number, cells in table:
        if table.is_ragged(cells):
            raise InputError(path, f"{len(COLUMNS)} cells in row {number:,}", f"{len(cells):,}", "Mend that row.")
        film_id = file_id(cells[identity].strip())
        if not film_id or film_id in found:
            what = f"the film {cut(film_id)!r} once more" if film_id else "none"
            raise InputError(path, f"an id in row {number:,} that is in no other", what, "Mend that row.")
        found[film_id] = genres.known(cells[labels].split("|"))
    return found, genres.notes(path)


def file_id(film_id: str) -> str:
    """An id that a file can have as its name: those of posters in subfolders have slashes, odd ones backslashes."""
    return film_id.replace("/", "%2F").replace("\\", "%5C")


def correct(source: Source, path: Path) -> Source:
    """A source with the labels of a table of corrections, and with ids as scoring writes them, as of `file_id`.

    A poster that belongs to no film becomes one where there is a correction for it. Notes say what was replaced, and what is
    peculiar.

    Raises:
        InputError: as `read_corrections`, no correction is of a film in the source, or two ids there are one as of
            `file_id`.
    """
    corrections, notes = read_corrections(path)
    ids = _file_ids({*(film.id for film in source.films), *source.posters, *source.spare})
    corrections = _as_in_source(corrections, ids.values(), path)
    posters, spare = ({ids[name]: file for name, file in files.items()} for files in (source.posters, source.spare))
    films = [dataclasses.replace(film, id=ids[film.id]) for film in source.films]
    there = {film.id for film in films}
    alone = [film_id for film_id in corrections if film_id in spare and film_id not in there]
    films += map(Film, alone)
    posters |= {film_id: spare.pop(film_id) for film_id in alone}
    missing = [film_id for film_id in corrections if film_id not in there and film_id not in posters]
    if len(missing) == len(corrections):
        raise InputError(path, "ids of films or posters in the source", _some(missing, "other ids"),
                         "Give what was scored: the same folder of posters, and the same table.")
    known = {genre for film in source.films for genre in film.genres}
    new = sorted({genre for of_film in corrections.values() for genre in of_film} - known)
    cleared = [film_id for film_id in corrections if not corrections[film_id] and film_id not in missing]
    notes.append(f"{path.name}: the labels of {len(corrections) - len(missing):,} films are those of the corrections")
    notes += [f"{path.name}: {what}: {_some(names)}" for what, names in (
        ("ids of no film in the source", missing), ("genres that no film had before", new if known else []),
        ("films that are left without a genre: theirs are unknown", cleared)) if names]
    films = [dataclasses.replace(film, genres=corrections.get(film.id, film.genres)) for film in films]
    return dataclasses.replace(source, films=films, posters=posters, spare=spare, notes=source.notes + notes)


def _file_ids(names: set[str]) -> dict[str, str]:
    """By the ids in a source, what scoring writes of them, as of `file_id`."""
    ids, taken = {}, dict[str, str]()
    for name in sorted(names):
        film_id = file_id(escape_name(name))
        if film_id in taken:
            raise InputError(taken[film_id], "an id that is no other's where %2F and %5C stand for slashes", f"also {name}",
                             "Rename one of them.")
        ids[name], taken[film_id] = film_id, name
    return ids


def _as_in_source(corrections: dict[str, tuple[str, ...]], ids: Iterable[str], path: Path) -> dict[str, tuple[str, ...]]:
    """Corrections by ids without the apostrophe that an output for spreadsheets has before some."""
    bare = {spreadsheet_safe(film_id): film_id for film_id in ids}
    found = {bare.get(film_id, film_id): genres for film_id, genres in corrections.items()}
    if len(found) < len(corrections):
        twice = next(film_id for film_id in corrections if bare.get(film_id, film_id) != film_id in corrections)
        raise InputError(path, "each film once", f"{cut(twice)!r}, and the same without its apostrophe", "Remove one row.")
    return found


def _some(names: Sequence[str], kind: str = "") -> str:
    shown = ", ".join(map(cut, names[:SHOWN])) + (", …" if len(names) > SHOWN else "")
    return f"{len(names):,}{kind and ' '}{kind} ({shown})" if names else "no row"
