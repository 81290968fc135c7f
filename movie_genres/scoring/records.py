"""What is written down of scoring jobs: of each shard that is done, and of an output that is complete."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from movie_genres.base.errors import InputError, Remedy
from movie_genres.base.files import read_small
from movie_genres.base.options import first_problem
from movie_genres.scoring.rows import OK

Count = Annotated[int, Field(ge=0)]
Kind = TypeVar("Kind", bound=BaseModel)


class Shard(BaseModel):
    """What is known of a shard that is done.

    Attributes:
        statuses: how many rows have each status.
        films: digest of the identities of its films, in order.
        kept: the same, without those of the films whose rows failed.
        digest: SHA-256 of its file; `bytes`: its size.
    """

    model_config = ConfigDict(extra="forbid")

    statuses: dict[str, Count]
    films: str
    kept: str
    digest: str
    bytes: Count


class Binding(RootModel[dict[str, Any]]):
    """All that decides the rows of an output."""


class Record(BaseModel):
    """What a complete output was made from, kept beside it.

    Attributes:
        binding: all that decides its rows.
        statuses: how many rows have each status.
        kept: of each shard, see `Shard`.
        files: dict from the name of each of its files to their SHA-256.
    """

    model_config = ConfigDict(extra="forbid")

    binding: dict[str, Any]
    statuses: dict[str, Count]
    kept: list[str]
    files: dict[str, str]

    def digest(self) -> str:
        """SHA-256 of the record."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Tally:
    """Counts the rows of a shard by status, and makes the digests of its films."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self._films, self._kept = hashlib.sha256(), hashlib.sha256()

    def add(self, status: str, identity: bytes) -> None:
        """Adds a row's status and its film's `catalogue.Entry.identity`, in the order of the shard."""
        self.statuses[status] += 1
        self._films.update(identity)
        self._kept.update(identity if status == OK else b"failed")  # a failed film may change before it is tried again

    @property
    def films(self) -> str:
        """The digest of all films, as hexadecimal text."""
        return self._films.hexdigest()

    @property
    def kept(self) -> str:
        """The digest of the films whose rows are ok."""
        return self._kept.hexdigest()


def difference(made_with: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Says in which entry two bindings differ."""
    key = next(key for key in {**given, **made_with} if given.get(key) != made_with.get(key))
    return f"begun with {key} {made_with.get(key)!r}; found {given.get(key)!r}"


def read_record(path: Path, kind: type[Kind]) -> Kind:
    """Reads a `Shard`, a `Binding` or a `Record`.

    Raises:
        InputError: the file cannot be read, or is damaged.
    """
    try:
        return kind.model_validate_json(read_small(path, "a record of this toolkit"))
    except ValidationError as error:
        raise InputError(path, "a record of this toolkit", first_problem(error),
                         remedy=Remedy.SCORE_ANEW) from None
