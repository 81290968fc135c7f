"""Builds the canonical data folder from a source, whole or not at all, and only in place of one that it built itself."""

import contextlib
import hashlib
import logging
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import pydantic

from movie_genres.base.errors import InputError, LockedError
from movie_genres.base.files import StrPath, file_digest, is_below, locked, open_regular, reason_of, replacing, sync_folder
from movie_genres.base.progress import track
from movie_genres.base.threads import in_threads
from movie_genres.data.checking import Summary, check
from movie_genres.data.corrections import correct
from movie_genres.data.films import write_films
from movie_genres.data.layouts import read_source
from movie_genres.data.places import left_out
from movie_genres.data.sources import ImportOptions, Poster, Source
from movie_genres.inputs.caps import Caps

logger = logging.getLogger(__name__)

MARKER = ".import.json"
ELSEWHERE = "Move it away, or give another folder."


class Marker(pydantic.BaseModel):
    """What import leaves in a folder that it made, to know it again."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    version: Literal[1] = 1
    films: str  # SHA-256 of `films.csv`
    posters: str  # SHA-256 of the names and the contents of the posters


def write_marker(folder: Path) -> None:
    """Marks a data folder, complete but for this, as one that import may replace."""
    with replacing(folder / MARKER) as partial:
        partial.write_text(_marker_of(folder).model_dump_json() + "\n")


def _marker_of(folder: Path) -> Marker:
    digest = hashlib.sha256()
    for name in sorted(os.listdir(folder / "posters")):
        digest.update(os.fsencode(name) + b"\0" + bytes.fromhex(file_digest(folder / "posters" / name)))
    return Marker(films=file_digest(folder / "films.csv"), posters=digest.hexdigest())


def import_films(source: StrPath, target: StrPath, layout: str | None = None, options: ImportOptions = ImportOptions()
                 ) -> tuple[str, Summary]:
    """Reads a source of films and puts it in place of the data folder `target`.

    Everything is checked first, then written to the folder `.NAME-import` beside `target` (of a link, beside where it leads
    to), and swapped in at the end; a failure leaves `target` as it was, and `recover` mends what a sudden end left. A folder
    is replaced where import made it and nobody changed it. Gives the layout's name, and what is in the new folder.

    Raises:
        InputError: the source cannot be used, or the target must not be replaced.
        LockedError: another import into this folder is running.
    """
    folder = _resolved(target)
    if os.path.lexists(_staging(folder)):
        with _held(folder):
            pass
    for place in (source, options.posters, options.corrections):
        _refuse_overlap(target, folder, place)
    _refuse_foreign(target, folder)
    name, content = read_content(source, layout, options)
    for place in content.origins:
        _refuse_overlap(target, folder, place)
    _make_parent(target, folder)
    with _held(folder) as staging:
        notes = _build(staging / "fresh", content)
        summary = check(staging / "fresh")
        _refuse_foreign(target, folder)  # once more: it took a while
        _swap(staging, folder)
    summary.notes += content.notes + notes
    return name, summary


def read_content(source: StrPath, layout: str | None, options: ImportOptions) -> tuple[str, Source]:
    """What an import takes from a source, with corrections, and the name of its layout; writes nothing.

    Raises:
        InputError: the source cannot be used.
    """
    name, content = read_source(source, layout, options)
    if options.corrections:
        content = correct(content, options.corrections)
    if not content.films:
        raise InputError(source, "at least one film", "none", "; ".join(content.notes))
    for film in content.films:
        _refuse_unusable_id(source, film.id)
    if content.spare:
        content.notes.insert(0, f"{len(content.spare):,} posters belong to no row and are not imported")
    return name, content


def recover(target: StrPath) -> None:
    """Mends what an interrupted import left, and leaves a running one alone.

    Raises:
        InputError: no folder can be at `target`, or somebody has put one there while the former data were away.
    """
    folder = _resolved(target)
    if os.path.lexists(_staging(folder)) and _is_own(_staging(folder)):
        with contextlib.suppress(LockedError), _held(folder):
            pass


def _resolved(target: StrPath) -> Path:
    """The folder that a target means: links are followed, so that they stay and the folder behind them is replaced."""
    expected = "a folder to make or replace"
    try:
        folder = Path(os.path.realpath(target))
        info = os.stat(folder) if os.path.lexists(folder) else None
    except (OSError, ValueError) as error:
        raise InputError(target, expected, reason_of(error), ELSEWHERE) from None
    if info is not None and not stat.S_ISDIR(info.st_mode):
        raise InputError(target, expected, "something that is no folder", ELSEWHERE)
    if not folder.name:
        raise InputError(target, expected, "the root of all folders", ELSEWHERE)
    return folder


def _staging(folder: Path) -> Path:
    return folder.parent / f".{folder.name}-import"


def _refuse_overlap(target: StrPath, folder: Path, place: StrPath | None) -> None:
    if place and is_below(place, folder):
        raise InputError(target, "a folder apart from what is imported", f"one that is, or holds, {place}",
                         "Give another folder.")


def _refuse_foreign(target: StrPath, folder: Path) -> None:
    """Refuses to replace what import did not make, or what was changed since: it is somebody's work."""
    if not folder.exists():
        return
    try:
        names = sorted(os.listdir(folder))
        if not names:
            return
        if MARKER not in names:
            found = "one without the mark of an import: " + ", ".join(names[:3])
        elif other := [name for name in names if name not in (MARKER, "films.csv", "posters")]:
            found = "also " + ", ".join(other[:3])
        elif os.path.islink(folder / "posters") or _read_marker(folder) != _marker_of(folder):
            found = "films or posters that were changed since"
        else:
            return
    except (OSError, ValueError) as error:  # ValueError: a marker that is none
        found = getattr(error, "strerror", None) or f"no valid {MARKER}"
    raise InputError(target, "a new or empty folder, or one as import left it", found, ELSEWHERE)


def _read_marker(folder: Path) -> Marker:
    with open_regular(folder / MARKER) as file:
        return Marker.model_validate_json(file.read(1000))


def _refuse_unusable_id(source: StrPath, film_id: str) -> None:
    """An id becomes a file name, so it must be one."""
    try:
        length = len(film_id.encode())
    except UnicodeEncodeError:  # from a file's name that is not text
        length = 0
    if not 0 < length <= 200 or film_id.startswith(".") or set(film_id) & set("/\\\0\n\r"):
        raise InputError(source, "ids of 1 to 200 bytes, without slashes or line breaks, not starting with a dot",
                         f"the id {film_id[:80]!r}", "Change it, or choose another column.", setting="id_column")


def _make_parent(target: StrPath, folder: Path) -> None:
    if os.path.islink(target) and not folder.parent.is_dir():
        raise InputError(target, "a folder, or a link to where one can be", "a link to nowhere", ELSEWHERE)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(target, "a place for a folder", "a file on the way to it", ELSEWHERE) from None


def _is_own(staging: Path) -> bool:
    """Whether a staging folder is one that import made: it holds a lock, and what import works with."""
    if os.path.islink(staging) or not staging.is_dir():
        return False
    is_file = {entry.name: entry.is_file(follow_symlinks=False) for entry in os.scandir(staging)}
    return not is_file or "lock" in is_file and is_file.items() <= {"lock": True, "fresh": False, "old": False}.items()


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[Path]:
    """Holds the lock on a target; gives the staging folder, empty but for the lock. In the end it is gone."""
    staging = _staging(folder)
    if os.path.lexists(staging) and not _is_own(staging):
        raise InputError(staging, "a folder for the work of an import", "something else", "Move it away.")
    taken = f"{folder}: another import into this folder is running. Wait for it, or stop it."
    with contextlib.ExitStack() as held:
        try:
            staging.mkdir(exist_ok=True)
            held.enter_context(locked(staging / "lock", taken))
        except FileNotFoundError:  # the other one has just removed the folder
            raise LockedError(taken) from None
        _settle(staging, folder)
        try:
            yield staging
        finally:
            _settle(staging, folder)
            with contextlib.suppress(OSError):  # removed while it is held: whoever waits for this very file gets nothing
                os.unlink(staging / "lock")
                os.rmdir(staging)


def _settle(staging: Path, folder: Path) -> None:
    """Puts the former data back where an import ended between its two renames; removes all else that it left."""
    old, fresh = staging / "old", staging / "fresh"
    is_filled = folder.exists() and os.listdir(folder)
    if old.is_dir() and fresh.is_dir() and is_filled:
        raise InputError(folder, f"no folder, since an import was interrupted before it put one there, and the former data "
                         f"are in {old}", "one that came from elsewhere", "Move one of the two to where it belongs.")
    if old.is_dir() and not is_filled:
        os.rename(old, folder)
        sync_folder(folder.parent)
        logger.info("%s: put back as it was before an import that was interrupted", folder)
    shutil.rmtree(fresh, ignore_errors=True)
    if old.is_dir():
        os.rename(old, fresh)  # so that what is called `old` is always whole
        shutil.rmtree(fresh, ignore_errors=True)


def _build(folder: Path, content: Source) -> list[str]:
    """Writes a data folder; returns sentences on posters that were left out."""
    (folder / "posters").mkdir(parents=True)
    with replacing(folder / "films.csv") as partial:
        write_films(partial, content.films)
    notes = copy_posters(content.posters, folder / "posters")
    write_marker(folder)
    return notes


def copy_posters(posters: Mapping[str, Poster], folder: Path) -> list[str]:
    """Writes posters, by their films' ids, to a folder that is there; returns sentences on those that cannot be read."""
    copies = in_threads(lambda item: _copy_poster(item[0], item[1], folder), posters.items())
    reasons = list(filter(None, track(copies, len(posters), "Copying posters")))
    sync_folder(folder)
    return left_out("posters", reasons)


def _copy_poster(film_id: str, file: Poster, folder: Path) -> tuple[str, str] | None:
    """Copies a poster, or returns (its name, why it cannot be read)."""
    try:
        data = file.read(Caps().bytes)
    except OSError as error:
        return file.name, reason_of(error)
    with open(folder / (film_id + file.suffix), "wb") as copy:
        copy.write(data)
        copy.flush()
        os.fsync(copy.fileno())
    return None


def _swap(staging: Path, folder: Path) -> None:
    """Puts the fresh folder where the data folder is. What goes wrong here, `_settle` mends."""
    if folder.exists():
        os.rename(folder, staging / "old")
    os.rename(staging / "fresh", folder)
    sync_folder(folder.parent)
