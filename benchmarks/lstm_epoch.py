"""An epoch of the published LSTM: the notebooks' way against ours.

The notebooks' way pads every overview to 100 tokens, vectorises inside the model and has Keras's own LSTM layers; ours feeds
token ids in batches of like length to layers that compute the same. Same sizes, batch size, films and optimizer.
"""

from collections.abc import Iterator

import click
import keras
import numpy as np
import tensorflow as tf

from benchmarks.timing import compare
from movie_genres.inputs.features import load_overviews
from movie_genres.inputs.prepared import load_prepared
from movie_genres.inputs.vocabulary import load_vocabulary
from movie_genres.networks.lstm import stacked_lstm
from movie_genres.training.batches import by_length
from movie_genres.training.loop import stream

BATCH_SIZE = 64


def notebook_lstm(vectorise: keras.layers.Layer, tokens: int, genres: int) -> keras.Model:
    """The published network as it was written, from text to probabilities."""
    layers = keras.layers
    overviews = keras.Input((), dtype="string")
    x = layers.Embedding(tokens, 256, mask_zero=True)(vectorise(overviews))
    x = layers.Bidirectional(layers.LSTM(256, return_sequences=True, dropout=0.5, recurrent_dropout=0.2))(x)
    x = layers.Bidirectional(layers.LSTM(128, dropout=0.5, recurrent_dropout=0.2))(x)
    x = layers.Dropout(0.8)(layers.Dense(128, activation="relu")(x))
    return keras.Model(overviews, layers.Dense(genres, activation="sigmoid")(x))


@click.command(help=__doc__.split("\n")[0])
@click.option("--prepared", default="prepared", show_default=True, help="Output of the stage prepare.")
@click.option("--overviews", default="features/overviews", show_default=True, help="Output of the stage vectorize.")
@click.option("--rounds", type=int, default=3, show_default=True, help="How often each way runs, in turn.")
def main(prepared: str, overviews: str, rounds: int) -> None:
    films, encoded, tokens = load_prepared(prepared), load_overviews(overviews), len(load_vocabulary(overviews))
    rows, labels, genres = films.rows("train", encoded.present), films.labels, len(films.genres)

    ours = stacked_lstm(tokens, genres)
    ours.compile("adam", "binary_crossentropy")

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for batch in by_length(rows, encoded.lengths, BATCH_SIZE, np.random.default_rng(0)):
            yield encoded.batch(batch), labels[batch]

    bucketed = stream(batches, (tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, genres), tf.float32)))
    texts = films.films["overview"].to_numpy(dtype=object)[rows]
    vectorise = keras.layers.TextVectorization(tokens, output_sequence_length=100)
    vectorise.adapt(texts)
    notebook = notebook_lstm(vectorise, tokens, genres)
    assert notebook.count_params() == ours.count_params()
    notebook.compile("adam", "binary_crossentropy")
    padded = tf.data.Dataset.from_tensor_slices((texts.astype(str), labels[rows])).shuffle(len(rows)).batch(BATCH_SIZE)

    for model, dataset in ((notebook, padded), (ours, bucketed)):  # compile outside the measurement
        model.fit(dataset.take(2), shuffle=False, verbose=0)
    compare({"notebook: padded to 100, vectorised in the model": lambda: notebook.fit(padded, shuffle=False, verbose=0),
             "movie_genres: batches of like length": lambda: ours.fit(bucketed, shuffle=False, verbose=0)},
            rounds, len(rows), "films")


if __name__ == "__main__":
    main()
