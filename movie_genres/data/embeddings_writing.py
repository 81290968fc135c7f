"""Writes files of embeddings, Parquet or `.npz`, as `data.embeddings` reads them."""

import contextlib
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.errors import MissingPackageError, SettingError
from movie_genres.base.files import StrPath
from movie_genres.data.embeddings import LONGEST_ID, NPZ_SUFFIX
from movie_genres.data.parquet import PARQUET_SUFFIX

MOST_ID_BYTES = 4_000_000_000  # of a `.npz` file, whose ids all take as much as the longest one
IDS_AT_ONCE = 10_000
Blocks = Iterable[tuple[Sequence[str], NDArray[np.float32]]]  # ids, and vectors of shape (films, channels)


def can_hold(film: str) -> bool:
    """Whether files of embeddings can hold an id: of 1 to `LONGEST_ID` characters that are UTF-8, none of them NUL, which
    `.npz` loses at the end."""
    return 0 < len(film) <= LONGEST_ID and "\0" not in film and film == film.encode("utf-8", "ignore").decode()


def check_name(path: StrPath) -> None:
    """Refuses a file to be written whose suffix is that of no format, or of one that nothing here can write.

    Raises:
        SettingError: another suffix than `.parquet` or `.npz`.
        MissingPackageError: Parquet, without the package for it.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (PARQUET_SUFFIX, NPZ_SUFFIX):
        raise SettingError("out", f"a file that ends in {PARQUET_SUFFIX} or {NPZ_SUFFIX}", str(path))
    if suffix == PARQUET_SUFFIX:
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise MissingPackageError(f"{path}: Parquet", "pyarrow", "parquet") from None


def write_embeddings(path: Path, blocks: Blocks, channels: int, **about: str) -> None:
    """Writes ids and vectors, of shape (films, `channels`), to a file of the format that `check_name` allows; the same
    give the same bytes.

    It gets a row for each film, with `id`, `features` and a column for each of the texts `about`, which are the same in
    all rows; of `.npz`, these are arrays. Blocks are written as they come; ids are such as it `can_hold`.

    Raises `SettingError` where a few long ids would make an `.npz` file huge.
    """
    with open(path, "wb") as file:
        if path.suffix.lower() == PARQUET_SUFFIX:
            _write_parquet(file, blocks, channels, about)
        else:
            _write_npz(file, blocks, channels, about)


def _write_parquet(file: IO[bytes], blocks: Blocks, channels: int, about: Mapping[str, str]) -> None:
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema([("id", pyarrow.string()), ("features", pyarrow.list_(pyarrow.float32(), channels)),
                             *((name, pyarrow.string()) for name in about)])
    with parquet.ParquetWriter(file, schema, use_dictionary=list(about)) as writer:
        for ids, vectors in blocks:
            features = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors.ravel()), channels)
            writer.write_table(pyarrow.table([list(ids), features, *([text] * len(ids) for text in about.values())], schema))


def _write_npz(file: IO[bytes], blocks: Blocks, channels: int, about: Mapping[str, str]) -> None:
    with tempfile.TemporaryFile(prefix="movie-genres-") as spool, zipfile.ZipFile(file, "w") as archive:
        names: list[str] = []
        longest = 1
        for ids, vectors in blocks:
            names += ids
            longest = max(longest, *map(len, ids))
            if 4 * longest * len(names) > MOST_ID_BYTES:
                raise SettingError("out", f"a file that ends in {PARQUET_SUFFIX} for ids as long as these",
                                   f"{NPZ_SUFFIX}, with {longest:,} characters for each of {len(names):,} ids")
            spool.write(np.ascontiguousarray(vectors, np.float32).data)
        with _member(archive, "features") as member:
            np.lib.format.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False,
                                                          "shape": (len(names), channels)})
            spool.seek(0)
            while data := spool.read(1 << 20):
                member.write(data)
        with _member(archive, "id") as member:
            np.lib.format.write_array_header_1_0(member, {"descr": f"<U{longest}", "fortran_order": False,
                                                          "shape": (len(names),)})
            for first in range(0, len(names), IDS_AT_ONCE):
                member.write(np.array(names[first:first + IDS_AT_ONCE], f"<U{longest}").tobytes())
        for name, text in about.items():
            with _member(archive, name) as member:
                np.lib.format.write_array(member, np.array([text], np.str_), allow_pickle=False)


@contextlib.contextmanager
def _member(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    """An array in an archive, to be written; without a time, so that the same give the same bytes."""
    with archive.open(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), "w", force_zip64=True) as member:
        yield member
