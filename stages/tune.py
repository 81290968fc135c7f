"""Fits the calibration and the operating points of each model on the validation films, and ranks the models."""

from pathlib import Path

import click

from movie_genres.ensemble.decisions import write_decisions
from movie_genres.evaluation.tuning import TuneOptions, tune
from movie_genres.inputs.prepared import load_prepared
from movie_genres.models.answers import load_answers
from stages.common import answers_option, params_option, path_option, prepared_option, read_options, running


@click.command(help=__doc__)
@prepared_option
@answers_option
@path_option("--out", "models/decisions.json", "The file to write.")
@params_option
def main(prepared: Path, answers: Path, out: Path, params: Path) -> None:
    with running():
        options, films, of_models = read_options(params, "tune", TuneOptions), load_prepared(prepared), load_answers(answers)
        rows = {split: films.rows(split) for split in ("train", "validation")}
        decisions = tune(of_models, films.labels, rows, films.genres, options)
        digests = {name: of_model.digest for name, of_model in of_models.items()}
        write_decisions(decisions, digests, out, films.genres)
        for kind, names in decisions.ranking.items():
            click.echo(f"{kind}: {' > '.join(names)}")


if __name__ == "__main__":
    main()
