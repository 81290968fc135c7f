"""Scores films chunk by chunk: every film gets its row, whatever is in it."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from movie_genres.inputs.features import Posters
from movie_genres.inputs.modality import OVERVIEW, POSTER
from movie_genres.inputs.posters import Caps, PosterError, decode_poster
from movie_genres.inputs.text import normalise
from movie_genres.scoring.rows import OK, Row

# Films in work at once; two chunks are in memory. Overviews alone are small, and many give batches of like length.
CHUNK, CHUNK_OF_OVERVIEWS = 512, 4096
CHUNK_CHARACTERS = 16_000_000  # and at most this much text, or posters from a stream


def chunks_of(items):
    """Cuts films into chunks: tuples of as many as are good to have in memory.

    What is in a film's chunk can change its probabilities in their last digits: the same films must be cut the same way.
    """
    chunk, share = [], 0.0
    for item in items:
        chunk.append(item)
        characters = len(item.overview or "") + len(getattr(item.poster, "data", ""))
        share += max(1 / (CHUNK if item.poster else CHUNK_OF_OVERVIEWS), characters / CHUNK_CHARACTERS)
        if share >= 1:
            yield tuple(chunk)
            chunk, share = [], 0.0
    if chunk:
        yield tuple(chunk)


def score(chunks, models, threads=None, caps=Caps()):
    """Scores films in a stream: while one chunk is in the networks, the next one is read and decoded.

    Args:
        chunks: iterable of tuples of `catalogue.Entry`; it is read from another thread.
        models: `scorer.Models`.
        threads: number of decoding threads; by default as many as there are cores.
        caps: `posters.Caps`.

    Yields:
        a list of `rows.Row` for each chunk, one for each film, in their order.
    """
    sizes = {network.image_size for network in models.of_modality(POSTER).values()}
    chunks = iter(chunks)
    with ThreadPoolExecutor(threads or os.cpu_count()) as decoders, ThreadPoolExecutor(1) as reader:
        def read():
            chunk = next(chunks, None)
            return chunk and (chunk, list(decoders.map(lambda item: _decode(item, sizes, caps), chunk)))

        following = reader.submit(read)
        while found := following.result():
            following = reader.submit(read)
            yield _score_chunk(*found, models)


def _decode(item, sizes, caps):
    """The poster in each of the sizes, a dict, or the `PosterError` that says why not; None where none is wanted."""
    if item.poster is None or item.kept is not None:
        return None
    try:
        data = item.poster.read(caps.bytes)
        return {size: decode_poster(data, size, caps.pixels) for size in sizes}
    except PosterError as error:
        return error


def _score_chunk(chunk, decoded, models):
    films = {name: _stack(decoded, network.image_size) for name, network in models.of_modality(POSTER).items()}
    overviews = [(item.overview or "") if item.kept is None else "" for item in chunk]
    texts = {name: network.vocabulary.encode(overviews) for name, network in models.of_modality(OVERVIEW).items()}
    probabilities, thresholds = models.decide(len(chunk), {**films, **texts})
    known = np.any([of_model.present for of_model in texts.values()], axis=0) if texts else np.ones(len(chunk), bool)
    rows = []
    for line, item in enumerate(chunk):
        if item.kept is not None:
            rows.append(Row(item.id, "", OK, kept=item.kept, identity=item.identity))
            continue
        text_error = None if known[line] or item.overview is None else _text_error(item.overview)
        rows.append(_row(item, decoded[line], text_error, (probabilities[line], thresholds[line])))
    return rows


def _stack(decoded, image_size):
    pixels = np.zeros((len(decoded), *image_size, 3), np.uint8)
    present = np.array([isinstance(poster, dict) for poster in decoded])
    for line in np.flatnonzero(present):
        pixels[line] = decoded[line][image_size]
    return Posters(pixels, present)


def _text_error(overview):
    """(kind, message) of an overview that no model can make anything of."""
    if not normalise(overview):
        return "empty_text", "the overview has no word"
    return "unknown_text", "the model knows no word of the overview"


def _row(item, decoded, text_error, answer):
    if item.error:
        return Row(item.id, "overview", *item.error, identity=item.identity)
    poster_ok, poster_error = isinstance(decoded, dict), decoded if isinstance(decoded, PosterError) else None
    text_ok = item.overview is not None and text_error is None
    failures = ([(poster_error.kind, f"poster: {poster_error}")] if poster_error else []) + \
        ([(text_error[0], f"overview: {text_error[1]}")] if text_error else [])
    status = failures[0][0] if failures else OK
    message = "; ".join(message for _, message in failures)
    file = item.poster.name if item.poster else ""
    if poster_ok or text_ok:
        return Row(item.id, _source(poster_ok, text_ok), status, message, file, *answer, identity=item.identity)
    return Row(item.id, _source(item.poster is not None, item.overview is not None), status, message, file,
               identity=item.identity)


def _source(poster, overview):
    return "both" if poster and overview else "poster" if poster else "overview"
