"""Opens tables of either kind, and reads those that are Parquet files."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from movie_genres.base.errors import InputError, MissingPackageError
from movie_genres.base.files import is_of_machine
from movie_genres.data.access import NAMED_BY_USER, TablePath, open_binary
from movie_genres.data.reading import Access, TableOptions
from movie_genres.data.tables import MAX_CELL, AnyTable, Table, cut

PARQUET_MAGIC, PARQUET_SUFFIX = b"PAR1", ".parquet"
TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", PARQUET_SUFFIX)
BLOCK = 1024  # rows read at once, at most
BLOCK_BYTES = 64_000_000  # read at once; rows may have four times as many on average


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
        with self._file() as file:
            self.columns = file.schema_arrow.names
        self._check_columns()

    @contextlib.contextmanager
    def _file(self, **options: Any) -> Iterator[Any]:
        try:
            from pyarrow import ArrowException, parquet
        except ImportError:
            raise MissingPackageError(f"{self.path}: Parquet", "pyarrow", "parquet") from None
        try:
            with open_binary(self.path, self._access) as file:
                yield parquet.ParquetFile(file, **options)
        except Exception as error:  # a damaged file makes the package raise nearly anything
            # That memory does not suffice for what it asks for, `ArrowMemoryError`, may be a lie of the file.
            if isinstance(error, InputError) or (is_of_machine(error) and not isinstance(error, ArrowException)):
                raise
            found = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), "")[:200] or type(error).__name__
            raise InputError(self.path, "a Parquet file", found) from None

    def _read(self, indices: Sequence[int], raw: int | None) -> Iterator[tuple[int, list[Any], list[Any]]]:
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
                    yield number, cells, cells

    def batches(self, names: Sequence[str]) -> Iterator[Any]:
        """Yields the rows of some columns, some at once, as Arrow has them: lists of numbers too."""
        with self._file() as file:
            yield from file.iter_batches(self._rows_at_once(file.metadata), columns=list(names), use_threads=False)

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

    def _cell(self, column: Any, row: int, index: int, raw: int | None) -> str | bytes:
        """A cell as text, or as bytes in the column `raw`."""
        try:
            cell = column[row]
            cell = cell.value if hasattr(cell, "dictionary") else cell  # of a column of dictionaries
            value = None if cell is None else cell.as_py()
            if isinstance(value, bytes) and index != raw:
                value = value[:4 * MAX_CELL + 4].decode("utf-8", "replace")  # Parquet files of some writers hold text so
        except (ValueError, OverflowError, NotImplementedError, ArithmeticError, ImportError) as error:
            raise InputError(self.path, f"values that can be read in the column {cut(self.columns[index])!r}",
                             type(error).__name__) from None
        return "" if value is None else value if isinstance(value, (str, bytes)) else str(value)
