"""Fits calibration and operating points of each model on the validation films, ranks the models, counts the films."""

import json
from pathlib import Path

import click

from movie_genres.ensemble.decisions import read_decisions, write_decisions
from movie_genres.ensemble.film_summaries import write_training_films
from movie_genres.evaluation.training_films import count_training_films
from movie_genres.evaluation.tuning import TuneOptions, tune
from movie_genres.inputs.features import load_overviews
from movie_genres.inputs.prepared import load_prepared
from movie_genres.inputs.vocabulary import load_vocabulary
from movie_genres.models.answers import load_answers
from stages.common import (
    answers_option,
    overviews_option,
    params_option,
    path_option,
    posters_option,
    prepared_option,
    read_options,
    running,
)


@click.command(help=__doc__)
@prepared_option
@answers_option
@posters_option
@overviews_option
@path_option("--out", "models/decisions.json", "The decisions to write.")
@path_option("--films", "models/films.json", "What the films are like that the models were trained on, to write.")
@params_option
def main(prepared: Path, answers: Path, posters: Path, overviews: Path, out: Path, films: Path,
         params: Path) -> None:
    with running():
        options, table, of_models = read_options(params, "tune", TuneOptions), load_prepared(prepared), load_answers(answers)
        rows = {split: table.rows(split) for split in ("train", "validation")}
        digests = {name: of_model.digest for name, of_model in of_models.items()}
        write_decisions(tune(of_models, table.labels, rows, table.genres, options), digests, out, table.genres)
        decisions = read_decisions(out, digests, table.genres)
        unreadable = json.loads((posters / "report.json").read_text("utf-8"))["unreadable"]
        write_training_films(count_training_films(table, unreadable, load_vocabulary(overviews), load_overviews(overviews),
                                                  of_models, decisions), films)
        for kind, names in decisions.ranking.items():
            click.echo(f"{kind}: {' > '.join(names)}")


if __name__ == "__main__":
    main()
