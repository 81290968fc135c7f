"""How many of the labels that were flipped on purpose an audit finds: `python -m benchmarks.planted_errors`.

Labels of training films are flipped, audited as they then are, and looked for among the first suspects, beside what a random
order would find. Other suspects may be mistakes that the films came with. The model was chosen with the seeds 1 to 8,
and once more after a look at 100 to 104: report others.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from movie_genres.evaluation.auditing import AuditOptions, audited_genres, find_suspects
from movie_genres.evaluation.cross_fitting import Inputs, see_films
from movie_genres.inputs.features import load_posters
from movie_genres.inputs.prepared import Prepared, load_prepared
from stages.common import params_option, posters_option, prepared_option, read_options

KINDS = {"random": "any label", "halves": "half wrong, half missing"}
FIRST = (100, 200, 500)


def flip(prepared: Prepared, genres: NDArray[np.intp], errors: int, kind: str, seed: int
         ) -> tuple[Prepared, set[tuple[str, str]]]:
    """Flips labels of `genres` of training films: `random` ones, or in `halves` that add and that remove a genre.

    Gives the films with these errors, and the (id, genre) of each.
    """
    rng, train = np.random.default_rng(seed), prepared.rows("train")
    cells = np.stack(np.meshgrid(train, genres, indexing="ij"), axis=-1).reshape(-1, 2)
    there = prepared.labels[cells[:, 0], cells[:, 1]] > 0
    parts = [(cells, errors)] if kind == "random" else [(cells[there], errors // 2), (cells[~there], errors - errors // 2)]
    chosen = np.concatenate([of_part[rng.choice(len(of_part), count, replace=False)] for of_part, count in parts])
    labels = prepared.labels.copy()
    labels[chosen[:, 0], chosen[:, 1]] = 1 - labels[chosen[:, 0], chosen[:, 1]]
    planted = {(prepared.films["id"].iloc[film], prepared.genres[genre]) for film, genre in chosen}
    return prepared._replace(labels=labels), planted


def measure(prepared: Prepared, inputs: Inputs, options: AuditOptions, kind: str, errors: int, seeds: range
            ) -> Iterator[list[int]]:
    """For each seed, how many of the errors stand among the `FIRST` suspects, and how many missing genres in the second."""
    genres = audited_genres(prepared, options)
    for seed in seeds:
        films, planted = flip(prepared, genres, errors, kind, seed)
        suspects = find_suspects(films, inputs, options)
        hit = pd.Series([pair in planted for pair in zip(suspects["id"], suspects["genre"])], dtype=bool)
        yield [int(hit[:first].sum()) for first in FIRST] + [int((hit & (suspects["kind"] == "missing"))[:FIRST[1]].sum())]


@click.command(help=__doc__.split("\n")[0])
@prepared_option
@posters_option
@click.option("--kind", type=click.Choice(list(KINDS)), multiple=True, default=list(KINDS), help="Which labels are flipped.")
@click.option("--errors", type=click.IntRange(min=2), default=100, show_default=True, help="How many labels are flipped.")
@click.option("--first-seed", type=click.IntRange(min=0), default=200, show_default=True, help="The first seed.")
@click.option("--seeds", type=click.IntRange(min=2), default=5, show_default=True, help="How many times.")
@params_option
def main(prepared: Path, posters: Path, kind: tuple[str, ...], errors: int, first_seed: int, seeds: int, params: Path
         ) -> None:
    options = dataclasses.replace(read_options(params, "audit", AuditOptions), suspects=max(FIRST))
    films = load_prepared(prepared)
    inputs = see_films(films.films["overview"].tolist(), load_posters(posters))
    cells = len(films.films) * len(audited_genres(films, options))
    table = Table("flipped", "order", *(f"among the first {first}" for first in FIRST), f"missing, first {FIRST[1]}",
                  title=f"of {errors} flipped labels, mean ± spread (least), {seeds} seeds", title_justify="left")
    for each in kind:
        found = np.array(list(measure(films, inputs, options, each, errors, range(first_seed, first_seed + seeds))))
        cell = [f"{mean:.1f} ± {spread:.1f} ({least})"
                for mean, spread, least in zip(found.mean(axis=0), found.std(axis=0, ddof=1), found.min(axis=0))]
        table.add_row(KINDS[each], "audit", *cell)
        table.add_row("", "random", *(f"{errors * first / cells:.1f}" for first in FIRST), "")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
