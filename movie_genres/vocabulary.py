"""From overviews to token ids: the vocabulary, fitted on training overviews only."""

import itertools

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
        self._ids = {token: number for number, token in enumerate(self.tokens, start=UNKNOWN + 1)}

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
        return join_ids([[self._ids.get(word, UNKNOWN) for word in normalise(overview).split()[:self.max_length]]
                         for overview in overviews], {UNKNOWN})


def join_ids(ids, meaningless):
    """Joins the token ids of several overviews to `Overviews`.

    Args:
        ids: list of lists of int.
        meaningless: set of ids that say nothing of an overview; one of nothing else becomes empty.
    """
    known = [[] if meaningless.issuperset(of_one) else of_one for of_one in ids]
    starts = np.cumsum([0, *map(len, known)], dtype=np.int64)
    return Overviews(np.fromiter(itertools.chain.from_iterable(known), np.int32, starts[-1]), starts)


def restore_vocabulary(content):
    """The vocabulary of a model from its metadata: a `Vocabulary`, or `subwords.Subwords` of a pretrained encoder."""
    if "tokenizer" in content:
        from movie_genres.subwords import Subwords  # needs the extra `encoders`

        return Subwords.restore(content)
    return Vocabulary(**content)
