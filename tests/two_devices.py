"""Trains small networks on one and on two logical CPUs; run by `test_devices` in a process of its own.

TensorFlow takes the number of logical devices only before it has run anything.
"""

import sys
from pathlib import Path

import tensorflow as tf
from conftest import options_of, outputs

from movie_genres.inputs.features import load_overviews, load_posters
from movie_genres.inputs.prepared import load_prepared
from movie_genres.inputs.vocabulary import load_vocabulary
from movie_genres.models.answers import load_answers
from movie_genres.networks.cnn import CnnOptions, train_cnn
from movie_genres.networks.fusion import FusionOptions, train_fusion
from movie_genres.networks.lstm import LstmOptions, train_lstm


def main(arrays, folder):
    arrays, folder = Path(arrays), Path(folder)
    cpu, = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    prepared, overviews = load_prepared(arrays / "prepared"), load_overviews(arrays / "overviews")
    vocabulary = load_vocabulary(arrays / "overviews")
    short = {"epochs": 2, "batch_size": 15, "draws": 1}
    without_chance = {"embedding_dropout": 0, "dropout": 0, "word_dropout": 0}
    for devices in (1, 2):
        options = options_of(LstmOptions, embedding=8, units=4, **without_chance, **short, devices=devices)
        train_lstm(prepared, overviews, vocabulary, options, outputs(folder / f"{devices}", "lstm"))
    posters, options = load_posters(arrays / "posters"), options_of(CnnOptions, width=4, **short, devices=2)
    train_cnn(prepared, posters, options, outputs(folder / "2", "cnn"))
    answers = load_answers(folder / "2" / "answers")
    train_fusion(prepared, answers, options_of(FusionOptions, units=8, epochs=2, devices=2), outputs(folder / "2", "fusion"))


if __name__ == "__main__":
    main(*sys.argv[1:])
