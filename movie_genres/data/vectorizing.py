"""From the prepared films to the arrays that training maps from disk."""

import contextlib
import json
import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.base.files import StrPath
from movie_genres.base.options import STRICT
from movie_genres.base.progress import track
from movie_genres.base.threads import WORKERS, in_threads
from movie_genres.data.cluster import Cluster
from movie_genres.inputs.features import Overviews, save_overviews, saving_posters
from movie_genres.inputs.posters import DECODER, PosterError, read_poster
from movie_genres.inputs.vocabulary import Vocabulary, save_vocabulary

logger = logging.getLogger(__name__)

BLOCK = 64  # posters that are decoded together
BLOCKS = WORKERS + 2  # blocks in memory where threads decode: 50 MB each at 512 x 512
PIECE = 4096  # overviews that are encoded together

Side = Annotated[int, Field(ge=16)]  # pixels; the networks halve it four times


@dataclass(config=STRICT, frozen=True, kw_only=True)
class VectorizeOptions:
    """The `vectorize` section of `params.yaml`."""

    engine: Literal["local", "ray"]  # what decodes the posters: see `write_posters`
    image_size: tuple[Side, Side]  # (height, width) of the decoded posters
    max_tokens: int = Field(ge=3)  # size of the vocabulary, with the two reserved ids for padding and unknown words
    max_length: int = Field(ge=1)  # overviews are cut after this many words


class Block(NamedTuple):
    """Some posters, decoded."""

    start: int  # the place of the first one among all
    pixels: NDArray[np.uint8]  # (posters, height, width, 3); zeros where there is none
    present: NDArray[np.bool_]
    unreadable: dict[int, str]  # by the place of a poster among all, why it could not be decoded


def write_posters(paths: Sequence[str], out: StrPath, image_size: tuple[int, int], engine: str = "local") -> dict[str, str]:
    """Decodes posters to `image_size` (height, width) into a folder for `features.load_posters`.

    `paths` are in the order of the films, with empty text for a film without a poster. Gives the reason for each that could
    not be decoded, by path, as in the file `report.json` there.

    `engine`: `local`, or `ray` for a `cluster.Cluster`, whose workers read the posters. They send back what they decoded,
    and this process alone writes it: two machines that wrote to one mapped file would overwrite each other's rows where
    they share a page, and a block that was lost with its worker is just decoded again. The bytes are the same.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    unreadable: dict[str, str] = {}
    # Absolute paths: a worker's folder may be another one.
    tasks = ((start, [path and os.path.abspath(path) for path in paths[start:start + BLOCK]], image_size)
             for start in range(0, len(paths), BLOCK))
    blocks = Cluster().run(decode_block, tasks, "a block of posters") if engine == "ray" else (
        in_threads(lambda task: decode_block(*task), tasks, BLOCKS))
    with contextlib.closing(blocks), saving_posters(out, len(paths), image_size) as (pixels, present):
        for block in track(blocks, -(-len(paths) // BLOCK), f"Decoding posters, {BLOCK} at a time"):
            rows = slice(block.start, block.start + len(block.present))
            pixels[rows], present[rows] = block.pixels, block.present
            unreadable |= {paths[index]: reason for index, reason in block.unreadable.items()}
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


def decode_block(start: int, paths: Sequence[str], image_size: tuple[int, int]) -> Block:
    """Decodes the posters from the place `start` on; `paths` and `image_size` are as of `write_posters`."""
    block = Block(start, np.zeros((len(paths), *image_size, 3), np.uint8), np.zeros(len(paths), np.bool_), {})
    for row, path in enumerate(paths):
        if path:
            try:
                block.pixels[row] = read_poster(path, image_size)
                block.present[row] = True
            except PosterError as error:
                block.unreadable[start + row] = f"{error.kind}: {error}"
    return block


def write_overviews(overviews: Sequence[str], vocabulary: Vocabulary, out: StrPath) -> None:
    """Encodes overviews, in the order of the films, into a folder, with the vocabulary."""
    Path(out).mkdir(parents=True, exist_ok=True)
    # Piece by piece: as lists of numbers, token ids take nine times as much memory.
    pieces = [vocabulary.encode(overviews[start:start + PIECE]) for start in range(0, max(1, len(overviews)), PIECE)]
    lengths = np.concatenate([piece.lengths for piece in pieces])
    save_overviews(Overviews(np.concatenate([piece.ids for piece in pieces]), np.append(0, np.cumsum(lengths))), out)
    save_vocabulary(vocabulary, out)
