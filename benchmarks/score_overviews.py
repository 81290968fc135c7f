"""Scoring a table of overviews: `genre-predict` against the notebooks' way.

That is: pandas, a `TextVectorization` layer that pads all overviews to the vocabulary's full length, and `model.predict` in
batches of 32. Both run the same network; ours also writes the CSV.
"""

import tempfile
from collections import Counter
from pathlib import Path

import click
import numpy as np
import pandas as pd
from keras.layers import TextVectorization

from benchmarks.timing import compare
from movie_genres.checkpoints import keras_files
from movie_genres.data.reading import TableOptions
from movie_genres.data.tables import TEXT_COLUMNS, Table
from movie_genres.ensemble.decisions import choose_models
from movie_genres.ensemble.scorer import Models
from movie_genres.inputs.text import normalise
from movie_genres.scoring.catalogue import Catalogue
from movie_genres.scoring.engine import score_anew
from movie_genres.scoring.rows import RowFormat


@click.command(help=__doc__.split("\n")[0])
@click.option("--overviews", default="data/films.csv", show_default=True, help="Table with overviews.")
@click.option("--models", default="models", show_default=True, help="Folder with the trained models, those of Keras too.")
@click.option("--rounds", type=int, default=5, show_default=True, help="How often each way runs, in turn.")
def main(overviews: str, models: str, rounds: int) -> None:
    scorer = Models(*choose_models(models, ["overview"]))
    network, about = keras_files.load(Path(models) / "lstm.keras")
    table = Table(Path(overviews))
    column = table.columns[table.find(None, TEXT_COLUMNS)]
    vectorize = TextVectorization(standardize=None, vocabulary=about["vocabulary"]["tokens"],
                                  output_sequence_length=about["vocabulary"]["max_length"])
    count = len(pd.read_csv(overviews))

    def notebook() -> np.ndarray:
        texts = pd.read_csv(overviews)[column].fillna("").map(normalise)
        return network.predict(vectorize(texts.tolist()).numpy().astype("int32"), batch_size=32, verbose=0)

    with tempfile.TemporaryDirectory() as folder:
        def ours() -> Counter[str]:
            films = Catalogue(None, overviews, None, TableOptions())
            return score_anew(films, count, Path(folder) / "preds.csv", RowFormat(tuple(scorer.genres)), scorer)

        compare({"pandas + TextVectorization + model.predict": notebook, "genre-predict": ours}, rounds, count, "overviews")


if __name__ == "__main__":
    main()
