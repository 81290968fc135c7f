"""Finds the posters to score: in folders, globs, lists, archives, tables, behind URLs; a stream in a fixed order."""

import contextlib
import functools
import glob
import os
import re
import tarfile
import zipfile
import zlib
from typing import NamedTuple

from movie_genres.errors import InputError
from movie_genres.files import is_url, open_binary
from movie_genres.posters import SUFFIXES, PosterError, check_bytes, read_file, stamp_file
from movie_genres.tables import ID_COLUMNS, POSTER_COLUMNS, TABLE_SUFFIXES, as_text, open_table

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
WILDCARDS = re.compile(r"[*?\[]")


class LocalPoster(NamedTuple):
    """A file of this machine.

    All kinds of poster have `name`, which tells the user where it is; `read(max_bytes)`, which gives its bytes or raises
    `posters.PosterError`; and `stamp()`, text that changes when the poster does.
    """

    name: str

    def read(self, max_bytes):
        return read_file(self.name, max_bytes)

    def stamp(self):
        return stamp_file(self.name)


class RemotePoster(NamedTuple):
    """A file behind a URL of fsspec; `version` is what its store says of size and time."""

    name: str
    version: str = ""

    def read(self, max_bytes):
        try:
            with open_binary(self.name) as file:
                data = file.read(max_bytes + 1)
        except FileNotFoundError:
            raise PosterError("missing", "no such file") from None
        except Exception as error:  # every store has errors of its own
            raise PosterError("unreadable", str(error) or type(error).__name__) from None
        check_bytes(len(data), max_bytes)
        return data

    def stamp(self):
        return self.version


class ZipPoster(NamedTuple):
    """A member of a zip archive."""

    archive: str
    member: str
    checksum: str

    @property
    def name(self):
        return f"{self.archive}/{self.member}"

    def read(self, max_bytes):
        try:
            with _open_zip(self.archive).open(self.member) as file:
                data = file.read(max_bytes + 1)  # what the archive says of the size may be a lie
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise PosterError("corrupt", f"in the archive: {error}") from None
        except (OSError, KeyError, RuntimeError, NotImplementedError) as error:  # RuntimeError: encrypted
            raise PosterError("unreadable", str(error)) from None
        check_bytes(len(data), max_bytes)
        return data

    def stamp(self):
        return self.checksum


@functools.lru_cache(maxsize=8)
def _open_zip(path):
    return zipfile.ZipFile(path)


class TarPoster(NamedTuple):
    """A member of a tar archive that is not compressed: a stretch of the file."""

    name: str
    archive: str
    offset: int
    size: int
    modified: float

    def read(self, max_bytes):
        check_bytes(self.size, max_bytes)
        try:
            with open(self.archive, "rb") as file:
                file.seek(self.offset)
                return file.read(self.size)
        except OSError as error:
            raise PosterError("unreadable", error.strerror or str(error)) from None

    def stamp(self):
        return f"{self.size} {self.modified}"


class LoadedPoster(NamedTuple):
    """A poster whose bytes are here already, as they come in a stream; None where they are too many."""

    name: str
    data: bytes
    size: int

    def read(self, max_bytes):
        check_bytes(self.size, max_bytes)
        return self.data

    def stamp(self):
        return f"{self.size} {zlib.crc32(self.data)}"


def poster_at(path):
    """The poster at a path or URL."""
    return RemotePoster(path) if is_url(path) else LocalPoster(path)


class TableOptions(NamedTuple):
    """How to read tables; None: see `tables.Table` and `tables.Columns.find`."""

    id_column: str | None = None
    text_column: str | None = None
    poster_column: str | None = None
    encoding: str | None = None
    delimiter: str | None = None


def list_posters(where, max_bytes, options=TableOptions()):
    """Yields (id, poster) for each poster at a place, always in the same order; nothing is decoded.

    Args:
        where: text, one of
            - a folder, with its subfolders; links to folders are not followed; hidden files count only where their name
              says that they are pictures. The id is the path in the folder without extension, by name in each folder;
            - a glob, such as `posters/**/*.jpg`; ids as if the folder before the first wildcard had been given;
            - a zip or tar archive, compressed or not; like a folder, in the archive's order;
            - a table (`.csv`, `.tsv`, also with `.gz`, `.parquet`) with columns for id and poster: paths, URLs or, in
              Parquet, the bytes themselves;
            - an image file by its suffix; or any other file: a list of paths or URLs, one a line, whose ids are the paths
              without extension;
            - a URL of fsspec such as `s3://bucket/posters`: a folder or a glob.
        max_bytes: posters in compressed tar archives that are larger are not kept in memory.
        options: `TableOptions`.

    Raises:
        InputError: there is nothing there, or it cannot be read to its end.
    """
    lower = where.lower()
    if is_url(where):
        return _remote(where)
    if os.path.isdir(where):
        return _in_folder(where)
    if not os.path.exists(where):
        if WILDCARDS.search(where):
            return _matching(where)
        raise InputError(where, "a folder, a glob, an archive, a table or a list of posters", "nothing of that name")
    if lower.endswith(".zip"):
        return _in_zip(where)
    if lower.endswith(TAR_SUFFIXES):
        return _in_tar(where, max_bytes)
    if lower.endswith(TABLE_SUFFIXES):
        return _in_table(where, options)
    if lower.endswith(SUFFIXES):
        return iter([(_without_suffix(os.path.basename(where)), LocalPoster(where))])
    return _in_list(where)


def _without_suffix(name):
    return os.path.splitext(name)[0].replace(os.sep, "/")


def _counts(name):
    """Whether a file may be a poster: `.DS_Store` is none."""
    name = os.path.basename(name)
    return not name.startswith(".") or name.lower().endswith(SUFFIXES)


def _in_folder(folder, inside=""):
    try:
        with os.scandir(os.path.join(folder, inside)) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False), os.path.isdir(entry.path)) for entry in entries)
    except OSError as error:
        raise InputError(error.filename, "a readable folder", error.strerror,
                         "Change its permissions, or move it away.") from None
    for name, is_folder, leads_to_folder in found:
        path = os.path.join(inside, name)
        if is_folder:
            yield from _in_folder(folder, path)
        elif not leads_to_folder and _counts(name):
            yield _without_suffix(path), LocalPoster(os.path.join(folder, path))


def _matching(pattern):
    found = sorted(path for path in glob.iglob(pattern, recursive=True) if not os.path.isdir(path))
    if not found:
        raise InputError(pattern, "files that match", "none")
    base = os.path.dirname(pattern[:WILDCARDS.search(pattern).start()])
    return ((_without_suffix(os.path.relpath(path, base or os.curdir)), LocalPoster(path)) for path in found)


def _in_list(path):
    with open(path, "rb") as file:
        for line in file:
            if listed := os.fsdecode(line.rstrip(b"\r\n")):
                yield _without_suffix(listed), poster_at(listed)


def _in_table(path, options):
    table = open_table(path, options.encoding, options.delimiter)
    identity = table.find(options.id_column, ID_COLUMNS, "--id-column")
    poster = table.find(options.poster_column, POSTER_COLUMNS, "--poster-column")
    for number, cells in table:
        if table.is_ragged(cells):
            raise InputError(path, f"{len(table.columns)} cells in each row", f"{len(cells)} in row {number}",
                             "Mend the row: which poster it means cannot be told.")
        given, film_id = cells[poster], as_text(cells[identity])
        yield film_id, (LoadedPoster(film_id, given, len(given)) if isinstance(given, bytes) else poster_at(given))


def _in_zip(path):
    with _whole_archive(path):
        for member in _open_zip(path).infolist():
            if not member.is_dir() and _counts(member.filename):
                checksum = f"{member.CRC:x} {member.file_size}"
                yield _without_suffix(member.filename), ZipPoster(path, member.filename, checksum)


def _in_tar(path, max_bytes):
    with _whole_archive(path), contextlib.closing(tarfile.open(path, "r|*")) as archive:  # "|": a stream, flat in memory
        compressed = archive.fileobj.comptype != "tar"
        for member in archive:
            archive.members.clear()
            if member.isfile() and _counts(member.name):
                name = _without_suffix(member.name)
                where = f"{path}/{member.name}"
                if compressed:
                    data = archive.extractfile(member).read() if member.size <= max_bytes else b""
                    yield name, LoadedPoster(where, data, member.size)
                else:
                    yield name, TarPoster(where, path, member.offset_data, member.size, member.mtime)


@contextlib.contextmanager
def _whole_archive(path):
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, OSError) as error:
        found = str(error) or type(error).__name__
        raise InputError(path, "a whole archive", found, "It is damaged or cut short.") from None


def _remote(url):
    import fsspec

    try:
        store, path = fsspec.core.url_to_fs(url)
        found = store.glob(path, detail=True) if WILDCARDS.search(path) else store.find(path, detail=True)
    except Exception as error:  # every store has errors of its own, and a missing package is an ImportError
        raise InputError(url, "a folder, a file or a glob that can be listed", str(error) or type(error).__name__) from None
    base = os.path.dirname(path[:WILDCARDS.search(path).start()]) if WILDCARDS.search(path) else path
    for name, about in sorted(found.items()):
        if about["type"] == "file" and _counts(name):
            version = " ".join(str(about.get(key, "")) for key in ("size", "mtime", "LastModified", "ETag"))
            inside = name[len(base):].lstrip("/") or os.path.basename(name)
            yield _without_suffix(inside), RemotePoster(store.unstrip_protocol(name), version)
