"""Reads files of embeddings, Parquet or `.npz` as NumPy writes it: in a bounded memory, but for the ids of films."""

import itertools
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.errors import InputError
from movie_genres.base.files import StrPath, file_digest, is_of_machine, open_regular, reason_of
from movie_genres.data.parquet import PARQUET_SUFFIX, ParquetTable
from movie_genres.data.tables import ID_COLUMNS, cut
from movie_genres.inputs.embeddings import Embeddings

NPZ_SUFFIX = ".npz"
IDS = (*ID_COLUMNS, "ids")  # what the ids of films are called
VECTORS = ("features", "embeddings", "embedding", "vectors", "vector")  # and their vectors, in one column or array
MOST_FILMS, MOST_CHANNELS = 20_000_000, 16_384
MOST_NUMBERS = 25_000_000_000  # of all films together: 100 GB of a temporary file
LONGEST_ID = 1000  # characters
LARGEST = float(np.finfo(np.float16).max)  # features are kept in half precision: see `models.answers`
BLOCK = 4_000_000  # numbers that are read at once, about
Block = tuple[Iterable[Any], NDArray[Any]]  # ids, text or whole numbers, and (rows, channels) of numbers


class EmbeddingsFile(NamedTuple):
    """A file of embeddings, to be read when it is needed. `digest`: SHA-256 of its bytes."""

    path: str
    digest: str

    def read(self) -> Embeddings:
        """As `read_embeddings`; `InputError` where it is no longer the file that was found."""
        found = read_embeddings(self.path)
        if file_digest(self.path) != self.digest:
            raise InputError(self.path, "the embeddings that were there at the start", "others", "Start again.")
        return found


def find_embeddings(files: Mapping[str, StrPath]) -> dict[str, EmbeddingsFile]:
    """The files of embeddings of some models, by their names; raises `InputError` where there is no such file."""
    found = {}
    for name, path in files.items():
        _check_there(path)
        found[name] = EmbeddingsFile(str(path), file_digest(path))
    return found


def _check_there(path: StrPath) -> None:
    try:
        open_regular(path).close()
    except (OSError, ValueError) as error:
        raise InputError(path, "a file of embeddings", reason_of(error)) from None


def read_embeddings(path: StrPath) -> Embeddings:
    """Reads a file of embeddings: ids of films, and a vector of each.

    - `.parquet`: a column of ids (one of `IDS`), and a column of lists of numbers (one of `VECTORS`) or a column of numbers
      for each channel, with a common name and their number at its end: `e0` to `e1279`;
    - `.npz`: an array of ids and one of shape (films, channels), of these names.

    Ids are text, or whole numbers, which become text. The vectors are copied to a temporary file that is mapped and goes
    with the process; of each film, its id stays in memory.

    Raises:
        InputError: the file cannot be read, holds something else, or more than the limits here; a row without an id or with
            that of another one; vectors of different lengths; numbers that are not finite, or too large for half precision.
        MissingPackageError: it is Parquet, and nothing can read it.
    """
    suffix, spool, ids = Path(path).suffix.lower(), tempfile.TemporaryFile(prefix="movie-genres-"), dict[str, int]()
    channels, blocks = _blocks_of(path, suffix)
    if not 0 < channels <= MOST_CHANNELS:
        raise _too_wide(path, channels)
    for names, vectors in blocks:
        first = len(ids)
        for row, name in enumerate(names, start=first + 1):
            ids[_new_id(path, row, name, ids)] = row - 1
        if len(ids) > MOST_FILMS or len(ids) * channels > MOST_NUMBERS:
            raise InputError(path, f"at most {MOST_FILMS:,} films and {MOST_NUMBERS:,} numbers", "more")
        spool.write(np.ascontiguousarray(_checked(path, first, vectors)).data)
    if not ids:
        raise InputError(path, "embeddings of at least one film", "none")
    spool.flush()
    return Embeddings(ids, np.memmap(spool, np.float32, "r", shape=(len(ids), channels)))


def _too_wide(path: StrPath, channels: int) -> InputError:
    return InputError(path, f"embeddings of 1 to {MOST_CHANNELS:,} numbers", f"{channels:,}")


def as_id(name: Any) -> Any:
    """The id of a film as text, where it is a whole number; anything else stays."""
    return str(name) if isinstance(name, (int, np.integer)) and not isinstance(name, bool) else name


def _new_id(path: StrPath, row: int, name: Any, known: Mapping[str, int]) -> str:
    name = as_id(name)
    if not isinstance(name, str) or not name:
        raise InputError(path, f"the id of a film, as text, in row {row:,}",
                         "none" if name is None or name == "" else type(name).__name__)
    if len(name) > LONGEST_ID:
        raise InputError(path, f"ids of at most {LONGEST_ID:,} characters", f"a longer one in row {row:,}")
    if name in known:
        raise InputError(path, "each film once", f"the id {cut(name)!r} in rows {known[name] + 1:,} and {row:,}")
    return name


def _checked(path: StrPath, first: int, vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Vectors as they are kept; `first` is the number of rows before them."""
    with np.errstate(over="ignore"):
        vectors = vectors.astype(np.float32)
    wrong = ~(np.abs(vectors) <= LARGEST)  # NaN too
    if wrong.any():
        row, channel = np.argwhere(wrong)[0].tolist()
        raise InputError(path, f"finite numbers from -{LARGEST:,.0f} to {LARGEST:,.0f}",
                         f"{vectors[row, channel]:g} in row {first + row + 1:,}, number {channel + 1:,} of its vector")
    return vectors


def _blocks_of(path: StrPath, suffix: str) -> tuple[int, Iterator[Block]]:
    """How many numbers a film has, and the rows of a file, some at once."""
    _check_there(path)
    if suffix == PARQUET_SUFFIX:
        blocks = _of_parquet(path)
    elif suffix == NPZ_SUFFIX:
        blocks = _of_npz(path)
    else:
        raise InputError(path, f"embeddings in a file that ends in {PARQUET_SUFFIX} or {NPZ_SUFFIX}", suffix or "no suffix")
    first = next(blocks, None)
    return (first[1].shape[1], itertools.chain([first], blocks)) if first else (1, blocks)


def _one_of(path: StrPath, names: Sequence[str], wanted: Sequence[str], what: str) -> str:
    """The name of the ids, or of the vectors, among those that a file has."""
    lower = {name.strip().lower(): name for name in reversed(names)}
    if found := [lower[name] for name in wanted if name in lower]:
        return found[0]
    raise InputError(path, f"{what}, under a name among {', '.join(wanted)}", ", ".join(map(cut, names[:20])) or "nothing")


def _of_parquet(path: StrPath) -> Iterator[Block]:
    table = ParquetTable(str(path))
    identity = _one_of(path, table.columns, IDS, "a column of ids")
    listed = {name.strip().lower() for name in table.columns} & set(VECTORS)
    columns = [_one_of(path, table.columns, VECTORS, "vectors")] if listed else _numbered(path, table.columns, identity)
    rows, channels = 0, None
    for batch in table.batches([identity, *columns], MOST_CHANNELS):
        if not batch.num_rows:
            continue
        arrays = [batch.column(name) for name in columns]
        found = _from_lists(path, rows, arrays[0], channels) if listed else np.column_stack(
            [_numbers(path, name, array) for name, array in zip(columns, arrays)])
        rows, channels = rows + batch.num_rows, found.shape[1]
        yield (name.as_py() for name in batch.column(identity)), found  # one by one: a few bytes can stand for long ones


def _numbered(path: StrPath, columns: Sequence[str], identity: str) -> list[str]:
    """The columns of a vector's numbers, such as `e0` to `e1279`, in their order."""
    by_name: dict[str, dict[int, str]] = {}
    for column in columns:
        if column != identity and (match := re.fullmatch(r"(.*?)(\d{1,6})", column)):
            by_name.setdefault(match[1], {})[int(match[2])] = column
    whole = [found for found in by_name.values() if len(found) > 1 and max(found) - min(found) == len(found) - 1
             and min(found) in (0, 1)]
    if len(whole) != 1:
        raise InputError(path, f"a column of vectors named {', '.join(VECTORS)}, or columns numbered from 0 on, such as e0 "
                         "to e1279", f"the columns {', '.join(map(cut, columns[:20]))}")
    return [whole[0][number] for number in sorted(whole[0])]


def _from_lists(path: StrPath, first: int, column: Any, channels: int | None) -> NDArray[Any]:
    """The vectors of a column of lists; each has as many numbers as those before it, `channels`, or as the first one."""
    from pyarrow import compute, types

    kinds = types.is_list, types.is_large_list, types.is_fixed_size_list
    if not any(kind(column.type) for kind in kinds):
        raise InputError(path, "lists of numbers as vectors", _kind(column))
    lengths = compute.list_value_length(column).fill_null(-1).to_numpy(zero_copy_only=False)
    expected = lengths[0] if channels is None else channels
    if expected < 1:
        raise _too_wide(path, 0)
    for row in np.flatnonzero(lengths != expected)[:1]:
        raise InputError(path, f"{expected:,} numbers in each vector",
                         f"{max(lengths[row], 0):,} in row {first + row + 1:,}")
    return _numbers(path, "vectors", column.flatten()).reshape(len(column), expected)


def _numbers(path: StrPath, name: str, values: Any) -> NDArray[Any]:
    """Numbers as Arrow has them, as an array; NaN where there is none."""
    from pyarrow import types

    if not (types.is_floating(values.type) or types.is_integer(values.type)):
        raise InputError(path, f"numbers in {cut(name)}", _kind(values))
    return values.to_numpy(zero_copy_only=False)


def _kind(values: Any) -> str:
    return str(values.type.value_type if hasattr(values, "dictionary") else values.type)


def _of_npz(path: StrPath) -> Iterator[Block]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            identity, vectors = (_one_of(path, names, *wanted) for wanted in ((IDS, "an array of ids"),
                                                                              (VECTORS, "an array of vectors")))
            with archive.open(f"{identity}.npy") as of_ids, archive.open(f"{vectors}.npy") as of_vectors:
                yield from _from_arrays(path, of_ids, of_vectors)
    except Exception as error:  # a damaged archive makes the modules raise nearly anything
        if isinstance(error, InputError) or is_of_machine(error):
            raise
        raise InputError(path, "arrays as NumPy writes them", cut(str(error)) or type(error).__name__) from None


def _from_arrays(path: StrPath, ids: IO[bytes], vectors: IO[bytes]) -> Iterator[Block]:
    id_shape, id_kind = _header(path, ids, "ids")
    shape, kind = _header(path, vectors, "vectors")
    if len(id_shape) != 1 or id_kind.kind not in "Uiu" or id_kind.itemsize > 4 * LONGEST_ID:
        raise InputError(path, f"ids as text of at most {LONGEST_ID:,} characters, or as whole numbers, of shape (films,)",
                         f"{id_kind} of shape {id_shape}")
    if len(shape) != 2 or kind.kind not in "fiu" or not shape[1] or shape[0] != id_shape[0]:
        raise InputError(path, f"a vector of numbers for each of {id_shape[0]:,} ids", f"{kind} of shape {shape}")
    if shape[1] > MOST_CHANNELS:
        raise _too_wide(path, shape[1])
    at_once = max(1, BLOCK // max(shape[1], id_kind.itemsize))
    for first in range(0, shape[0], at_once):
        rows = min(at_once, shape[0] - first)
        names, block = (np.frombuffer(_exactly(file, rows * size * each.itemsize), each)
                        for file, each, size in ((ids, id_kind, 1), (vectors, kind, shape[1])))
        yield names.tolist(), block.reshape(rows, shape[1])


def _header(path: StrPath, file: IO[bytes], what: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, kind = read(file)
    if by_columns and len(shape) > 1 and min(shape) > 1:
        raise InputError(path, f"{what} with one row after the other", "one column after the other")
    return shape, kind


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError("an array is cut short")
    return data
