"""Trains the overview network and keeps its best checkpoint."""

import click

from movie_genres.quiet import import_tensorflow
from stages.common import EXISTING_FOLDER, FILE, params_option, read_options, running


@click.command(help=__doc__)
@click.option("--prepared", type=EXISTING_FOLDER, default="prepared", show_default=True, help="Output of prepare.")
@click.option("--overviews", type=EXISTING_FOLDER, default="features/overviews", show_default=True, help="Token ids.")
@click.option("--model", type=FILE, default="models/lstm.keras", show_default=True, help="The checkpoint to write.")
@click.option("--history", type=FILE, default="history/lstm.csv", show_default=True, help="The epochs' figures.")
@click.option("--metrics", type=FILE, default="metrics/lstm.json", show_default=True, help="The best epoch's figures.")
@params_option
def main(prepared, overviews, model, history, metrics, params):
    with running():
        import_tensorflow()
        from movie_genres.arrays import load_overviews, load_prepared, load_vocabulary
        from movie_genres.lstm import LstmOptions, train_lstm
        from movie_genres.training import Outputs

        options = read_options(params, "lstm", LstmOptions)
        train_lstm(load_prepared(prepared), load_overviews(overviews), load_vocabulary(overviews), options,
                   Outputs(model, history, metrics))


if __name__ == "__main__":
    main()
