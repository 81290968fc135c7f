"""Posters and overviews with parts of them hidden."""

import re
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

GRID = (12, 8)  # rows and columns of the cells that a poster is cut into
BLURRED, MEAN = FILLS = ("blurred", "mean")  # what hidden cells show: the poster, strongly blurred, or its mean colour
BLUR = 0.1  # standard deviation of the blur, as a share of the poster's height

# A word, with apostrophes and combining marks inside it: `inputs.text` makes one of such as well.
_WORD = re.compile(r"([\w\u0300-\u036f]+(?:['’ʼ`]+[\w\u0300-\u036f]+)*)")


def each_cell(grid: tuple[int, int] = GRID) -> NDArray[np.bool_]:
    """Each cell of a grid alone, line by line: of shape (rows * columns, rows, columns)."""
    return np.eye(grid[0] * grid[1], dtype=bool).reshape(-1, *grid)


def hide_cells(pixels: NDArray[np.uint8], cells: NDArray[np.bool_], fill: str = BLURRED) -> NDArray[np.uint8]:
    """Copies of a poster with cells hidden.

    Args:
        pixels: of the poster, RGB, of shape (height, width, 3).
        cells: which cells each copy hides, of shape (copies, rows, columns); they cut the poster evenly.
        fill: one of `FILLS`.

    Returns:
        pixels of the copies, of shape (copies, height, width, 3).
    """
    height, width = pixels.shape[:2]
    lines, columns = (np.arange(size) * count // size for size, count in zip((height, width), cells.shape[1:]))
    covered = cells[:, lines][:, :, columns, None]
    return np.where(covered, _filled(pixels, fill), pixels)


def _filled(pixels: NDArray[np.uint8], fill: str) -> NDArray[np.uint8]:
    if fill == BLURRED:
        return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(BLUR * len(pixels))))
    return np.broadcast_to(pixels.mean(axis=(0, 1)).round().astype(np.uint8), pixels.shape)


def spans(text: str) -> list[str]:
    """Cuts a text into words and what stands between them, in turn: words have the odd numbers. Joined, they are the text.

    >>> spans("Don’t look—NOW!")
    ['', 'Don’t', ' ', 'look', '—', 'NOW', '!']
    """
    return _WORD.split(text)


def hide_words(parts: Sequence[str], numbers: Collection[int], stand_in: str = "") -> str:
    """The text of some `spans` without the words of these numbers, or with another word in the place of each."""
    return "".join(stand_in if number in numbers else part for number, part in enumerate(parts))
