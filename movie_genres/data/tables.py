"""Reads tables of text row by row, strictly: no row is swallowed, shifted or guessed; and what all tables have in common."""

import codecs
import contextlib
import csv
import gzip
import io
import re
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, Any, cast

from movie_genres.base.errors import InputError
from movie_genres.base.files import reason_of
from movie_genres.data.access import NAMED_BY_USER, Capped, TablePath, open_binary
from movie_genres.data.reading import Access

ID_COLUMNS = ("id", "film_id", "movie_id", "imdb_id", "imdbid", "tconst", "filename", "file_name", "file")
TEXT_COLUMNS = ("overview", "plot", "plot_outline", "description", "synopsis", "summary", "text")
GENRES_COLUMNS = ("genres", "genre", "labels", "label")
POSTER_COLUMNS = ("poster", "poster_path", "image", "path", "file", "filename", "file_name")

BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
        codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

# Files of a few kilobytes can unfold to gigabytes, so that all that is held at once has a limit.
MAX_COLUMNS = 10_000
MAX_ROW = 10_000_000  # characters of a row of text, its lines together; more is an error of the table
MAX_CELL = 2_000_000  # characters; a row with a longer cell fails alone
GZIP = ".gz"
SHOWN_NAMES, SHOWN_CHARACTERS = 20, 40  # of column names in messages

csv.field_size_limit(MAX_ROW + 1)  # the module stops at 131,072 characters a field


class Rows(ABC):
    """Rows of named cells, whatever kind of file holds them."""

    path: Any  # a `TablePath`; whoever gave it knows which
    columns: list[str]
    images: tuple[int, ...] = ()  # columns with pictures in their cells, not with their names

    def _check_columns(self) -> None:
        if len(self.columns) > MAX_COLUMNS:
            raise InputError(self.path, f"at most {MAX_COLUMNS:,} columns", f"{len(self.columns):,}")
        for name, count in Counter(self.columns).items():
            if count > 1:
                raise InputError(self.path, "each column once", f"the column {cut(name)!r} more than once")

    @abstractmethod
    def records(self, indices: Sequence[int], notes: list[str]) -> Iterator[tuple[int, list[Any]]]:
        """Yields (number, from 1; cells of the columns `indices`) of each row to be trusted; notes say what was skipped.

        Cells are as the file has them: text, or values of JSON or Parquet: None, numbers, bytes, lists, dictionaries.
        """

    def find(self, name: str | None, usual: Sequence[str] = (), setting: str | None = None) -> int:
        """The index of the column `name`, or, where that is None, of the first of the `usual` names.

        Raises:
            InputError: there is no such column; the message tells which there are. `setting` is the one that names it.
        """
        index = self.find_usual(usual) if name is None else self.columns.index(name) if name in self.columns else None
        if index is not None:
            return index
        expected = f"a column {name!r}" if name is not None else f"a column named one of {', '.join(usual)}"
        more = f" and {len(self.columns) - SHOWN_NAMES:,} more" if len(self.columns) > SHOWN_NAMES else ""
        shown = ", ".join(map(cut, self.columns[:SHOWN_NAMES]))
        raise InputError(self.path, expected, f"the columns {shown}{more}", setting=setting)

    def find_usual(self, usual: Sequence[str]) -> int | None:
        """The index of the column with the first of the `usual` names that there is, whatever its case, or None."""
        names = list(map(plain_name, self.columns))
        return next((names.index(each) for each in usual if each in names), None)

    def single(self) -> list[int]:
        """The indices of the columns that may hold single values: not those that hold pictures, or surely lists or bytes."""
        return [index for index in range(len(self.columns)) if index not in self.images]


class AnyTable(Rows):
    """A table whose cells can be had as text, never as numbers or NaN."""

    @abstractmethod
    def _read(self, indices: Sequence[int], raw: int | None) -> Iterator[tuple[int, list[Any], list[Any]]]:
        """Yields (number, all cells that were read, the wanted ones) of each row; see `rows`."""

    def rows(self, indices: Sequence[int], raw: int | None = None) -> Iterator[tuple[int, tuple[Any, ...], str | None]]:
        """Yields (number, from 1; cells of the columns `indices`; None, or what makes "row 7 …" untrustworthy) of each row.

        Cells that are missing or too long are empty text; in the column `raw` of a `ParquetTable` they may be bytes.
        """
        for number, cells, wanted in self._read(indices, raw):
            yield number, tuple(["" if _is_long(cell) else cell for cell in wanted]), self._problem(cells)

    def _problem(self, cells: list[Any]) -> str | None:
        return f"has a cell of more than {MAX_CELL:,} characters" if any(map(_is_long, cells)) else None


@contextlib.contextmanager
def decompressed(path: TablePath, access: Access = NAMED_BY_USER, most: int | None = None) -> Iterator[IO[bytes]]:
    """The bytes of a file, of one that ends in `.gz` what gzip has packed, of which there are at most `most`; what cannot be
    read becomes an `InputError`."""
    try:
        with open_binary(path, access) as file:
            yield _gunzipped(file, most) if str(path).lower().endswith(GZIP) else file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        found = str(error).partition(" (")[0]  # no bytes of the file
        raise InputError(path, "a whole gzip file", found, "It is damaged or cut short.") from None
    except (OSError, ImportError, ValueError, RuntimeError, zipfile.BadZipFile) as error:  # RuntimeError: encrypted
        raise InputError(path, "a readable table", reason_of(error)) from None


def unpacked_name(path: object) -> str:
    """The name of a file in small letters, without the suffix of gzip.

    >>> unpacked_name("Films.csv.GZ")
    'films.csv'
    """
    return str(path).lower().removesuffix(GZIP)


def _gunzipped(file: IO[bytes], most: int | None) -> IO[bytes]:
    content = cast(IO[bytes], gzip.open(file))
    return content if most is None else io.BufferedReader(Capped(content, most))


class TextFile(Rows):
    """Rows in a file of text, plain or compressed with gzip (`.gz`; `most`: see `decompressed`), which is read by lines."""

    def __init__(self, path: TablePath, encoding: str | None = None, access: Access = NAMED_BY_USER,
                 most: int | None = None):
        self.path, self._access, self._most = path, access, most
        self._encoding = encoding or self._sniff_encoding()

    def _sniff_encoding(self) -> str:
        with decompressed(self.path, self._access, self._most) as file:
            start = file.read(4)
        return next((encoding for mark, encoding in BOMS.items() if start.startswith(mark)), "utf-8")

    @contextlib.contextmanager
    def _text(self) -> Iterator[io.TextIOWrapper]:
        with decompressed(self.path, self._access, self._most) as file:
            try:
                yield io.TextIOWrapper(file, encoding=self._encoding, newline="")
            except LookupError:
                raise InputError(self.path, "the name of an encoding, such as latin-1", repr(self._encoding)) from None
            except UnicodeError as error:
                found = f"byte 0x{error.object[error.start]:02x}" if isinstance(error, UnicodeDecodeError) else str(error)
                raise InputError(self.path, f"text in {self._encoding.upper().removesuffix('-SIG')}", found,
                                 "Save the table as UTF-8, or find out its encoding.", setting="encoding") from None

    def _lines(self, file: io.TextIOWrapper, size: list[int]) -> Iterator[str]:
        """The lines of a file, while those of one row, which `size[0]` counts, are not too many characters."""
        while line := file.readline(MAX_ROW + 1 - size[0]):
            size[0] += len(line)
            if size[0] > MAX_ROW:
                raise InputError(self.path, f"rows of at most {MAX_ROW:,} characters", "a longer one",
                                 "Is a quote never closed, or is it no table?")
            yield line


class Table(TextFile, AnyTable):
    """A delimited text file with a header line, plain or compressed with gzip (`.gz`).

    The encoding is by default what the byte-order mark says, UTF-8 without one; the delimiter, of comma, tab, semicolon and
    bar, the most frequent in the header line, outside of quotes.

    Raises:
        InputError: no header, a column name that occurs twice, too many columns, or (while iterating) a quote that is
            never closed, a row of more than `MAX_ROW` characters, bytes that are not in the encoding, a damaged gzip file.
    """

    def __init__(self, path: TablePath, encoding: str | None = None, delimiter: str | None = None,
                 access: Access = NAMED_BY_USER, most: int | None = None):
        super().__init__(path, encoding, access, most)
        with self._text() as file:
            header = next(self._lines(file, [0]), "").strip("\r\n")
        if not header.strip():
            raise InputError(self.path, "a header line with the column names", "an empty first line")
        if delimiter is not None and len(delimiter) != 1:
            raise InputError(self.path, "a delimiter of one character", repr(delimiter))
        self.delimiter = delimiter or max(",\t;|", key=re.sub(r'"[^"]*("|$)', "", header).count)
        self.columns = [name.strip() for name in next(self._rows())]
        self._check_columns()

    def _rows(self) -> Iterator[list[str]]:
        with self._text() as file:
            size = [0]
            reader = csv.reader(self._lines(file, size), delimiter=self.delimiter, strict=True)
            try:
                for cells in reader:
                    size[0] = 0
                    yield cells
            except csv.Error as error:
                raise InputError(self.path, "a well-formed table", f"{error} near line {reader.line_num}",
                                 "Close or double the quote there.") from None

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Yields (number of the row, from 1; its cells, maybe more or fewer than the columns); passes over blank lines."""
        rows = self._rows()
        next(rows)
        yield from enumerate((cells for cells in rows if cells), start=1)

    def is_ragged(self, cells: list[str]) -> bool:
        """Whether a row's number of cells differs from the number of columns, so that no cell can be trusted."""
        return len(cells) != len(self.columns)

    def records(self, indices: Sequence[int], notes: list[str]) -> Iterator[tuple[int, list[Any]]]:
        ragged, first = 0, None
        for number, cells in self:
            if self.is_ragged(cells):
                ragged, first = ragged + 1, first or number
            else:
                yield number, [cells[index] for index in indices]
        if ragged:
            notes.append(f"{self.path.name}: skipped {ragged:,} rows whose number of cells differs from the header's "
                         f"(first: row {first:,})")

    def _read(self, indices: Sequence[int], raw: int | None) -> Iterator[tuple[int, list[str], list[str]]]:
        for number, cells in self:
            yield number, cells, [cells[index] if index < len(cells) else "" for index in indices]

    def _problem(self, cells: list[str]) -> str | None:
        if self.is_ragged(cells):
            return f"has {len(cells):,} cells; the header has {len(self.columns):,}"
        return super()._problem(cells)


def _is_long(cell: str | bytes) -> bool:
    return isinstance(cell, str) and len(cell) > MAX_CELL


def plain_name(column: str) -> str:
    """The name of a column in small letters, with underscores in place of spaces and hyphens."""
    return re.sub(r"[\s-]+", "_", column.lower())


def text_of(cell: Any) -> str:
    """A cell as text: of a list, its first entry; whole numbers without a point, and nothing for what is not a number."""
    if isinstance(cell, list):
        return text_of(cell[0]) if cell and not isinstance(cell[0], list) else ""
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace").strip()
    if cell is None or isinstance(cell, dict) or cell != cell:
        return ""
    return str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell).strip()


def cut(name: str) -> str:
    """The name of a column, not too long for a message."""
    return name if len(name) <= SHOWN_CHARACTERS else name[:SHOWN_CHARACTERS - 1] + "…"
