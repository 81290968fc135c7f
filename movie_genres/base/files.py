"""Small helpers around files."""

import contextlib
import errno
import hashlib
import os
import stat
import uuid
from pathlib import Path

import filelock

from movie_genres.base.errors import InputError, LockedError


def file_digest(path):
    """SHA-256 of a file's bytes, as hexadecimal text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def replacing(path, folder=None):
    """Gives a temporary path to write to, and renames it to `path` when the block ends well.

    The content reaches the disk before the rename, and the rename before the block is left. If the block fails, an older
    file at `path` stays as it was.

    Args:
        path: the file to write.
        folder: where the temporary file stands, on the same file system, under a name of its own; by default beside `path`.
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


@contextlib.contextmanager
def locked(path, taken, timeout=0):
    """Holds a lock file while the block runs.

    Args:
        path: of the lock file.
        taken: what to say where another process has it.
        timeout: seconds to wait for it.

    Raises:
        LockedError: another process has it.
    """
    lock = filelock.FileLock(path, timeout=timeout)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise LockedError(taken) from None
    try:
        yield
    finally:
        lock.release()


def sync_folder(folder):
    """Makes renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

SMALL = 64_000_000  # bytes of a file that is read whole: settings, metadata
# Troubles of this machine, not of the file: whoever reads must stop rather than blame the file.
OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)


def is_of_machine(error):
    """Whether an error is a trouble of this machine rather than of what is read: that must not be blamed for it."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in OUT_OF_RESOURCES


def open_regular(path):
    """Opens a regular file of this machine for reading bytes; nothing else is opened, and opening never waits.

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


def read_capped(file, most):
    """Up to `most` + 1 bytes of an open regular file. Room is made for what it holds: `most` at a time would take longer."""
    size = os.fstat(file.fileno()).st_size
    data = file.read(min(size, most) + 1)
    return data + file.read(most - size) if size < len(data) <= most else data  # it is growing


def read_small(path, expected):
    """The bytes of a small regular file, such as settings.

    Raises:
        InputError: it cannot be read, or has more than `SMALL` bytes; `expected` says in words what should be there.
    """
    try:
        with open_regular(path) as file:
            data = read_capped(file, SMALL)
    except (OSError, ValueError) as error:
        if is_of_machine(error):
            raise
        raise InputError(path, expected, getattr(error, "strerror", None) or str(error)) from None
    if len(data) > SMALL:
        raise InputError(path, f"{expected}, of at most {SMALL:,} bytes", "more")
    return data


def is_below(path, root):
    """Whether a path is a folder or lies below it, when all links are followed."""
    try:
        path, root = os.path.realpath(path), os.path.realpath(root)
    except ValueError:  # a NUL: a path that no file can have
        return False
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)

