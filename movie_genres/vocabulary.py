"""From overviews to token ids: the vocabulary, fitted on training overviews only."""

import numpy as np
from keras.layers import TextVectorization

from movie_genres.arrays import Overviews
from movie_genres.text import UNKNOWN, normalise


class Vocabulary:
    """Maps overviews to lists of token ids, the same way in training and scoring.

    Args:
        tokens: list of words, most frequent first, without the two reserved entries; the first has id 2.
        max_length: overviews are cut after this many words.

    Attributes:
        hidden: the id that stands for a word that is hidden from a network in training.
        special: ids that stand for no word.
    """

    hidden, special = UNKNOWN, ()

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

    def content(self):
        """What `restore_vocabulary` needs: a dict that JSON can hold."""
        return {"tokens": self.tokens, "max_length": self.max_length}

    def __len__(self):
        return len(self.tokens) + 2

    def encode(self, overviews):
        """Token ids of a list of overviews, as `Overviews`; none for an overview of which no word is known."""
        words = [normalise(overview).split()[:self.max_length] for overview in overviews]
        ids = self._layer([" ".join(of_one) for of_one in words]).flat_values.numpy() if words else np.empty(0)
        ends = np.cumsum([len(of_one) for of_one in words], dtype=int)
        return join_ids([of_one for of_one in np.split(ids, ends[:-1])] if words else [], {UNKNOWN})


def join_ids(ids, meaningless):
    """Joins the token ids of several overviews to `Overviews`.

    Args:
        ids: list of int arrays.
        meaningless: set of ids that say nothing of an overview; one of nothing else becomes empty.
    """
    known = [of_one if not meaningless.issuperset(of_one.tolist()) else of_one[:0] for of_one in ids]
    starts = np.cumsum([0, *map(len, known)], dtype=np.int64)
    return Overviews(np.concatenate([np.empty(0), *known]).astype(np.int32), starts)


def restore_vocabulary(content):
    """The vocabulary of a model from its metadata: a `Vocabulary`, or `subwords.Subwords` of a pretrained encoder."""
    if "tokenizer" in content:
        from movie_genres.subwords import Subwords  # needs the extra `encoders`

        return Subwords.restore(content)
    return Vocabulary(**content)
