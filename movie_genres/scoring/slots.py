"""The places of an output, one for each film: it is scored, or it has its row in an earlier output."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from movie_genres.base.errors import InputError, Remedy
from movie_genres.base.names import escape_name
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.job_files import JobFiles, Line
from movie_genres.scoring.records import Record, Tally
from movie_genres.scoring.rows import OK, Row, RowFormat, read_rows

Item = TypeVar("Item")


class Slot(NamedTuple):
    """A film's place in an output. `kept`: the cells of its row in an earlier output, which are taken over as they are, or
    None: it is scored."""

    entry: Entry
    kept: tuple[Any, ...] | None = None


def slots_of(films: Iterable[Entry], files: JobFiles, earlier: Record | None = None) -> Iterator[Slot]:
    """Yields the place of each film. The rows of an `earlier` output, which is there, are kept where they are ok.

    Raises `InputError` where that output is not of the films, or a film whose row is kept has changed since.
    """
    if earlier is None:
        yield from map(Slot, films)
        return
    identity, status = map(files.layout.shown.index, ("id", "status"))
    rows = enumerate(itertools.zip_longest(films, read_rows(files.outputs, files.layout)), start=1)
    for shard, of_shard in in_shards(rows, files.shard_size):
        tally = Tally()
        for number, (film, cells) in of_shard:
            if film is None or cells is None or cells[identity].lstrip("'") != escape_name(film.id).lstrip("'"):
                raise InputError(files.out, "the films of the earlier output, in their order",
                                 f"another one in row {number}", remedy=Remedy.SCORE_ANEW)
            tally.add(cells[status], film.identity)
            yield Slot(film, cells if cells[status] == OK else None)
        if [tally.kept.hexdigest()] != earlier.kept[shard:shard + 1]:
            raise InputError(files.out, "films that are as they were when they were scored", "one that has changed among "
                             f"rows {shard * files.shard_size + 1:,} to {number:,}", remedy=Remedy.SCORE_ANEW)


def in_shards(items: Iterator[Item], size: int) -> Iterator[tuple[int, Iterator[Item]]]:
    """Yields (number, items) of each shard; those of one must be read before the next is asked for."""
    for number in itertools.count():
        first = list(itertools.islice(items, 1))
        if not first:
            return
        yield number, itertools.chain(first, itertools.islice(items, size - 1))


def to_score(slots: Iterable[Slot]) -> list[Entry]:
    """The films among some slots that have no row yet."""
    return [slot.entry for slot in slots if slot.kept is None]


def merged(slots: Iterable[Slot], rows: Iterable[Row], layout: RowFormat) -> Iterator[Line]:
    """The lines of some slots: the rows that are kept, and between them those of the films `to_score`."""
    rows = iter(rows)
    for slot in slots:
        if slot.kept is not None:
            yield Line(OK, slot.entry.identity, slot.kept)
        else:
            row = next(rows)
            yield Line(row.status, slot.entry.identity, layout.cells(row), row)
