"""Small helpers around files."""

import contextlib
import hashlib
import os
from pathlib import Path


def file_digest(path):
    """SHA-256 of a file's bytes, as hexadecimal text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def replacing(path):
    """Gives a temporary path beside `path` to write to, and renames it to `path` when the block ends well.

    The content reaches the disk before the rename. If the block fails, an older file at `path` stays as it was.
    """
    path = Path(path)
    partial = path.with_name(f".partial-{path.name}")
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
