"""Trains the overview network and keeps its best checkpoint."""

from pathlib import Path

import click

from movie_genres.checkpoints.backend import import_tensorflow
from stages.common import (
    overviews_option,
    params_option,
    prepared_option,
    read_options,
    running,
    teacher_option,
    training_outputs,
)


@click.command(help=__doc__)
@prepared_option
@overviews_option
@teacher_option
@training_outputs("lstm")
@params_option
def main(prepared: Path, overviews: Path, teacher: Path, params: Path, **outputs: Path) -> None:
    with running():
        import_tensorflow()
        from movie_genres.inputs.features import load_overviews
        from movie_genres.inputs.prepared import load_prepared
        from movie_genres.inputs.vocabulary import load_vocabulary
        from movie_genres.models.answers import load_teacher
        from movie_genres.networks.lstm import LstmOptions, train_lstm
        from movie_genres.training.outputs import Outputs

        options, films = read_options(params, "lstm", LstmOptions), load_prepared(prepared)
        train_lstm(films, load_overviews(overviews), load_vocabulary(overviews), options, Outputs(**outputs),
                   load_teacher(teacher))


if __name__ == "__main__":
    main()
