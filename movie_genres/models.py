"""The models folder: which model files there are, and whether they belong together. Needs no TensorFlow."""

from pathlib import Path

from movie_genres import checkpoints
from movie_genres.errors import InputError
from movie_genres.files import file_digest

POSTER, OVERVIEW = "poster", "overview"  # modalities
FUSION = "fusion"  # the name of the joint model


def model_path(folder, name):
    """Where the model of this name lies in a models folder."""
    return Path(folder) / f"{name}.keras"


def find_models(folder, modalities=(POSTER, OVERVIEW)):
    """Finds the model files for some modalities and checks that they belong together. Loads no model.

    Returns:
        list of paths: the models of those modalities, and the fusion model where there is one.

    Raises:
        InputError: no model for a modality, or a model that changed after the fusion model was trained on it.
    """
    folder = Path(folder)
    found = {path: checkpoints.read_metadata(path) for path in sorted(folder.glob("[!.]*.keras"))}
    for modality in modalities:
        if modality not in [metadata["modality"] for metadata in found.values()]:
            raise InputError(folder, f"a model for {modality}s",
                             ", ".join(path.name for path in found) or "no model (*.keras)", "Train one with: dvc repro")
    chosen = {path: metadata for path, metadata in found.items() if metadata["modality"] in (*modalities, None)}
    genres = {tuple(metadata["genres"]) for metadata in chosen.values()}
    if len(genres) > 1:
        raise InputError(folder, "models of the same genres", "different genre lists", "Train them together: dvc repro")
    for path, metadata in chosen.items():
        for name, digest in metadata.get("inputs", {}).items():
            source = model_path(folder, name)
            if source in chosen and file_digest(source) != digest:
                raise InputError(path, f"{source.name} as it was when this model was trained on it", "a changed file",
                                 "Train them together: dvc repro")
    return list(chosen)
