"""Loads models for scoring, the same for every engine; imports TensorFlow only when it is asked to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from movie_genres.base.errors import InputError
from movie_genres.base.files import file_digest
from movie_genres.ensemble.decisions import Decisions
from movie_genres.ensemble.folder import ModelFile
from movie_genres.models.backend import import_tensorflow

if TYPE_CHECKING:
    from movie_genres.ensemble.scorer import Models


def load_models(files: Sequence[ModelFile], decisions: Decisions, batch_size: int, threads: int | None = None,
                mixed_precision: bool = False) -> Models:
    """Imports TensorFlow, as `import_tensorflow` does, and loads what `decisions.choose_models` chose.

    Raises:
        InputError: a model cannot be loaded, or is no longer the file that was found.
    """
    import_tensorflow(threads)
    from movie_genres.ensemble.scorer import Models
    from movie_genres.models.network import use_mixed_precision

    if mixed_precision:
        use_mixed_precision()
    models = Models(files, decisions, batch_size)
    for file in files:
        if file_digest(file.path) != file.digest:
            raise InputError(file.path, "the model file that was there at the start", "another one", "Start again.")
    return models
