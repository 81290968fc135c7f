"""From the prepared films to the arrays that training maps from disk."""

import json
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.options import STRICT
from movie_genres.posters import DECODER, PosterError, read_poster
from movie_genres.progress import track

logger = logging.getLogger(__name__)


@dataclass(config=STRICT, frozen=True)
class VectorizeOptions:
    """The `vectorize` section of `params.yaml`.

    Attributes:
        image_size: (height, width) of the decoded posters in pixels.
        max_tokens: size of the vocabulary, with the two reserved ids for padding and unknown words.
        max_length: overviews are cut after this many words.
    """

    image_size: tuple[int, int] = (64, 64)
    max_tokens: int = Field(default=10_000, ge=3)
    max_length: int = Field(default=256, ge=1)


class Posters(NamedTuple):
    """Decoded posters of a number of films.

    Attributes:
        pixels: uint8 array of shape (films, height, width, 3), RGB; zeros for films without a poster.
        present: bool array of shape (films,): whether the film has one.
    """

    pixels: np.ndarray
    present: np.ndarray


class Overviews(NamedTuple):
    """Token ids of the overviews of a number of films.

    Attributes:
        ids: int32 array of the token ids of all overviews, one after the other.
        starts: int64 array of shape (films + 1,): overview `i` is `ids[starts[i]:starts[i + 1]]`.
    """

    ids: np.ndarray
    starts: np.ndarray

    @property
    def lengths(self):
        """Number of tokens of each overview, int array of shape (films,)."""
        return np.diff(self.starts)

    @property
    def present(self):
        """Whether the film has an overview with at least one token, bool array of shape (films,)."""
        return self.lengths > 0


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


def load_posters(folder):
    """Maps from disk what `write_posters` wrote, as `Posters`."""
    return Posters(np.load(Path(folder) / "pixels.npy", mmap_mode="r"), np.load(Path(folder) / "present.npy"))


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
    content = {"max_length": vocabulary.max_length, "tokens": vocabulary.tokens}
    (out / "vocabulary.json").write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


def load_overviews(folder):
    """Reads what `write_overviews` wrote, as `Overviews`."""
    return Overviews(np.load(Path(folder) / "ids.npy"), np.load(Path(folder) / "starts.npy"))


def load_vocabulary(folder):
    """Reads the vocabulary that `write_overviews` wrote: (list of words without the reserved ids, max_length)."""
    content = json.loads((Path(folder) / "vocabulary.json").read_text(encoding="utf-8"))
    return content["tokens"], content["max_length"]
