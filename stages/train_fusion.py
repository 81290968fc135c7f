"""Trains the joint head over the features that the trained models give and keeps its best checkpoint."""

from pathlib import Path

import click

from movie_genres.checkpoints.backend import import_tensorflow
from stages.common import answers_option, params_option, prepared_option, read_options, running, training_outputs


@click.command(help=__doc__)
@prepared_option
@answers_option
@training_outputs("fusion")
@params_option
def main(prepared: Path, answers: Path, params: Path, **outputs: Path) -> None:
    with running():
        import_tensorflow()
        from movie_genres.inputs.prepared import load_prepared
        from movie_genres.models.answers import load_answers
        from movie_genres.networks.fusion import FusionOptions, train_fusion
        from movie_genres.training.outputs import Outputs

        options = read_options(params, "fusion", FusionOptions)
        train_fusion(load_prepared(prepared), load_answers(answers), options, Outputs(**outputs))


if __name__ == "__main__":
    main()
