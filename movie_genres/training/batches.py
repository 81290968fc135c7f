"""Batches for training: drawn anew each epoch from arrays on disk, by seed and epoch alone."""

import numpy as np

from movie_genres.inputs.features import in_order
from movie_genres.inputs.text import UNKNOWN

MIX_LENGTHS = 2  # batches of like length differ from epoch to epoch by noise of this many tokens


def draw(rows, labels, strength, rng):
    """The training films of an epoch: all of them, or as many drawn with a preference for films of rare genres.

    Args:
        rows: int array of film indices.
        labels: 0/1 array of shape (films, genres).
        strength: a film whose rarest genre has the base rate r is drawn in proportion to r ** -strength; 0 takes each
            film once.
        rng: `numpy.random.Generator`.

    Returns:
        int array as long as `rows`.
    """
    if not strength:
        return rows
    rates = labels[rows].mean(axis=0)
    rarest = np.where(labels[rows] > 0, rates, 1.0).min(axis=1)
    weights = rarest**-strength
    return rng.choice(rows, len(rows), p=weights / weights.sum())


def shuffled(rows, batch_size, rng):
    """Splits an index array into batches at random; the last may be smaller."""
    return in_order(rng.permutation(rows), batch_size)


def by_length(rows, lengths, batch_size, rng):
    """Splits an index array into batches of similar length, differently each time, and shuffles the batches.

    Args:
        rows: int array of indices.
        lengths: int array, the length of every overview.
        batch_size: films a batch.
        rng: `numpy.random.Generator`.
    """
    jitter = rng.uniform(0, MIX_LENGTHS, len(rows))
    batches = in_order(rows[np.argsort(lengths[rows] + jitter, kind="stable")], batch_size)
    return [batches[index] for index in rng.permutation(len(batches))]


def augment(pixels, rng, flip=True, shift=0.1, brightness=0.1):
    """Mirrors, moves and re-lights posters at random.

    Args:
        pixels: uint8 array of shape (batch, height, width, 3).
        rng: `numpy.random.Generator`.
        flip: mirror half of them left to right.
        shift: move by up to this share of the height and width; edges are repeated.
        brightness: scale each colour channel, and shift all, by up to this share of the range.

    Returns:
        a new uint8 array of the same shape.
    """
    count, height, width, _ = pixels.shape
    down, right = round(shift * height), round(shift * width)
    padded = np.pad(pixels, ((0, 0), (down, down), (right, right), (0, 0)), mode="edge")
    tops, lefts = rng.integers(0, 2 * down + 1, count), rng.integers(0, 2 * right + 1, count)
    mirrored = (rng.random(count) < 0.5) & flip
    moved = np.empty_like(pixels)
    for index in range(count):
        window = padded[index, tops[index]:tops[index] + height, lefts[index]:lefts[index] + width]
        moved[index] = window[:, ::-1] if mirrored[index] else window
    if not brightness:
        return moved
    scale = rng.uniform(1 - brightness, 1 + brightness, (count, 1, 1, 3)).astype(np.float32)
    offset = rng.uniform(-127 * brightness, 127 * brightness, (count, 1, 1, 1)).astype(np.float32)
    return np.clip(moved * scale + offset, 0, 255).astype(np.uint8)


def erase(pixels, rng, share):
    """Covers a rectangle of a share of the posters with grey, so that no single part of a poster decides.

    Each side is an eighth to a half of the poster's. (Zhong, Zheng, Kang, Li and Yang, "Random Erasing Data
    Augmentation", 2020.)

    Args:
        pixels: uint8 array of shape (batch, height, width, 3); changed in place.
        rng: `numpy.random.Generator`.
        share: of the posters.

    Returns:
        the same array.
    """
    _, height, width, _ = pixels.shape
    for index in np.flatnonzero(rng.random(len(pixels)) < share):
        tall, wide = rng.integers(height // 8, height // 2), rng.integers(width // 8, width // 2)
        top, left = rng.integers(0, height - tall), rng.integers(0, width - wide)
        pixels[index, top:top + tall, left:left + wide] = 127
    return pixels


def mixup(pixels, labels, rng, alpha):
    """Blends each poster, and its labels, with another of the batch.

    (Zhang, Cissé, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", 2018.)

    Args:
        pixels: uint8 array of shape (batch, height, width, 3).
        labels: float32 array of shape (batch, genres).
        rng: `numpy.random.Generator`.
        alpha: both parameters of the beta distribution from which the share of each is drawn.

    Returns:
        (uint8 pixels, float32 labels), blended.
    """
    share = np.float32(rng.beta(alpha, alpha))
    other = rng.permutation(len(pixels))
    blended = share * pixels + (1 - share) * pixels[other]
    return blended.astype(np.uint8), share * labels + (1 - share) * labels[other]


def drop_words(tokens, rng, rate, hidden=UNKNOWN, special=()):
    """Hides a share of the tokens.

    Args:
        tokens: int32 array of shape (batch, length), 0 where an overview has ended.
        rng: `numpy.random.Generator`.
        rate: share of the tokens.
        hidden: the id that stands for a hidden token.
        special: ids that are never hidden.

    Returns:
        int32 array of the same shape.
    """
    chosen = (rng.random(tokens.shape) < rate) & (tokens > 0) & ~np.isin(tokens, list(special))
    return np.where(chosen, np.int32(hidden), tokens)
