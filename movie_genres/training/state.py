"""Keeps the whole state of a training, so that one that was killed goes on as if nothing had happened."""

import contextlib
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.files import file_digest, locked, replacing

PACKAGE = Path(__file__).parents[1]
ROOMS = "base", "inputs", "models", "checkpoints", "training"  # whose code decides a training, beside the network's own


class TrainingState:
    """What a training has reached, in a folder outside the outputs that DVC deletes.

    Each epoch is written at once: the state names the best checkpoint so far by its digest, and that is written first. The
    key is a digest of all that the training depends on; a state of another key is never used.
    """

    def __init__(self, folder: Path, key: str):
        self.folder, self.key = folder, key

    def load(self) -> tuple[list[dict[str, Any]], list[NDArray]]:
        """What `save` was given last; empty lists where there is nothing, or nothing of this training."""
        try:
            with np.load(self.folder / "state.npz", allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                arrays = [stored[f"array{number}"] for number in range(about["arrays"])]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # none; or damaged, but not by a kill
            return [], []
        best = self.best(about["rows"])
        if about["key"] != self.key or not best.exists() or file_digest(best) != about["best"]:
            return [], []
        return about["rows"], arrays

    def best(self, rows: list[dict[str, Any]]) -> Path:
        """Where the checkpoint of the best of some epochs is; their rows have `epoch` and `val_loss`."""
        return self.folder / f"best-{best_of(rows)['epoch']}.keras"

    def save(self, rows: list[dict[str, Any]], arrays: list[NDArray]) -> None:
        """Keeps the state after an epoch, all variables of model and optimizer; the best checkpoint is there already."""
        best, content = self.best(rows), io.BytesIO()
        about = json.dumps({"key": self.key, "rows": rows, "arrays": len(arrays), "best": file_digest(best)})
        named: dict[str, Any] = {f"array{number}": array for number, array in enumerate(arrays)}
        np.savez(content, about=about, **named)
        with replacing(self.folder / "state.npz") as partial:
            partial.write_bytes(content.getvalue())
        for older in set(self.folder.glob("best-*.keras")) - {best}:
            older.unlink()


def best_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row with the lowest validation loss, the first of equal ones."""
    return min(rows, key=lambda row: row["val_loss"])


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps other trainings from a state folder, and removes it when the block, which is the whole stage, ends well.

    Raises:
        LockedError: another process trains this model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock", f"{folder}: another process is training this model. Wait for it, or stop it."):
        yield
        shutil.rmtree(folder)


def code_files(network: str) -> list[Path]:
    """The files whose code decides the training of a network, given the name of its module."""
    files = [file for room in ROOMS for file in sorted((PACKAGE / room).rglob("*.py"))]
    return [*files, PACKAGE.joinpath(*network.split(".")[1:]).with_suffix(".py")]


def fingerprint(options: object, *parts: Any) -> str:
    """A digest of all that a training depends on: its code, found by the module of the options, and what is given.

    The parts are texts, arrays, what has `stamps`, and iterables of these.
    """
    digest = hashlib.sha256()
    for file in code_files(type(options).__module__):
        digest.update(file.read_bytes())
    for part in _flatten([repr(options), *parts]):
        data = part.encode() if isinstance(part, str) else np.ascontiguousarray(part).data
        digest.update(str(getattr(part, "shape", len(data))).encode())
        digest.update(data)
    return digest.hexdigest()


def _flatten(parts: Iterable) -> Iterator[Any]:
    for part in parts:
        if isinstance(part, (str, np.ndarray, np.generic)):
            yield part
        else:
            yield from _flatten(part.stamps() if hasattr(part, "stamps") else part)
