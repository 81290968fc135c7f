"""Fits the temperature and the thresholds of each model on the validation films."""

import click

from movie_genres.quiet import import_tensorflow
from stages.common import (
    FILE,
    models_option,
    overviews_option,
    params_option,
    posters_option,
    prepared_option,
    read_options,
    running,
)


@click.command(help=__doc__)
@prepared_option
@posters_option
@overviews_option
@models_option
@click.option("--out", type=FILE, default="models/decisions.json", show_default=True, help="The file to write.")
@params_option
def main(prepared, posters, overviews, models, out, params):
    with running():
        import_tensorflow()
        from movie_genres.arrays import load_overviews, load_posters, load_prepared
        from movie_genres.decisions import TuneOptions, tune, write_decisions
        from movie_genres.inference import Models
        from movie_genres.models import find_models

        options, content = read_options(params, "tune", TuneOptions), load_prepared(prepared)
        loaded = Models(find_models(models))
        decisions = tune(loaded, content, load_posters(posters), load_overviews(overviews), options)
        write_decisions(decisions, models, out, content.genres, options)


if __name__ == "__main__":
    main()
