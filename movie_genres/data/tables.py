"""Reads text and Parquet tables row by row, strictly: no row is swallowed, shifted or guessed."""

import codecs
import contextlib
import csv
import gzip
import io
import re
import zipfile
import zlib
from collections import Counter

from movie_genres.base.errors import InputError
from movie_genres.base.files import is_of_machine
from movie_genres.data.access import NAMED_BY_USER, open_binary

ID_COLUMNS = ("id", "film_id", "movie_id", "imdb_id", "imdbid", "tconst", "filename", "file")
TEXT_COLUMNS = ("overview", "plot", "plot_outline", "description", "synopsis", "summary", "text")
GENRES_COLUMNS = ("genres", "genre", "labels")
POSTER_COLUMNS = ("poster", "poster_path", "image", "path", "file", "filename")

TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
        codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
PARQUET_MAGIC = b"PAR1"
BLOCK = 1024  # rows of a Parquet file read at once, at most
BLOCK_BYTES = 64_000_000  # of a Parquet file read at once; its rows may have four times as many on average

# Files of a few kilobytes can unfold to gigabytes, so that all that is held at once has a limit.
MAX_COLUMNS = 10_000
MAX_ROW = 10_000_000  # characters of a row of text, its lines together; more is an error of the table
MAX_CELL = 2_000_000  # characters; a row with a longer cell fails alone
SHOWN_NAMES, SHOWN_CHARACTERS = 20, 40  # of column names in messages

csv.field_size_limit(MAX_ROW + 1)  # the module stops at 131,072 characters a field


def open_table(path, encoding=None, delimiter=None, access=NAMED_BY_USER):
    """A `ParquetTable` for a file that ends in `.parquet`, a `Table` for all others; see there."""
    if str(path).lower().endswith(".parquet"):
        return ParquetTable(path, access)
    return Table(path, encoding, delimiter, access)


class Columns:
    """What tables have in common.

    Attributes:
        path: the file.
        columns: list of the columns' names.
    """

    def _check_columns(self):
        if len(self.columns) > MAX_COLUMNS:
            raise InputError(self.path, f"at most {MAX_COLUMNS:,} columns", f"{len(self.columns):,}")
        repeated = next((name for name, count in Counter(self.columns).items() if count > 1), None)
        if repeated is not None:
            raise InputError(self.path, "each column once", f"the column {_cut(repeated)!r} more than once")

    def is_ragged(self, cells):
        """Whether a row's number of cells differs from the number of columns, so that no cell can be trusted."""
        return len(cells) != len(self.columns)

    def problem(self, cells):
        """What is wrong with a row, after the words "row 7"; None if nothing is."""
        if self.is_ragged(cells):
            return f"has {len(cells):,} cells; the header has {len(self.columns):,}"
        return LONG_CELL if any(map(_is_long, cells)) else None

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
        more = f" and {len(self.columns) - SHOWN_NAMES:,} more" if len(self.columns) > SHOWN_NAMES else ""
        names = ", ".join(map(_cut, self.columns[:SHOWN_NAMES]))
        raise InputError(self.path, expected, f"the columns {names}{more}", advice)


class Table(Columns):
    """A delimited text file with a header line, plain or compressed with gzip (`.gz`). Cells are text, never numbers or NaN.

    >>> table = Table("films.csv")                                            # doctest: +SKIP
    >>> [(number, cells[table.find("id")]) for number, cells in table]        # doctest: +SKIP

    Args:
        path: a `pathlib.Path`, a `zipfile.Path` of a member, or a URL of fsspec.
        encoding: by default what the byte-order mark says, UTF-8 without one.
        delimiter: by default the most frequent in the header line of comma, tab, semicolon and bar.
        access: `access.Access`: how long to wait for a remote one.

    Raises:
        InputError: no header, a column name that occurs twice, too many columns, or (while iterating) a quote that is
            never closed, a row of more than `MAX_ROW` characters, bytes that are not in the encoding, a damaged gzip file.
    """

    def __init__(self, path, encoding=None, delimiter=None, access=NAMED_BY_USER):
        self.path, self._access = path, access
        self._encoding = encoding or self._sniff_encoding()
        with self._text() as file:
            header = next(self._lines(file, [0]), "").strip("\r\n")
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
                file = stack.enter_context(open_binary(self.path, self._access))
                yield stack.enter_context(gzip.open(file)) if str(self.path).lower().endswith(".gz") else file
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            found = str(error).partition(" (")[0]  # no bytes of the file
            raise InputError(self.path, "a whole gzip file", found, "It is damaged or cut short.") from None
        except (OSError, ImportError, ValueError, RuntimeError, zipfile.BadZipFile) as error:  # RuntimeError: encrypted
            if is_of_machine(error):
                raise
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

    def _lines(self, file, size):
        """The lines of a file, while those of one row, which `size[0]` counts, are not too many characters."""
        while line := file.readline(MAX_ROW + 1 - size[0]):
            size[0] += len(line)
            if size[0] > MAX_ROW:
                raise InputError(self.path, f"rows of at most {MAX_ROW:,} characters", "a longer one",
                                 "Is a quote never closed, or is it no table?")
            yield line

    def _rows(self):
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

    def __iter__(self):
        """Yields (number of the row, its cells); the first row after the header is 1. Blank lines are passed over.

        A row may have more or fewer cells than there are columns: `is_ragged` tells.
        """
        rows = self._rows()
        next(rows)
        yield from enumerate((cells for cells in rows if cells), start=1)

    def rows(self, indices, raw=None):
        """Yields (number, cells, problem) of each row.

        Args:
            indices: of the wanted columns.
            raw: index of a column whose cells may be bytes, in a `ParquetTable`; all others are text.

        `cells` is a tuple as of `indices`, with empty text for those that are missing or too long; `problem` is None or,
        after the words "row 7", why the row cannot be trusted.
        """
        for number, cells in self:
            found = (cells[index] if index < len(cells) else "" for index in indices)
            yield number, tuple("" if _is_long(cell) else cell for cell in found), self.problem(cells)


class ParquetTable(Columns):
    """A Parquet file, like a `Table`; needs the extra `parquet`. Nulls are empty text, numbers and dates become text.

    Only the wanted columns are read. Columns of text stay dictionaries, as many files have them: a few kilobytes of these
    may stand for gigabytes of cells.

    Args:
        path: a `pathlib.Path` or a URL of fsspec.
        access: as of `Table`.

    Raises:
        InputError: it is not a Parquet file, a column name occurs twice, or a cell that is wanted cannot be read.
    """

    def __init__(self, path, access=NAMED_BY_USER):
        self.path, self._access = path, access
        with self._file() as file:
            self.columns = file.schema_arrow.names
        self._check_columns()

    @contextlib.contextmanager
    def _file(self, **options):
        try:
            from pyarrow import ArrowException, parquet
        except ImportError:
            raise InputError(self.path, "the package pyarrow, to read Parquet", "none",
                             "Install it with: pip install 'movie-genres[parquet]'") from None
        try:
            with open_binary(self.path, self._access) as file:
                yield parquet.ParquetFile(file, **options)
        except Exception as error:  # a damaged file makes the package raise nearly anything
            # That memory does not suffice for what it asks for, `ArrowMemoryError`, may be a lie of the file.
            if isinstance(error, InputError) or (is_of_machine(error) and not isinstance(error, ArrowException)):
                raise
            found = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), "")[:200] or type(error).__name__
            raise InputError(self.path, "a Parquet file", found) from None

    def rows(self, indices, raw=None):
        """As `Table.rows`; the cells of a column of bytes stay bytes if it is the column `raw`."""
        names = list(dict.fromkeys(self.columns[index] for index in indices))
        with self._file() as file:
            texts = [name for name in names if self._is_text(file.schema_arrow.field(name))]
            block = self._rows_at_once(file.metadata)
        number = 0
        with self._file(read_dictionary=texts) as file:
            for batch in file.iter_batches(batch_size=block, columns=names, use_threads=False):
                columns = [batch.column(self.columns[index]) for index in indices]
                for row in range(batch.num_rows):
                    number += 1
                    cells = [self._cell(column, row, index, raw) for column, index in zip(columns, indices)]
                    problem = LONG_CELL if any(map(_is_long, cells)) else None
                    yield number, tuple("" if _is_long(cell) else cell for cell in cells), problem

    def _is_text(self, field):
        """Whether a column holds text or bytes; one that holds lists or structures is refused."""
        from pyarrow import types

        if types.is_nested(field.type):
            raise InputError(self.path, f"single values in the column {_cut(field.name)!r}", "lists or structures")
        return any(check(field.type) for check in (types.is_string, types.is_large_string,
                                                   types.is_binary, types.is_large_binary))

    def _rows_at_once(self, metadata):
        """How many rows fit into `BLOCK_BYTES`, going by what the file says of its row groups."""
        groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
        # Not by the columns that are read: the package ends the process where it is asked for damaged ones.
        most = max([1, *(group.total_byte_size // max(group.num_rows, 1) for group in groups)])
        if most > 4 * BLOCK_BYTES:
            raise InputError(self.path, f"rows of at most {4 * BLOCK_BYTES:,} bytes", f"{most:,} bytes a row")
        return min(BLOCK, max(1, BLOCK_BYTES // most))

    def _cell(self, column, row, index, raw):
        """A cell as text, or as bytes in the column `raw`."""
        try:
            cell = column[row]
            cell = cell.value if hasattr(cell, "dictionary") else cell  # of a column of dictionaries
            value = None if cell is None else cell.as_py()
            if isinstance(value, bytes) and index != raw:
                value = value[:4 * MAX_CELL + 4].decode("utf-8", "replace")  # Parquet files of some writers hold text so
        except (ValueError, OverflowError, NotImplementedError, ArithmeticError, ImportError) as error:
            raise InputError(self.path, f"values that can be read in the column {_cut(self.columns[index])!r}",
                             type(error).__name__) from None
        return "" if value is None else value if isinstance(value, (str, bytes)) else str(value)


LONG_CELL = f"has a cell of more than {MAX_CELL:,} characters"


def _is_long(cell):
    return isinstance(cell, str) and len(cell) > MAX_CELL


def _cut(name):
    return name if len(name) <= SHOWN_CHARACTERS else name[:SHOWN_CHARACTERS - 1] + "…"
