"""The models folder: which model files there are, which belong together and which are needed. Needs no TensorFlow."""

import hashlib
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from movie_genres.base.errors import InputError, one_line
from movie_genres.base.files import file_digest, read_small
from movie_genres.base.options import first_problem
from movie_genres.inputs.modality import BOTH, MODALITIES, OVERVIEW, POSTER
from movie_genres.models import checkpoints

FUSION = "fusion"  # the name of the joint model
RELEASE = "release.json"  # name and version of released models, beside them


class ModelFile(NamedTuple):
    """One model of a folder.

    Attributes:
        name: the file's name without extension.
        path: `pathlib.Path`.
        modality: `poster` or `overview`, or None for a fusion model.
        inputs: dict from the name of each model below a fusion model to the SHA-256 of its file; empty for others.
        digest: SHA-256 of the file.
        genres: tuple of names, the order of its probabilities.
    """

    name: str
    path: Path
    modality: str | None
    inputs: dict
    digest: str
    genres: tuple


def find_models(folder, modalities=MODALITIES):
    """Finds the model files for some modalities and checks that they belong together. Loads no model.

    Args:
        folder: with `NAME.keras` files, in it or in its folder `encoders`.
        modalities: which are to be scored.

    Returns:
        list of `ModelFile`: the models of those modalities, and the fusion model where there is one.

    Raises:
        InputError: no model for a modality, or a model that changed after the fusion model was trained on it.
    """
    folder = Path(folder)
    paths = [path for pattern in ("[!.]*.keras", "encoders/[!.]*.keras") for path in sorted(folder.glob(pattern))]
    files = [_model_file(path) for path in paths]
    for modality in modalities:
        if modality not in [file.modality for file in files]:
            raise InputError(folder, f"a model for {modality}s",
                             ", ".join(path.name for path in paths) or "no model (*.keras)", "Train one with: dvc repro")
    chosen = {file.name: file for file in files if file.modality in (*modalities, None)}
    if len({file.genres for file in chosen.values()}) > 1:
        raise InputError(folder, "models of the same genres", "different genre lists", "Train them together: dvc repro")
    for file in chosen.values():
        for name, digest in file.inputs.items():
            if name in chosen and chosen[name].digest != digest:
                raise InputError(file.path, f"{chosen[name].path.name} as it was when this model was trained on it",
                                 "a changed file", "Train them together: dvc repro")
    return list(chosen.values())


def _model_file(path):
    about, digest = checkpoints.read_metadata(path), file_digest(path)
    return ModelFile(path.stem, path, about["modality"], about.get("inputs") or {}, digest, tuple(about["genres"]))


class Release(BaseModel):
    """The content of `release.json`."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    version: Annotated[str, Field(min_length=1, max_length=100)]


def model_name(folder, files):
    """What to call some models of a folder: the name and version of a release, else the folder's name and a digest.

    Raises:
        InputError: a damaged `release.json`.
    """
    release = Path(folder) / RELEASE
    if release.exists():
        try:
            about = Release.model_validate_json(read_small(release, "name and version of a release"))
        except ValidationError as error:
            raise InputError(release, "name and version of a release", first_problem(error), "Fetch it again.") from None
        return one_line(f"{about.name} {about.version}")
    digest = hashlib.sha256("".join(file.digest for file in files).encode())
    return f"{Path(folder).resolve().name} {digest.hexdigest()[:8]}"


def default_ranking(files):
    """Which models to believe first where no validation films have told: see `decisions.Decisions`."""
    names = {modality: [file.name for file in files if file.modality == modality] for modality in (*MODALITIES, None)}
    return {POSTER: names[POSTER] + names[None], OVERVIEW: names[OVERVIEW] + names[None],
            BOTH: names[None] + names[OVERVIEW] + names[POSTER]}


def needed_models(files, ranking, modalities):
    """Of the models that `find_models` found, those that scoring uses: the best for each kind of film, and their inputs.

    Args:
        files: list of `ModelFile`.
        ranking: as of `decisions.Decisions`.
        modalities: which are to be scored.

    Raises:
        InputError: the ranking names no model for some kind of film.
    """
    kinds = (*modalities, BOTH) if len(modalities) > 1 else modalities
    by_name, best = {file.name: file for file in files}, set()
    for kind in kinds:
        fit = [name for name in ranking[kind]
               if name in by_name and (kind == BOTH or by_name[name].modality in (kind, None))]
        if not fit:
            raise InputError(files[0].path.parent, f"a model for {kind} among those ranked",
                             ", ".join(ranking[kind]) or "none", "Rank them again: dvc repro tune")
        best.add(fit[0])
    needed = best | {name for chosen in best for name in by_name[chosen].inputs}
    return [file for file in files if file.name in needed]
