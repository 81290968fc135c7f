"""Builds the canonical data folder from a source, whole or not at all."""

import contextlib
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from movie_genres.checking import check
from movie_genres.errors import InputError
from movie_genres.films import write_films
from movie_genres.progress import track
from movie_genres.sources import TableOptions, read_source


def import_films(source, target, layout=None, options=TableOptions()):
    """Reads a source of films and puts it in place of the data folder `target`.

    Everything is written to a temporary folder beside `target` and swapped in at the end; a failure leaves `target`
    as it was.

    Args:
        source: a folder, zip archive or table; see `sources.read_source`.
        target: the data folder to make or replace.
        layout, options: as in `sources.read_source`.

    Returns:
        (name of the layout, `checking.Summary` of the new folder).

    Raises:
        InputError: the source cannot be used.
    """
    target = Path(target)
    name, content = read_source(source, layout, options)
    if not content.films:
        raise InputError(source, "at least one film", "none", "; ".join(content.notes))
    for film in content.films:
        _refuse_unusable_id(source, film.id)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-import-", dir=target.parent) as temporary:
        fresh = Path(temporary) / "fresh"
        (fresh / "posters").mkdir(parents=True)
        write_films(fresh / "films.csv", content.films)
        with ThreadPoolExecutor() as pool:
            copies = pool.map(lambda item: _copy_poster(*item, fresh / "posters"), content.posters.items())
            for _ in track(copies, len(content.posters), "Copying posters"):
                pass
        summary = check(fresh)
        _swap(fresh, target, Path(temporary) / "old")
    if content.unused_posters:
        summary.notes.append(f"{content.unused_posters:,} posters belong to no row and were not imported")
    summary.notes += content.notes
    return name, summary


def _refuse_unusable_id(source, film_id):
    """An id becomes a file name, so it must be one."""
    if not film_id or film_id.startswith(".") or set(film_id) & set("/\\\0\n\r") or len(film_id.encode()) > 200:
        raise InputError(source, "ids of 1 to 200 bytes, without slashes or line breaks, not starting with a dot",
                         f"the id {film_id[:80]!r}", "Change it, or choose another column with --id-column.")


def _copy_poster(film_id, file, folder):
    with file.open("rb") as original, open(folder / (film_id + PurePosixPath(file.name).suffix.lower()), "wb") as copy:
        shutil.copyfileobj(original, copy)


def _swap(fresh, target, old):
    """Puts `fresh` where `target` is; `old` takes the former one. Undone if it fails half-way."""
    with contextlib.ExitStack() as undo:
        if target.exists():
            target.rename(old)
            undo.callback(old.rename, target)
        fresh.rename(target)
        undo.pop_all()
