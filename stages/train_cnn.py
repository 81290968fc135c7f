"""Trains the poster network and keeps its best checkpoint."""

import click

from movie_genres.quiet import import_tensorflow
from stages.common import EXISTING_FOLDER, FILE, params_option, read_options, running


@click.command(help=__doc__)
@click.option("--prepared", type=EXISTING_FOLDER, default="prepared", show_default=True, help="Output of prepare.")
@click.option("--posters", type=EXISTING_FOLDER, default="features/posters", show_default=True, help="Pixel arrays.")
@click.option("--model", type=FILE, default="models/cnn.keras", show_default=True, help="The checkpoint to write.")
@click.option("--history", type=FILE, default="history/cnn.csv", show_default=True, help="The epochs' figures.")
@click.option("--metrics", type=FILE, default="metrics/cnn.json", show_default=True, help="The best epoch's figures.")
@params_option
def main(prepared, posters, model, history, metrics, params):
    with running():
        import_tensorflow()
        from movie_genres.arrays import load_posters, load_prepared
        from movie_genres.cnn import CnnOptions, train_cnn
        from movie_genres.training import Outputs

        options = read_options(params, "cnn", CnnOptions)
        train_cnn(load_prepared(prepared), load_posters(posters), options, Outputs(model, history, metrics))


if __name__ == "__main__":
    main()
