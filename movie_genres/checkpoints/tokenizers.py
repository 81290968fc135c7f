"""From the tokenizers of KerasHub's presets to those of the library `tokenizers`, which training and scoring run."""

from typing import Any

import keras_hub
import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from movie_genres.base.errors import UserError
from movie_genres.inputs.subwords import Subwords


def subwords_of(preprocessor: keras_hub.models.TextClassifierPreprocessor, max_length: int) -> Subwords:
    """The tokenizer of a preset, which cuts overviews after `max_length` tokens.

    Text is prepared as BERT and GPT-2, of whose tokenizers these are, were trained: an uncased BERT's loses its accents,
    and a byte-level one is cut into words before it is cut into pieces.

    Raises:
        UserError: it is neither of word pieces nor of byte pairs.
    """
    theirs = preprocessor.tokenizer
    if isinstance(theirs, keras_hub.tokenizers.WordPieceTokenizer):
        ours, unknown = _of_word_pieces(theirs), theirs.oov_token
    elif isinstance(theirs, keras_hub.tokenizers.BytePairTokenizer):
        ours, unknown = _of_byte_pairs(theirs), None
    else:
        raise UserError(f"encoders: expected a preset with a vocabulary of word pieces, as BERT and MiniLM have, or of byte "
                        f"pairs, as RoBERTa has; found {type(theirs).__name__}.")
    ours.post_processor = _marks(preprocessor)
    mask = getattr(theirs, "mask_token_id", None)
    hidden = theirs.pad_token_id if mask is None else mask
    meaningless = [] if unknown is None else [theirs.token_to_id(unknown) + 1]
    return Subwords(ours.to_str(), max_length, hidden + 1, [token + 1 for token in theirs.special_token_ids], meaningless)


def _of_word_pieces(theirs: Any) -> Tokenizer:
    vocabulary = {token: number for number, token in enumerate(theirs.get_vocabulary())}
    ours = Tokenizer(models.WordPiece(vocabulary, unk_token=theirs.oov_token, max_input_chars_per_word=100,
                                      continuing_subword_prefix=theirs.suffix_indicator))
    ours.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=theirs.split_on_cjk,
                                                 strip_accents=theirs.lowercase or theirs.strip_accents,
                                                 lowercase=theirs.lowercase)
    ours.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return ours


def _of_byte_pairs(theirs: Any) -> Tokenizer:
    vocabulary = {token: theirs.token_to_id(token) for token in theirs.get_vocabulary()}
    ours = Tokenizer(models.BPE(vocabulary, [tuple(merge.split(" ")) for merge in theirs.merges]))
    ours.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=theirs.add_prefix_space)
    return ours


def _marks(preprocessor: Any) -> processors.TemplateProcessing:
    """What a preprocessor puts before and after each text, as it is seen to put around one."""
    inside = np.asarray(preprocessor.tokenizer("a")).tolist()
    packed = preprocessor(["a"])
    ids = np.asarray(packed["token_ids"])[0][np.asarray(packed["padding_mask"])[0].astype(bool)].tolist()
    first = next(number for number in range(len(ids)) if ids[number:number + len(inside)] == inside)
    before, after = ids[:first], ids[first + len(inside):]
    names = {number: preprocessor.tokenizer.id_to_token(number) for number in {*before, *after}}
    return processors.TemplateProcessing(
        single=[*(names[number] for number in before), "$A", *(names[number] for number in after)],
        special_tokens=[(name, number) for number, name in sorted(names.items())])
