"""From overviews to the token ids of a pretrained text encoder."""

from collections.abc import Iterable, Sequence
from typing import Any

from tokenizers import Tokenizer

from movie_genres.inputs.features import Overviews, join_ids
from movie_genres.inputs.text import normalise


class Subwords:
    """A `modality.Tokenizer` that maps overviews to token ids the way a pretrained encoder was trained.

    Ids are the encoder's own plus 1, so that 0 is padding whatever the encoder pads with.

    Args:
        tokenizer: a tokenizer of the library `tokenizers` as JSON; it adds the encoder's marks of start and end.
        max_length: overviews are cut after this many tokens, the marks among them.
        hidden, special: see `modality.Tokenizer`; meaningless: ids that say nothing of a film, such as the unknown word's.
    """

    def __init__(self, tokenizer: str, max_length: int, hidden: int, special: Sequence[int], meaningless: Sequence[int]):
        self._tokenizer, self.max_length = Tokenizer.from_str(tokenizer), max_length
        self._tokenizer.enable_truncation(max_length)
        self._tokenizer.no_padding()
        self.hidden, self.special, self._meaningless = hidden, list(special), {*special, *meaningless}

    @property
    def largest(self) -> int:
        return max(self._tokenizer.get_vocab().values()) + 1

    def content(self) -> dict[str, Any]:
        """The arguments of an equal one, as JSON can hold them; model files have them so."""
        return {"tokenizer": self._tokenizer.to_str(), "max_length": self.max_length, "hidden": self.hidden,
                "special": self.special, "meaningless": sorted(self._meaningless)}

    def encode(self, overviews: Iterable[str]) -> Overviews:
        """Token ids of overviews; none for an overview of which no word is known."""
        texts = list(overviews)
        # Half of a surrogate pair is no character: the library knows none.
        encoded = self._tokenizer.encode_batch([text.encode("utf-8", "replace").decode() for text in texts])
        return join_ids([[token + 1 for token in of_one.ids] if normalise(text) else []
                         for of_one, text in zip(encoded, texts)], self._meaningless)
