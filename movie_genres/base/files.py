"""Files of this machine: opened within limits, written whole or not at all, locked.

`data.access` opens what a user names, also members of archives and URLs.
"""

import contextlib
import errno
import hashlib
import io
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import filelock

from movie_genres.base.errors import InputError, LockedError

StrPath = str | os.PathLike[str]

SMALL = 64_000_000  # bytes of a file that is read whole: settings, metadata
# Troubles of this machine, not of the file: whoever reads must stop rather than blame the file.
OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)


def is_of_machine(error: BaseException) -> bool:
    """Whether an error is a trouble of this machine rather than of what is read: that must not be blamed for it."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in OUT_OF_RESOURCES


def reason_of(error: Exception) -> str:
    """Why something cannot be read, in words. An error that is this machine's, and not that thing's, is raised again."""
    if is_of_machine(error):
        raise error
    return getattr(error, "strerror", None) or str(error)


def is_below(path: StrPath, root: StrPath) -> bool:
    """Whether a path is a folder or lies below it, when all links are followed."""
    try:
        path, root = os.path.realpath(path), os.path.realpath(root)
    except ValueError:  # a NUL: a path that no file can have
        return False
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def open_regular(path: StrPath) -> io.BufferedReader:
    """Opens a regular file of this machine for reading bytes; opening never waits.

    Raises:
        OSError: it cannot be opened, or is no regular file (`errno.ENOTSUP`).
        ValueError: a path that no file can have.
    """
    # O_NONBLOCK: opening a FIFO must not wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ENOTSUP, "not a regular file")
    return open(descriptor, "rb")


def read_capped(file: IO[bytes], most: int) -> bytes:
    """Up to `most` + 1 bytes of an open regular file. Room is made for what it holds: `most` at a time would take longer."""
    size = os.fstat(file.fileno()).st_size
    data = file.read(min(size, most) + 1)
    return data + file.read(most - size) if size < len(data) <= most else data  # it is growing


def read_small(path: StrPath, expected: str) -> bytes:
    """The bytes of a regular file, such as settings; `InputError` where it cannot be read or has more than `SMALL` of them.

    `expected` says in words what should be there.
    """
    try:
        with open_regular(path) as file:
            data = read_capped(file, SMALL)
    except (OSError, ValueError) as error:
        raise InputError(path, expected, reason_of(error)) from None
    if len(data) > SMALL:
        raise InputError(path, f"{expected}, of at most {SMALL:,} bytes", "more")
    return data


def file_digest(path: StrPath) -> str:
    """SHA-256 of a regular file's bytes, as hexadecimal text."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def replacing(path: StrPath, folder: StrPath | None = None) -> Iterator[Path]:
    """Gives a temporary path to write to, and renames it to `path`, safe from power cuts, when the block ends well.

    If the block fails, an older file at `path` stays as it was. The temporary file stands in `folder`, which is on the same
    file system, under a name of its own; by default beside `path`.
    """
    path = Path(path)
    unique = f"{uuid.uuid4().hex}-" if folder else ""
    partial = Path(folder or path.parent) / f".partial-{unique}{path.name}"
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
        sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def sync_folder(folder: StrPath) -> None:
    """Makes renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: StrPath, taken: str, timeout: float = 0) -> Iterator[None]:
    """Holds a lock file while the block runs; `LockedError(taken)` where another process has it for `timeout` seconds."""
    lock = filelock.FileLock(path, timeout=timeout)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise LockedError(taken) from None
    try:
        yield
    finally:
        lock.release()
