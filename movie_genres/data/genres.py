"""Reads the genres of films from cells of tables, in all the notations in which people write them."""

import ast
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from movie_genres.base.errors import InputError
from movie_genres.data.tables import cut

# As the movie list of TMDB's API has them, https://developer.themoviedb.org/reference/genre-movie-list
TMDB_GENRES = {28: "Action", 12: "Adventure", 16: "Animation", 35: "Comedy", 80: "Crime", 99: "Documentary", 18: "Drama",
               10751: "Family", 14: "Fantasy", 36: "History", 27: "Horror", 10402: "Music", 9648: "Mystery",
               10749: "Romance", 878: "Science Fiction", 10770: "TV Movie", 53: "Thriller", 10752: "War", 37: "Western"}
TMDB_TELEVISION = range(10759, 10769)  # numbers of genres that TMDB gives series alone
COMMON = """action adventure animation biography children childrens comedy crime documentary drama family fantasy filmnoir
gameshow history horror imax music musical mystery news nogenreslisted realitytv romance sciencefiction scifi short sport
sports talkshow thriller tvmovie war western""".split()  # genres of IMDb, TMDB and MovieLens, their letters
UNKNOWN_GENRES = ("n/a", "na", "none", "unknown", "(no genres listed)")
SHOWN = 5  # numbers in a sentence
MAX_LIST = 100_000  # characters of a list; parsing takes a hundred times as much memory
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")


class Genres:
    """Tells names of genres from what else stands in their place, and keeps count of that.

    The `separator` of a cell's names is by default a bar, semicolon or comma. `numbered` has the names of genres that may be
    given as numbers. `notations` counts, in words, how the genres of films were written.

    >>> genres = Genres(numbered={18: "Drama"})
    >>> genres.read("[{'id': 18, 'name': 'Drama'}]"), genres.read("Drama, Comedy"), genres.read(["Comedy", 18, 28])
    (('Drama',), ('Drama', 'Comedy'), ('Comedy', 'Drama'))
    """

    def __init__(self, separator: str | None = None, numbered: Mapping[int, str] = {}):
        self._separator, self._numbered = separator, numbered
        self._names = self._numbers = self._unreadable = self._television = 0
        self._foreign: dict[str, None] = {}  # the first numbers that have no name where others have
        self.notations: Counter[str] = Counter()

    def read(self, value: Any) -> tuple[str, ...]:
        """The genres of a cell, whatever it is: text as of `parse`, a list, the number or the object of a genre."""
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, str):
            return self.parse(value)
        entries = value if isinstance(value, list) else [] if value is None else [value]
        if entries:
            self.notations["lists" if isinstance(value, list) else "one a cell"] += 1
        return self.known(entries)

    def parse(self, cell: str) -> tuple[str, ...]:
        """The genres of a cell: a list in JSON or Python notation, of names or of {'name': …}, or separated names."""
        cell = cell.strip()
        if cell.startswith("["):
            entries = _parse_list(cell)
            self._unreadable += entries is None
            self.notations["lists"] += 1
            return self.known(entries or ())
        separator = self._separator or next((mark for mark in "|;," if mark in cell), None)
        if cell:
            self.notations[f"split at {separator!r}" if separator and separator in cell else "one a cell"] += 1
        return self.known(cell.split(separator) if separator else [cell])

    def known(self, entries: Iterable[Any]) -> tuple[str, ...]:
        """The entries, whatever they are, that name a genre, each once."""
        names: dict[str, None] = {}
        for entry in entries:
            if isinstance(entry, dict):
                entry = entry.get("name", entry.get("id"))
            if isinstance(entry, (int, float)) or isinstance(entry, str) and NUMBER.fullmatch(entry.strip()):
                whole = _whole(entry)
                name = None if whole is None else self._numbered.get(whole)
                self._numbers += name is None
                if name is None and self._numbered:
                    self._tell_foreign(whole, entry)
            else:
                name = entry.strip().replace("|", "/") if isinstance(entry, str) else None
            if name and name.lower() not in UNKNOWN_GENRES:
                names[name] = None
        self._names += len(names)
        return tuple(names)

    def _tell_foreign(self, whole: int | None, entry: int | float | str) -> None:
        if whole in TMDB_TELEVISION:
            self._television += 1
        elif len(self._foreign) < SHOWN:
            self._foreign[cut(str(entry))] = None

    def notes(self, path: object) -> list[str]:
        """Sentences on what was no name; `InputError` on the file `path` where all genres were numbers, or where some of
        those that should be TMDB's are not."""
        if self._foreign:
            raise InputError(path, "numbers that TMDB gives genres of films", ", ".join(self._foreign) + (
                ", besides those of its genres of series" if self._television else ""),
                "Put the genres' names in their place.")
        if self._television and not self._names:
            raise InputError(path, "numbers that TMDB gives genres of films", "those of its genres of series only",
                             "Put the genres' names in their place.")
        if self._numbers and not self._names:
            raise InputError(path, "names of genres", "numbers only", "Put the genres' names in their place.")
        kind = "numbers of TMDB's genres of series" if self._television else "genres given as numbers, which are not names,"
        notes = [f"{kind} were left out: {self._numbers:,}"] if self._numbers else []  # of one kind: others were refused
        return notes + ([f"lists of genres that cannot be read: {self._unreadable:,}"] if self._unreadable else [])


def is_common(name: str) -> bool:
    """Whether a name is a common genre's, as IMDb, TMDB or MovieLens have it.

    >>> is_common("Sci-Fi"), is_common("children's"), is_common("seen")
    (True, True, False)
    """
    return re.sub("[^a-z]", "", name.lower()) in COMMON


def _whole(number: int | float | str) -> int | None:
    """A number, also as text, that is a whole one, or None."""
    try:
        value = float(number)
    except OverflowError:  # an integer of a few hundred digits
        return None
    return int(value) if value.is_integer() else None


def _parse_list(cell: str) -> Sequence[Any] | None:
    """A list, or None where it cannot be read."""
    if len(cell) > MAX_LIST:
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            with warnings.catch_warnings(action="ignore"):  # of odd escapes, in Python notation
                entries = parse(cell)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # the latter two: nested too deep
            continue
        return entries if isinstance(entries, (list, tuple)) else None
    return None
