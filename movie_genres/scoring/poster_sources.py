"""Where a poster's bytes come from: a file, a URL, or memory. Those in archives stand in `archives`."""

import math
import os
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from movie_genres.base.files import is_below, is_of_machine
from movie_genres.data.access import NotAllowedError, describe, fetch, is_url
from movie_genres.data.reading import Access
from movie_genres.inputs.caps import Caps
from movie_genres.inputs.posters import (
    PosterError,
    check_bytes,
    decode_poster,
    fit_picture,
    picture_size,
    read_file,
    stamp_file,
)


class PosterSource(Protocol):
    """Gives a poster when it is asked for. Sources are small, can be pickled, and open nothing before."""

    @property
    def name(self) -> str:
        """Tells the user where it is."""

    def read(self, max_bytes: int) -> bytes:
        """The file's bytes.

        Raises:
            PosterError: they cannot or must not be read, or are more than `max_bytes`.
            OSError, MemoryError: the machine is out of something; the poster may be well.
        """

    def stamp(self) -> str:
        """Text that changes when the poster does."""


class Picture(NamedTuple):
    """A poster that its user has decoded; `scoring.predictor` takes such."""

    name: str
    image: Image.Image


Listed = Iterable[tuple[str, PosterSource]]  # by the films' ids


class LocalPoster(NamedTuple):
    """A file of this machine, which must lie below the folder `root` when all links are followed; None: anywhere."""

    name: str
    root: str | None = None

    def read(self, max_bytes: int) -> bytes:
        if not self.is_allowed():
            raise PosterError("not_allowed", f"outside {self.root}")
        return read_file(self.name, max_bytes)

    def stamp(self) -> str:
        return stamp_file(self.name) if self.is_allowed() else "not allowed"

    def is_allowed(self) -> bool:
        return self.root is None or is_below(self.name, self.root)


class RemotePoster(NamedTuple):
    """A file behind a URL; `version` is what its store says of size and time."""

    name: str
    version: str = ""
    access: Access = Access()

    def read(self, max_bytes: int) -> bytes:
        try:
            data = fetch(self.name, self.access, max_bytes + 1)
        except NotAllowedError as error:
            raise PosterError("not_allowed", str(error)) from None
        except FileNotFoundError:
            raise PosterError("missing", "no such file") from None
        except TimeoutError:
            raise PosterError("unreadable", f"no answer within {self.access.timeout:g} seconds") from None
        except Exception as error:  # every store has errors of its own
            if is_of_machine(error):
                raise
            raise PosterError("unreadable", describe(error)) from None
        check_bytes(len(data), max_bytes)
        return data

    def stamp(self) -> str:
        return self.version


class FailedPoster(NamedTuple):
    """A poster that is known not to be readable: it gets its row all the same."""

    name: str
    kind: str
    message: str

    def read(self, max_bytes: int) -> bytes:
        raise PosterError(self.kind, self.message)

    def stamp(self) -> str:
        return f"{self.kind}: {self.message}"


class LoadedPoster(NamedTuple):
    """A poster whose bytes are here already, as they come in a stream; empty where they are too many."""

    name: str
    data: bytes
    size: int

    def read(self, max_bytes: int) -> bytes:
        check_bytes(self.size, max_bytes)
        return self.data

    def stamp(self) -> str:
        return f"{self.size} {zlib.crc32(self.data)}"


def held(poster: PosterSource | Picture, caps: Caps) -> PosterSource | Picture:
    """A poster with its bytes in memory, or with what is wrong with it: it is fetched once, however often it is read."""
    if isinstance(poster, Picture):
        return poster
    try:
        data = poster.read(caps.bytes)
    except PosterError as error:
        return FailedPoster(poster.name, error.kind, str(error))
    return LoadedPoster(poster.name, data, len(data))


class Look(NamedTuple):
    """A poster as networks take it, in each of some sizes, and as its file has it: pixels and bytes.

    `size`: the bytes, NaN of a picture that is not from a file.
    """

    pixels: list[NDArray[np.uint8]]
    width: int
    height: int
    size: float


def look_at(poster: PosterSource | Picture, sizes: Sequence[tuple[int, int]], caps: Caps) -> Look:
    """Decodes a poster to some sizes (height, width); raises as `posters.decode_poster` and `read`."""
    if isinstance(poster, Picture):
        return Look([fit_picture(poster.image, size) for size in sizes], *poster.image.size, math.nan)
    data = poster.read(caps.bytes)
    return Look([decode_poster(data, size, caps.pixels) for size in sizes], *picture_size(data), len(data))


def poster_at(path: str, access: Access = Access()) -> LocalPoster | RemotePoster | FailedPoster:
    """The poster at a path or URL that stands in a list or a table. Opens nothing, and looks at nothing outside a root.

    With `access.root`, the path must lie below it as it is written, and, when it is read, also when links are followed.
    """
    if is_url(path):
        return RemotePoster(path, "", access)
    if access.root is not None:
        roots = (os.path.abspath(access.root), os.path.realpath(access.root))
        written = os.path.abspath(path)
        if not any(written == root or written.startswith(root.rstrip(os.sep) + os.sep) for root in roots):
            return FailedPoster(path, "not_allowed", f"outside {access.root}")
    return LocalPoster(path, access.root)
