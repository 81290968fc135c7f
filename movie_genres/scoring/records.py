"""What is written down of scoring jobs: of each shard that is done, and of an output that is complete."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, RootModel, ValidationError

from movie_genres.base.errors import InputError, Remedy
from movie_genres.base.files import read_small
from movie_genres.base.options import STRICT, first_problem
from movie_genres.scoring.rows import OK

Count = Annotated[int, Field(ge=0)]
Binding = RootModel[dict[str, Any]]  # all that decides the rows of an output
Kind = TypeVar("Kind", bound=BaseModel)


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


class Record(BaseModel):
    """What a complete output was made from, kept beside it.

    Attributes:
        binding: all that decides its rows.
        kept: of each shard, see `Shard`.
        files: from the name of each of its files to their SHA-256.
    """

    model_config = STRICT

    binding: dict[str, Any]
    statuses: dict[str, Count]
    kept: list[str]
    files: dict[str, str]

    def digest(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Tally:
    """Counts the rows of a shard by status, and makes the digests of its films: of all, and of those that are kept."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.films, self.kept = hashlib.sha256(), hashlib.sha256()

    def add(self, status: str, identity: bytes) -> None:
        """Adds a row's status and its film's `catalogue.Entry.identity`, in the order of the shard."""
        self.statuses[status] += 1
        self.films.update(identity)
        self.kept.update(identity if status == OK else b"failed")  # a failed film may change before it is tried again


def read_record(path: Path, kind: type[Kind]) -> Kind:
    """Reads a `Shard`, a `Binding` or a `Record`; raises `InputError` where the file cannot be read, or is damaged."""
    try:
        return kind.model_validate_json(read_small(path, "a record of this toolkit"))
    except ValidationError as error:
        raise InputError(path, "a record of this toolkit", first_problem(error), remedy=Remedy.SCORE_ANEW) from None
