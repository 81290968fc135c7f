"""Batches for training: drawn anew each epoch from arrays on disk, by seed and epoch alone."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from movie_genres.inputs.features import in_order
from movie_genres.models.answers import Floats, Rows

Batch = tuple[NDArray | dict[str, NDArray], Floats]  # what a network takes, and labels
Pixels = NDArray[np.uint8]  # of shape (batch, height, width, 3)
MIX_LENGTHS = 2  # batches of like length differ from epoch to epoch by noise of this many tokens


def draw(rows: Rows, labels: Floats, strength: float, rng: np.random.Generator) -> Rows:
    """The training films of an epoch: all of `rows`, or as many drawn with a preference for films of rare genres.

    A film whose rarest genre has the base rate r is drawn in proportion to r ** -strength; 0 takes each film once. The
    labels are those of all films.
    """
    if not strength:
        return rows
    rates = labels[rows].mean(axis=0)
    rarest = np.where(labels[rows] > 0, rates, 1.0).min(axis=1)
    weights = rarest**-strength
    return rng.choice(rows, len(rows), p=weights / weights.sum())


def shuffled(rows: Rows, batch_size: int, rng: np.random.Generator) -> list[Rows]:
    """Splits indices into batches at random; the last may be smaller."""
    return in_order(rng.permutation(rows), batch_size)


def by_length(rows: Rows, lengths: NDArray[np.int64], batch_size: int, rng: np.random.Generator) -> list[Rows]:
    """Splits indices of overviews into batches of similar length, differently each time, and shuffles the batches."""
    jitter = rng.uniform(0, MIX_LENGTHS, len(rows))
    batches = in_order(rows[np.argsort(lengths[rows] + jitter, kind="stable")], batch_size)
    return [batches[index] for index in rng.permutation(len(batches))]


def augment(pixels: Pixels, rng: np.random.Generator, flip: bool, shift: float, brightness: float) -> Pixels:
    """Mirrors, moves and re-lights posters at random.

    Args:
        flip: mirror half of them left to right.
        shift: move by up to this share of the height and width; edges are repeated.
        brightness: scale each colour channel, and shift all, by up to this share of the range.
    """
    count, height, width, _ = pixels.shape
    down, right = round(shift * height), round(shift * width)
    padded = np.pad(pixels, ((0, 0), (down, down), (right, right), (0, 0)), mode="edge")
    tops, lefts = rng.integers(0, 2 * down + 1, count), rng.integers(0, 2 * right + 1, count)
    mirrored = np.logical_and(rng.random(count) < 0.5, flip)
    moved = np.empty_like(pixels)
    for index in range(count):
        window = padded[index, tops[index]:tops[index] + height, lefts[index]:lefts[index] + width]
        moved[index] = window[:, ::-1] if mirrored[index] else window
    if not brightness:
        return moved
    scale = rng.uniform(1 - brightness, 1 + brightness, (count, 1, 1, 3)).astype(np.float32)
    offset = rng.uniform(-127 * brightness, 127 * brightness, (count, 1, 1, 1)).astype(np.float32)
    return np.clip(moved * scale + offset, 0, 255).astype(np.uint8)


def erase(pixels: Pixels, rng: np.random.Generator, share: float) -> Pixels:
    """Covers a rectangle of a share of the posters with grey, in place, so that no single part of a poster decides.

    Each side is an eighth to a half of the poster's. (Zhong, Zheng, Kang, Li and Yang, "Random Erasing Data
    Augmentation", 2020.)
    """
    _, height, width, _ = pixels.shape
    for index in np.flatnonzero(rng.random(len(pixels)) < share):
        tall, wide = rng.integers(height // 8, height // 2), rng.integers(width // 8, width // 2)
        top, left = rng.integers(0, height - tall), rng.integers(0, width - wide)
        pixels[index, top:top + tall, left:left + wide] = 127
    return pixels


def mixup(pixels: Pixels, labels: Floats, rng: np.random.Generator, alpha: float) -> tuple[Pixels, Floats]:
    """Blends each poster, and its labels, with another of the batch.

    The share of each is drawn from a beta distribution of which both parameters are `alpha`. (Zhang, Cissé, Dauphin and
    Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", 2018.)
    """
    share = np.float32(rng.beta(alpha, alpha))
    other = rng.permutation(len(pixels))
    blended = share * pixels + (1 - share) * pixels[other]
    return blended.astype(np.uint8), share * labels + (1 - share) * labels[other]


def drop_words(tokens: NDArray[np.int32], rng: np.random.Generator, rate: float, hidden: int, special: Collection[int]
               ) -> NDArray[np.int32]:
    """Puts the id `hidden` in place of a share of the tokens; not of `special` ones, nor of the 0 after an overview."""
    chosen = (rng.random(tokens.shape) < rate) & (tokens > 0) & ~np.isin(tokens, list(special))
    return np.where(chosen, np.int32(hidden), tokens)
