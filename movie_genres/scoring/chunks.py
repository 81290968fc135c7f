"""Scores films chunk by chunk: every film gets its row, whatever is in it."""

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from movie_genres.ensemble.film_counts import MEASURES, POSTER_MEASURES, measure_overviews, measure_poster
from movie_genres.ensemble.scorer import Encoded, Models, joined
from movie_genres.inputs.caps import Caps
from movie_genres.inputs.features import Overviews
from movie_genres.inputs.modality import MODALITIES, Modality
from movie_genres.inputs.posters import PosterError
from movie_genres.inputs.text import normalise
from movie_genres.inputs.vocabulary import Vocabulary
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.poster_sources import look_at
from movie_genres.scoring.rows import OK, Row
from movie_genres.scoring.slots import Slot

Key = TypeVar("Key")
Part = tuple[Sequence[PosterError | None], Encoded, NDArray[np.floating]]  # the last: facts, see `film_counts.MEASURES`
Started = list[tuple[int, Future[Part]]]  # by the number of the first film
Parts = tuple[Started, Started]  # of posters and of overviews

NO_TEXT = "no_text", "nothing was read on it, and the models look at nothing else"
NO_EMBEDDING = "no_embedding", "no embedding is given for the film, and the models look at nothing else"
NO_ANSWER = "no_answer", "no model has anything to go by"
# Films that are cut and written together. Overviews alone are small, and many give batches of like length.
CHUNK, CHUNK_OF_OVERVIEWS = 512, 4096
PART_OF_OVERVIEWS = 1024  # films whose overviews a thread takes at once
AHEAD = 2  # chunks in work beside the one that is written
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
    """Scores films in a stream: some chunks are read, decoded and run while the rows of earlier ones are written.

    `chunks` are pairs of a key and films; `threads` decode and compute, by default as many as there are cores.
    Yields (key, rows) of each chunk, a row for each film, in their order.
    """
    with contextlib.closing(_in_work(chunks, models, threads, caps)) as started:
        for key, films, parts in started:
            yield key, _rows(films, parts, models)


def encode(chunks: Iterable[Sequence[Entry]], models: Models, threads: int | None = None, caps: Caps = Caps()
           ) -> Iterator[tuple[Sequence[Entry], Encoded]]:
    """What networks give of films, in a stream as of `score`: yields the films of each chunk, and what is given of them."""
    with contextlib.closing(_in_work(((None, films) for films in chunks), models, threads, caps)) as started:
        for _, films, parts in started:
            yield films, joined((first, future.result()[1]) for of_kind in parts for first, future in of_kind)


def _in_work(chunks: Iterable[tuple[Key, Sequence[Entry]]], models: Models, threads: int | None, caps: Caps
             ) -> Generator[tuple[Key, Sequence[Entry], Parts], None, None]:
    """Yields each chunk with its parts, which workers have begun on, as they have on the next chunks."""
    waiting: deque[tuple[Key, Sequence[Entry], Parts]] = deque()
    workers = ThreadPoolExecutor(threads or os.cpu_count())
    source, failure = iter(chunks), None
    try:
        while True:
            try:
                key, films = next(source)
            except StopIteration:
                break
            except Exception as error:  # what was read before is not lost by it
                failure = error
                break
            waiting.append((key, films, _start(films, models, caps, workers)))
            if len(waiting) > AHEAD:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
        if failure:
            raise failure
    finally:
        workers.shutdown(cancel_futures=True)


def _start(films: Sequence[Entry], models: Models, caps: Caps, workers: Executor) -> Parts:
    """Gives parts of a chunk to the workers: neither how many these are nor what else they do changes what a part gives."""
    posters, texts = models.of(Modality.POSTER), models.of(Modality.OVERVIEW)

    def start(part: Callable[..., Part], size: int, *more: Any) -> Started:
        return [(first, workers.submit(part, films[first:first + size], models, *more))
                for first in range(0, len(films), size)]

    return (start(_poster_part, models.batch_size, caps) if posters and (
                any(film.poster for film in films) or models.of_embeddings(Modality.POSTER, ())) else [],
            start(_text_part, PART_OF_OVERVIEWS) if texts else [])


def _poster_part(films: Sequence[Entry], models: Models, caps: Caps) -> Part:
    """The posters of some films, by all networks that look at posters, and for each film what is wrong with its poster."""
    sizes = models.sizes
    pixels = {size: np.zeros((len(films), *size, 3), np.uint8) for size in sizes}
    present = np.zeros(len(films), bool)
    failures: list[PosterError | None] = [None] * len(films)
    facts = np.full((len(films), POSTER_MEASURES), np.nan)
    for line, film in enumerate(films):
        if film.poster and sizes:  # else no model looks at posters, and none is read
            try:
                look = look_at(film.poster, sizes, caps)
                for size, decoded in zip(sizes, look.pixels):
                    pixels[size][line] = decoded
                present[line], facts[line] = True, measure_poster(*look[1:])
            except PosterError as error:
                failures[line] = error
    found = {**models.of_posters(pixels, present, models.read(pixels, present)),
             **models.of_embeddings(Modality.POSTER, [film.id for film in films])}
    seen = np.any([np.zeros(len(films), bool), *(of_one.present for of_one in found.values())], axis=0)
    for line in np.flatnonzero(~seen).tolist():
        if films[line].poster and not failures[line]:
            failures[line] = PosterError(*(NO_TEXT if models.reader else NO_EMBEDDING))
    return failures, models.encode(found), facts


def _text_part(films: Sequence[Entry], models: Models) -> Part:
    """The overviews of some films, by all networks that look at overviews."""
    texts = [film.overview or "" for film in films]
    encoded = models.of_overviews(texts)
    words, ids = next(((network.vocabulary, of_network) for name, network in models.of(Modality.OVERVIEW).items()
                       if isinstance(network.vocabulary, Vocabulary) and isinstance(of_network := encoded[name], Overviews)),
                      (None, None))
    encoded |= models.of_embeddings(Modality.OVERVIEW, [film.id for film in films])
    return [None] * len(films), models.encode(encoded), measure_overviews(texts, words, ids)


def _rows(films: Sequence[Entry], parts: Parts, models: Models) -> list[Row]:
    of_posters, of_texts = ([(first, future.result()) for first, future in of_kind] for of_kind in parts)
    encoded = joined((first, encoded) for first, (_, encoded, _) in (*of_posters, *of_texts))
    failures = [failure for _, (of_part, _, _) in of_posters for failure in of_part] or [None] * len(films)
    facts = np.full((len(films), len(MEASURES)), np.nan)
    for columns, of_kind in ((slice(POSTER_MEASURES), of_posters), (slice(POSTER_MEASURES, None), of_texts)):
        for first, (_, _, of_part) in of_kind:
            facts[first:first + len(of_part), columns] = of_part
    probabilities, named = models.decide(len(films), encoded)
    shown, nothing = models.shown(len(films), encoded), np.zeros(len(films), bool)
    readable, known = (shown.get(modality, nothing) for modality in MODALITIES)
    of_overviews = models.of(Modality.OVERVIEW).values()
    unread = None if any(network.vocabulary for network in of_overviews) else NO_EMBEDDING if of_overviews else NO_ANSWER
    return [_row(*of_film) for of_film in zip(films, failures, readable, known, facts, probabilities, named.tolist(),
                                              itertools.repeat(unread))]


def _row(film: Entry, failure: PosterError | None, poster_ok: np.bool_, text_ok: np.bool_, facts: NDArray[np.floating],
         probabilities: NDArray[np.floating], named: int, unread: tuple[str, str] | None) -> Row:
    """`unread`: what to say of an overview, where no model looks at overviews themselves."""
    if film.error:
        return Row(film.id, "overview", *film.error)
    failures = []
    if failure:
        failures.append((failure.kind, f"poster: {failure}"))
    if film.overview is not None and not text_ok:
        if unread:
            kind, why = unread
            failures.append((kind, f"overview: {why}"))
        elif normalise(film.overview):
            failures.append(("unknown_text", "overview: the model knows no word of the overview"))
        else:
            failures.append(("empty_text", "overview: the overview has no word"))
    answered = bool(poster_ok or text_ok) and not np.isnan(probabilities[0])
    if not (answered or failures):
        failures.append(NO_ANSWER)
    status = failures[0][0] if failures else OK
    message = "; ".join(message for _, message in failures)
    file = film.poster.name if film.poster else ""
    if answered:
        return Row(film.id, _source(bool(poster_ok), bool(text_ok)), status, message, file, probabilities, named, facts)
    return Row(film.id, _source(film.poster is not None, film.overview is not None), status, message, file, facts=facts)


def _source(poster: bool, overview: bool) -> str:
    return "both" if poster and overview else "poster" if poster else "overview"
