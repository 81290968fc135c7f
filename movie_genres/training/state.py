"""Keeps the whole state of a training, so that one that was killed goes on as if nothing had happened."""

import contextlib
import hashlib
import io
import json
import logging
import shutil
import zipfile
from pathlib import Path

import numpy as np

from movie_genres.base.files import file_digest, locked, replacing

logger = logging.getLogger(__name__)

PACKAGE = Path(__file__).parents[1]


class TrainingState:
    """What a training has reached, in a folder outside the outputs that DVC deletes.

    Each epoch is written at once: the state names the best checkpoint so far by its digest, and that is written first.

    Args:
        folder: made where it is missing.
        key: digest of all that the training depends on; a state of another key is never used.
    """

    def __init__(self, folder, key):
        self.folder, self.key = Path(folder), key

    def load(self):
        """What `save` was given last.

        Returns:
            (rows, arrays), or None where there is nothing, or nothing of this training.
        """
        try:
            with np.load(self.folder / "state.npz", allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                arrays = [stored[f"array{number}"] for number in range(about["arrays"])]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # none; or damaged, but not by a kill
            return None
        best = self.best(about["rows"])
        if about["key"] != self.key or not best.exists() or file_digest(best) != about["best"]:
            return None
        return about["rows"], arrays

    def best(self, rows):
        """Path for the checkpoint of the best of some epochs, a list of dicts with `epoch` and `val_loss`."""
        return self.folder / f"best-{best_of(rows)['epoch']}.keras"

    def save(self, rows, arrays):
        """Keeps the state after an epoch; the best checkpoint is there already.

        Args:
            rows: list of dicts, one for each epoch.
            arrays: list of arrays: all variables of the model and the optimizer.
        """
        best, content = self.best(rows), io.BytesIO()
        about = json.dumps({"key": self.key, "rows": rows, "arrays": len(arrays), "best": file_digest(best)})
        np.savez(content, about=about, **{f"array{number}": array for number, array in enumerate(arrays)})
        with replacing(self.folder / "state.npz") as partial:
            partial.write_bytes(content.getvalue())
        for older in set(self.folder.glob("best-*.keras")) - {best}:
            older.unlink()


def best_of(rows):
    """The row with the lowest validation loss, the first of equal ones."""
    return min(rows, key=lambda row: row["val_loss"])


@contextlib.contextmanager
def held(folder):
    """Keeps other trainings from a state folder, and removes it when the block, which is the whole stage, ends well.

    Raises:
        LockedError: another process trains this model.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock", f"{folder}: another process is training this model. Wait for it, or stop it."):
        yield
        shutil.rmtree(folder)


def fingerprint(*parts):
    """A digest of all that a training depends on: this package's code, and what is given.

    Args:
        parts: texts, arrays, `posters.LazyPixels`, and iterables of these.
    """
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(file.read_bytes())
    for part in _flatten(parts):
        data = part.encode() if isinstance(part, str) else np.ascontiguousarray(part).data
        digest.update(str(getattr(part, "shape", len(data))).encode())
        digest.update(data)
    return digest.hexdigest()


def _flatten(parts):
    for part in parts:
        if isinstance(part, (str, np.ndarray, np.generic)):
            yield part
        else:
            yield from _flatten(part.stamps() if hasattr(part, "stamps") else part)
