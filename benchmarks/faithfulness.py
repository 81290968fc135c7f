"""Whether explanations are faithful: hides the tenth that they mark, and tenths at random, on test films.

Films with a poster alone, with an overview alone and with both, of each the genre that is most probable. Hidden cells of a
poster show it blurred and hidden words are left out, as in the explanation itself; or they show the poster's mean colour,
and "someone" stands in the place of words, so that explanations are not judged by what they were made of.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from movie_genres.base.errors import InputError
from movie_genres.base.progress import track
from movie_genres.ensemble.decisions import choose_models
from movie_genres.ensemble.scorer import Models
from movie_genres.explaining.asking import Film
from movie_genres.explaining.faithfulness import HIDDEN, WAYS, falls, summary
from movie_genres.inputs.modality import BOTH, MODALITIES, OVERVIEW, POSTER
from movie_genres.inputs.posters import PosterError, read_poster
from movie_genres.inputs.prepared import read_split

Falls = dict[str, list[float]]  # as `falls` gives them


def films_of(models: Models, prepared: Path, count: int, seed: int) -> list[Film]:
    """So many films of the test split, drawn at random, of those that have an overview and a poster that can be read."""
    rows, found = read_split(prepared, "test"), []
    for number in np.random.default_rng(seed).permutation(len(rows)):
        row = rows[number]
        if row["overview"] and row["poster"] and len(found) < count:
            try:
                pixels = {size: read_poster(row["poster"], size) for size in models.sizes}
            except PosterError:
                continue
            found.append(Film(pixels, row["overview"]))
    if not found:
        raise InputError(prepared, "test films with poster and overview", "none")
    return found


def measure(models: Models, films: list[Film], draws: int, seed: int, threads: int | None = None) -> dict[str, list[Falls]]:
    """What `falls` gives of films, by what is shown of them."""
    shown = {POSTER: [Film(film.pixels) for film in films], OVERVIEW: [Film(None, film.overview) for film in films],
             BOTH: films}

    def of_one(kind: str, number: int) -> Falls | None:
        return falls(models, shown[kind][number], np.random.default_rng([seed, number]), draws)

    kinds = [kind for kind in shown if all(models.of(modality) for modality in MODALITIES if kind in (modality, BOTH))]
    with ThreadPoolExecutor(threads or os.cpu_count()) as workers:
        results = {kind: workers.map(of_one, [kind] * len(films), range(len(films))) for kind in kinds}
        return {kind: list(filter(None, track(of_kind, len(films), kind))) for kind, of_kind in results.items()}


def rows_of(found: dict[str, list[Falls]]) -> Iterable[list[str]]:
    """The cells of a table: mean falls, and by how much that by the marked tenth is greater; all with their intervals."""
    for kind, of_films in found.items():
        for way in WAYS:
            values = np.array([film[way] for film in of_films])
            columns = [*values.T, *(values[:, 0] - others for others in values.T[1:])]
            yield [kind, way, str(len(values)), *("{:.3f} ({:.3f} to {:.3f})".format(*summary(list(column)))
                                                  for column in columns),
                   f"{np.mean(values[:, 0] > values[:, 1]):.0%}"]


@click.command(help=__doc__.split("\n")[0])
@click.option("--prepared", default="prepared", show_default=True, type=click.Path(path_type=Path),
              help="Folder of the stage prepare.")
@click.option("--models", default="models", show_default=True, help="Folder with the trained models.")
@click.option("--films", "count", type=click.IntRange(min=1), default=100, show_default=True, help="Test films to take.")
@click.option("--draws", type=click.IntRange(min=1), default=10, show_default=True, help="Random tenths a film.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of films and of random tenths.")
def main(prepared: Path, models: str, count: int, draws: int, seed: int) -> None:
    scorer = Models(*choose_models(models))
    found = measure(scorer, films_of(scorer, prepared, count, seed), draws, seed)
    marked, *others = HIDDEN
    differences = [f"{marked} - {other}" for other in others]
    table = Table("shown", "hidden", "films", *HIDDEN, *differences, f"{marked} > {others[0]}", title_justify="left",
                  title="mean fall of the probability of the likeliest genre, with 95 % intervals")
    for cells in rows_of(found):
        table.add_row(*cells)
    Console(width=190).print(table)


if __name__ == "__main__":
    main()
