"""Scoring a folder of posters: `genre-predict` against a bare `tf.data` map and `model.predict`.

Both decode the same files and run the same network; ours also writes the CSV and survives bad files.
"""

import tempfile
from pathlib import Path

import click
import numpy as np
import tensorflow as tf

from benchmarks.timing import compare
from movie_genres import checkpoints
from movie_genres.decisions import choose_models
from movie_genres.inference import Models
from movie_genres.scoring import Item, find_posters, score, write_rows

BATCH_SIZE = 128


@click.command(help=__doc__.split("\n")[0])
@click.option("--posters", default="data/posters", show_default=True, help="Folder with posters; JPEG for a fair race.")
@click.option("--models", default="models", show_default=True, help="Folder with the trained models.")
@click.option("--rounds", type=int, default=5, show_default=True, help="How often each way runs, in turn.")
def main(posters, models, rounds):
    items = [Item(film_id, path) for film_id, path in find_posters(posters)]
    scorer = Models(*choose_models(models, ["poster"]), BATCH_SIZE)
    network, about = checkpoints.load(Path(models) / "cnn.keras")
    paths = [item.poster for item in items]

    def load(path):
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.cast(tf.image.resize(image, about["image_size"]), tf.uint8)

    def bare():
        dataset = tf.data.Dataset.from_tensor_slices(paths).map(load, num_parallel_calls=tf.data.AUTOTUNE)
        # It ends at the first damaged file: these are left out, as ours alone reports them.
        return network.predict(dataset.ignore_errors().batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE), verbose=0)

    with tempfile.TemporaryDirectory() as folder:
        def ours():
            return write_rows(score(items, scorer), Path(folder) / "preds.csv", scorer.genres)

        failed = np.sum([count for status, count in ours().items() if status != "ok"], dtype=int)
        assert len(bare()) + failed == len(items)
        compare({"tf.data map + model.predict": bare, "genre-predict": ours}, rounds, len(items), "posters")


if __name__ == "__main__":
    main()
