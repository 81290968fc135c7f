"""Small helpers around files."""

import contextlib
import hashlib
import os
import uuid
from pathlib import Path

import filelock

from movie_genres.errors import LockedError


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
