"""The text on posters, such as titles and names, found by RapidOCR; needs the extra `ocr`."""

import json
import logging
import queue
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.errors import InputError, MissingPackageError
from movie_genres.base.files import is_of_machine

logger = logging.getLogger(__name__)

READER = "rapidocr-1"  # recorded in the models that read; raise it whenever a change below changes what is read
SIZE = (480, 320)  # (height, width) in pixels at which posters are read
TEXTS = "texts.json"  # the file with what was read
LEAST_SCORE = 0.6  # of a line: how sure the reader must be of it
_WORD = re.compile(r"[^\W\d_]{2}")


class PosterReader:
    """Reads posters. Several threads may use it at once: each takes an engine that no other uses.

    Raises:
        MissingPackageError: the package that reads is not installed.
    """

    def __init__(self) -> None:
        try:
            import cv2
            from rapidocr import RapidOCR
        except ImportError:
            raise MissingPackageError("Reading the text on posters", "rapidocr", "ocr") from None
        cv2.setNumThreads(1)  # whoever has many posters gives them to as many threads as there are cores
        self._new_engine = RapidOCR
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()

    def read(self, pixels: NDArray[np.uint8]) -> str:
        """The words on a poster, those in the largest letters first; empty where there are none, or the engine fails.

        `pixels` are RGB, of shape (*SIZE, 3), values 0 to 255.
        """
        try:
            engine = self._idle.get_nowait()
        except queue.Empty:
            engine = self._engine()
        try:
            lines = _lines(engine(np.ascontiguousarray(pixels[..., ::-1]), use_cls=False))
        except Exception as error:  # of geometry that the engine did not foresee: nobody's fault, and nothing to read
            if is_of_machine(error):
                raise
            logger.warning("the text on a poster could not be read: %s", type(error).__name__)
            return ""
        finally:
            self._idle.put(engine)
        return " ".join(text for _, text in sorted(lines, key=lambda line: -line[0]))

    def _engine(self) -> Any:
        return self._new_engine(params={
            "Global.log_level": "error", "Det.limit_type": "min", "Det.limit_side_len": min(SIZE),
            "EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1})


def _lines(found: Any) -> list[tuple[float, str]]:
    """The lines of text in what an engine has found: their height in pixels, and the text."""
    if getattr(found, "txts", None) is None:  # nothing at all, or places that may be text, and none that is
        return []
    return [(float(np.linalg.norm(box[3] - box[0])), text) for box, text, score in zip(found.boxes, found.txts, found.scores)
            if score >= LEAST_SCORE and _WORD.search(text)]


def load_texts(folder: Path, paths: Sequence[str]) -> list[str] | None:
    """Of what `data.poster_texts.write_texts` wrote, the text on the posters at some paths; None if no posters were read.

    It is empty for an empty path.

    Raises:
        InputError: a poster that was not there when posters were read.
    """
    texts = json.loads((folder / TEXTS).read_text(encoding="utf-8"))
    if texts is None:
        return None
    if missing := [path for path in paths if path and path not in texts]:
        raise InputError(folder / TEXTS, f"the text on {missing[0]}", "none", "Read the posters again.")
    return [texts[path] if path else "" for path in paths]
