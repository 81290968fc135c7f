"""The one poster decoder, shared by training and scoring."""

import errno
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from movie_genres.base.errors import InputError, Remedy
from movie_genres.base.files import StrPath, is_of_machine, open_regular, read_capped, reason_of
from movie_genres.inputs.caps import Caps

DECODER = "turbo-1"  # recorded in every model; raise it whenever a change below changes pixels
PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")

_FRAMES = range(0xC0, 0xC3)  # markers of a JPEG that its size follows, where it is coded in a usual way
_MAY_BE_TURNED = b"Exif\0", b"tiff:Orientation"  # what a JPEG holds that says how it is to be turned

Image.MAX_IMAGE_PIXELS = None  # our own check, made before any pixel is decoded, replaces Pillow's warning


class PosterError(Exception):
    """A poster that cannot be used. `kind` is one short word for tables and counts, the message is for people."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


def read_poster(path: StrPath, size: tuple[int, int], caps: Caps = Caps()) -> NDArray[np.uint8]:
    """Reads and decodes one poster file; see `read_file` and `decode_poster`."""
    return decode_poster(read_file(path, caps.bytes), size, caps.pixels)


def read_file(path: StrPath, max_bytes: int) -> bytes:
    """The bytes of a regular file.

    Raises:
        PosterError: of kind `missing`, `unreadable`, `not_a_file` or `too_large`.
        OSError, MemoryError: the machine is out of something; the file may be well.
    """
    try:
        with open_regular(path) as file:
            check_bytes(os.fstat(file.fileno()).st_size, max_bytes)
            data = read_capped(file, max_bytes)  # it may be growing
    except FileNotFoundError:
        raise PosterError("missing", "no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if getattr(error, "errno", None) == errno.ENOTSUP:
            raise PosterError("not_a_file", "expected a regular file") from None
        raise PosterError("unreadable", reason_of(error)) from None
    check_bytes(len(data), max_bytes)
    return data


def stamp_file(path: StrPath | int) -> str:
    """Text that changes when a file does, given by its path or its descriptor: its bytes and its time."""
    try:
        info = os.stat(path)
    except (OSError, ValueError):
        return "missing"
    return f"{info.st_size} {info.st_mtime_ns}"


def check_bytes(size: int, max_bytes: int) -> None:
    """Raises `PosterError` of kind `too_large` for a file of more than `max_bytes`."""
    if size > max_bytes:
        raise PosterError("too_large", f"{size:,} bytes; at most {max_bytes:,} are read")


def decode_poster(data: bytes, size: tuple[int, int], max_pixels: int = Caps().pixels) -> NDArray[np.uint8]:
    """Decodes an image file's bytes to the array that the models take: RGB, of shape (*size, 3), values 0 to 255.

    The first frame is used, EXIF rotation is applied, transparency is laid on white, 16-bit grey is scaled to 8 bits,
    and large JPEGs are decoded at a reduced scale. The aspect ratio is not kept: `size` is (height, width) in pixels.

    Raises:
        PosterError: of kind `empty`, `not_an_image`, `too_large` or `corrupt`.
        MemoryError: no picture within `max_pixels` needs much, so that it is the machine that lacks it.
    """
    if not data:
        raise PosterError("empty", "the file is empty")
    try:
        rgb = _plain_jpeg(data, size, max_pixels) if data.startswith(b"\xff\xd8") else None
        if rgb is None:
            with Image.open(io.BytesIO(data), formats=PICTURE_FORMATS) as image:
                most = max_pixels if image.format == "JPEG" else max_pixels // 4
                _check_pixels(*image.size, most, image.format)
                # JPEGs are decoded no smaller than this; square, as EXIF may still turn the image.
                image.draft("RGB", (max(size), max(size)))
                image.load()
                return fit_picture(image, size)
        return _resized(rgb, size)
    except UnidentifiedImageError:
        raise PosterError("not_an_image", "not an image in a known format") from None
    except PosterError:
        raise
    except Exception as error:  # damaged files make Pillow raise nearly anything, with bytes of theirs in its messages
        if is_of_machine(error):
            raise
        raise PosterError("corrupt", f"damaged or cut short ({type(error).__name__})") from None


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels of an image file that decodes, as it stores them: before EXIF turns it."""
    found = _jpeg_size(data) if data.startswith(b"\xff\xd8") else None
    if found is None:
        with Image.open(io.BytesIO(data), formats=PICTURE_FORMATS) as image:
            found = image.size
    return found


def _plain_jpeg(data: bytes, size: tuple[int, int], max_pixels: int) -> Image.Image | None:
    """A whole JPEG in RGB at a reduced scale, without Python's lock meanwhile; None for whatever Pillow should look at."""
    found = _jpeg_size(data)
    if found is None:
        return None
    _check_pixels(*found, max_pixels, "JPEG")
    try:
        return Image.fromarray(simplejpeg.decode_jpeg(data, "RGB", min_height=max(size), min_width=max(size)))
    except ValueError:  # damaged, perhaps only so that Pillow does not mind
        return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG in grey or three colours that is not to be turned; None for anything else."""
    at, found = 2, None
    while data.startswith(b"\xff", at) and at + 10 <= len(data):
        marker = data[at + 1]
        if marker == 0xDA:  # the pixels follow
            return None if any(mark in data[:at] for mark in _MAY_BE_TURNED) else found
        if marker in _FRAMES and data[at + 9] in (1, 3):
            found = int.from_bytes(data[at + 7:at + 9]), int.from_bytes(data[at + 5:at + 7])
        at += 2 + int.from_bytes(data[at + 2:at + 4])
    return None


def _check_pixels(width: int, height: int, most: int, kind: str | None) -> None:
    if width * height > most:
        raise PosterError("too_large", f"{width}x{height} pixels; at most {most:,} of a {kind} are decoded")


def fit_picture(image: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A decoded picture as `decode_poster` gives it, turned and laid on white if need be; `MemoryError` as there."""
    return _resized(_to_rgb(_turned(image)), size)


def _resized(rgb: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(rgb.resize(size[::-1], Image.Resampling.BILINEAR, reducing_gap=3.0))


def is_picture(data: bytes) -> bool:
    """Whether bytes begin as an image file of a known format does."""
    try:
        with Image.open(io.BytesIO(data), formats=PICTURE_FORMATS):
            return True
    except Exception as error:
        if is_of_machine(error):
            raise
        return False


def _turned(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # damaged EXIF data, of a picture that is whole
        if is_of_machine(error):
            raise
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":  # 16 and 32 bits a pixel: convert() would clip to white
        pixels = np.nan_to_num(np.asarray(image, dtype=np.float64))
        scale = 257.0 if image.mode.startswith("I") else max(pixels.max(), 1e-9) / 255.0
        return Image.fromarray(np.clip(pixels / scale, 0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


class LazyPixels:
    """Posters of `size` (height, width) that are decoded when they are asked for, in place of an array that holds them all.

    `pixels[rows]`, with an int array, is of shape (rows, height, width, 3), or an `InputError` for one that does not decode.
    """

    def __init__(self, paths: Sequence[str], size: tuple[int, int]):
        self._paths, self._size = paths, size
        self._pool = ThreadPoolExecutor()
        self.shape = (len(paths), *size, 3)

    def stamps(self) -> list[str]:
        """Texts that change when a poster does: path and `stamp_file` of each."""
        return [f"{path} {stamp_file(path)}" for path in self._paths]

    def __getitem__(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        return np.stack(list(self._pool.map(self._read, rows)))

    def _read(self, row: int) -> NDArray[np.uint8]:
        try:
            return read_poster(self._paths[row], self._size)
        except PosterError as error:
            raise InputError(self._paths[row], "a poster that decodes as it did in vectorize", f"{error.kind}: {error}",
                             remedy=Remedy.VECTORIZE) from None
