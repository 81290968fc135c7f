"""How scored films are written: as CSV, JSON Lines or Parquet, whole or in parts."""

import contextlib
import csv
import functools
import gzip
import io
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.errors import InputError, SettingError, one_line
from movie_genres.base.names import escape_name, spreadsheet_safe
from movie_genres.ensemble.film_counts import OK as OK  # of the rows that are read here
from movie_genres.scoring.request import RowOptions
from movie_genres.scoring.row_lines import check_columns, filled, record_of

FORMATS = ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet")  # also the suffixes of their files
EXPECTED = "expected_precision"
ON_REQUEST = ("file", EXPECTED, "model")  # columns that a row has only where they are asked for

Cell = str | float | list[str] | None
Cells = Sequence[Cell]  # of a row


class Row(NamedTuple):
    """One scored film.

    Attributes:
        source: what the probabilities come from: `poster`, `overview` or `both`; for a failed film, what was given.
        status: `ok` or a short error kind, of which `error` says more.
        file: the poster's path, empty if there is none.
        probabilities: of shape (genres,), or None if nothing could be scored.
        named: how many genres the film is said to have, the most probable ones.
        facts: of shape (measures,), NaN where not known; see `film_counts.MEASURES`. None: none is.
    """

    id: str
    source: str
    status: str
    error: str = ""
    file: str = ""
    probabilities: NDArray[np.floating] | None = None
    named: int = 0
    facts: NDArray[np.floating] | None = None


@dataclass(frozen=True)
class RowFormat(RowOptions):
    """What is written of each film. `genres`: in the order of the probabilities; `format`: one of `FORMATS`; `model`: name
    and version of the models."""

    genres: tuple[str, ...]
    format: str = "csv"
    model: str = ""

    @functools.cached_property
    def shown(self) -> tuple[str, ...]:
        return self.columns or tuple(name for name in all_columns(self.genres) if name not in ON_REQUEST)

    @functools.cached_property
    def _probability_columns(self) -> list[str]:
        return [f"p_{genre}" for genre in self.genres]

    def ranked(self, row: Row) -> tuple[list[int], list[float]]:
        """The numbers of the genres, the most probable first, and by number their probabilities; empty where nothing could
        be scored."""
        if row.probabilities is None:
            return [], []
        probabilities = row.probabilities.tolist()  # a list: NumPy is slow with a handful of numbers
        return sorted(range(len(probabilities)), key=probabilities.__getitem__, reverse=True), probabilities

    def cells(self, row: Row) -> Cells:
        """The values of a row, in the order of `shown`."""
        values: dict[str, Cell] = {"id": escape_name(row.id), "source": row.source, "status": row.status,
                                   "error": one_line(row.error), "file": escape_name(row.file), "model": self.model}
        if row.probabilities is not None:
            order, probabilities = self.ranked(row)
            values["genres"] = [self.genres[index] for index in order[:row.named]]
            values[EXPECTED] = expected_precision(row, order)
            values["top"] = [f"{self.genres[index]}:{probabilities[index]:.3f}" for index in order[:self.top]]
            values.update(zip(self._probability_columns, [round(probability, 4) for probability in probabilities]))
        return list(map(values.get, self.shown))


def expected_precision(row: Row, order: Sequence[int]) -> float | None:
    """The share of a film's named genres that is right if probabilities are, with 4 decimals: their mean; None without any.

    `order` is that of `RowFormat.ranked`.
    """
    if row.probabilities is None or not row.named:
        return None
    return round(sum(row.probabilities[index] for index in order[:row.named]).item() / row.named, 4)


def all_columns(genres: Sequence[str]) -> tuple[str, ...]:
    """All columns that can be written.

    `id`, `source`, `status`, `error`, `genres` (the named ones, most probable first), `top` (such as `Drama:0.712`),
    `p_<Genre>` for each genre, with 4 decimals; and on request `file` (the poster's path), `expected_precision` and `model`.
    """
    return ("id", "source", "status", "error", "genres", "top", *(f"p_{genre}" for genre in genres), *ON_REQUEST)


def format_of(path: str, given: str | None = None) -> str:
    """The format that is given, else the one that a name asks for by its suffix.

    Raises `SettingError` where there is no such format, `InputError` where the suffix says nothing.
    """
    if given:
        if given not in FORMATS:
            raise SettingError("format", f"one of {', '.join(FORMATS)}", given)
        return given
    for format in FORMATS:
        if path.lower().endswith(f".{format}"):
            return format
    suffixes = ", ".join(f".{format}" for format in FORMATS)
    raise InputError(path, f"a format told by a suffix among {suffixes}", "none", setting="format")


def write_part(rows: Iterable[Cells], path: Path, layout: RowFormat) -> None:
    """Writes rows to a file that is complete in itself; the same rows give the same bytes."""
    if layout.format == "parquet":
        _write_tables([_arrow_table(rows, layout)], path, layout)
        return
    as_text = _csv_line if layout.format.startswith("csv") else _json_line
    with _create(path, layout) as file:
        file.write(_header(layout))
        for cells in rows:
            file.write(as_text(cells, layout).encode())


def merge_parts(parts: Iterable[Path], path: Path, layout: RowFormat) -> None:
    """Joins files by `write_part`, in order, to one; of no parts comes a file without rows."""
    if layout.format == "parquet":
        from pyarrow import parquet

        _write_tables(map(parquet.read_table, parts), path, layout)
        return
    with _create(path, layout) as file:
        file.write(_header(layout))
        for part in parts:
            with _open(part, layout) as source:
                source.read(len(_header(layout)))
                shutil.copyfileobj(source, file, 1 << 20)


def read_rows(paths: Iterable[Path], layout: RowFormat) -> Iterator[tuple[Any, ...]]:
    """Yields the cells of each row of some files by `write_part` or `merge_parts`, in the order of `layout.shown`.

    Blank lines at the end of a file are no rows. Raises `InputError` where a file has other columns, a row is blank, has
    other cells than columns or is no row at all, or the file cannot be read.
    """
    for path in paths:
        try:
            yield from _read(path, layout)
        except (OSError, EOFError, ValueError, csv.Error) as error:
            raise InputError(path, f"{layout.format} as it was written", str(error)) from None


def layout_of(path: Path, format: str) -> RowFormat:
    """The layout of a file by `write_part` or `merge_parts`: its columns, and the genres that these name.

    Raises `InputError` where the file cannot be read; of JSON Lines without a row the columns are not known, and none.
    """
    layout = RowFormat(genres=(), format=format)
    try:
        if format == "parquet":
            from pyarrow import parquet

            columns = parquet.read_schema(path).names
        else:
            with _open(path, layout) as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
                columns = next(csv.reader(text, strict=True), []) if format.startswith("csv") else list(
                    record_of(path, 1, text.readline() or "{}"))
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise InputError(path, f"{format} as it was written", str(error)) from None
    return RowFormat(genres=tuple(name[2:] for name in columns if name.startswith("p_")), format=format,
                     columns=tuple(columns))


def _read(path: Path, layout: RowFormat) -> Iterator[tuple[Any, ...]]:
    if layout.format == "parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            check_columns(path, file.schema_arrow.names, layout.shown)
            for batch in file.iter_batches(batch_size=1024):
                yield from zip(*(column.to_pylist() for column in batch.columns))
        return
    with _open(path, layout) as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
        if layout.format.startswith("csv"):
            reader = csv.reader(text, strict=True)
            check_columns(path, next(reader, []), layout.shown)
            for number, cells in filled(path, reader):
                if len(cells) != len(layout.shown):
                    raise InputError(path, f"{len(layout.shown)} cells in each row", f"{len(cells)} in row {number}")
                yield tuple(cells)
        else:
            for number, line in filled(path, map(str.strip, text)):
                record = record_of(path, number, line)
                check_columns(path, list(record), layout.shown)
                yield tuple(record.values())


def _open(path: Path, layout: RowFormat) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path, "rb") if layout.format.endswith(".gz") else open(path, "rb")


@contextlib.contextmanager
def _create(path: Path, layout: RowFormat) -> Iterator[io.BufferedIOBase]:
    with open(path, "wb") as file:
        if layout.format.endswith(".gz"):  # without time and name, so that the same rows give the same bytes
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as compressed:
                yield compressed
        else:
            yield file


def _header(layout: RowFormat) -> bytes:
    return _csv_line(layout.shown, layout).encode() if layout.format.startswith("csv") else b""


def _csv_line(cells: Cells, layout: RowFormat) -> str:
    line = io.StringIO()
    # Told to end lines with both characters, the writer also quotes cells that hold one of them.
    csv.writer(line, lineterminator="\r\n").writerow(
        [f"{value:.4f}" if isinstance(value, float) else _csv_cell(value, layout.excel_safe) for value in cells])
    return line.getvalue()[:-2] + "\n"


def _csv_cell(value: str | list[str] | None, excel_safe: bool) -> str | None:
    if isinstance(value, list):
        return "|".join(value)
    return spreadsheet_safe(value) if excel_safe and value else value


def _json_line(cells: Cells, layout: RowFormat) -> str:
    return json.dumps(dict(zip(layout.shown, cells)), ensure_ascii=False) + "\n"


def _arrow_table(rows: Iterable[Cells], layout: RowFormat) -> Any:
    import pyarrow

    return pyarrow.table(list(zip(*rows)) or [()] * len(layout.shown), schema=_schema(layout))


def _schema(layout: RowFormat) -> Any:
    import pyarrow

    kinds = {"genres": pyarrow.list_(pyarrow.string()), "top": pyarrow.list_(pyarrow.string()),
             EXPECTED: pyarrow.float64(), **{f"p_{genre}": pyarrow.float64() for genre in layout.genres}}
    return pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in layout.shown])


def _write_tables(tables: Iterable[Any], path: Path, layout: RowFormat) -> None:
    from pyarrow import parquet

    with open(path, "wb") as file, parquet.ParquetWriter(file, _schema(layout)) as writer:
        for table in tables:
            writer.write_table(table)
