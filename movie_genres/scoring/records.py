"""What is written down of scoring jobs: of each shard that is done, and of an output that is complete."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, RootModel, ValidationError

from movie_genres.base.errors import InputError, Remedy
from movie_genres.base.files import read_small
from movie_genres.base.options import STRICT, first_problem
from movie_genres.ensemble.film_counts import NOTHING_KNOWN, Count, FilmCounts, count_answers, count_films
from movie_genres.scoring.rows import OK, Row

Binding = RootModel[dict[str, Any]]  # all that decides the rows of an output
Kind = TypeVar("Kind", bound=BaseModel)
AT_ONCE = 1024  # rows that are counted at once


class Shard(BaseModel):
    """What is known of a shard that is done.

    Attributes:
        films: digest of the identities of its films, in order.
        kept: the same, without those of the films whose rows failed.
        digest: SHA-256 of its file; `bytes`: its size.
    """

    model_config = STRICT

    statuses: dict[str, Count]
    films: str
    kept: str
    digest: str
    bytes: Count


class Counts(BaseModel):
    """What the films of some rows are like, apart for those whose rows are `ok`, which a retry keeps, and the others."""

    model_config = STRICT

    ok: FilmCounts = FilmCounts()
    failed: FilmCounts = FilmCounts()

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(ok=self.ok + other.ok, failed=self.failed + other.failed)

    @property
    def all(self) -> FilmCounts:
        return self.ok + self.failed


class Record(BaseModel):
    """What a complete output was made from, kept beside it.

    Attributes:
        binding: all that decides its rows.
        counts: what its films are like.
        kept: of each shard, see `Shard`.
        files: from the name of each of its files to their SHA-256.
    """

    model_config = STRICT

    binding: dict[str, Any]
    statuses: dict[str, Count]
    counts: Counts
    kept: list[str]
    files: dict[str, str]

    def digest(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Tally:
    """Counts the rows of a shard by status, and makes the digests of its films: of all, and of those that are kept.

    `counts`, of the rows that were scored, are complete after `flush`.
    """

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.films, self.kept = hashlib.sha256(), hashlib.sha256()
        self.counts = Counts()
        self._rows: list[Row] = []

    def add(self, status: str, identity: bytes, row: Row | None = None) -> None:
        """Adds a film in the order of the shard: its row's status, its `catalogue.Entry.identity`, and the row if it is
        scored."""
        self.statuses[status] += 1
        self.films.update(identity)
        self.kept.update(identity if status == OK else b"failed")  # a failed film may change before it is tried again
        if row is not None:
            self._rows.append(row)
            if len(self._rows) == AT_ONCE:
                self.flush()

    def flush(self) -> None:
        """Counts the rows that wait for it: many at once take less time."""
        self.counts += Counts(ok=_count([row for row in self._rows if row.status == OK]),
                              failed=_count([row for row in self._rows if row.status != OK]))
        self._rows.clear()


def _count(rows: Sequence[Row]) -> FilmCounts:
    answered: dict[str, list[Row]] = {}
    for row in rows:
        if row.probabilities is not None:
            answered.setdefault(row.source, []).append(row)
    facts = np.array([NOTHING_KNOWN if row.facts is None else row.facts for row in rows]).reshape(-1, len(NOTHING_KNOWN))
    return count_films([row.source for row in rows], [row.status for row in rows], facts, {
        kind: count_answers(np.array([row.probabilities for row in of_kind]), np.array([row.named for row in of_kind]))
        for kind, of_kind in answered.items()})


def read_record(path: Path, kind: type[Kind]) -> Kind:
    """Reads one of the records above; raises `InputError` where the file cannot be read, or is damaged."""
    try:
        return kind.model_validate_json(read_small(path, "a record of this toolkit"))
    except ValidationError as error:
        raise InputError(path, "a record of this toolkit", first_problem(error), remedy=Remedy.SCORE_ANEW) from None
