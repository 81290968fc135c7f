"""Recognises the layouts in which people hold film data, and reads each as films and posters.

A layout is a function that reads it, where it recognises it. Folders and zip archives are the same to it: a `places.Place`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from movie_genres.base.errors import InputError
from movie_genres.base.files import StrPath
from movie_genres.data.file_layouts import PARTS, read_genre_folders, read_mm_imdb, read_posters
from movie_genres.data.movielens import read_movielens
from movie_genres.data.places import IMPORTED_SUFFIXES, Place, open_source
from movie_genres.data.sources import ImportOptions, Source, joined
from movie_genres.data.table_layouts import ONE_HOT_TABLE, read_one_hot, read_table, read_tmdb, tables_at


class Layout(NamedTuple):
    """One way of holding film data: how to read it (None: it is not this one), and what it looks like, in words."""

    read: Callable[[Place, ImportOptions], Source | None]
    expected: str
    is_beside_tables: bool = True  # whether it is recognised where a table lies, which a user may mean


def read_source(path: StrPath, layout: str | None = None, options: ImportOptions = ImportOptions()) -> tuple[str, Source]:
    """Reads films and posters from a folder, a zip archive or a table, with the name of the layout.

    `layout` is a key of `LAYOUTS`; by default the layout is recognised.

    Raises:
        InputError: as `places.open_source`, an unknown layout, or one that does not hold what it should.
        SettingError: there are no posters where the options say.
    """
    places, notes = open_source(Path(path))
    for name in [layout] if layout else LAYOUTS:
        if not layout and not LAYOUTS[name].is_beside_tables and any(tables_at(place, options) for place in places):
            continue
        for place in places:
            source = LAYOUTS[name].read(place, options)
            if source is not None:
                source = _with_parts(name, place, source, places, options)
                source.notes += notes
                return name, source
    expected = LAYOUTS[layout].expected if layout else "a known layout: " + "; or ".join(
        known.expected for known in LAYOUTS.values())
    raise InputError(path, expected, _describe(places[0]), setting=None if layout else "layout")


def _with_parts(layout: str, place: Place, source: Source, places: Sequence[Place], options: ImportOptions) -> Source:
    """What was read at a place; where that is a part of a data set, such as `train`, with the other parts."""
    beside = [other for other in places if str(other.path.parent) == str(place.path.parent) and other.name.lower() in PARTS]
    others = [part for part in beside if part is not place and part.children()] if place in beside else []
    read = {part.name: LAYOUTS[layout].read(part, options) for part in others}
    sources = {place.name: source, **{part: found for part, found in read.items() if found is not None}}
    source = joined(sources) if len(sources) > 1 else source
    source.notes += [f"{part}: not read: it is no {layout}" for part, found in read.items() if found is None]
    source.origins = tuple(part.path for part in [place, *others] if part.name in sources and isinstance(part.path, Path))
    return source


def _describe(place: Place) -> str:
    if not place.is_dir():
        return "the columns " + ", ".join(place.rows().columns)
    names = [entry.name for entry in place.children()]
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "") if names else "nothing in it"


LAYOUTS = {
    "multimodal-imdb": Layout(read_one_hot, f"{ONE_HOT_TABLE} beside Images/ (Multimodal_IMDB_dataset)"),
    "mm-imdb": Layout(read_mm_imdb, "<id>.json files with a plot beside <id>.jpeg (MM-IMDb)"),
    "movielens": Layout(read_movielens, "movies.csv with the columns movieId, title and genres, movies.dat or "
                                        "u.item (MovieLens)"),
    "tmdb": Layout(read_tmdb, "a table with the columns id, overview, genres or genre_ids, and poster_path (TMDB)"),
    "table": Layout(read_table, "exactly one table (" + ", ".join(IMPORTED_SUFFIXES) + ", or packed as .gz) with an id, a "
                                "text and a genre column, or columns named by a genre"),
    "genre-folders": Layout(read_genre_folders, "without a table, a folder of pictures for each genre",
                            is_beside_tables=False),
    "posters": Layout(read_posters, "with corrections, a folder of posters"),
}
