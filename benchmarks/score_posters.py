"""Scoring a folder of posters: `genre-predict` against a bare `tf.data` map and `model.predict`.

Both decode the same files and run the same network; ours also writes the CSV and survives bad files.
"""

import contextlib
import tempfile
from collections import Counter
from pathlib import Path

import click
import numpy as np
import tensorflow as tf
from PIL import Image

from benchmarks.timing import compare
from movie_genres.ensemble.decisions import choose_models
from movie_genres.ensemble.scorer import Models
from movie_genres.inputs.caps import Caps
from movie_genres.checkpoints import keras_files
from movie_genres.models.network import use_mixed_precision
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.engine import failed_in, score_anew
from movie_genres.scoring.listing import list_posters
from movie_genres.scoring.request import Request
from movie_genres.scoring.rows import RowFormat


@click.command(help=__doc__.split("\n")[0])
@click.option("--posters", default="data/posters", show_default=True, help="Folder with posters; JPEG for a fair race.")
@click.option("--models", default="models", show_default=True, help="Folder with the trained models.")
@click.option("--large", type=int, help="Score this many of them, enlarged to JPEGs of 2000x3000 pixels.")
@click.option("--rounds", type=int, default=5, show_default=True, help="How often each way runs, in turn.")
def main(posters: str, models: str, large: int | None, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        measure(large_posters(posters, folder, large) if large else posters, models, rounds)


def large_posters(posters: str, folder: str, count: int) -> str:
    """Writes enlarged copies of posters, JPEGs of 2000x3000 pixels."""
    for number, file in zip(range(count), sorted(Path(posters).iterdir())):
        with contextlib.suppress(OSError), Image.open(file) as small:
            enlarged = small.convert("RGB").resize((2000, 3000), Image.Resampling.LANCZOS)
            enlarged.save(Path(folder) / f"{number}.jpg", quality=85)
    return folder


def measure(posters: str, models: str, rounds: int) -> None:
    items = [Entry(film_id, poster) for film_id, poster in list_posters(posters, Caps().bytes)]
    scorer = Models(*choose_models(models, ["poster"]), Request.batch_size)
    network, about = keras_files.load(Path(models) / "cnn.keras")
    paths = [item.poster.name for item in items]

    def load(path: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.cast(tf.image.resize(image, about["image_size"]), tf.uint8)

    def bare() -> np.ndarray:
        dataset = tf.data.Dataset.from_tensor_slices(paths).map(load, num_parallel_calls=tf.data.AUTOTUNE)
        # It ends at the first damaged file: these are left out, as ours alone reports them.
        return network.predict(dataset.ignore_errors().batch(Request.batch_size).prefetch(tf.data.AUTOTUNE), verbose=0)

    with tempfile.TemporaryDirectory() as folder:
        def ours(loaded: Models) -> Counter[str]:
            return score_anew(items, len(items), Path(folder) / "preds.csv", RowFormat(tuple(loaded.genres)), loaded)

        assert len(bare()) + failed_in(ours(scorer)) == len(items)
        use_mixed_precision()  # only from here on: what is compiled before stays as it is
        halved = Models(*choose_models(models, ["poster"]), Request.batch_size)
        ours(halved)
        compare({"tf.data map + model.predict": bare, "genre-predict": lambda: ours(scorer),
                 "genre-predict --mixed-precision": lambda: ours(halved)}, rounds, len(items), "posters")


if __name__ == "__main__":
    main()
