"""Layouts whose films are files: a JSON file each, pictures in a folder for each genre, or pictures alone."""

import hashlib
import json
from collections import Counter
from typing import Any

import pydantic

from movie_genres.base.files import reason_of
from movie_genres.base.progress import track
from movie_genres.data.films import Film
from movie_genres.data.genres import Genres
from movie_genres.data.places import Place, left_out, posters_in
from movie_genres.data.sources import ImportOptions, Poster, Source, assemble, poster_folder
from movie_genres.data.table_layouts import POSTER_FOLDERS
from movie_genres.inputs.caps import Caps
from movie_genres.inputs.posters import SUFFIXES

MAX_JSON = 10_000_000  # bytes of the JSON file of one film
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
    try:
        content = json.loads(file.read(MAX_JSON))
    except RecursionError:  # nested by the thousand
        content = None
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
            films.append(Film(file.stem, str(record.title or ""), str(record.year or ""), record.text(), names))
    notes = left_out("JSON files", reasons) + genres.notes(place.path)
    return assemble(films, poster_folder(place, options, ()) or place, notes, options)


def read_genre_folders(place: Place, options: ImportOptions) -> Source | None:
    """A folder of pictures for each genre, maybe in folders such as `train` and `test`. No titles, years or overviews.

    The same picture in several folders, by its bytes, is one film with several genres. Its id is its file's name; where
    other pictures have that name too, with its folder before it.
    """
    folders = [] if options.corrections or not place.is_dir() else _folders_of_pictures(place)
    if len({folder.name for _, folder in folders}) < 2:
        return None
    notes: list[str] = []
    files = [(f"{above}{folder.name}-{file.stem}", folder.name, file)
             for above, folder in folders for file in posters_in(folder, notes).values()]
    found: dict[bytes, tuple[str, Place, list[str]]] = {}  # by digest: of the first file a long id and itself; the genres
    reasons = []
    for long_id, genre, file in track(files, len(files), "Comparing posters"):
        try:
            digest = hashlib.sha256(file.read(Caps().bytes)).digest()
            found.setdefault(digest, (long_id, file, []))[2].append(genre)
        except OSError as error:
            reasons.append((file.name, reason_of(error)))
    names = Counter(file.stem for _, file, _ in found.values())
    films, posters, genres = [], dict[str, Poster](), Genres()
    for long_id, file, labels in found.values():
        film_id = file.stem if names[file.stem] == 1 else long_id
        films.append(Film(film_id, genres=genres.known(labels)))
        posters.setdefault(film_id, file)
    if repeated := sum(count for count in names.values() if count > 1):
        notes.append(f"{repeated:,} different posters have a name that another one has too: they are films of their own, "
                     "with their folder before the name")
    notes += left_out("posters", reasons) + genres.notes(place.path)
    shown = ", ".join(sorted({folder.name for _, folder in folders}))
    return Source(films, posters, {}, notes, understood={"genres": f"names of folders: {shown}", "id": "names of pictures"})


def _folders_of_pictures(place: Place) -> list[tuple[str, Place]]:
    """The folders with pictures at a place, or else those in its folders, with what goes before their names in ids."""
    folders = _own_folders(place)
    return [("", folder) for folder in folders if _has_pictures(folder)] or [
        (above.name + "-", folder) for above in folders for folder in _own_folders(above) if _has_pictures(folder)]


def _own_folders(place: Place) -> list[Place]:
    """The folders in a place, without links and those that hold something else by their names."""
    return [entry for entry in place.children()[:MOST_FOLDERS] if entry.is_dir() and not entry.is_link() and
            not entry.name.startswith((".", "__")) and entry.name.lower() not in POSTER_FOLDERS]


def _has_pictures(folder: Place) -> bool:
    return any(entry.suffix in SUFFIXES for entry in folder.children())


def read_posters(place: Place, options: ImportOptions) -> Source | None:
    """Posters alone, whose labels are corrections."""
    notes: list[str] = []
    posters = posters_in(place, notes, deep=True) if options.corrections and place.is_dir() else {}
    return Source([], {}, dict(posters), notes) if posters else None
