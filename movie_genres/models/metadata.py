"""What a model file says of itself: all that scoring needs beside the network, the same in `.keras` and ONNX files."""

import contextlib
import importlib.metadata
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from movie_genres.base.errors import InputError
from movie_genres.base.options import first_problem
from movie_genres.inputs.modality import Modality

FORMAT = 1
KEY = "movie_genres.json"  # under which the metadata stand in a file, beside those of Keras or ONNX
LARGEST_IMAGE = 640  # pixels a side that a model may ask for: half a thousand posters are in memory at once
LARGEST_INPUT = 3 * LARGEST_IMAGE ** 2  # numbers a film that a network may take
EMBEDDING = "embedding"  # what the input of a network that takes embeddings is called
AGAIN = "Train it again, or fetch it again."

Side = Annotated[int, Field(ge=1, le=LARGEST_IMAGE)]


class Metadata(BaseModel):
    """What a model file says of itself, as far as scoring uses it; the rest is for people."""

    model_config = ConfigDict(extra="allow")

    format: int
    modality: Modality | None
    genres: Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(min_length=1, max_length=10_000)]
    base_rates: list[Annotated[float, Field(ge=0, le=1)]] | None = None
    image_size: tuple[Side, Side] | None = None
    decoder: str | None = None
    vocabulary: dict[str, Any] | None = None
    embedding: Annotated[int, Field(ge=1, le=LARGEST_INPUT)] | None = None  # numbers of a film, in place of all these
    reader: str | None = None  # of a model of posters that looks at their text: what reads it, at `image_size`
    inputs: dict[str, str] | None = None
    channels: dict[str, Annotated[int, Field(ge=1, le=1_000_000)]] | None = None
    copy_of: str | None = None  # of a copy in 8 bits: SHA-256 of the file that it was made of

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if len(set(self.genres)) < len(self.genres):
            raise ValueError("a genre more than once")
        if self.base_rates is not None and len(self.base_rates) != len(self.genres):
            raise ValueError("another number of base rates than of genres")
        if self.reader is not None and (self.modality is not Modality.POSTER or self.image_size is None):
            raise ValueError("a reader of posters in a model of something else")
        if self.embedding is not None and (self.modality is None or self.reader is not None):
            raise ValueError("embeddings in a model of several inputs, or of text on posters")
        return self


def takes_tokens(metadata: Mapping[str, Any]) -> bool:
    """Whether a model of one modality takes the ids of tokens, of an overview or of the text on a poster, and neither pixels
    nor embeddings."""
    of_text = metadata["modality"] == Modality.OVERVIEW or metadata.get("reader") is not None
    return of_text and metadata.get("embedding") is None


def check_metadata(path: object, metadata: Any, expected: str) -> dict[str, Any]:
    """Returns the metadata of a file if they can be used; `InputError`, saying what was `expected`, if not."""
    try:
        Metadata.model_validate(metadata)
    except ValidationError as error:
        raise InputError(path, expected, first_problem(error), AGAIN) from None
    if metadata["format"] != FORMAT:
        raise InputError(path, f"model format {FORMAT}", f"{metadata['format']}", "Train it again.")
    return metadata


def versions(*packages: str) -> dict[str, str]:
    """The versions of some packages, of those that are installed: such as decide what a model computes."""
    found = {}
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
