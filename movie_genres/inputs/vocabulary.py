"""From overviews to token ids: the vocabulary, fitted on training overviews only."""



from collections import Counter

from movie_genres.inputs.features import join_ids
from movie_genres.inputs.text import UNKNOWN, normalise


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
        """Learns the most frequent words of the training overviews; `max_tokens` counts the two reserved ids.

        Of equally frequent words, those that come later in the order of their code points go first.
        """
        counts = Counter(word for overview in overviews for word in normalise(overview).split())
        ranked = sorted(counts, key=lambda word: (counts[word], word), reverse=True)
        return cls(ranked[:max_tokens - 2], max_length)

    def content(self):
        """What `restore_vocabulary` needs: a dict that JSON can hold."""
        return {"tokens": self.tokens, "max_length": self.max_length}

    def __len__(self):
        return len(self.tokens) + 2

    def encode(self, overviews):
        """Token ids of a list of overviews, as `Overviews`; none for an overview of which no word is known."""
        return join_ids([[self._ids.get(word, UNKNOWN) for word in normalise(overview).split()[:self.max_length]]
                         for overview in overviews], {UNKNOWN})


