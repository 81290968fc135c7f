"""Scores posters and overviews film by film: every input gets its row, whatever is in it."""

import csv
import itertools
import os
from collections import Counter, defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from movie_genres.arrays import Posters
from movie_genres.errors import InputError
from movie_genres.files import replacing
from movie_genres.models import OVERVIEW, POSTER
from movie_genres.posters import SUFFIXES, PosterError, read_poster
from movie_genres.tables import ID_COLUMNS, TEXT_COLUMNS, Table
from movie_genres.text import normalise

OK = "ok"
BASE_COLUMNS = ("id", "source", "status", "error", "genres", "top")
CHUNK = 512  # films in work at once; two chunks are in memory


class Item(NamedTuple):
    """One film to be scored: a poster file, an overview, or both; `error` is (kind, message) of an unreadable row."""

    id: str
    poster: str | None = None
    overview: str | None = None
    error: tuple | None = None


class Row(NamedTuple):
    """One scored film.

    Attributes:
        id: text.
        source: what the probabilities come from: `poster`, `overview` or `both`; for a failed film, what was given.
        status: `ok` or a short error kind.
        error: a message, empty if ok.
        probabilities: float array of shape (genres,), or None if nothing could be scored.
        thresholds: float array of shape (genres,): from which probability on each genre counts as there.
    """

    id: str
    source: str
    status: str
    error: str
    probabilities: np.ndarray | None = None
    thresholds: np.ndarray | None = None


def find_posters(folder):
    """All files below a folder as a list of (id, path), sorted by id; links to folders are not followed.

    The id is the path relative to the folder, with forward slashes, without the extension. Hidden files count only where
    their name says that they are pictures.

    Raises:
        InputError: a folder cannot be read, so that posters in it would be lost.
    """
    def refuse(error):
        raise InputError(error.filename, "a readable folder", error.strerror, "Change its permissions, or move it away.")

    found = []
    for parent, _, names in os.walk(folder, onerror=refuse):
        inside = os.path.relpath(parent, folder)
        for name in names:
            stem, suffix = os.path.splitext(name)
            if not name.startswith(".") or suffix.lower() in SUFFIXES:
                relative = stem if inside == "." else os.path.join(inside, stem)
                found.append((relative.replace(os.sep, "/"), os.path.join(parent, name)))
    return sorted(found)


def read_overviews(path, id_column=None, text_column=None):
    """Reads the overviews of a table as a list of `Item`, in the order of the table.

    Raises:
        InputError: a needed column is missing, or the table cannot be read to its end.
    """
    table = Table(Path(path))
    identity = table.find(id_column, ID_COLUMNS, "--id-column")
    text = table.find(text_column, TEXT_COLUMNS, "--text-column")
    items = []
    for number, cells in table:
        if table.is_ragged(cells):
            message = f"row {number} has {len(cells)} cells; the header has {len(table.columns)}"
            items.append(Item(cells[identity] if identity < len(cells) else "", error=("bad_row", message)))
        else:
            items.append(Item(cells[identity], overview=cells[text]))
    return items


def join(overviews, posters):
    """Joins overviews with posters of the same id: every overview and every poster stands in at least one item.

    Args:
        overviews: list of `Item`.
        posters: list of (id, path).

    Returns:
        list of `Item`: the overviews in their order, each with its poster if it has one, then the other posters. Where an
        id repeats on both sides, the first goes with the first and so on; where only on one, each has the same partner.
        A blank overview of a film with a poster is no overview, and no failure.
    """
    by_id, used, seen = defaultdict(list), Counter(), {}
    for poster_id, path in posters:
        by_id[poster_id].append(path)
    items = []
    for item in overviews:
        paths = by_id.get(item.id)
        if paths and item.error is None:
            overview = item.overview if item.overview.strip() else None
            item = Item(item.id, paths[min(used[item.id], len(paths) - 1)], overview)
            used[item.id] += 1
            seen[item.id] = overview
        items.append(item)
    rest = (Item(poster_id, path, seen.get(poster_id))
            for poster_id, paths in sorted(by_id.items()) for path in paths[used[poster_id]:])
    return items + list(rest)


def score(items, models, workers=None):
    """Scores films in a stream: while one chunk is in the networks, the posters of the next are being decoded.

    Args:
        items: iterable of `Item`.
        models: `inference.Models`.
        workers: number of decoding threads; by default as many as there are cores.

    Yields:
        a `Row` for each item, in their order.
    """
    sizes = {network.image_size for network in models.of_modality(POSTER).values()}
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        waiting = deque()
        for chunk in _batched(items, CHUNK):  # itertools.batched is new in Python 3.12
            waiting.append((chunk, [pool.submit(_decode, item.poster, sizes) for item in chunk]))
            if len(waiting) > 1:
                yield from _score_chunk(*waiting.popleft(), models)
        while waiting:
            yield from _score_chunk(*waiting.popleft(), models)


def _batched(items, size):
    items = iter(items)
    while chunk := tuple(itertools.islice(items, size)):
        yield chunk


def _decode(path, sizes):
    """The poster in each of the sizes, a dict, or the `PosterError` that says why not; None where there is no poster."""
    if path is None:
        return None
    try:
        return {size: read_poster(path, size) for size in sizes}
    except PosterError as error:
        return error


def _score_chunk(chunk, decoding, models):
    decoded = [future.result() for future in decoding]
    films = {name: _stack(decoded, network.image_size) for name, network in models.of_modality(POSTER).items()}
    overviews = [item.overview or "" for item in chunk]
    texts = {name: network.vocabulary.encode(overviews) for name, network in models.of_modality(OVERVIEW).items()}
    probabilities, thresholds = models.decide(len(chunk), {**films, **texts})
    known = np.any([of_model.present for of_model in texts.values()], axis=0) if texts else np.ones(len(chunk), bool)
    for row, item in enumerate(chunk):
        text_error = None if known[row] or item.overview is None else _text_error(item.overview)
        yield _row(item, decoded[row], text_error, (probabilities[row], thresholds[row]))


def _stack(decoded, image_size):
    pixels = np.zeros((len(decoded), *image_size, 3), np.uint8)
    present = np.array([isinstance(poster, dict) for poster in decoded])
    for row in np.flatnonzero(present):
        pixels[row] = decoded[row][image_size]
    return Posters(pixels, present)


def _text_error(overview):
    """(kind, message) of an overview that no model can make anything of."""
    if not normalise(overview):
        return "empty_text", "the overview has no word"
    return "unknown_text", "the model knows no word of the overview"


def _row(item, decoded, text_error, answer):
    poster_ok, poster_error = isinstance(decoded, dict), decoded if isinstance(decoded, PosterError) else None
    text_ok = item.overview is not None and text_error is None
    if item.error:
        return Row(item.id, "overview", *item.error)
    failures = ([(poster_error.kind, f"poster: {poster_error}")] if poster_error else []) + \
        ([(text_error[0], f"overview: {text_error[1]}")] if text_error else [])
    status = failures[0][0] if failures else OK
    message = "; ".join(message for _, message in failures)
    if poster_ok or text_ok:
        return Row(item.id, _source(poster_ok, text_ok), status, message, *answer)
    return Row(item.id, _source(item.poster is not None, item.overview is not None), status, message)


def _source(poster, overview):
    return "both" if poster and overview else "poster" if poster else "overview"


def write_rows(rows, path, genres, top=3, threshold=None, model=None):
    """Writes scored films as CSV, to a temporary file that is renamed at the end.

    Columns: id, source, status, error, genres (at or above their thresholds, most probable first, joined by a bar), top
    (`Drama:0.712|Comedy:0.433`), then `p_<Genre>` for each genre with 4 decimals.

    Args:
        rows: iterable of `Row`.
        path: where to.
        genres: list of names, the order of the probabilities.
        top: how many genres stand in `top`.
        threshold: probability at or above which a genre stands in `genres`; None takes the models' own thresholds.
        model: name and version of the model, for a last column `model`; None: no such column.

    Returns:
        `collections.Counter` of the rows by status.
    """
    statuses = Counter()
    # Names that are not UTF-8 arrive with surrogates: they are escaped, so that any reader takes the file.
    with replacing(path) as partial, open(partial, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        last = [] if model is None else [model]
        writer.writerow([*BASE_COLUMNS, *(f"p_{genre}" for genre in genres), *(["model"] if last else [])])
        for row in rows:
            answers = _answers(row, genres, top, threshold)
            writer.writerow([row.id, row.source, row.status, _one_line(row.error), *answers, *last])
            statuses[row.status] += 1
    return statuses


def _one_line(message):
    return "".join(character if character.isprintable() else " " for character in message)


def _answers(row, genres, top, threshold):
    if row.probabilities is None:
        return ["", "", *("" for _ in genres)]
    order = np.argsort(-row.probabilities, kind="stable")
    thresholds = row.thresholds if threshold is None else np.full(len(genres), threshold)
    named = "|".join(genres[index] for index in order if row.probabilities[index] >= thresholds[index])
    best = "|".join(f"{genres[index]}:{row.probabilities[index]:.3f}" for index in order[:top])
    return [named, best, *(f"{probability:.4f}" for probability in row.probabilities)]
