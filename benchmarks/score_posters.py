"""Scoring a folder of posters: `genre-predict` against a bare `tf.data` map and `model.predict`.

Both decode the same files and run the same network; ours also writes the CSV and survives bad files. `--large` compares with
libjpeg-turbo's decoding at a reduced scale as well: what no way of scoring can be faster than.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import numpy as np
import simplejpeg
import tensorflow as tf
from PIL import Image

from benchmarks.timing import compare
from movie_genres.checkpoints import keras_files
from movie_genres.ensemble.decisions import choose_models
from movie_genres.ensemble.scorer import Models
from movie_genres.inputs.caps import Caps
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.engine import failed_in, score_anew
from movie_genres.scoring.listing import list_posters
from movie_genres.scoring.rows import RowFormat

BATCH_SIZE = 128  # of `model.predict`; it is slower with 32
GRAIN = 12.0  # standard deviation of the noise in large posters, in steps of 256: that of film at a moderate speed


@click.command(help=__doc__.split("\n")[0])
@click.option("--posters", default="data/posters", show_default=True, help="Folder with posters; JPEG for a fair race.")
@click.option("--models", default="models", show_default=True, help="Folder with the trained models, those of Keras too.")
@click.option("--large", type=int, help="Score this many JPEGs of 2000x3000 pixels, with fine grain, made of them.")
@click.option("--rounds", type=int, default=5, show_default=True, help="How often each way runs, in turn.")
def main(posters: str, models: str, large: int | None, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        measure(large_posters(posters, folder, large) if large else posters, models, rounds, bool(large))


def large_posters(posters: str, folder: str, count: int) -> str:
    """Writes JPEGs of 2000x3000 pixels, of about a megabyte: posters, and grain for what enlarging cannot give."""
    rng, made = np.random.default_rng(0), 0
    for file in sorted(Path(posters).iterdir()):
        try:
            with Image.open(file) as small:
                enlarged = small.convert("RGB").resize((2000, 3000), Image.Resampling.LANCZOS)
        except OSError:
            continue
        grain = rng.normal(0, GRAIN, (3000, 2000, 1)).astype(np.float32)
        pixels = np.clip(np.asarray(enlarged, np.float32) + grain, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(Path(folder) / f"{made}.jpg", quality=75)
        made += 1
        if made == count:
            break
    return folder


def measure(posters: str, models: str, rounds: int, is_large: bool) -> None:
    items = [Entry(film_id, poster) for film_id, poster in list_posters(posters, Caps().bytes)]
    network, about = keras_files.load(Path(models) / "cnn.keras")
    paths, size = [item.poster.name for item in items], max(about["image_size"])

    def load(path: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.cast(tf.image.resize(image, about["image_size"]), tf.uint8)

    def bare() -> np.ndarray:
        dataset = tf.data.Dataset.from_tensor_slices(paths).map(load, num_parallel_calls=tf.data.AUTOTUNE)
        # It ends at the first damaged file: these are left out, as ours alone reports them.
        return network.predict(dataset.ignore_errors().batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE), verbose=0)

    def decoded(path: str) -> None:
        simplejpeg.decode_jpeg(Path(path).read_bytes(), "RGB", min_height=size, min_width=size)

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        def ours(dtype: str) -> Callable[[], Counter[str]]:
            scorer = Models(*choose_models(models, ["poster"], dtype))
            return lambda: score_anew(items, len(items), Path(folder) / "preds.csv", RowFormat(tuple(scorer.genres)), scorer)

        ways = {"tf.data map + model.predict": bare, "genre-predict": ours("int8"),
                "genre-predict --dtype float32": ours("float32")}
        assert len(bare()) + failed_in(ways["genre-predict"]()) == len(items)
        if is_large:
            ways["libjpeg-turbo's scaled decoding alone"] = lambda: list(pool.map(decoded, paths))
        compare(ways, rounds, len(items), "posters")


if __name__ == "__main__":
    main()
