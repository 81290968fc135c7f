"""What the stages that train encoders share: what these are trained on, and the section `encoders` of `params.yaml`."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from movie_genres.inputs.features import load_posters
from movie_genres.inputs.poster_text import load_texts
from movie_genres.inputs.prepared import Prepared, load_prepared
from movie_genres.networks.embeddings import EmbeddingsEncoder
from movie_genres.networks.encoders import Encoder, OverviewEncoder, PosterEncoder, kind_of
from stages.common import checked, embedding_files, read_options


def load_encoder_inputs(prepared: Path, posters: Path, texts: Path
                        ) -> tuple[Prepared, NDArray[np.bool_], list[str] | None]:
    """The films, whether each has a poster that can be decoded, and the text on these posters if they were read."""
    films = load_prepared(prepared)
    return films, load_posters(posters).present, load_texts(texts, films.films["poster"].tolist())


def read_encoders(params: Path, embeddings: Path) -> dict[str, PosterEncoder | OverviewEncoder | EmbeddingsEncoder]:
    """Reads the section `encoders`, each entry completed by `encoder_defaults` for its kind; files are in `embeddings`."""
    kinds: Any = Encoder  # a union, which has no type that could be named
    defaults, named = (read_options(params, section, dict[str, dict]) for section in ("encoder_defaults", "encoders"))
    files: dict[str, dict] = {name: {"file": path} for name, path in embedding_files(params, embeddings).items()}
    return {name: checked(params, f"encoders.{name}", defaults.get(kind_of(given), {}) | given | files.get(name, {}), kinds)
            for name, given in named.items()}
