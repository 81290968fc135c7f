"""An epoch of the published CNN: the notebooks' way against ours.

The notebooks' way decodes every poster anew each epoch, in a `tf.data` map, for `fit`; ours decodes once, in the stage
vectorize, and draws batches from the array on disk. Same layers, batch size, films, augmentation (none) and optimizer.
Time spent on input is measured by an epoch of batches that nothing is done with.
"""

from collections.abc import Callable, Iterator

import click
import keras
import numpy as np
import tensorflow as tf

from benchmarks.timing import compare
from movie_genres.inputs.features import load_posters
from movie_genres.inputs.prepared import load_prepared
from movie_genres.networks.cnn import plain_cnn
from movie_genres.training.batches import shuffled
from movie_genres.training.loop import stream

BATCH_SIZE = 64


@click.command(help=__doc__.split("\n")[0])
@click.option("--prepared", default="prepared", show_default=True, help="Output of the stage prepare.")
@click.option("--posters", default="features/posters", show_default=True, help="Output of the stage vectorize.")
@click.option("--rounds", type=int, default=5, show_default=True, help="How often each way runs, in turn.")
def main(prepared: str, posters: str, rounds: int) -> None:
    films, decoded = load_prepared(prepared), load_posters(posters)
    rows, size = films.rows("train", decoded.present), decoded.pixels.shape[1:3]
    labels, genres = films.labels, len(films.genres)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for batch in shuffled(rows, BATCH_SIZE, np.random.default_rng(0)):
            yield decoded.pixels[batch], labels[batch]

    def load(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
        return tf.cast(tf.image.resize(image, size), tf.uint8), label

    ours = stream(batches, (tf.TensorSpec((None, *size, 3), tf.uint8), tf.TensorSpec((None, genres), tf.float32)))
    paths = films.films["poster"].to_numpy(dtype=object)[rows].astype(str)
    notebook = tf.data.Dataset.from_tensor_slices((paths, labels[rows])).shuffle(len(rows))
    notebook = notebook.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)

    def training(dataset: tf.data.Dataset, policy: str = "float32") -> Callable[[], object]:
        keras.config.set_dtype_policy(policy)
        model = plain_cnn(size, genres)
        model.compile("adam", "binary_crossentropy", jit_compile=False)
        model.fit(dataset.take(2), shuffle=False, verbose=0)  # traced outside the measurement
        return lambda: model.fit(dataset, shuffle=False, verbose=0)

    compare({"notebook: decoded each epoch": training(notebook),
             "movie_genres: decoded once": training(ours),
             "movie_genres: with mixed precision": training(ours, "mixed_bfloat16"),
             "movie_genres: batches alone": lambda: [None for _ in ours]}, rounds, len(rows), "films")


if __name__ == "__main__":
    main()
