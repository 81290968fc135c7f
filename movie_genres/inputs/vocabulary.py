"""From overviews to token ids: the vocabulary, fitted on training overviews only."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from movie_genres.base.files import StrPath
from movie_genres.inputs.features import Overviews, join_ids
from movie_genres.inputs.text import UNKNOWN, normalise


class Vocabulary:
    """A `modality.Tokenizer` by words: `tokens`, of which the first has id 2. Cuts overviews after `max_length` words."""

    hidden: int = UNKNOWN
    special: tuple[int, ...] = ()

    def __init__(self, tokens: Iterable[str], max_length: int):
        self.tokens = list(tokens)
        self.max_length = max_length
        self._ids = {token: number for number, token in enumerate(self.tokens, start=UNKNOWN + 1)}

    @classmethod
    def fit(cls, overviews: Iterable[str], max_tokens: int, max_length: int) -> Self:
        """Learns the most frequent words of the training overviews; `max_tokens` counts the two reserved ids.

        Of equally frequent words, those that come later in the order of their code points go first.
        """
        counts = Counter(word for overview in overviews for word in normalise(overview).split())
        ranked = sorted(counts, key=lambda word: (counts[word], word), reverse=True)
        return cls(ranked[:max_tokens - 2], max_length)

    @property
    def largest(self) -> int:
        return len(self) - 1

    def content(self) -> dict[str, Any]:
        """The arguments of an equal one, as JSON can hold them; model files have them so."""
        return {"tokens": self.tokens, "max_length": self.max_length}

    def __len__(self) -> int:
        return len(self.tokens) + 2

    def encode(self, overviews: Iterable[str]) -> Overviews:
        """Token ids of overviews; none for an overview of which no word is known."""
        return join_ids([[self._ids.get(word, UNKNOWN) for word in normalise(overview).split()[:self.max_length]]
                         for overview in overviews], {UNKNOWN})


def save_vocabulary(vocabulary: Vocabulary, folder: StrPath) -> None:
    """Writes `vocabulary.json`."""
    content = json.dumps(vocabulary.content(), ensure_ascii=False) + "\n"
    (Path(folder) / "vocabulary.json").write_text(content, encoding="utf-8")


def load_vocabulary(folder: StrPath) -> Vocabulary:
    """Reads what `save_vocabulary` wrote."""
    return Vocabulary(**json.loads((Path(folder) / "vocabulary.json").read_text(encoding="utf-8")))
