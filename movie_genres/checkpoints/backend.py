"""Imports TensorFlow without the lines that it prints on import whatever its log level."""

import os


def import_tensorflow(threads: int | None = None) -> None:
    """Imports TensorFlow with its own logging at errors only; stderr is closed to it meanwhile.

    What it says at import (which CPU features it uses, that there is no GPU) hides what a user should read. `threads` is how
    many an operation may use, by default as many as there are cores.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if threads:
        os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import keras  # noqa: F401  brings TensorFlow along
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
