"""Trains the poster network and keeps its best checkpoint."""

from pathlib import Path

import click

from movie_genres.checkpoints.backend import import_tensorflow
from stages.common import (
    params_option,
    posters_option,
    prepared_option,
    read_options,
    running,
    teacher_option,
    training_outputs,
    write_names,
)


@click.command(help=__doc__)
@prepared_option
@posters_option
@teacher_option
@training_outputs("cnn")
@params_option
def main(prepared: Path, posters: Path, teacher: Path, params: Path, **outputs: Path) -> None:
    with running():
        import_tensorflow()
        from movie_genres.inputs.features import load_posters
        from movie_genres.inputs.prepared import load_prepared
        from movie_genres.models.answers import load_teacher
        from movie_genres.networks.cnn import CnnOptions, train_cnn
        from movie_genres.training.outputs import Outputs

        options, given = read_options(params, "cnn", CnnOptions), Outputs(**outputs)
        train_cnn(load_prepared(prepared), load_posters(posters), options, given, load_teacher(teacher))
        write_names(given.int8.parent, [given.int8.stem] if given.int8.exists() else [])


if __name__ == "__main__":
    main()
