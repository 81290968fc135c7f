"""How large a poster may be."""

from dataclasses import dataclass
from typing import Annotated

from movie_genres.base.settings import Option


@dataclass(frozen=True)
class Caps:
    """How large a poster may be: the bytes of its file, and its width times height. Formats other than JPEG cannot be
    decoded at a reduced scale: a few bytes of them can stand for gigabytes."""

    bytes: Annotated[int, Option("Limits", "Larger poster files are refused.", least=1, name="max_bytes")] = 50_000_000
    pixels: Annotated[int, Option("Limits", "JPEGs with more pixels are refused before they are decoded; other formats with "
                                  "a quarter as many.", least=1, name="max_pixels")] = 100_000_000
