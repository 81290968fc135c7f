"""From overviews to token ids: the vocabulary, fitted on training overviews only."""

import numpy as np
from keras.layers import TextVectorization

from movie_genres.arrays import Overviews
from movie_genres.text import normalise


class Vocabulary:
    """Maps overviews to lists of token ids, the same way in training and scoring.

    Args:
        tokens: list of words, most frequent first, without the two reserved entries; the first has id 2.
        max_length: overviews are cut after this many words.
    """

    def __init__(self, tokens, max_length):
        self.tokens = list(tokens)
        self.max_length = max_length
        # The list is passed in: Keras writes and reads vocabularies line by line, which some characters break.
        self._layer = TextVectorization(standardize=None, split="whitespace", ragged=True, vocabulary=self.tokens)

    @classmethod
    def fit(cls, overviews, max_tokens, max_length):
        """Learns the most frequent words of the training overviews; `max_tokens` counts the two reserved ids."""
        layer = TextVectorization(max_tokens=max_tokens, standardize=None, split="whitespace", ragged=True)
        layer.adapt([normalise(overview) for overview in overviews])
        return cls(layer.get_vocabulary(include_special_tokens=False), max_length)

    def __len__(self):
        return len(self.tokens) + 2

    def encode(self, overviews):
        """Token ids of a list of overviews, as `Overviews`."""
        words = [normalise(overview).split()[:self.max_length] for overview in overviews]
        ids = self._layer([" ".join(of_one) for of_one in words]).flat_values.numpy() if words else np.empty(0)
        starts = np.cumsum([0, *(len(of_one) for of_one in words)])
        return Overviews(ids.astype(np.int32), starts.astype(np.int64))
