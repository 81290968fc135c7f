"""Trains the poster network and keeps its best checkpoint."""

import click

from movie_genres.quiet import import_tensorflow
from stages.common import params_option, posters_option, prepared_option, read_options, running, training_outputs


@click.command(help=__doc__)
@prepared_option
@posters_option
@training_outputs("cnn")
@params_option
def main(prepared, posters, model, history, metrics, out, state, live, params):
    with running():
        import_tensorflow()
        from movie_genres.arrays import load_posters, load_prepared
        from movie_genres.cnn import CnnOptions, train_cnn
        from movie_genres.training import Outputs

        options = read_options(params, "cnn", CnnOptions)
        train_cnn(load_prepared(prepared), load_posters(posters), options,
                  Outputs(model, history, metrics, out, state, live))


if __name__ == "__main__":
    main()
