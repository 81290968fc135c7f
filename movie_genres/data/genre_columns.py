"""Finds out which columns of a table hold genres, and which are named by one."""

import re
from collections.abc import Sequence
from typing import Any

from movie_genres.base.errors import InputError
from movie_genres.data.genres import is_common
from movie_genres.data.sources import ImportOptions
from movie_genres.data.tables import GENRES_COLUMNS, Rows, cut, text_of

NUMBERED_COLUMNS = ("genre_ids", "tmdb_genre_ids")  # of TMDB's numbers
NUMBERED_GENRES = re.compile(r"genres?[ _-]?\d{1,3}", re.IGNORECASE)  # names of several columns with genres
PREFIX = "genre_"  # before the names of one-hot columns, as those of data frames
OWN_NUMBERS = "genre_id"  # a column of numbers that nobody but its author knows, even where they are 0 and 1
NO_GENRE = re.compile(  # columns that may hold 0 and 1 as well
    "(is|has|was)_?.*|(.*_)?(train(ing)?|test(ing)?|val(id)?|validation|split|fold|holdout)|seen|watched|owned|liked|"
    "favou?rites?|rated|released|deleted|selected|available|missing|duplicated?|colou?r|target|adult|video|index|unnamed.*|",
    re.IGNORECASE)
FLAG_CELLS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
SHOWN = 12  # names of columns in a sentence


def find_genres(rows: Rows, options: ImportOptions, taken: set[int | None], notes: list[str]
                ) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The columns with genres, and those that are named by one and hold 0 and 1; `taken` are other columns.

    Several that the user named are all of one kind or all of the other. Columns without the prefix are taken as genres only
    where at least half of their names are common genres, with a note, and never where corrections give the labels.

    Raises:
        InputError: there are none, and no corrections, or a column that is named by a genre has empty cells.
    """
    if options.genres_column:
        named = tuple(rows.find(name, (), "genres_column") for name in options.genres_column)
        return ((), named) if len(named) > 1 and any(_flags(rows, named)) else (named, ())
    usual = rows.find_usual(GENRES_COLUMNS)
    if usual is not None:
        return (usual,), ()
    single = [index for index in rows.single() if index not in taken]
    prefixed = [index for index in single if rows.columns[index].startswith(PREFIX) and rows.columns[index] != OWN_NUMBERS]
    flags, gaps = _flags(rows, prefixed)
    several = tuple(index for index, name in enumerate(rows.columns) if NUMBERED_GENRES.fullmatch(name))
    numbered = rows.find_usual(NUMBERED_COLUMNS)
    if flags or gaps:  # whoever reads the cells of the others tells which are neither 0 nor 1
        return (), tuple(index for index in prefixed
                         if index in flags or index in gaps or index not in (*several, numbered))
    if several or numbered is not None:
        return several or (numbered,), ()  # type: ignore[return-value]  # not None then
    if options.corrections:
        return (), ()
    guessed = _guess(rows, [index for index in single if not NO_GENRE.fullmatch(rows.columns[index])], notes)
    if not guessed:
        rows.find(None, GENRES_COLUMNS, "genres_column")  # tells what is missing
    return (), guessed


def _guess(rows: Rows, columns: Sequence[int], notes: list[str]) -> tuple[int, ...]:
    """Those of the columns that hold 0 and 1 alone, where most seem to be named by genres."""
    flags, gaps = _flags(rows, columns)
    gap = next((index for index in gaps if is_common(rows.columns[index])), None)
    if gap is not None:
        raise InputError(rows.path, f"0 or 1 in the genre column {cut(rows.columns[gap])!r}",
                         f"an empty cell in row {gaps[gap]:,}", "Fill it, or name the columns to take.",
                         setting="genres_column")
    if len(flags) < 2:
        return ()
    if 2 * sum(is_common(rows.columns[index]) for index in flags) < len(flags):
        raise InputError(rows.path, "a column with genres, or columns of 0 and 1 named by common genres",
                         f"columns of 0 and 1 with other names: {names_of(rows, flags)}", setting="genres_column")
    notes.append(f"columns that hold 0 and 1 were taken as genres: {names_of(rows, flags)}")
    return tuple(flags)


def _flags(rows: Rows, columns: Sequence[int]) -> tuple[list[int], dict[int, int]]:
    """Those of the columns whose cells are all 0 or 1, or false or true; and those where others are empty, with the first
    such row."""
    left, seen, gaps = set(columns), set[int](), dict[int, int]()
    for number, cells in rows.records(columns, []) if columns else ():
        for index, cell in zip(columns, cells):
            if index not in left:
                continue
            if flag_of(cell) is not None:
                seen.add(index)
            elif text_of(cell) or isinstance(cell, (list, dict)):
                left.discard(index)
            else:
                gaps.setdefault(index, number)
        if not left:
            break
    found = [index for index in columns if index in left & seen]
    return [index for index in found if index not in gaps], {index: gaps[index] for index in found if index in gaps}


def flag_of(cell: Any) -> bool | None:
    """What a cell of 0 or 1, or false or true, says; None where it is none."""
    return None if isinstance(cell, list) else FLAG_CELLS.get(text_of(cell).lower())


def names_of(rows: Rows, indices: Sequence[int]) -> str:
    """The names of some columns, the first of them, for a sentence."""
    names = [cut(rows.columns[index]) for index in indices]
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
