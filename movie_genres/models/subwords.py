"""From overviews to the token ids of a pretrained text encoder; needs the extra `encoders`."""

import base64
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import keras
import keras_hub  # noqa: F401  registers its tokenizers with Keras
import numpy as np

from movie_genres.inputs.features import Overviews, join_ids
from movie_genres.inputs.text import normalise

BATCH = 1024  # overviews tokenised at once


class Subwords:
    """A `modality.Tokenizer` that maps overviews to token ids the way a pretrained encoder was trained.

    Ids are the encoder's own plus 1, so that 0 is padding whatever the encoder pads with. The preprocessor also adds the
    encoder's marks of start and end.
    """

    def __init__(self, preprocessor: keras_hub.models.TextClassifierPreprocessor):
        self._preprocessor = preprocessor
        tokenizer = preprocessor.tokenizer
        self.special: list[int] = [token + 1 for token in tokenizer.special_token_ids]
        unknown = getattr(tokenizer, "oov_token", None)
        mask = getattr(tokenizer, "mask_token_id", None)
        self._meaningless = {*self.special, *([tokenizer.token_to_id(unknown) + 1] if unknown else [])}
        self.hidden: int = (tokenizer.pad_token_id if mask is None else mask) + 1

    @classmethod
    def restore(cls, content: dict[str, Any]) -> Self:
        """The tokenizer of a model, from what `content` gave."""
        preprocessor = keras.saving.deserialize_keras_object(content["tokenizer"])
        with tempfile.TemporaryDirectory() as folder:
            for name, encoded in content["assets"].items():
                Path(folder, Path(name).name).write_bytes(base64.b64decode(encoded))
            preprocessor.tokenizer.load_assets(folder)
        return cls(preprocessor)

    def content(self) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            self._preprocessor.tokenizer.save_assets(folder)
            assets = {path.name: base64.b64encode(path.read_bytes()).decode() for path in sorted(Path(folder).iterdir())}
        config = keras.saving.serialize_keras_object(self._preprocessor)
        return {"tokenizer": json.loads(json.dumps(config)), "assets": assets}

    def encode(self, overviews: Iterable[str]) -> Overviews:
        texts = list(overviews)
        ids: list[list[int]] = []
        for start in range(0, len(texts), BATCH):
            batch = texts[start:start + BATCH]
            encoded = self._preprocessor(batch)
            tokens = np.where(encoded["padding_mask"], encoded["token_ids"] + 1, 0)
            ids.extend(of_one[of_one > 0].tolist() if normalise(text) else [] for of_one, text in zip(tokens, batch))
        return join_ids(ids, self._meaningless)
