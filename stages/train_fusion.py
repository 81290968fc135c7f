"""Trains the joint head over the features of the trained models and keeps its best checkpoint."""

import click

from movie_genres.quiet import import_tensorflow
from stages.common import (
    models_option,
    overviews_option,
    params_option,
    posters_option,
    prepared_option,
    read_options,
    running,
    training_outputs,
)


@click.command(help=__doc__)
@prepared_option
@posters_option
@overviews_option
@models_option
@training_outputs("fusion")
@params_option
def main(prepared, posters, overviews, models, model, history, metrics, params):
    with running():
        import_tensorflow()
        from movie_genres.arrays import load_overviews, load_posters, load_prepared
        from movie_genres.fusion import FusionOptions, train_fusion
        from movie_genres.training import Outputs

        options = read_options(params, "fusion", FusionOptions)
        train_fusion(load_prepared(prepared), load_posters(posters), load_overviews(overviews), models, options,
                     Outputs(model, history, metrics))


if __name__ == "__main__":
    main()
