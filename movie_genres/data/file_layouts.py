"""Layouts whose films are files: a JSON file each, pictures in a folder for each genre, or pictures alone."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pydantic

from movie_genres.base.files import reason_of
from movie_genres.base.progress import track
from movie_genres.data.films import Film, plain_year
from movie_genres.data.genres import Genres
from movie_genres.data.json_tables import parsed
from movie_genres.data.places import Place, left_out, posters_in
from movie_genres.data.sources import ImportOptions, Poster, Source, assemble, poster_folder
from movie_genres.data.table_layouts import POSTER_FOLDERS
from movie_genres.inputs.caps import Caps
from movie_genres.inputs.posters import SUFFIXES

MAX_JSON = 10_000_000  # bytes of the JSON file of one film
PARTS = ("train", "training", "test", "testing", "val", "valid", "validation", "dev")  # of a data set: never genres
MOST_FOLDERS = 10_000  # in which genres are looked for


class _Record(pydantic.BaseModel):
    """What is read of a film's JSON file. Numbers are not genres, and a plot is text."""

    model_config = pydantic.ConfigDict(strict=True)
    title: str | int | float | None = None
    year: str | int | float | None = None
    plot: str | list[str] | None = None
    outline: str | None = pydantic.Field(None, alias="plot outline")
    genres: str | list[str] | None = None

    def text(self) -> str:
        """The outline, or the first plot, without its author."""
        plot = self.plot if isinstance(self.plot, str) else next(iter(self.plot or ()), "")
        text, mark, _ = (self.outline or plot).rpartition("::")
        return (text if mark else self.outline or plot).strip()


def _has_plot(file: Place) -> bool:
    try:
        return not {"plot", "plot outline"}.isdisjoint(_json_object(file))
    except (OSError, ValueError):
        return False


def _json_object(file: Place) -> dict[str, Any]:
    """The object in a JSON file. Raises `OSError`, or `ValueError` where there is none, or nothing in it."""
    content = parsed(file.read(MAX_JSON))
    if not isinstance(content, dict) or not content:
        raise ValueError
    return content


def read_mm_imdb(place: Place, options: ImportOptions) -> Source | None:
    """MM-IMDb: a JSON file and a JPEG for each film."""
    files = [entry for entry in place.children() if entry.name.endswith(".json")] if place.is_dir() else []
    if not any(map(_has_plot, files[:20])):
        return None
    films, reasons, genres = [], [], Genres()
    for file in files:
        try:
            record = _Record.model_validate(_json_object(file))
        except OSError as error:
            reasons.append((file.name, reason_of(error)))
        except ValueError:  # also pydantic's
            reasons.append((file.name, "not a JSON object with a film's plot and genres as text"))
        else:
            names = genres.read(record.genres)
            films.append(Film(file.stem, str(record.title or ""), plain_year(str(record.year or "")), record.text(), names))
    notes = left_out("JSON files", reasons) + genres.notes(place.path)
    return assemble(films, poster_folder(place, options, ()) or place, notes, options)


def read_genre_folders(place: Place, options: ImportOptions) -> Source | None:
    """A folder of pictures for each genre, maybe in folders such as `train` and `test`. No titles, years or overviews.

    The same picture in several folders, by its name and its bytes, is one film with several genres. Its id is its file's
    name; where other pictures have that name too, with its folder before it. Pictures whose bytes stand under several names,
    such as one that says that there is no poster, are left out.
    """
    folders = [] if options.corrections or not place.is_dir() else _folders_of_pictures(place)
    if len({folder.name for _, folder in folders}) < 2:
        return None
    notes: list[str] = []
    found, reasons = _by_bytes([(f"{above}{folder.name}-{file.stem}", folder.name, file)
                                for above, folder in folders for file in posters_in(folder, notes).values()])
    names = Counter(file.stem for _, file, _ in found)
    films, posters, genres = [], dict[str, Poster](), Genres()
    for long_id, file, labels in found:
        film_id = file.stem if names[file.stem] == 1 else long_id
        films.append(Film(film_id, genres=genres.known(labels)))
        posters.setdefault(film_id, file)
    if repeated := sum(count for count in names.values() if count > 1):
        notes.append(f"{repeated:,} different posters have a name that another one has too: they are films of their own, "
                     "with their folder before the name")
    notes += left_out("posters", reasons) + genres.notes(place.path)
    shown = ", ".join(sorted({folder.name for _, folder in folders}))
    return Source(films, posters, {}, notes, understood={"genres": f"names of folders: {shown}", "id": "names of pictures"})


def _by_bytes(files: Sequence[tuple[str, str, Place]]) -> tuple[list[tuple[str, Place, list[str]]], list[tuple[str, str]]]:
    """From the long id, the genre and the file of pictures, the different ones, with the first long id and file of each and
    all its genres; and the names of those left out, with why."""
    found: dict[bytes, list[tuple[str, str, Place]]] = {}
    reasons = []
    for long_id, genre, file in track(files, len(files), "Comparing posters"):
        try:
            digest = hashlib.sha256(file.read(Caps().bytes)).digest()
            found.setdefault(digest, []).append((long_id, genre, file))
        except OSError as error:
            reasons.append((file.name, reason_of(error)))
    pictures = []
    for same in found.values():
        if len({file.stem for _, _, file in same}) == 1:
            pictures.append((same[0][0], same[0][2], [genre for _, genre, _ in same]))
        else:
            reasons += [(file.name, "the same picture under several names") for _, _, file in same]
    return pictures, reasons


def _folders_of_pictures(place: Place) -> list[tuple[str, Place]]:
    """The folders of genres, with what goes before their names in ids: those with pictures at a place, and those in parts
    such as `train`, or, where there are none, in any of its folders."""
    folders = _own_folders(place)
    here = [("", folder) for folder in folders if _is_of_genre(folder)]
    return here + [(above.name + "-", folder) for above in folders if not here or above.name.lower() in PARTS
                   for folder in _own_folders(above) if _is_of_genre(folder)]


def _is_of_genre(folder: Place) -> bool:
    return folder.name.lower() not in PARTS and any(entry.suffix in SUFFIXES for entry in folder.children())


def _own_folders(place: Place) -> list[Place]:
    """The folders in a place, without links and those that hold something else by their names."""
    return [entry for entry in place.children()[:MOST_FOLDERS] if entry.is_dir() and not entry.is_link() and
            not entry.name.startswith((".", "__")) and entry.name.lower() not in POSTER_FOLDERS]


def read_posters(place: Place, options: ImportOptions) -> Source | None:
    """Posters alone, whose labels are corrections."""
    notes: list[str] = []
    posters = posters_in(place, notes, deep=True) if options.corrections and place.is_dir() else {}
    return Source([], {}, dict(posters), notes) if posters else None
