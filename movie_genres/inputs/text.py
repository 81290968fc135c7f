"""The one text path, shared by training and scoring: what counts as a word of an overview."""

import re
import unicodedata

UNKNOWN = 1  # the token id of a word outside the vocabulary; 0 is padding

_WORDS = re.compile(r"\w+")
_APOSTROPHES = re.compile(r"['’ʼ`]")


def normalise(text: str) -> str:
    """The words of an overview, case-folded, without punctuation, joined by single spaces.

    Two overviews that differ only in case, punctuation, spacing or Unicode form become equal.

    >>> normalise("Don’t  look—NOW!")
    'dont look now'
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_WORDS.findall(_APOSTROPHES.sub("", text)))
