"""Posters in zip and tar archives, read without unpacking them."""

import bz2
import contextlib
import functools
import gzip
import io
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from movie_genres.base.errors import InputError
from movie_genres.base.files import is_of_machine, open_regular
from movie_genres.data.access import is_special
from movie_genres.inputs.posters import SUFFIXES, PosterError, check_bytes, stamp_file
from movie_genres.scoring.poster_sources import FailedPoster, Listed, LoadedPoster, PosterSource

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MAX_HEADERS = 1_000_000  # bytes of the headers before one member of a tar archive; a hostile one may claim gigabytes
STEP = 1 << 16  # bytes of a compressed tar archive that are passed over at once
ZIP_MAGIC = (b"PK\3\4", b"PK\5\6")  # the second of an archive without members
Unfolded = IO[bytes] | io.BufferedIOBase
COMPRESSIONS: dict[bytes, tuple[str, Callable[[IO[bytes]], Unfolded]]] = {
    b"\x1f\x8b": ("a gzip file", lambda file: gzip.GzipFile(fileobj=file)),
    b"BZh": ("a bzip2 file", bz2.BZ2File), b"\xfd7zXZ\0": ("an xz file", lzma.LZMAFile)}


class ZipPoster(NamedTuple):
    """A member of a zip archive, which is told by its number: names may repeat."""

    name: str
    archive: str
    number: int
    checksum: str
    archive_stamp: str

    def read(self, max_bytes: int) -> bytes:
        try:
            archive = _open_zip(self.archive, self.archive_stamp)
            member = archive.infolist()[self.number]
            _check_kind(member)
            check_bytes(member.file_size, max_bytes)
            with archive.open(member) as file:
                data = file.read(max_bytes + 1)  # what the archive says of the size may be a lie
        except Exception as error:  # a damaged archive makes the module raise nearly anything
            raise _failure_in_archive(error) from None
        check_bytes(len(data), max_bytes)
        if len(data) != member.file_size:
            raise PosterError("corrupt", "cut short in the archive")
        return data

    def stamp(self) -> str:
        return self.checksum


def _check_kind(member: zipfile.ZipInfo) -> None:
    if is_special(member):
        raise PosterError("not_a_file", "a link or another special file in the archive")
    if member.flag_bits & 1:
        raise PosterError("unreadable", "encrypted")
    # The module unfolds bzip2 and LZMA without a limit: a few kilobytes of them can fill all memory.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise PosterError("unreadable", "compressed by a method other than deflate")


def _failure_in_archive(error: Exception) -> PosterError:
    """The `PosterError` for an error of reading a member; troubles of the machine are raised."""
    if isinstance(error, PosterError) or is_of_machine(error):
        raise error
    if isinstance(error, OSError) and error.errno is not None:
        return PosterError("unreadable", error.strerror or str(error))
    return PosterError("corrupt", f"damaged in the archive ({type(error).__name__})")


def _open_unchanged(path: str, stamp: str) -> IO[bytes]:
    file = open_regular(path)
    if stamp_file(file.fileno()) != stamp:
        file.close()
        raise PosterError("unreadable", "the archive has changed since it was listed")
    return file


@functools.lru_cache(maxsize=8)
def _open_zip(path: str, stamp: str) -> zipfile.ZipFile:
    # As the file is opened here, the module never closes it, not even when threads confuse its count of readers.
    return zipfile.ZipFile(_open_unchanged(path, stamp))


class TarPoster(NamedTuple):
    """A member of a tar archive that is not compressed: a stretch of the file."""

    name: str
    archive: str
    offset: int
    size: int
    archive_stamp: str

    def read(self, max_bytes: int) -> bytes:
        check_bytes(self.size, max_bytes)
        try:
            with _open_unchanged(self.archive, self.archive_stamp) as file:
                file.seek(self.offset)
                data = file.read(self.size)
        except OSError as error:
            raise _failure_in_archive(error) from None
        if len(data) != self.size:
            raise PosterError("corrupt", "cut short in the archive")
        return data

    def stamp(self) -> str:
        return f"{self.archive_stamp} {self.offset} {self.size}"


def id_of(name: str) -> str:
    """The id of a file: its path without extension."""
    return os.path.splitext(name)[0].replace(os.sep, "/")


def may_be_poster(name: str) -> bool:
    """Whether a file may be a poster: `.DS_Store` is none."""
    name = os.path.basename(name)
    return not name.startswith(".") or name.lower().endswith(SUFFIXES)


def is_tar(file: IO[bytes]) -> bool:
    """Whether an open file is a tar archive, compressed or not."""
    try:
        start = _unfolded(file).read(tarfile.BLOCKSIZE)
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        if is_of_machine(error):
            raise
        return isinstance(error, tarfile.HeaderError) and start[257:262] == b"ustar"
    return True


def _unfolded(file: IO[bytes]) -> Unfolded:
    """An open file from its start, decompressed if it is compressed."""
    file.seek(0)
    start = file.read(6)
    file.seek(0)
    return next((opener(file) for magic, (_, opener) in COMPRESSIONS.items() if start.startswith(magic)), file)


def in_zip(path: str) -> Listed:
    """Yields (id, poster) for each member of a zip archive but folders and hidden files that are no pictures.

    Raises `InputError` where the archive is damaged.
    """
    with _whole_archive(path):
        stamp = stamp_file(path)
        for number, member in enumerate(_open_zip(path, stamp).infolist()):
            if not member.is_dir() and may_be_poster(name := member.filename):
                yield id_of(name), ZipPoster(f"{path}/{name}", path, number, f"{member.CRC:x} {member.file_size}", stamp)


def in_tar(path: str, max_bytes: int) -> Listed:
    """Yields (id, poster) for each member of a tar archive but folders and hidden files that are no pictures.

    Posters of more than `max_bytes` in a compressed archive are not kept in memory. Raises `InputError` where it is damaged.
    """
    with _whole_archive(path), open_regular(path) as file:
        stamp = stamp_file(file.fileno())
        unfolded = _unfolded(file)
        stream = _Stream(unfolded)
        archive = tarfile.TarFile(fileobj=stream, encoding="utf-8")  # type: ignore[arg-type]  # it only reads
        while member := archive.next():
            archive.members.clear()  # type: ignore[attr-defined]  # flat in memory; the module's stub lacks it
            stream.header_bytes = 0
            if member.size < 0:
                raise tarfile.ReadError("a negative size")
            if member.isdir() or not may_be_poster(member.name):
                continue
            name = f"{path}/{member.name}"
            poster: PosterSource
            if not member.isfile():
                poster = FailedPoster(name, "not_a_file", "a link or another special file in the archive")
            elif member.issparse():
                poster = FailedPoster(name, "unreadable", "a sparse file in the archive")
            elif unfolded is file:
                poster = TarPoster(name, path, member.offset_data, member.size, stamp)
            else:
                data = stream.data(member.offset_data, member.size) if member.size <= max_bytes else b""
                poster = LoadedPoster(name, data, member.size)
            yield id_of(member.name), poster
        if stream.last != bytes(tarfile.BLOCKSIZE):  # the module takes a damaged header for the end
            raise tarfile.ReadError("no end mark after the last whole member")
        while rest := unfolded.read(STEP):  # of a compressed archive, to its checksum
            if rest.strip(b"\0"):  # a second archive, or members behind a folder that has content, would be lost
                raise tarfile.ReadError("more after its end mark")


class _Stream:
    """What `tarfile` reads of an archive: forwards only, and with a limit to its headers."""

    def __init__(self, file: Unfolded):
        self._file, self.tell = file, file.tell
        self.header_bytes = 0
        self.last = b""  # block read

    def seek(self, at: int) -> None:
        if at < self.tell():
            raise tarfile.ReadError("a member that lies before the one before it")
        self._file.seek(at)

    def read(self, count: int) -> bytes:
        self.header_bytes += count
        if count < 0 or self.header_bytes > MAX_HEADERS:
            raise tarfile.ReadError(f"headers of more than {MAX_HEADERS:,} bytes")
        self.last = self._file.read(count)
        return self.last

    def data(self, at: int, count: int) -> bytes:
        """The bytes of a member."""
        self.seek(at)
        data = self._file.read(count)
        if len(data) != count:
            raise tarfile.ReadError("unexpected end of data")
        return data


@contextlib.contextmanager
def _whole_archive(path: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a damaged archive makes the modules raise nearly anything
        if is_of_machine(error):
            raise
        known = isinstance(error, (tarfile.ReadError, zipfile.BadZipFile, EOFError, OSError))
        found = known and (getattr(error, "strerror", None) or str(error).partition(" (")[0])  # no bytes of it
        raise InputError(path, "a whole archive", found or type(error).__name__, "It is damaged or cut short.") from None
