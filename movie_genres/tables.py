"""Reads text and Parquet tables row by row, strictly: no row is swallowed, shifted or guessed."""

import codecs
import contextlib
import csv
import gzip
import io
import re
import zlib

from movie_genres.errors import InputError
from movie_genres.files import open_binary

ID_COLUMNS = ("id", "film_id", "movie_id", "imdb_id", "imdbid", "tconst", "filename", "file")
TEXT_COLUMNS = ("overview", "plot", "plot_outline", "description", "synopsis", "summary", "text")
GENRES_COLUMNS = ("genres", "genre", "labels")
POSTER_COLUMNS = ("poster", "poster_path", "image", "path", "file", "filename")

TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
        codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
BLOCK = 1024  # rows of a Parquet file read at once

csv.field_size_limit(100_000_000)  # the module stops at 131,072 characters a field


def open_table(path, encoding=None, delimiter=None):
    """A `ParquetTable` for a file that ends in `.parquet`, a `Table` for all others; see there."""
    if str(path).lower().endswith(".parquet"):
        return ParquetTable(path)
    return Table(path, encoding, delimiter)


class Columns:
    """What tables have in common.

    Attributes:
        path: the file.
        columns: list of the columns' names.
    """

    def _check_columns(self):
        repeated = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if repeated:
            raise InputError(self.path, "each column once", f"the column {repeated[0]!r} more than once")

    def is_ragged(self, cells):
        """Whether a row's number of cells differs from the number of columns, so that no cell can be trusted."""
        return len(cells) != len(self.columns)

    def find(self, name, usual=(), option=None):
        """Returns the index of the column `name`, or, where that is None, of the first of the `usual` names.

        Raises:
            InputError: there is no such column; the message tells which there are and the command's `option` that names one.
        """
        lower = [re.sub(r"[\s-]+", "_", column.lower()) for column in self.columns]
        if name is not None and name in self.columns:
            return self.columns.index(name)
        for usual_name in usual if name is None else ():
            if usual_name in lower:
                return lower.index(usual_name)
        expected = f"a column {name!r}" if name is not None else f"a column named one of {', '.join(usual)}"
        advice = f"Name it with {option}." if option else ""
        raise InputError(self.path, expected, "the columns " + ", ".join(self.columns), advice)


class Table(Columns):
    """A delimited text file with a header line, plain or compressed with gzip (`.gz`). Cells are text, never numbers or NaN.

    >>> table = Table("films.csv")                                            # doctest: +SKIP
    >>> [(number, cells[table.find("id")]) for number, cells in table]        # doctest: +SKIP

    Args:
        path: a `pathlib.Path`, a `zipfile.Path` of a member, or a URL of fsspec.
        encoding: by default what the byte-order mark says, UTF-8 without one.
        delimiter: by default the most frequent in the header line of comma, tab, semicolon and bar.

    Raises:
        InputError: no header, a column name that occurs twice, or (while iterating) a quote that is never closed, bytes
            that are not in the encoding, a damaged gzip file.
    """

    def __init__(self, path, encoding=None, delimiter=None):
        self.path = path
        self._encoding = encoding or self._sniff_encoding()
        with self._text() as file:
            header = file.readline().strip("\r\n")
        if not header.strip():
            raise InputError(path, "a header line with the column names", "an empty first line")
        if delimiter is not None and len(delimiter) != 1:
            raise InputError(path, "a delimiter of one character", repr(delimiter))
        self.delimiter = delimiter or max(",\t;|", key=header.count)
        self.columns = [name.strip() for name in next(self._rows())]
        self._check_columns()

    @contextlib.contextmanager
    def _binary(self):
        """The table's bytes, decompressed; what cannot be read becomes an `InputError`."""
        try:
            with contextlib.ExitStack() as stack:
                file = stack.enter_context(open_binary(self.path))
                yield stack.enter_context(gzip.open(file)) if str(self.path).lower().endswith(".gz") else file
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(self.path, "a whole gzip file", str(error), "It is damaged or cut short.") from None
        except (OSError, ImportError, ValueError) as error:
            raise InputError(self.path, "a readable table", getattr(error, "strerror", None) or str(error)) from None

    def _sniff_encoding(self):
        with self._binary() as file:
            start = file.read(4)
        return next((encoding for mark, encoding in BOMS.items() if start.startswith(mark)), "utf-8")

    @contextlib.contextmanager
    def _text(self):
        with self._binary() as file:
            try:
                yield io.TextIOWrapper(file, encoding=self._encoding, newline="")
            except LookupError:
                raise InputError(self.path, "the name of an encoding, such as latin-1", repr(self._encoding)) from None
            except UnicodeError as error:
                found = f"byte 0x{error.object[error.start]:02x}" if isinstance(error, UnicodeDecodeError) else str(error)
                raise InputError(self.path, f"text in {self._encoding.upper().removesuffix('-SIG')}", found,
                                 "Save the table as UTF-8, or name its encoding with --encoding.") from None

    def _rows(self):
        with self._text() as file:
            reader = csv.reader(file, delimiter=self.delimiter, strict=True)
            try:
                yield from reader
            except csv.Error as error:
                raise InputError(self.path, "a well-formed table", f"{error} near line {reader.line_num}",
                                 "Close or double the quote there.") from None

    def __iter__(self):
        """Yields (number of the row, its cells); the first row after the header is 1. Blank lines are passed over.

        A row may have more or fewer cells than there are columns: `is_ragged` tells.
        """
        rows = self._rows()
        next(rows)
        yield from enumerate((cells for cells in rows if cells), start=1)


class ParquetTable(Columns):
    """A Parquet file, like a `Table`; needs the extra `parquet`. Nulls are empty text, numbers become text, bytes stay.

    Args:
        path: a `pathlib.Path` or a URL of fsspec.

    Raises:
        InputError: it is not a Parquet file, or a column name occurs twice.
    """

    def __init__(self, path):
        self.path = path
        with self._file() as file:
            self.columns = file.schema_arrow.names
        self._check_columns()

    @contextlib.contextmanager
    def _file(self):
        try:
            from pyarrow import ArrowException, parquet
        except ImportError:
            raise InputError(self.path, "the package pyarrow, to read Parquet", "none",
                             "Install it with: pip install 'movie-genres[parquet]'") from None
        try:
            with open_binary(self.path) as file:
                yield parquet.ParquetFile(file)
        except (ArrowException, OSError, ValueError) as error:
            raise InputError(self.path, "a Parquet file", str(error).splitlines()[0]) from None

    def __iter__(self):
        """Yields (number of the row, its cells), as a `Table` does."""
        number = 0
        with self._file() as file:
            for batch in file.iter_batches(batch_size=BLOCK):
                for cells in zip(*(column.to_pylist() for column in batch.columns)):
                    number += 1
                    yield number, [_cell(value) for value in cells]


def as_text(cell):
    """A cell as text: Parquet files of some writers hold text as bytes."""
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell


def _cell(value):
    return "" if value is None else value if isinstance(value, (str, bytes)) else str(value)
