"""Reads the genres of films from cells of tables, in all the notations in which people write them."""

import ast
import json
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from movie_genres.base.errors import InputError

UNKNOWN_GENRES = ("n/a", "na", "none", "unknown", "(no genres listed)")
MAX_LIST = 100_000  # characters of a list; parsing takes a hundred times as much memory
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")


class Genres:
    """Tells names of genres from what else stands in their place, and keeps count of that.

    The `separator` of a cell's names is by default a bar, semicolon or comma.

    >>> genres = Genres()
    >>> genres.parse("[{'id': 18, 'name': 'Drama'}]"), genres.parse("Drama, Comedy"), genres.known(["Drama", 28])
    (('Drama',), ('Drama', 'Comedy'), ('Drama',))
    """

    def __init__(self, separator: str | None = None):
        self._separator = separator
        self._names = self._numbers = self._unreadable = 0

    def parse(self, cell: str) -> tuple[str, ...]:
        """The genres of a cell: a list in JSON or Python notation, of names or of {'name': …}, or separated names."""
        cell = cell.strip()
        if cell.startswith("["):
            entries = _parse_list(cell)
            self._unreadable += entries is None
            return self.known(entry.get("name") if isinstance(entry, dict) else entry for entry in entries or ())
        separator = self._separator or next((mark for mark in "|;," if mark in cell), "|")
        return self.known(cell.split(separator))

    def known(self, entries: Iterable[Any]) -> tuple[str, ...]:
        """The entries, whatever they are, that name a genre, each once."""
        names: dict[str, None] = {}
        for entry in entries:
            if isinstance(entry, (int, float)) or isinstance(entry, str) and NUMBER.fullmatch(entry.strip()):
                self._numbers += 1
            elif isinstance(entry, str):
                names[entry.strip().replace("|", "/")] = None
        known = tuple(name for name in names if name and name.lower() not in UNKNOWN_GENRES)
        self._names += len(known)
        return known

    def notes(self, path: object) -> list[str]:
        """Sentences on what was no name; `InputError` on the file `path` where all genres were numbers."""
        if self._numbers and not self._names:
            raise InputError(path, "names of genres", "numbers only", "Put the genres' names in their place.")
        notes = [f"genres given as numbers, which are not names, were left out: {self._numbers:,}"] if self._numbers else []
        return notes + ([f"lists of genres that cannot be read: {self._unreadable:,}"] if self._unreadable else [])


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
