"""What a layout makes of a source: films and posters; and how posters are found that belong to films."""

import dataclasses
import errno
import threading
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence, Set
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from movie_genres.base.errors import InputError, SettingError
from movie_genres.data.films import Film
from movie_genres.data.places import Place, folder_place, posters_in, too_large
from movie_genres.data.tables import Rows
from movie_genres.inputs.posters import SUFFIXES

HELD = 64  # pictures of a table that are held at most, for threads that ask for them nearly in order
HELD_BYTES = 128_000_000  # of these pictures
MARKS = {b"\xff\xd8": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"RIFF": ".webp", b"BM": ".bmp", b"II*\0": ".tif",
         b"MM\0*": ".tif"}  # how files of pictures begin


class Poster(Protocol):
    """A poster somewhere in a source."""

    @property
    def name(self) -> str:
        """How messages call it."""

    @property
    def suffix(self) -> str:
        """The suffix that its file gets, in small letters."""

    def read(self, most: int) -> bytes:
        """Its bytes; `OSError` where it cannot be read, or has more than `most` of them."""


@dataclasses.dataclass
class Source:
    """Films and posters as a layout holds them."""

    films: list[Film]
    posters: dict[str, Poster]  # by film id
    spare: dict[str, Poster]  # posters that belong to no film, by their names without suffix
    notes: list[str]  # sentences on what was skipped or is peculiar
    origins: tuple[Path, ...] = ()  # folders or files that were read; none in an archive
    understood: dict[str, str] = dataclasses.field(default_factory=dict)  # what was taken as what, in words


@dataclasses.dataclass(frozen=True)
class ImportOptions:
    """How to read a table, and the folder with the posters; None means: find out.

    Several `genres_column` are columns of a genre each, or, where their cells are 0 and 1, columns named by a genre each.
    With a table of `corrections`, see `corrections.read_corrections`, a source needs no genres, and posters are looked for
    in subfolders too, where their names are their paths below the folder, as scoring has them.
    """

    id_column: str | None = None
    text_column: str | None = None
    genres_column: tuple[str, ...] = ()
    genre_separator: str | None = None
    posters: Path | None = None
    corrections: Path | None = None


def poster_folder(place: Place, options: ImportOptions, usual: Iterable[str]) -> Place | None:
    """Where the posters are: what the user named, or the first of the `usual` folders that there is."""
    if options.posters:
        if not options.posters.is_dir():
            raise SettingError("posters", "a folder with posters", f"no folder {options.posters}")
        return folder_place(options.posters)
    beside = place if place.is_dir() else folder_place(place.path.parent)
    found = next((child for child in map(beside.child, usual) if child and child.is_dir()), None)
    if found and found.leads_out():
        raise InputError(found.path, "a folder inside the source", "a link that leads out of it", setting="posters")
    return found


def assemble(films: list[Film], folder: Place | None, notes: list[str], options: ImportOptions,
             kinds: Mapping[str, Mapping[str, str]] = {}, named: Mapping[str, Sequence[str]] = {}) -> Source:
    """From films, the folder of posters, and what the posters' files are named by, without suffix, by film id.

    Files that are `named` for a film come first. What these leave is found by ids, all of one kind: that with which most
    posters are found, of the films' own ids, these without the suffix of a picture, and other `kinds` of ids.
    """
    files = posters_in(folder, notes, options.corrections is not None) if folder else {}
    stems = {film.id: next((name for name in named.get(film.id, ()) if name in files), None) for film in films}
    left = files.keys() - stems.values()
    ids = [film_id for film_id, stem in stems.items() if stem is None]
    kinds = {"id": dict(zip(ids, ids)),
             "id without its suffix": {film_id: _without_suffix(film_id, stems) for film_id in ids}, **kinds}
    kind = max(kinds, key=lambda kind: sum(kinds[kind].get(film_id) in left for film_id in ids))
    stems |= {film_id: stem for film_id in ids if (stem := kinds[kind].get(film_id)) in left}
    found: dict[str, Poster] = {film_id: files[stem] for film_id, stem in stems.items() if stem is not None}
    used = set(stems.values())
    spare: dict[str, Poster] = {stem: file for stem, file in files.items() if stem not in used}
    return Source(films, found, spare, notes, understood={"poster": f"files named by the {kind}"})


def joined(parts: Mapping[str, Source]) -> Source:
    """The parts of a data set, by name, as one source.

    Ids that stand in several parts get the part's name before them; posters without films are called by part and name, as
    in a folder that is searched with all below it.
    """
    ids = {part: {film.id for film in source.films} for part, source in parts.items()}
    own, several = _apart(ids)
    films = [dataclasses.replace(film, id=own[part][film.id]) for part, source in parts.items() for film in source.films]
    posters = {own[part][film_id]: file for part, source in parts.items() for film_id, file in source.posters.items()}
    used = set(posters.values())
    spare: dict[str, Poster] = {}
    for part, source in parts.items():
        left = {stem: file for stem, file in source.spare.items() if file not in used}
        spare |= {stem if films and spare.get(stem, file) == file else f"{part}/{stem}": file for stem, file in left.items()}
    notes = [f"{part}: {note}" for part, source in parts.items() for note in source.notes]
    if several:
        notes.append(f"{several:,} ids stand in several of {', '.join(parts)}: they are films of their own, with "
                     "their part's name before the id")
    return Source(films, posters, spare, notes, understood={"parts": ", ".join(parts), **_understood_of(parts)})


def _apart(ids: Mapping[str, Set[str]]) -> tuple[dict[str, dict[str, str]], int]:
    """By part, what to call each of its ids so that no two parts have one in common; and how many stand in several."""
    counts = Counter(film_id for of_part in ids.values() for film_id in of_part)
    taken, own = set(counts), dict[str, dict[str, str]]()
    for part, of_part in ids.items():
        own[part] = {}
        for film_id in sorted(of_part):
            name = film_id
            # What is no id that can be used is refused later, and must not become one.
            while counts[film_id] > 1 and film_id[:1] not in ("", ".") and name in taken:
                name = f"{part}-{name}"
            taken.add(name)
            own[part][film_id] = name
    return own, sum(count > 1 for count in counts.values())


def _understood_of(parts: Mapping[str, Source]) -> dict[str, str]:
    """What was taken as what in all parts, told apart where they differ."""
    found: dict[str, dict[str, str]] = {}
    for part, source in parts.items():
        for what, words in source.understood.items():
            found.setdefault(what, {})[part] = words
    return {what: next(iter(words.values())) if len(set(words.values())) == 1 else
            "; ".join(f"{part}: {told}" for part, told in words.items()) for what, words in found.items()}


def _without_suffix(film_id: str, ids: Container[str]) -> str:
    """An id without the suffix of a picture, unless that is another film's."""
    name = PurePosixPath(film_id)
    return name.stem if name.suffix.lower() in SUFFIXES and name.stem not in ids else film_id


class ImageColumn:
    """The pictures in a column of a table: read once more when they are wanted, best in the order of the rows."""

    def __init__(self, rows: Rows, column: int):
        self._rows, self._column, self._lock = rows, column, threading.Lock()
        self._start()

    def _start(self) -> None:
        self._cells, self._last = self._rows.records([self._column], []), 0
        self._held: dict[int, bytes] = {}

    def read(self, number: int) -> bytes:
        """The picture in a row, by its number; `OSError` where the file has changed and there is no such row any more."""
        with self._lock:
            if number <= self._last and number not in self._held:
                self._start()
            while number not in self._held:
                row = next(self._cells, None)
                if row is None:
                    raise OSError(errno.EIO, "it is no longer where it was")
                self._last, (cell,) = row
                self._held[self._last] = image_in(cell)[0]
                while len(self._held) > 1 and (len(self._held) > HELD or sum(map(len, self._held.values())) > HELD_BYTES):
                    del self._held[next(iter(self._held))]
            return self._held[number]


@dataclasses.dataclass(frozen=True)
class EmbeddedPoster:
    """A poster in a cell of a table."""

    column: ImageColumn
    row: int
    name: str
    suffix: str

    def read(self, most: int) -> bytes:
        data = self.column.read(self.row)
        if len(data) > most:
            raise too_large(most)
        return data


def image_in(cell: Any) -> tuple[bytes, str]:
    """The bytes of a picture in a cell, and the name of its file, each empty where there is none: of bytes, or of the
    structure of bytes and path of Hugging Face's data sets."""
    if isinstance(cell, dict):
        data, path = cell.get("bytes"), cell.get("path")
        return data if isinstance(data, bytes) else b"", path if isinstance(path, str) else ""
    return cell if isinstance(cell, bytes) else b"", ""


def suffix_of(data: bytes, name: str) -> str:
    """The suffix for the file of a picture: that of its name, where that is one of a picture, or by its first bytes."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in SUFFIXES else next((kind for mark, kind in MARKS.items() if data.startswith(mark)), ".jpg")
