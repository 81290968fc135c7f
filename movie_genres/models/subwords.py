"""From overviews to the token ids of a pretrained text encoder; needs the extra `encoders`."""

import base64
import json
import tempfile
from pathlib import Path

import keras
import keras_hub  # noqa: F401  registers its tokenizers with Keras
import numpy as np

from movie_genres.inputs.features import join_ids
from movie_genres.inputs.text import normalise

BATCH = 1024  # overviews tokenised at once


class Subwords:
    """Maps overviews to lists of token ids the way a pretrained encoder was trained, the same in training and scoring.

    Ids are the encoder's own plus 1, so that 0 is padding whatever the encoder pads with.

    Args:
        preprocessor: `keras_hub.models.TextClassifierPreprocessor`, which also adds the encoder's marks of start and end.

    Attributes:
        hidden: the id that stands for a word that is hidden from a network in training.
        special: ids that stand for no word.
    """

    def __init__(self, preprocessor):
        self._preprocessor = preprocessor
        tokenizer = preprocessor.tokenizer
        self.special = [token + 1 for token in tokenizer.special_token_ids]
        unknown = getattr(tokenizer, "oov_token", None)
        mask = getattr(tokenizer, "mask_token_id", None)
        self._meaningless = {*self.special, *([tokenizer.token_to_id(unknown) + 1] if unknown else [])}
        self.hidden = (tokenizer.pad_token_id if mask is None else mask) + 1

    @classmethod
    def restore(cls, content):
        """The tokenizer of a model, from what `content` gave."""
        preprocessor = keras.saving.deserialize_keras_object(content["tokenizer"])
        with tempfile.TemporaryDirectory() as folder:
            for name, encoded in content["assets"].items():
                Path(folder, Path(name).name).write_bytes(base64.b64decode(encoded))
            preprocessor.tokenizer.load_assets(folder)
        return cls(preprocessor)

    def content(self):
        """What `vocabulary.restore_vocabulary` needs: a dict that JSON can hold."""
        with tempfile.TemporaryDirectory() as folder:
            self._preprocessor.tokenizer.save_assets(folder)
            assets = {path.name: base64.b64encode(path.read_bytes()).decode() for path in sorted(Path(folder).iterdir())}
        config = keras.saving.serialize_keras_object(self._preprocessor)
        return {"tokenizer": json.loads(json.dumps(config)), "assets": assets}

    def encode(self, overviews):
        """Token ids of a list of overviews, as `features.Overviews`; none for an overview of which no word is known."""
        ids = []
        for start in range(0, len(overviews), BATCH):
            batch = list(overviews[start:start + BATCH])
            encoded = self._preprocessor(batch)
            tokens = np.where(encoded["padding_mask"], encoded["token_ids"] + 1, 0)
            ids.extend(of_one[of_one > 0].tolist() if normalise(text) else [] for of_one, text in zip(tokens, batch))
        return join_ids(ids, self._meaningless)
