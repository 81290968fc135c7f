"""Trains the joint head over the features of the trained models and keeps its best checkpoint."""

import click

from movie_genres.quiet import import_tensorflow
from stages.common import EXISTING_FOLDER, FILE, params_option, read_options, running


@click.command(help=__doc__)
@click.option("--prepared", type=EXISTING_FOLDER, default="prepared", show_default=True, help="Output of prepare.")
@click.option("--posters", type=EXISTING_FOLDER, default="features/posters", show_default=True, help="Pixel arrays.")
@click.option("--overviews", type=EXISTING_FOLDER, default="features/overviews", show_default=True, help="Token ids.")
@click.option("--models", type=EXISTING_FOLDER, default="models", show_default=True, help="Folder of the input models.")
@click.option("--model", type=FILE, default="models/fusion.keras", show_default=True, help="The checkpoint to write.")
@click.option("--history", type=FILE, default="history/fusion.csv", show_default=True, help="The epochs' figures.")
@click.option("--metrics", type=FILE, default="metrics/fusion.json", show_default=True,
              help="The best epoch's figures.")
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
