"""Files of embeddings as models of posters or overviews: what others have computed joins the fusion like an encoder."""

import logging
from typing import Any, Literal

import keras
import numpy as np
from keras import layers
from pydantic.dataclasses import dataclass

from movie_genres.base.errors import InputError
from movie_genres.base.options import STRICT
from movie_genres.checkpoints.layers import FEATURES, predictions
from movie_genres.data.embeddings import read_embeddings
from movie_genres.inputs.modality import Modality
from movie_genres.inputs.prepared import Prepared
from movie_genres.models.metadata import EMBEDDING
from movie_genres.networks.probing import fit_predictions
from movie_genres.training.examples import EmbeddingExamples
from movie_genres.training.loop import start
from movie_genres.training.outputs import Outputs, metadata_of
from movie_genres.training.state import held

logger = logging.getLogger(__name__)


@dataclass(config=STRICT, frozen=True, kw_only=True)
class EmbeddingsEncoder:
    """An entry of the `encoders` section of `params.yaml` for a file of embeddings."""

    modality: Literal["poster", "overview"]  # what they are of: the fusion hides them with the others of this kind
    file: str  # as of `data.embeddings.read_embeddings`
    strengths: tuple[float, ...]  # values of C that are tried for a logistic regression over them; validation films choose


def build_model(channels: int, genres: int) -> keras.Model:
    """A model whose features are what it takes: from float32 (batch, channels) to float32 (batch, genres), probabilities."""
    vectors = keras.Input((channels,), dtype="float32", name=EMBEDDING)
    x = layers.Activation("linear", name=FEATURES)(vectors)
    return keras.Model(vectors, predictions(genres, "zeros")(x), name="embeddings")


def train_on_embeddings(prepared: Prepared, options: EmbeddingsEncoder, outputs: Outputs) -> dict[str, Any]:
    """Fits predictions over a file of embeddings, and writes what it says of all films; those without a row have none.

    Returns what is in the metrics file.

    Raises:
        InputError: as `read_embeddings`; or none of the ids is that of a prepared film.
        UserError: no training film, or no validation film, has an embedding.
    """
    embeddings, films = read_embeddings(options.file), prepared.films["id"].tolist()
    vectors = embeddings.of(films)
    found = int(np.count_nonzero(vectors.present))
    if not found:
        raise InputError(options.file, f"ids of prepared films, such as {films[0]!r}",
                         f"others, such as {next(iter(embeddings.rows))!r}")
    logger.info("%s: embeddings of %s of %s films", outputs.model.stem, f"{found:,}", f"{len(films):,}")
    examples = EmbeddingExamples(vectors, Modality(options.modality))
    start(0)
    with held(outputs.state):
        metadata = metadata_of(examples.modality, prepared, **examples.metadata)
        return fit_predictions(build_model(embeddings.channels, len(prepared.genres)), prepared, examples, options.strengths,
                               None, metadata, outputs)
