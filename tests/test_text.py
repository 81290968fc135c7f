import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from movie_genres.inputs.text import normalise
from movie_genres.inputs.vocabulary import Vocabulary


@pytest.mark.parametrize("text, expected", [
    ("Don’t  look—NOW!", "dont look now"),
    ("ÉTÉ à Paris", "été à paris"),
    ("a\u2028b\x1cc\u0085d\te", "a b c d e"),
    ("ﬁlm STRAẞE", "film strasse"),
    ("007: 2-in-1", "007 2 in 1"),
    ("  …!?  ", ""),
    ("", ""),
    ("侍 映画", "侍 映画"),
])
def test_normalise(text, expected):
    assert normalise(text) == expected


def test_vocabulary_is_ordered_by_frequency_and_limited():
    vocabulary = Vocabulary.fit(["a a a b b c"], max_tokens=4, max_length=10)
    assert vocabulary.tokens == ["a", "b"] and len(vocabulary) == 4


def test_encode_knows_unknown_words_empty_texts_and_the_length_limit():
    encoded = Vocabulary(["war", "love"], max_length=3).encode(["Love, war!", "", "peace", "war and love love"])
    assert encoded.ids.tolist() == [3, 2, 2, 1, 3] and encoded.starts.tolist() == [0, 2, 2, 2, 5]
    assert encoded.ids.dtype == np.int32


def test_encode_nothing():
    assert Vocabulary(["war"], 3).encode([]).starts.tolist() == [0]


def test_rebuilt_vocabulary_encodes_the_same():
    texts = ["naïve café\u2028owner", "x\x1cy z", "the the the"]
    fitted = Vocabulary.fit(texts, 50, 20)
    rebuilt = Vocabulary(fitted.tokens, 20)
    assert fitted.encode(texts).ids.tolist() == rebuilt.encode(texts).ids.tolist()


def fitted_by_keras(overviews, max_tokens):
    """The words that `keras.layers.TextVectorization` learns."""
    from keras.layers import TextVectorization

    layer = TextVectorization(max_tokens=max_tokens, standardize=None, split="whitespace", ragged=True)
    layer.adapt([normalise(overview) for overview in overviews])
    return layer.get_vocabulary(include_special_tokens=False)


WORDS = st.sampled_from("a b ab ba A á é ß ss ﬁ fi 侍 映画 z zz Z \U00010400 \uffee _ 0 ½".split()) | st.text(max_size=3)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(WORDS).map(" ".join), min_size=1), st.integers(3, 12))
def test_the_vocabulary_is_that_of_keras_also_where_words_are_equally_frequent(overviews, max_tokens):
    assert Vocabulary.fit(overviews, max_tokens, 9).tokens == fitted_by_keras(overviews, max_tokens)
