"""Scores films chunk by chunk: every film gets its row, whatever is in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from movie_genres.inputs.caps import Caps
from movie_genres.inputs.features import Posters
from movie_genres.inputs.posters import PosterError, decode_poster
from movie_genres.inputs.text import normalise
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.rows import OK, Row
from movie_genres.scoring.slots import Slot

if TYPE_CHECKING:  # it imports TensorFlow
    from movie_genres.ensemble.scorer import Models

Key = TypeVar("Key")
Size = tuple[int, int]  # (height, width) in pixels
Decoded = dict[Size, NDArray[np.uint8]] | PosterError | None

# Films in work at once; two chunks are in memory. Overviews alone are small, and many give batches of like length.
CHUNK, CHUNK_OF_OVERVIEWS = 512, 4096
CHUNK_CHARACTERS = 16_000_000  # and at most this much text, or posters from a stream


def chunks_of(slots: Iterable[Slot]) -> Iterator[tuple[Slot, ...]]:
    """Cuts films into chunks of as many as are good to have in memory.

    What is in a film's chunk can change its probabilities in their last digits: the same films must be cut the same way.
    Those that keep their rows take their place, so that a long output is never in memory for a single film.
    """
    chunk: list[Slot] = []
    share = 0.0
    for slot in slots:
        chunk.append(slot)
        film = slot.entry
        characters = len(film.overview or "") + len(getattr(film.poster, "data", ""))
        share += max(1 / (CHUNK if film.poster else CHUNK_OF_OVERVIEWS), characters / CHUNK_CHARACTERS)
        if share >= 1:
            yield tuple(chunk)
            chunk, share = [], 0.0
    if chunk:
        yield tuple(chunk)


def score(chunks: Iterable[tuple[Key, Sequence[Entry]]], models: Models, threads: int | None = None,
          caps: Caps = Caps()) -> Iterator[tuple[Key, list[Row]]]:
    """Scores films in a stream: while one chunk is in the networks, the next one is read and decoded.

    `chunks`, pairs of a key and films, is read from another thread; `threads` decode, by default as many as there are cores.
    Yields (key, rows) of each chunk, a row for each film, in their order.
    """
    sizes = {network.image_size for network in models.networks.values() if network.image_size}
    chunks = iter(chunks)
    with ThreadPoolExecutor(threads or os.cpu_count()) as decoders, ThreadPoolExecutor(1) as reader:
        def read() -> tuple[Key, Sequence[Entry], list[Decoded]] | None:
            for key, films in chunks:
                return key, films, list(decoders.map(lambda film: _decode(film, sizes, caps), films))
            return None

        following = reader.submit(read)
        while found := following.result():
            following = reader.submit(read)
            key, films, decoded = found
            yield key, _score_chunk(films, decoded, models) if films else []


def _decode(film: Entry, sizes: set[Size], caps: Caps) -> Decoded:
    """The poster in each of the sizes, or what says why not; None where there is none."""
    if film.poster is None:
        return None
    try:
        data = film.poster.read(caps.bytes)
        return {size: decode_poster(data, size, caps.pixels) for size in sizes}
    except PosterError as error:
        return error


def _score_chunk(films: Sequence[Entry], decoded: list[Decoded], models: Models) -> list[Row]:
    posters = {name: _stack(decoded, network.image_size)
               for name, network in models.networks.items() if network.image_size}
    overviews = [film.overview or "" for film in films]
    texts = {name: network.vocabulary.encode(overviews)
             for name, network in models.networks.items() if network.vocabulary}
    probabilities, thresholds = models.decide(len(films), {**posters, **texts})
    known = np.any([of_model.present for of_model in texts.values()], axis=0) if texts else np.ones(len(films), bool)
    return [_row(*of_film) for of_film in zip(films, decoded, known, probabilities, thresholds)]


def _stack(decoded: list[Decoded], image_size: Size) -> Posters:
    pixels = np.zeros((len(decoded), *image_size, 3), np.uint8)
    present = np.zeros(len(decoded), bool)
    for line, poster in enumerate(decoded):
        if isinstance(poster, dict):
            pixels[line], present[line] = poster[image_size], True
    return Posters(pixels, present)


def _row(film: Entry, decoded: Decoded, is_known: np.bool_, probabilities: NDArray[np.floating],
         thresholds: NDArray[np.floating]) -> Row:
    if film.error:
        return Row(film.id, "overview", *film.error)
    poster_ok, text_ok = isinstance(decoded, dict), film.overview is not None and bool(is_known)
    failures = []
    if isinstance(decoded, PosterError):
        failures.append((decoded.kind, f"poster: {decoded}"))
    if film.overview is not None and not text_ok:
        if normalise(film.overview):
            failures.append(("unknown_text", "overview: the model knows no word of the overview"))
        else:
            failures.append(("empty_text", "overview: the overview has no word"))
    status = failures[0][0] if failures else OK
    message = "; ".join(message for _, message in failures)
    file = film.poster.name if film.poster else ""
    if poster_ok or text_ok:
        return Row(film.id, _source(poster_ok, text_ok), status, message, file, probabilities, thresholds)
    return Row(film.id, _source(film.poster is not None, film.overview is not None), status, message, file)


def _source(poster: bool, overview: bool) -> str:
    return "both" if poster and overview else "poster" if poster else "overview"
