"""Reads JSON Lines, and files that hold one list of JSON objects, as rows of named cells."""

import codecs
import json
from collections.abc import Iterator, Sequence
from typing import Any

from movie_genres.base.errors import InputError
from movie_genres.data.access import NAMED_BY_USER, TablePath
from movie_genres.data.reading import Access
from movie_genres.data.tables import MAX_COLUMNS, TextFile, decompressed, unpacked_name

JSON_LINES_SUFFIXES = (".jsonl", ".ndjson")
MAX_LIST_FILE = 200_000_000  # characters of a file that is one list: it is held whole, and takes ten times as much memory
PEEKED = 64  # characters in which a list begins
MAX_START = 1_000_000  # bytes in which the first two lines of JSON Lines are looked for
LOOKED_AT = 1_000  # objects whose keys are the columns


class JsonTable(TextFile):
    """JSON objects: one a line, or all in one list, in a file that begins with its bracket; their keys are the columns.

    The first `LOOKED_AT` objects tell which columns there are. What is no object is skipped with a note.

    Raises:
        InputError: there is no object, too many keys, a list that is no JSON or too long, or (while iterating) a line of
            more than `tables.MAX_ROW` characters or bytes that are not text.
    """

    def __init__(self, path: TablePath, access: Access = NAMED_BY_USER, most: int | None = None):
        super().__init__(path, None, access, most)
        self._is_lines = unpacked_name(path).endswith(JSON_LINES_SUFFIXES) or not self._starts_a_list()
        self._list = None if self._is_lines else self._parse_list()
        columns: dict[str, None] = {}
        for count, (_, record) in enumerate(self._objects()):
            if count == LOOKED_AT or len(columns) > MAX_COLUMNS:
                break
            columns |= dict.fromkeys(record or ())
        self.columns = list(columns)
        self._check_columns()
        if not columns:
            raise InputError(path, "a JSON object in each line, or a list of objects", "no object")

    def _starts_a_list(self) -> bool:
        with self._text() as file:
            return file.read(PEEKED).lstrip().startswith("[")

    def _parse_list(self) -> list[Any]:
        with self._text() as file:
            text = file.read(MAX_LIST_FILE + 1)
        if len(text) > MAX_LIST_FILE:
            raise InputError(self.path, f"a list of at most {MAX_LIST_FILE:,} characters", "a longer one",
                             "Save it as JSON Lines.")
        content = parsed(text)
        if not isinstance(content, list):
            raise InputError(self.path, "a JSON list of objects", "something else")
        return content

    def _objects(self) -> Iterator[tuple[int, dict[str, Any] | None]]:
        """Yields (number of the line or entry, from 1; the object, or None where it is none); passes over blank lines."""
        if self._list is not None:
            yield from ((number, entry if isinstance(entry, dict) else None) for number, entry in enumerate(self._list, 1))
            return
        with self._text() as file:
            size = [0]
            for number, line in enumerate(self._lines(file, size), 1):
                size[0] = 0
                if line.strip():
                    content = parsed(line)
                    yield number, content if isinstance(content, dict) else None

    def records(self, indices: Sequence[int], notes: list[str]) -> Iterator[tuple[int, list[Any]]]:
        names, odd, first = [self.columns[index] for index in indices], 0, None
        for number, record in self._objects():
            if record is None:
                odd, first = odd + 1, first or number
            else:
                yield number, [record.get(name) for name in names]
        if odd:
            kind = "lines" if self._is_lines else "entries"
            notes.append(f"{self.path.name}: skipped {odd:,} {kind} that are no JSON object (first: {first:,})")


def is_json_table(path: TablePath) -> bool:
    """Whether a file, whatever its suffix, begins as a list, or with two lines of an object each; one object is no table.

    Raises `InputError` where it cannot be read.
    """
    with decompressed(path) as file:
        start = file.read(MAX_START).removeprefix(codecs.BOM_UTF8).lstrip()
    lines = [line for line in start.split(b"\n", 8)[:8] if line.strip()][:2]
    return start.startswith(b"[") or len(lines) == 2 and all(isinstance(parsed(line), dict) for line in lines)


def parsed(text: str | bytes) -> Any:
    """What a text says in JSON; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # nested by the thousand
        return None
