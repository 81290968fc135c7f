"""Makes one network of several that were trained alike, from different seeds."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from movie_genres.checkpoints.layers import FEATURES, PREDICTIONS, predictions


def average_weights(networks: Sequence[keras.Model]) -> keras.Model:
    """The first network, with the mean of the weights of all.

    For networks that started from the same pretrained weights, and so may have stayed near each other: then it is nearly as
    good as an average of their answers, at the size of one (Wortsman et al., "Model soups", 2022).
    """
    first, weights = networks[0], zip(*(network.get_weights() for network in networks))
    first.set_weights([np.mean(same, axis=0, dtype=np.float64).astype(same[0].dtype) for same in weights])
    return first


def average_answers(networks: Sequence[keras.Model]) -> keras.Model:
    """A network with the features of all, side by side, and the mean of their log-odds; it takes what each of them does."""
    first = networks[0]
    given = keras.Input(first.input.shape[1:], dtype=first.input.dtype, name=first.input.name)
    features = [keras.Model(network.input, network.get_layer(FEATURES).output, name=f"{network.name}_{number}")(given)
                for number, network in enumerate(networks, start=1)]
    last = [network.get_layer(PREDICTIONS).get_weights() for network in networks]
    joined = layers.Concatenate(name=FEATURES)(features)
    average = keras.Model(given, predictions(len(last[0][1]))(joined), name=f"average_{first.name}")
    average.get_layer(PREDICTIONS).set_weights([np.concatenate([kernel for kernel, _ in last]) / len(last),
                                                np.mean([bias for _, bias in last], axis=0)])
    return average


def average_heads(heads: Sequence[keras.Model]) -> keras.Model:
    """A fusion head that gives the mean of what several say; the only one where there is one."""
    if len(heads) == 1:
        return heads[0]
    given = {name: keras.Input(like.shape[1:], name=name) for name, like in heads[0].input.items()}
    members = [keras.Model(head.input, head.output, name=f"{head.name}_{number}")
               for number, head in enumerate(heads, start=1)]
    return keras.Model(given, layers.Average()([member(given) for member in members]), name=f"average_{heads[0].name}")
