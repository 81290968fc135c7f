"""From the data folder to the table that all stages share: genres fixed, duplicates out, each film in a split."""

import logging
from collections import Counter
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, field_validator
from pydantic.dataclasses import dataclass

from movie_genres.base.errors import InputError, SettingError
from movie_genres.base.files import StrPath, file_digest
from movie_genres.base.options import STRICT
from movie_genres.data.films import Film, poster_files, read_films
from movie_genres.data.splits import (
    SPLITS,
    Labels,
    choose_genres,
    draw_evenly,
    group_duplicates,
    stratified_split,
    undersample,
)
from movie_genres.inputs.prepared import save_prepared
from movie_genres.inputs.text import normalise

logger = logging.getLogger(__name__)


@dataclass(config=STRICT, frozen=True, kw_only=True)
class PrepareOptions:
    """Which films and genres to use and how to split them: the `prepare` section of `params.yaml`.

    Genres are chosen from the films of the `periods`, each its first and its last year. `films` of these are kept, in equal
    parts from each period, drawn so that genres are as even as can be (see `splits.draw_evenly`), and split then: all
    splits, the test films too, are of the films that were asked for.

    Training films whose only genre is the most frequent one are dropped until it is on no more than `max_share` of them;
    validation and test films stay as they are.
    """

    seed: int
    validation: float = Field(gt=0, lt=0.5)  # share of the films
    test: float = Field(gt=0, lt=0.5)
    min_films: int = Field(ge=1)  # genres with fewer films are left out
    top_genres: int | None = Field(ge=2)  # keep only this many of the most frequent genres
    genres: tuple[str, ...]  # an explicit list, in place of the two rules above
    periods: tuple[tuple[int, int], ...]  # films of other years, or of unknown year, are left out; empty: all films
    films: int | None = Field(ge=1)  # None: all films
    max_share: float | None = Field(gt=0, lt=1)

    @field_validator("periods")
    @classmethod
    def _follow_each_other(cls, periods: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        ordered = sorted(periods)
        if any(first > last for first, last in ordered) or any(one[1] >= other[0] for one, other in pairwise(ordered)):
            raise ValueError("expected periods of [first, last] year, of which no two share a year")
        return periods


def prepare(data: StrPath, out: StrPath, options: PrepareOptions) -> dict[str, Any]:
    """Validates the data folder, drops duplicates, fixes the genres, splits the films, and saves them in the folder `out`.

    Gives the summary saved with them: the genres, films by split and genre, and what was left out.

    Raises:
        InputError: the data folder cannot be used.
        UserError: the options leave too few films or genres, or a period has too few films.
    """
    films, posters = read_films(data), poster_files(data)
    kept, left_out = _select(films, posters, options)
    genres = choose_genres(kept, options.min_films, options.top_genres, options.genres)
    labels = np.fromiter((genre in film.genres for film in kept for genre in genres), int).reshape(len(kept), len(genres))
    if options.films is not None:
        drawn = _draw(kept, labels, options.films, options)
        left_out["not_drawn"] = len(kept) - len(drawn)
        kept, labels = [kept[index] for index in drawn], labels[drawn]
    digests = {film.id: file_digest(posters[film.id]) for film in kept if film.id in posters}
    groups = group_duplicates(kept, digests)
    _log_large_groups(kept, groups)

    fractions = (1 - options.validation - options.test, options.validation, options.test)
    split = stratified_split(labels, groups, fractions, options.seed)
    if options.max_share is not None:
        dropped = undersample(labels, split == 0, options.max_share, options.seed)
        left_out["undersampled"] = int(dropped.sum())
        kept = [film for film, drop in zip(kept, dropped) if not drop]
        labels, split, groups = labels[~dropped], split[~dropped], groups[~dropped]
    for index, name in enumerate(SPLITS):
        if not (split == index).any():
            raise InputError(data, f"films enough for a {name} split", f"{len(kept)} films in all", "Add films.")

    table = pd.DataFrame({
        **{name: [getattr(film, name) for film in kept] for name in ("id", "title", "year", "overview")},
        "genres": ["|".join(genre for genre in genres if genre in film.genres) for film in kept],
        "poster": [posters[film.id].as_posix() if film.id in posters else "" for film in kept],
        "split": [SPLITS[index] for index in split],
    })
    summary = {
        "genres": genres,
        "films": {name: int((split == index).sum()) for index, name in enumerate(SPLITS)},
        "films_by_genre": {genre: dict(zip(SPLITS, (int(labels[split == index, column].sum()) for index in range(3))))
                           for column, genre in enumerate(genres)},
        **({"films_by_period": _films_by_period(kept, options)} if options.periods else {}),
        "without_poster": int((table["poster"] == "").sum()),
        "without_overview": sum(not normalise(film.overview) for film in kept),
        "without_chosen_genre": int((labels.sum(axis=1) == 0).sum()),
        "kept_together_as_duplicates": len(kept) - len(set(groups.tolist())),
        "left_out": left_out,
    }
    save_prepared(table, summary, out)
    return summary


def _select(films: list[Film], posters: dict[str, Path], options: PrepareOptions) -> tuple[list[Film], dict[str, int]]:
    """The films that can be learned from, and how many were left out for which reason."""
    seen: set[str] = set()
    kept: list[Film] = []
    left_out: Counter[str] = Counter()
    for film in films:
        if film.id in seen:
            reason = "repeated_id"
        elif not film.genres:
            reason = "genres_unknown"
        elif film.id not in posters and not normalise(film.overview):
            reason = "neither_poster_nor_overview"
        elif _period_of(film.year, options) is None:
            reason = "outside_periods"
        else:
            seen.add(film.id)
            kept.append(film)
            continue
        left_out[reason] += 1
    return kept, dict(left_out)


def _period_of(year: str, options: PrepareOptions) -> int | None:
    """The number of the period that a year is in, None outside of all; 0 where no periods are asked for."""
    if not options.periods:
        return 0
    if not year.isdecimal() or len(year) > 4:
        return None
    return next((number for number, (first, last) in enumerate(options.periods) if first <= int(year) <= last), None)


def _draw(films: list[Film], labels: Labels, count: int, options: PrepareOptions) -> NDArray[np.intp]:
    """The indices of `count` films in equal parts from each period, ascending; a remainder goes to the first periods."""
    period_of = np.array([_period_of(film.year, options) for film in films])
    periods = [np.flatnonzero((period_of == number) & labels.any(axis=1)) for number in range(max(1, len(options.periods)))]
    parts = [count // len(periods) + (number < count % len(periods)) for number in range(len(periods))]
    if any(part > len(candidates) for part, candidates in zip(parts, periods)):
        there = ", ".join(f"{len(candidates):,}" + (f" from {years[0]} to {years[1]}" if years else "")
                          for candidates, years in zip_longest(periods, options.periods))
        most = min(map(len, periods)) * len(periods)
        raise SettingError("films", f"at most {most:,}, as there are {there} with a chosen genre", f"{count:,}")
    return np.sort(np.concatenate([draw_evenly(labels, candidates, part, options.seed)
                                   for part, candidates in zip(parts, periods)]))


def _films_by_period(films: list[Film], options: PrepareOptions) -> dict[str, int]:
    counts = Counter(_period_of(film.year, options) for film in films)
    return {f"{first}-{last}": counts[number] for number, (first, last) in enumerate(options.periods)}


def _log_large_groups(films: list[Film], groups: NDArray[np.intp]) -> None:
    values, counts = np.unique(groups, return_counts=True)
    for group in values[counts > max(10, len(films) // 100)]:
        logger.warning("%d films share the overview or the poster of %s (a placeholder?); they go to one split together",
                       (groups == group).sum(), films[group].id)
