"""The text on posters, such as titles and names, found by RapidOCR; needs the extra `ocr`."""

import re
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.errors import MissingPackageError

READER = "rapidocr-1"  # recorded in the models that read; raise it whenever a change below changes what is read
SIZE = (480, 320)  # (height, width) in pixels at which posters are read
LEAST_SCORE = 0.6  # of a line: how sure the reader must be of it
_WORD = re.compile(r"[^\W\d_]{2}")


class PosterReader:
    """Reads posters. Several threads may use it at once: each has an engine of its own.

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
        self._new_engine, self._of_thread = RapidOCR, threading.local()

    def read(self, pixels: NDArray[np.uint8]) -> str:
        """The words on a poster, those in the largest letters first; empty where there are none.

        `pixels` are RGB, of shape (*SIZE, 3), values 0 to 255.
        """
        found = self._engine()(np.ascontiguousarray(pixels[..., ::-1]), use_cls=False)
        lines = [(np.linalg.norm(box[3] - box[0]), text) for box, text, score in zip(
            *(() if found.txts is None else each for each in (found.boxes, found.txts, found.scores)))
            if score >= LEAST_SCORE and _WORD.search(text)]
        return " ".join(text for _, text in sorted(lines, key=lambda line: -line[0]))

    def _engine(self) -> Any:
        if not hasattr(self._of_thread, "engine"):
            self._of_thread.engine = self._new_engine(params={
                "Global.log_level": "error", "Det.limit_type": "min", "Det.limit_side_len": min(SIZE),
                "EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1})
        return self._of_thread.engine
