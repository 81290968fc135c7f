"""Posters with the heat of an explanation laid over them."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = (480, 320)  # (height, width) in pixels of the pictures: those of most posters are as 3 to 2
# Orange and blue: people who confuse red and green tell them apart.
FOR, AGAINST = np.array([(230, 90, 0), (0, 90, 200)], np.float32)
STRONGEST = 0.7  # opacity of the heat where it is greatest
LEAST = 0.2  # log-odds: a grid that stays below is not made to look hotter than it is


def heat_picture(pixels: NDArray[np.uint8], grid: NDArray[np.float32]) -> Image.Image:
    """A poster in grey, orange where its `grid` says that the genre was seen, blue where it speaks against it.

    Args:
        pixels: of the poster, RGB, of shape (*SIZE, 3).
        grid: as `Explanation.poster`; the opacity of a place is proportional to it.
    """
    height, width = pixels.shape[:2]
    smooth = np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))
    opacity = STRONGEST * np.clip(smooth / max(np.abs(grid).max(), LEAST), -1, 1)[..., None]
    grey = np.asarray(Image.fromarray(pixels).convert("L"), np.float32)[..., None]
    colour = np.where(opacity > 0, FOR, AGAINST)
    shown = grey + np.abs(opacity) * (colour - grey)
    return Image.fromarray(shown.round().astype(np.uint8))
