"""Fits the baseline, TF-IDF with logistic regression, and writes its answers for all films."""

from pathlib import Path

import click
import numpy as np

from movie_genres.evaluation.baselines import BaselinesOptions, tfidf_probabilities
from movie_genres.inputs.prepared import load_prepared
from stages.common import params_option, path_option, prepared_option, read_options, running


@click.command(help=__doc__)
@prepared_option
@path_option("--out", "baselines/tfidf.npy", "The probabilities to write.")
@params_option
def main(prepared: Path, out: Path, params: Path) -> None:
    with running():
        probabilities = tfidf_probabilities(load_prepared(prepared), read_options(params, "baselines", BaselinesOptions))
        out.parent.mkdir(parents=True, exist_ok=True)
        np.save(out, probabilities)


if __name__ == "__main__":
    main()
