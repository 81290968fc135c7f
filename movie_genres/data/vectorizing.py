"""From the prepared films to the arrays that training maps from disk."""

import json
import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.base.files import StrPath
from movie_genres.base.options import STRICT
from movie_genres.base.progress import track
from movie_genres.inputs.features import save_overviews, saving_posters
from movie_genres.inputs.posters import DECODER, PosterError, read_poster
from movie_genres.inputs.vocabulary import Vocabulary, save_vocabulary

logger = logging.getLogger(__name__)

Side = Annotated[int, Field(ge=16)]  # pixels; the networks halve it four times


@dataclass(config=STRICT, frozen=True, kw_only=True)
class VectorizeOptions:
    """The `vectorize` section of `params.yaml`."""

    image_size: tuple[Side, Side]  # (height, width) of the decoded posters
    max_tokens: int = Field(ge=3)  # size of the vocabulary, with the two reserved ids for padding and unknown words
    max_length: int = Field(ge=1)  # overviews are cut after this many words


def write_posters(paths: Sequence[str], out: StrPath, image_size: tuple[int, int]) -> dict[str, str]:
    """Decodes posters to `image_size` (height, width) into a folder for `features.load_posters`.

    `paths` are in the order of the films, with empty text for a film without a poster. Gives the reason for each that could
    not be decoded, by path, as in the file `report.json` there.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    unreadable = {}
    with saving_posters(out, len(paths), image_size) as (pixels, present):
        def decode(index: int) -> None:
            if paths[index]:
                try:
                    pixels[index] = read_poster(paths[index], image_size)
                    present[index] = True
                except PosterError as error:
                    unreadable[paths[index]] = f"{error.kind}: {error}"

        with ThreadPoolExecutor() as pool:
            for _ in track(pool.map(decode, range(len(paths))), len(paths), "Decoding posters"):
                pass
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


def write_overviews(overviews: Sequence[str], vocabulary: Vocabulary, out: StrPath) -> None:
    """Encodes overviews, in the order of the films, into a folder, with the vocabulary."""
    Path(out).mkdir(parents=True, exist_ok=True)
    save_overviews(vocabulary.encode(overviews), out)
    save_vocabulary(vocabulary, out)
