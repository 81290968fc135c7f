"""From the prepared films to the arrays that training maps from disk."""

import json
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.base.options import STRICT
from movie_genres.base.progress import track
from movie_genres.inputs.posters import DECODER, PosterError, read_poster

logger = logging.getLogger(__name__)


Side = Annotated[int, Field(ge=16)]  # pixels; the networks halve it four times


@dataclass(config=STRICT, frozen=True, kw_only=True)
class VectorizeOptions:
    """The `vectorize` section of `params.yaml`.

    Attributes:
        image_size: (height, width) of the decoded posters in pixels.
        max_tokens: size of the vocabulary, with the two reserved ids for padding and unknown words.
        max_length: overviews are cut after this many words.
    """

    image_size: tuple[Side, Side]
    max_tokens: int = Field(ge=3)
    max_length: int = Field(ge=1)


def write_posters(paths, out, image_size, workers=None):
    """Decodes posters into `out`: `pixels.npy`, `present.npy` and `report.json`.

    Args:
        paths: list of poster files, in the order of the films, empty text for a film without one.
        out: folder.
        image_size: (height, width) in pixels.
        workers: number of decoding threads; by default as many as there are cores, and a few more.

    Returns:
        dict from path to the reason for each poster that could not be decoded.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    pixels = np.lib.format.open_memmap(out / "pixels.npy", "w+", np.uint8, (len(paths), *image_size, 3))
    present = np.zeros(len(paths), dtype=bool)
    unreadable = {}

    def decode(index):
        if paths[index]:
            try:
                pixels[index] = read_poster(paths[index], image_size)
                present[index] = True
            except PosterError as error:
                unreadable[paths[index]] = f"{error.kind}: {error}"

    with ThreadPoolExecutor(workers) as pool:
        for _ in track(pool.map(decode, range(len(paths))), len(paths), "Decoding posters"):
            pass
    pixels.flush()
    np.save(out / "present.npy", present)
    unreadable = dict(sorted(unreadable.items()))
    for path, reason in list(unreadable.items())[:20]:
        logger.warning("%s is left out: %s", path, reason)
    if unreadable:
        kinds = Counter(reason.split(":")[0] for reason in unreadable.values())
        logger.warning("%d of %d posters are unreadable (%s); all are listed in %s", len(unreadable), len(paths),
                       ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()), out / "report.json")
    report = {"decoder": DECODER, "posters": int(present.sum()), "unreadable": unreadable}
    (out / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return unreadable


def write_overviews(overviews, vocabulary, out):
    """Encodes overviews into `out`: `ids.npy`, `starts.npy` and `vocabulary.json`.

    Args:
        overviews: list of text, in the order of the films.
        vocabulary: `vocabulary.Vocabulary`.
        out: folder.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    encoded = vocabulary.encode(overviews)
    np.save(out / "ids.npy", encoded.ids)
    np.save(out / "starts.npy", encoded.starts)
    (out / "vocabulary.json").write_text(json.dumps(vocabulary.content(), ensure_ascii=False) + "\n", encoding="utf-8")
