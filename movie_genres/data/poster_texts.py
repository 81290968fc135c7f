"""Reads the text on all posters, once: what has been read of a poster is kept by the digest of its file."""

import contextlib
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from pydantic.dataclasses import dataclass

from movie_genres.base.files import replacing
from movie_genres.base.options import STRICT
from movie_genres.base.progress import track
from movie_genres.base.threads import in_threads
from movie_genres.inputs.caps import Caps
from movie_genres.inputs.poster_text import READER, SIZE, TEXTS, PosterReader
from movie_genres.inputs.posters import DECODER, PosterError, decode_poster, read_file

logger = logging.getLogger(__name__)

@dataclass(config=STRICT, frozen=True, kw_only=True)
class ReadPostersOptions:
    """The `read_posters` section of `params.yaml`."""

    read: bool  # whether the text on posters is read, for encoders that are to look at it


def write_texts(posters: Path, out: Path, kept: Path, options: ReadPostersOptions) -> dict[str, str] | None:
    """Writes the text on each poster below a folder to `out`, for `poster_text.load_texts`.

    Returns it by path; None without `read`.

    `kept` is a folder outside `out`, for what has been read of every poster so far: a run that was killed loses nothing, and
    no poster is read twice.

    Raises:
        MissingPackageError: the package that reads is not installed.
    """
    paths = sorted(str(path) for path in posters.rglob("*") if path.is_file())
    texts = _read(paths, kept / f"{DECODER}-{READER}.jsonl") if options.read else None
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / TEXTS) as partial:
        partial.write_text(json.dumps(texts, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    return texts


def _read(paths: Sequence[str], kept: Path) -> dict[str, str]:
    known = _known(kept)
    kept.parent.mkdir(parents=True, exist_ok=True)
    reader = PosterReader()

    def read(path: str) -> tuple[str, str]:
        try:
            data = read_file(path, Caps().bytes)
            digest = hashlib.sha256(data).hexdigest()
            return digest, known[digest] if digest in known else reader.read(decode_poster(data, SIZE))
        except PosterError:  # vectorize says so
            return "", ""

    texts = {}
    with open(kept, "a", encoding="utf-8") as file:
        for path, (digest, text) in zip(paths, track(in_threads(read, paths), len(paths), "Reading posters")):
            texts[path] = text
            if digest and digest not in known:
                known[digest] = text
                file.write("\n" + json.dumps([digest, text]))  # the line before may have been cut short by a kill
                file.flush()
    return texts


def _known(kept: Path) -> dict[str, str]:
    """What has been read of posters, by the SHA-256 of their files."""
    known = {}
    if kept.exists():
        for line in kept.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # empty, or cut short
                digest, text = json.loads(line)
                known[digest] = text
    return known
