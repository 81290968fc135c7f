"""Trains the overview network and keeps its best checkpoint."""

import click

from movie_genres.models.backend import import_tensorflow
from stages.common import overviews_option, params_option, prepared_option, read_options, running, training_outputs


@click.command(help=__doc__)
@prepared_option
@overviews_option
@training_outputs("lstm")
@params_option
def main(prepared, overviews, model, history, metrics, out, state, live, params):
    with running():
        import_tensorflow()
        from movie_genres.inputs.features import load_overviews
        from movie_genres.inputs.prepared import load_prepared
        from movie_genres.inputs.vocabulary import load_vocabulary
        from movie_genres.networks.lstm import LstmOptions, train_lstm
        from movie_genres.training.loop import Outputs

        options = read_options(params, "lstm", LstmOptions)
        train_lstm(load_prepared(prepared), load_overviews(overviews), load_vocabulary(overviews), options,
                   Outputs(model, history, metrics, out, state, live))


if __name__ == "__main__":
    main()
