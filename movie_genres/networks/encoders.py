"""The encoders of the section `encoders`: pretrained ones of KerasHub, frozen or fine-tuned, which need the extra of that
name; or files of embeddings in their place."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag
from pydantic.dataclasses import dataclass

from movie_genres.base.errors import MissingPackageError, UserError
from movie_genres.base.options import STRICT
from movie_genres.checkpoints.layers import FEATURES, MaskedMean, predictions
from movie_genres.inputs.features import Posters
from movie_genres.inputs.posters import LazyPixels
from movie_genres.inputs.prepared import Prepared
from movie_genres.networks.embeddings import EmbeddingsEncoder, train_on_embeddings
from movie_genres.networks.probing import fit_predictions
from movie_genres.training.examples import OverviewExamples, PosterExamples
from movie_genres.training.loop import start
from movie_genres.training.options import OverviewTraining, PosterTraining
from movie_genres.training.outputs import Outputs, metadata_of
from movie_genres.training.state import held
from movie_genres.training.trainer import train_network


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Pretrained:
    """What encoders of both modalities are told, beside how they are trained."""

    # A KerasHub name such as `efficientnet_lite0_ra_imagenet`, `hf://sentence-transformers/all-MiniLM-L6-v2`, or a folder.
    preset: str
    fine_tune: bool  # train the encoder; otherwise only a logistic regression over its features is fitted
    strengths: tuple[float, ...]  # values of C that are tried for this regression; validation films choose
    dropout: float = Field(ge=0, lt=1)  # before the predictions when fine-tuning
    # How several fine-tuned encoders become one: `weights` keeps the size, `answers` takes as many times as much.
    average: Literal["weights", "answers"]  # type: ignore[misc]  # of networks from scratch, only answers can be averaged


@dataclass(config=STRICT, frozen=True, kw_only=True)
class PosterEncoder(Pretrained, PosterTraining):
    """An entry of the `encoders` section of `params.yaml` for posters."""

    modality: Literal["poster"]
    # (height, width) in pixels. Posters are taller than wide: 3:2 keeps their proportions.
    image_size: tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]]
    pixels: tuple[float, float] | None  # (mean, scale): it gets (pixel - mean) / scale; None takes what the preset says

    def examples(self, prepared: Prepared, readable: NDArray[np.bool_], texts: Sequence[str] | None) -> PosterExamples:
        """Posters that are decoded when they are asked for, at this encoder's size."""
        return PosterExamples(Posters(LazyPixels(prepared.films["poster"].tolist(), self.image_size), readable), self)

    def build(self, genres: int) -> keras.Model:
        """A pretrained image network whose features are averaged over the poster, and a new layer of predictions.

        From uint8 (batch, height, width, 3), RGB, to float32 (batch, genres), probabilities.
        """
        backbone = _load_backbone(self.preset)
        for layer in backbone._flatten_layers():  # batch statistics of a few thousand posters are worse than ImageNet's
            if isinstance(layer, layers.BatchNormalization):
                layer.trainable = False
        posters = keras.Input((*self.image_size, 3), dtype="uint8", name="poster")
        x = backbone(_rescale(self)(posters))
        x = (layers.GlobalAveragePooling2D if len(x.shape) == 4 else layers.GlobalAveragePooling1D)(name=FEATURES)(x)
        return _with_predictions(posters, x, self, genres, "zeros")  # pooled pixels are large: a random start is noise


@dataclass(config=STRICT, frozen=True, kw_only=True)
class OverviewEncoder(Pretrained, OverviewTraining):
    """An entry of the `encoders` section of `params.yaml` for overviews."""

    modality: Literal["overview"]
    reads: Literal["overview", "poster"]  # the latter: the text on posters, which makes it a model of posters
    max_length: int = Field(ge=3)  # overviews are cut after this many tokens

    def examples(self, prepared: Prepared, readable: NDArray[np.bool_], texts: Sequence[str] | None) -> OverviewExamples:
        """Overviews, or the texts on posters, as this encoder's subwords."""
        hub = _keras_hub()
        from movie_genres.checkpoints.tokenizers import subwords_of

        vocabulary = subwords_of(_load(hub.models.TextClassifierPreprocessor, self.preset), self.max_length)
        if self.reads == "overview":
            return OverviewExamples(vocabulary.encode(prepared.films["overview"].tolist()), vocabulary, self)
        if texts is None:
            raise UserError("encoders: expected the text on posters, for an encoder with `reads: poster`; found none. Set "
                            "the parameter read_posters.read to true, or let it read overviews.")
        return OverviewExamples(vocabulary.encode(texts), vocabulary, self, of_posters=True)

    def build(self, genres: int) -> keras.Model:
        """A pretrained text network whose states are averaged over the overview, and a new layer of predictions.

        From int32 (batch, length), ids of `subwords.Subwords`, to float32 (batch, genres), probabilities.
        """
        backbone = _load_backbone(self.preset)
        states = backbone.output["sequence_output"] if isinstance(backbone.output, dict) else backbone.output
        overviews = keras.Input((None,), dtype="int32", name="overview")
        present = overviews > 0
        given = {"token_ids": ops.maximum(overviews - 1, 0), "padding_mask": ops.cast(present, "int32"),
                 "segment_ids": ops.zeros_like(overviews)}
        x = keras.Model(backbone.input, states, name=backbone.name)({name: given[name] for name in backbone.input})
        x = MaskedMean(name=FEATURES)(x, mask=present)
        return _with_predictions(overviews, x, self, genres, "glorot_uniform")


def kind_of(entry: Mapping[str, Any]) -> str:
    """What an entry of the section `encoders` is: `file`, of embeddings, else the modality of a pretrained encoder."""
    return "file" if "file" in entry else str(entry.get("modality"))


Encoder = Annotated[Annotated[PosterEncoder, Tag("poster")] | Annotated[OverviewEncoder, Tag("overview")]
                    | Annotated[EmbeddingsEncoder, Tag("file")], Discriminator(kind_of)]


def _keras_hub() -> Any:
    try:
        import keras_hub
    except ImportError:
        raise MissingPackageError("A pretrained encoder", "keras-hub", "encoders") from None
    return keras_hub


def _load_backbone(preset: str) -> keras.Model:
    """A preset's network, in the precision that networks are built in now rather than the one it was saved with."""
    return _load(_keras_hub().models.Backbone, preset, dtype=keras.config.dtype_policy().name)


def _load(kind: Any, preset: str, **settings: Any) -> Any:
    try:
        return kind.from_preset(preset, **settings)
    except Exception as error:  # KerasHub lets through whatever its downloaders and parsers raise
        raise UserError(f"encoders: expected {preset!r} to be a KerasHub preset, hf://… or a folder with one; "
                        f"loading it failed: {error}") from error


def _rescale(options: PosterEncoder) -> keras.layers.Layer:
    if options.pixels is not None:
        mean, scale = options.pixels
        return layers.Rescaling(1 / scale, offset=-mean / scale)
    try:
        converter = _keras_hub().layers.ImageConverter.from_preset(options.preset)
    except Exception:
        raise UserError(f"encoders: the preset {options.preset} does not say how it wants its pixels; give pixels: "
                        "[mean, scale], such as [127.5, 127.5]") from None
    return layers.Rescaling(converter.scale, offset=converter.offset or 0.0)


def _with_predictions(inputs: Any, features: Any, options: PosterEncoder | OverviewEncoder, genres: int, initializer: str
                      ) -> keras.Model:
    x = layers.Dropout(options.dropout)(features)
    return keras.Model(inputs, predictions(genres, initializer)(x), name=f"{options.modality}_encoder")


def train_encoder(prepared: Prepared, readable: NDArray[np.bool_],
                  options: PosterEncoder | OverviewEncoder | EmbeddingsEncoder, outputs: Outputs,
                  texts: Sequence[str] | None = None) -> dict[str, Any]:
    """Fits predictions over a pretrained encoder, or fine-tunes it, or fits them over a file of embeddings; and writes what
    it says of all films.

    `readable`, of shape (films,), tells whether a film has a poster that can be decoded; `texts` are on these posters, if
    they were read. A frozen encoder has no history. Returns what is in the metrics file.

    Raises:
        UserError: the preset cannot be loaded, or does not say how it wants pixels; or an encoder reads posters of which no
            text is given; and as `loop.train` and `embeddings.train_on_embeddings`.
        MissingPackageError: an encoder is pretrained, and KerasHub is not installed.
    """
    if isinstance(options, EmbeddingsEncoder):
        return train_on_embeddings(prepared, options, outputs)
    examples, build = options.examples(prepared, readable, texts), functools.partial(options.build, len(prepared.genres))
    preset = Path(options.preset).name
    if options.fine_tune:
        return train_network(build, prepared, examples, options, outputs, preset=preset)
    start(options.seed)
    with held(outputs.state):
        metadata = metadata_of(examples.modality, prepared, **examples.metadata, preset=preset)
        return fit_predictions(build(), prepared, examples, options.strengths, options.int8, metadata, outputs)
