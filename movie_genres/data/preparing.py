"""From the data folder to the table that all stages share: genres fixed, duplicates out, each film in a split."""

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.base.errors import InputError
from movie_genres.base.files import StrPath, file_digest
from movie_genres.base.options import STRICT
from movie_genres.data.films import Film, poster_files, read_films
from movie_genres.data.splits import SPLITS, choose_genres, group_duplicates, stratified_split, undersample
from movie_genres.inputs.prepared import save_prepared
from movie_genres.inputs.text import normalise

logger = logging.getLogger(__name__)


@dataclass(config=STRICT, frozen=True, kw_only=True)
class PrepareOptions:
    """Which films and genres to use and how to split them: the `prepare` section of `params.yaml`.

    Training films whose only genre is the most frequent one are dropped until it is on no more than `max_share` of them;
    validation and test films stay as they are.
    """

    seed: int
    validation: float = Field(gt=0, lt=0.5)  # share of the films
    test: float = Field(gt=0, lt=0.5)
    min_films: int = Field(ge=1)  # genres with fewer films are left out
    top_genres: int | None = Field(ge=2)  # keep only this many of the most frequent genres
    genres: tuple[str, ...]  # an explicit list, in place of the two rules above
    min_year: int | None  # films of unknown year are left out where there is a first or a last year
    max_year: int | None
    max_share: float | None = Field(gt=0, lt=1)


def prepare(data: StrPath, out: StrPath, options: PrepareOptions) -> dict[str, Any]:
    """Validates the data folder, drops duplicates, fixes the genres, splits the films, and saves them in the folder `out`.

    Gives the summary saved with them: the genres, films by split and genre, and what was left out.

    Raises:
        InputError: the data folder cannot be used.
        UserError: the options leave too few films or genres.
    """
    films, posters = read_films(data), poster_files(data)
    kept, left_out = _select(films, posters, options)
    genres = choose_genres(kept, options.min_films, options.top_genres, options.genres)
    labels = np.array([[genre in film.genres for genre in genres] for film in kept], dtype=int)
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
        elif not _in_years(film.year, options):
            reason = "outside_years"
        else:
            seen.add(film.id)
            kept.append(film)
            continue
        left_out[reason] += 1
    return kept, dict(left_out)


def _in_years(year: str, options: PrepareOptions) -> bool:
    if options.min_year is None and options.max_year is None:
        return True
    return year.isdigit() and (options.min_year or 0) <= int(year) <= (options.max_year or 9999)


def _log_large_groups(films: list[Film], groups: NDArray[np.intp]) -> None:
    values, counts = np.unique(groups, return_counts=True)
    for group in values[counts > max(10, len(films) // 100)]:
        logger.warning("%d films share the overview or the poster of %s (a placeholder?); they go to one split together",
                       (groups == group).sum(), films[group].id)
