"""Loads models for scoring, the same for every engine; imports TensorFlow only when it is asked to."""

from movie_genres.base.errors import InputError
from movie_genres.base.files import file_digest
from movie_genres.models.backend import import_tensorflow


def load_models(files, decisions, batch_size, threads=None, mixed_precision=False):
    """Imports TensorFlow and loads models.

    Args:
        files, decisions: as of `decisions.choose_models`.
        batch_size: films a step.
        threads: how many an operation may use; None: as many as there are cores.
        mixed_precision: see `network.use_mixed_precision`.

    Returns:
        `scorer.Models`.

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
