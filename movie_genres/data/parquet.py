"""Opens tables of either kind, and reads those that are Parquet files."""

import contextlib
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any

from movie_genres.base.errors import InputError, MissingPackageError
from movie_genres.base.files import is_of_machine
from movie_genres.data.access import NAMED_BY_USER, TablePath, open_binary
from movie_genres.data.reading import Access, TableOptions
from movie_genres.data.tables import MAX_CELL, POSTER_COLUMNS, AnyTable, Rows, Table, cut

PARQUET_MAGIC, PARQUET_SUFFIX = b"PAR1", ".parquet"
TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", PARQUET_SUFFIX)
BLOCK = 1024  # rows read at once, at most
BLOCK_BYTES = 64_000_000  # read at once; rows may have four times as many on average
MAX_ENTRIES = 1_000  # of lists, on average over the rows of a group: a few bytes can stand for millions of them
IMAGE_FIELDS = {"bytes", "path"}  # of a structure that holds a picture, as Hugging Face's data sets have it


def open_table(path: TablePath, options: TableOptions = TableOptions(), access: Access = NAMED_BY_USER) -> AnyTable:
    """A `ParquetTable` for a file that ends in `.parquet`, a `Table` for all others; see there."""
    if str(path).lower().endswith(PARQUET_SUFFIX):
        return ParquetTable(path, access)
    return Table(path, options.encoding, options.delimiter, access)


class ParquetTable(AnyTable):
    """A Parquet file, like a `Table`; needs the extra `parquet`. Nulls are empty text, numbers and dates become text.

    Columns of text stay dictionaries, as many files have them: a few kilobytes of these may stand for gigabytes of cells.

    Raises:
        InputError: it is not a Parquet file, a column name occurs twice, or a cell that is wanted cannot be read.
        MissingPackageError: the package that reads such files is not there.
    """

    def __init__(self, path: TablePath, access: Access = NAMED_BY_USER):
        self.path, self._access = path, access
        self._copy: IO[bytes] | None = None
        with self._file() as file:
            schema = file.schema_arrow
        self.columns = schema.names
        self._check_columns()
        self.images = tuple(index for index, field in enumerate(schema) if _holds_images(field))
        self._single = [index for index, field in enumerate(schema) if _is_single(field)]
        self._labels = _names_of_labels(schema.metadata or {})

    def single(self) -> list[int]:
        return self._single

    def _open(self) -> IO[bytes]:
        """The file's bytes, any of which can be gone to: of a member of an archive, a copy that goes with this object."""
        if not isinstance(self.path, zipfile.Path):
            return open_binary(self.path, self._access)
        if self._copy is None:
            with contextlib.ExitStack() as undo:
                copy = undo.enter_context(tempfile.NamedTemporaryFile(prefix="movie-genres-"))
                with open_binary(self.path, self._access) as member:
                    shutil.copyfileobj(member, copy)
                copy.flush()
                undo.pop_all()
            self._copy = copy
        return open(self._copy.name, "rb")

    @contextlib.contextmanager
    def _file(self, **options: Any) -> Iterator[Any]:
        try:
            from pyarrow import ArrowException, parquet
        except ImportError:
            raise MissingPackageError(f"{self.path}: Parquet", "pyarrow", "parquet") from None
        try:
            with self._open() as file:
                yield parquet.ParquetFile(file, **options)
        except Exception as error:  # a damaged file makes the package raise nearly anything
            # That memory does not suffice for what it asks for, `ArrowMemoryError`, may be a lie of the file.
            if isinstance(error, InputError) or (is_of_machine(error) and not isinstance(error, ArrowException)):
                raise
            found = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), "")[:200] or type(error).__name__
            raise InputError(self.path, "a Parquet file", found) from None

    def _read(self, indices: Sequence[int], raw: int | None) -> Iterator[tuple[int, list[Any], list[Any]]]:
        for number, values in self._values(indices, self._is_text):
            cells = [_as_cell(value, index == raw) for value, index in zip(values, indices)]
            yield number, cells, cells

    def records(self, indices: Sequence[int], notes: list[str]) -> Iterator[tuple[int, list[Any]]]:
        """See `Rows.records`; labels that the file has as numbers, and tells the names of, are these names."""
        self._longest_lists([self.columns[index] for index in indices], MAX_ENTRIES)
        for number, values in self._values(indices, self._is_text_or_nested):
            yield number, [_named(value, self._labels.get(self.columns[index], ())) for value, index in zip(values, indices)]

    def _values(self, indices: Sequence[int], is_text: Callable[[Any], bool]) -> Iterator[tuple[int, list[Any]]]:
        """Yields (number, from 1; values of the columns `indices`); columns that are text stay dictionaries."""
        names = list(dict.fromkeys(self.columns[index] for index in indices))
        with self._file() as file:
            texts = [name for name in names if is_text(file.schema_arrow.field(name))]
            block = self._rows_at_once(file.metadata)
        number = 0
        with self._file(read_dictionary=texts) as file:
            for batch in file.iter_batches(batch_size=block, columns=names, use_threads=False):
                columns = [batch.column(self.columns[index]) for index in indices]
                for row in range(batch.num_rows):
                    number += 1
                    yield number, [self._value(column, row, index) for column, index in zip(columns, indices)]

    def _is_text_or_nested(self, field: Any) -> bool:
        """As `_is_text`; one that holds lists or structures is none, and is not refused."""
        from pyarrow import types

        return not types.is_nested(field.type) and self._is_text(field)

    def _longest_lists(self, names: Sequence[str], most: int) -> float:
        """How many entries a row's lists in some columns have, on average over the rows of a group, the most of all groups;
        refuses more than `most`."""
        with self._file() as file:
            metadata, schema = file.metadata, file.schema
        paths = [schema.column(leaf).path.split(".") for leaf in range(len(schema))]
        lists = [leaf for leaf, (name, *below) in enumerate(paths) if below and name in names]
        groups = map(metadata.row_group, range(metadata.num_row_groups))
        entries, name = max(((group.column(leaf).num_values / max(group.num_rows, 1), paths[leaf][0])
                             for group in groups for leaf in lists), default=(0.0, ""))
        if entries > most:
            raise InputError(self.path, f"lists of at most {most:,} entries, on average, in the column {cut(name)!r}",
                             f"{entries:,.0f} a row")
        return entries

    def batches(self, names: Sequence[str], most: int) -> Iterator[Any]:
        """Yields the rows of some columns, some at once, as Arrow has them, text as dictionaries; lists too, of at most so
        many on average."""
        numbers = len(names) + self._longest_lists(names, most)  # of a row: its bytes in the file tell little of them
        with self._file() as file:
            texts = [name for name in names if self._is_text_or_nested(file.schema_arrow.field(name))]
            rows = min(self._rows_at_once(file.metadata), max(1, int(BLOCK_BYTES / 8 / numbers)))
        with self._file(read_dictionary=texts) as file:
            yield from file.iter_batches(rows, columns=list(names), use_threads=False)

    def _is_text(self, field: Any) -> bool:
        """Whether a column holds text or bytes; one that holds lists or structures is refused."""
        from pyarrow import types

        if types.is_nested(field.type):
            raise InputError(self.path, f"single values in the column {cut(field.name)!r}", "lists or structures")
        checks = types.is_string, types.is_large_string, types.is_binary, types.is_large_binary
        return any(check(field.type) for check in checks)

    def _rows_at_once(self, metadata: Any) -> int:
        """How many rows fit into `BLOCK_BYTES`, going by what the file says of its row groups."""
        groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
        # Not by the columns that are read: the package ends the process where it is asked for damaged ones.
        most = max([1, *(group.total_byte_size // max(group.num_rows, 1) for group in groups)])
        if most > 4 * BLOCK_BYTES:
            raise InputError(self.path, f"rows of at most {4 * BLOCK_BYTES:,} bytes", f"{most:,} bytes a row")
        return min(BLOCK, max(1, BLOCK_BYTES // most))

    def _value(self, column: Any, row: int, index: int) -> Any:
        try:
            value = column[row]
            value = value.value if hasattr(value, "dictionary") else value  # of a column of dictionaries
            return None if value is None else value.as_py()
        except (ValueError, OverflowError, NotImplementedError, ArithmeticError, ImportError) as error:
            raise InputError(self.path, f"values that can be read in the column {cut(self.columns[index])!r}",
                             type(error).__name__) from None


def _as_cell(value: Any, raw: bool) -> str | bytes:
    """A value as text; bytes stay bytes where they are wanted `raw`."""
    if isinstance(value, bytes) and not raw:
        return value[:4 * MAX_CELL + 4].decode("utf-8", "replace")  # Parquet files of some writers hold text so
    return "" if value is None else value if isinstance(value, (str, bytes)) else str(value)


def _holds_images(field: Any) -> bool:
    """Whether a column holds pictures: bytes under the name of a picture, or the structure that Hugging Face uses."""
    from pyarrow import types

    if types.is_struct(field.type):
        return IMAGE_FIELDS <= {part.name for part in field.type}
    return (types.is_binary(field.type) or types.is_large_binary(field.type)) and field.name.lower() in POSTER_COLUMNS


def _is_single(field: Any) -> bool:
    from pyarrow import types

    checks = types.is_nested, types.is_binary, types.is_large_binary, types.is_fixed_size_binary
    return not any(check(field.type) for check in checks)


def _names_of_labels(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """By column, the names that stand for its numbers 0, 1, …, where the `datasets` of Hugging Face noted them."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"].items()
        inner = {name: feature.get("feature", feature) for name, feature in features}  # of a list, that of its entries
        return {name: list(map(str, feature["names"])) for name, feature in inner.items() if "names" in feature}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):  # another form: its numbers stay numbers
        return {}


def _named(value: Any, names: Sequence[str]) -> Any:
    if names and isinstance(value, list):
        return [_named(entry, names) for entry in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else value


class Shards(Rows):
    """Parquet files with the same columns, in any order, as one table: its rows in the order of the files' names."""

    def __init__(self, tables: Sequence[ParquetTable]):
        self._tables = tables
        self.path, self.columns, self.images = tables[0].path, tables[0].columns, tables[0].images

    def single(self) -> list[int]:
        names = [{table.columns[index] for index in table.single()} for table in self._tables]
        return [index for index, name in enumerate(self.columns) if all(name in some for some in names)]

    def records(self, indices: Sequence[int], notes: list[str]) -> Iterator[tuple[int, list[Any]]]:
        number, names = 0, [self.columns[index] for index in indices]
        for table in self._tables:
            for _, cells in table.records([table.columns.index(name) for name in names], notes):
                number += 1
                yield number, cells
        notes += _missing_shards([table.path.name for table in self._tables])


def _missing_shards(names: Sequence[str]) -> list[str]:
    """Sentences on files such as `train-00001-of-00003.parquet` of which some are not there."""
    found: dict[tuple[str, int], set[int]] = {}
    for name in names:
        if match := re.fullmatch(r"(.*)-(\d{1,9})-of-(\d{1,9})\.parquet", name, re.IGNORECASE):
            found.setdefault((match[1], int(match[3])), set()).add(int(match[2]))
    return [f"{stem}: only {len(there):,} of {count:,} files are there" for (stem, count), there in found.items()
            if len(there) < count]
