"""Writes films to files that pages read without a server: scripts with deflated data, which `static/data.js` unpacks.

`data/index.js` has what lists, filters and sorting need of all films; a shard, `data/films-000.js` and so on, the texts of
`SHARD` of them, which are read when a film is shown.
"""

import base64
import hashlib
import json
import logging
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from movie_genres.reporting.films import Bools, Films, Floats

logger = logging.getLogger(__name__)

SHARD = 500  # films
STEPS = 200  # of a probability, which is a byte: halves of a per cent, so that whole ones are right; 255: not known
LEVELS = 65_534  # of a measure, of two bytes; 65,535: not known
LONGEST_CUTS = (1_000, 700, 500, 400, 300, 220, 160, 100, 60, 0)  # characters of overviews, where all would be too much


def write_films(films: Films, pictured: Bools, folder: Path, most_bytes: int) -> int | None:
    """Writes the files of films below `folder`, `data/`; overviews are cut as far as it takes to stay within `most_bytes`.

    `pictured`: whether there is a thumbnail, of shape (films,). Returns how many characters overviews have at most; None:
    none was cut. Where not even films without overviews stay within it, that is logged.
    """
    index = _script(_index(films, pictured))
    left = most_bytes - len(index)
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "index.js").write_text(index)
    lengths = np.array(list(map(len, films.overviews)))
    longest, share = int(lengths.max(initial=0)), 0.0  # share: bytes of a file for a character of an overview
    cuts = [None, *(cut for cut in LONGEST_CUTS if cut < longest)]
    for cut in cuts:
        characters = np.minimum(lengths, longest if cut is None else cut).sum()
        if cut != cuts[-1] and 0.9 * characters * share > left:  # far too much: not worth the time
            continue
        shards = [_script({f"films-{number:03}": shard}) for number, shard in enumerate(_shards(films, cut))]
        size = sum(map(len, shards))
        if size <= left:
            break
        share = size / max(characters, 1)
    for number, shard in enumerate(shards):
        (folder / "data" / f"films-{number:03}.js").write_text(shard)
    if size > left:
        logger.warning("The films' data takes %.1f MB, more than %.1f: pages open slowly. Give fewer films",
                       (len(index) + size) / 1e6, most_bytes / 1e6)
    return cut


def _script(parts: dict[str, bytes]) -> str:
    return "".join(f'siteData("{name}","{_packed(data)}");\n' for name, data in parts.items())


def _packed(data: bytes) -> str:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(deflate.compress(data) + deflate.flush()).decode()


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _index(films: Films, pictured: Bools) -> dict[str, bytes]:
    about: dict[str, Any] = {
        "site": hashlib.sha256(_json([list(films.ids), list(films.genres)])).hexdigest()[:16], "shard": SHARD,
        "steps": STEPS, "genres": list(films.genres), "ids": list(films.ids), "titles": list(films.titles),
        "years": list(films.years),
        **{name: _coded(values) for name, values in (("splits", films.splits), ("statuses", films.statuses),
                                                     ("sources", films.sources))},
        "models": [{"name": said.name, "kind": said.kind} for said in films.said]}
    measures = {"disagreement": films.disagreement()}
    parts = {"pictured": np.packbits(pictured).tobytes()}
    if films.truth is not None:
        parts["truth"] = np.packbits(films.truth, axis=1).tobytes()
    for number, said in enumerate(films.said):
        known = np.where(np.isnan(said.probabilities), 255, np.floor(said.probabilities * STEPS) + 1)
        parts |= {f"probabilities-{number}": known.astype(np.uint8).tobytes(),
                  f"named-{number}": np.packbits(said.named, axis=1).tobytes()}
        measures |= {f"doubt-{number}": said.doubt(),
                     f"loss-{number}": None if films.truth is None else said.loss(films.truth)}
    known_measures = {name: values for name, values in measures.items() if values is not None and not np.isnan(values).all()}
    about["largest"] = {name: float(np.nanmax(values)) for name, values in known_measures.items()}
    levels = {name: _levels(values, about["largest"][name]) for name, values in known_measures.items()}
    return {"index": _json(about), **parts, **levels}


def _levels(values: Floats, largest: float) -> bytes:
    levels = np.round(values / (largest or 1) * LEVELS)
    return np.where(np.isnan(levels), LEVELS + 1, levels).astype("<u2").tobytes()


def _coded(values: Sequence[str]) -> dict[str, list[Any]]:
    """Few different texts, as numbers among their names, the most frequent first."""
    names, codes, counts = np.unique(np.array(values, dtype=object), return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {"names": names[order].tolist(), "of": np.argsort(order)[codes].tolist()}


def _shards(films: Films, cut: int | None) -> Iterator[bytes]:
    for start in range(0, len(films.ids), SHARD):
        yield _json([_texts(films, film, cut) for film in range(start, min(start + SHARD, len(films.ids)))])


def _texts(films: Films, film: int, cut: int | None) -> dict[str, Any]:
    overview = films.overviews[film]
    short = overview if cut is None else overview[:cut]
    texts = {"overview": short, "cut": short != overview, "error": films.errors[film] if films.errors else "",
             "explanation": films.explanations.get(films.ids[film])}
    return {name: value for name, value in texts.items() if value}
