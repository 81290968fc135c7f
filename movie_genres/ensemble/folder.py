"""The models folder: which model files there are, which belong together and which are needed."""

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from movie_genres.base.errors import InputError, Remedy, SettingError, one_line
from movie_genres.base.files import read_small
from movie_genres.base.options import STRICT, first_problem
from movie_genres.inputs.modality import BOTH, MODALITIES, OVERVIEW, POSTER
from movie_genres.models import onnx_files

logger = logging.getLogger(__name__)

FUSION = "fusion"  # the name of the joint model
RELEASE = "release.json"  # name and version of released models, beside them
PACKAGED = Path(__file__).parents[1] / "released"  # models that come with this package


class ModelFile(NamedTuple):
    """One model of a folder."""

    name: str  # the file's, without extension
    path: Path
    modality: str | None  # None for a fusion model
    inputs: dict[str, str]  # from the name of each model below a fusion model to the SHA-256 of its file
    digest: str  # SHA-256 of the file
    genres: tuple[str, ...]  # the order of its probabilities
    run_path: Path  # the file to run: this one, or its copy in 8 bits
    run_digest: str  # SHA-256 of that
    reads: bool = False  # whether it looks at the text on posters, which some have none of
    embedding: int | None = None  # how many numbers of a film it takes from a file of embeddings, in place of its modality


def find_models(folder: Path | str, modalities: Sequence[str] | None = None, dtype: str = "int8",
                embedded: Collection[str] | None = None) -> list[ModelFile]:
    """Finds the model files for some modalities, and the fusion model, and checks that they belong together. Loads none.

    Without `modalities`, those for all that there is a model for.

    They are `NAME.onnx` files, in the folder or in its folder `encoders`. With the dtype `int8`, those that have a copy
    in 8 bits are to be run by that. `embedded` names those that there are embeddings for: they are found whatever they are
    of, and others that take embeddings are left out; None: they all stay.

    Raises:
        SettingError: embeddings for a model that takes none, or none where all models for a modality take some.
        InputError: no model for a modality, or a model that changed after the fusion model was trained on it.
    """
    folder = Path(folder)
    paths = _model_paths(folder, "onnx")
    known = [_model_file(path, dtype) for path in paths]
    files = known if embedded is None else _with_embeddings(folder, known, embedded)
    there = [file.modality for file in files if file.modality]
    for modality in (modalities or MODALITIES[:not there]):  # at least one is needed
        if modality not in there:
            if takers := [file for file in known if file.embedding and (file.modality == modality or not modalities)]:
                raise SettingError("embeddings", f"{takers[0].name}=FILE, as the models of {takers[0].modality}s all take "
                                   "embeddings", "none")
            found = ", ".join(path.name for path in paths or _model_paths(folder, "keras")) or "no model (*.onnx)"
            raise InputError(folder, f"a model for {modality}s", found, remedy=Remedy.TRAIN)
    chosen = {file.name: file for file in files
              if file.modality in (*(modalities or there), None) or file.name in (embedded or ())}
    if len({file.genres for file in chosen.values()}) > 1:
        raise InputError(folder, "models of the same genres", "different genre lists", remedy=Remedy.TRAIN)
    for file in chosen.values():
        for name, digest in file.inputs.items():
            if name in chosen and chosen[name].digest != digest:
                raise InputError(file.path, f"{chosen[name].path.name} as it was when this model was trained on it",
                                 "a changed file", remedy=Remedy.TRAIN)
    return list(chosen.values())


def _with_embeddings(folder: Path, files: Sequence[ModelFile], given: Collection[str]) -> list[ModelFile]:
    """Model files without those whose films have no embeddings, as of `find_models`; says which these are."""
    takers = [file.name for file in files if file.embedding]
    if unknown := [name for name in given if name not in takers]:
        known = ", ".join(takers) or "none does"
        raise SettingError("embeddings", f"names of models in {folder} that take embeddings: {known}", ", ".join(unknown))
    if missing := [name for name in takers if name not in given]:
        logger.warning("no embeddings are given for %s: films are scored without them", ", ".join(missing))
    return [file for file in files if file.name not in missing]


def models_folder(folder: Path | str | None) -> Path:
    """A folder with models: the one that is given, else `models` if there is one with models in it, else the package's."""
    if folder is None:
        own = Path("models")
        folder = own if _model_paths(own, "onnx") or _model_paths(own, "keras") else PACKAGED
        logger.info("using the models in %s", folder)
    return Path(folder)


def _model_paths(folder: Path, suffix: str) -> list[Path]:
    return [path for pattern in (f"[!.]*.{suffix}", f"encoders/[!.]*.{suffix}") for path in sorted(folder.glob(pattern))]


def _model_file(path: Path, dtype: str) -> ModelFile:
    _, digest, _, about = onnx_files.read(path)
    run_path, run_digest = onnx_files.int8_path(path), digest
    if dtype == "int8" and run_path.exists():
        _, run_digest, _, of_copy = onnx_files.read(run_path)
        if of_copy.get("copy_of") != digest:
            raise InputError(run_path, f"a copy of {path.name} as it is", "one of another version", remedy=Remedy.TRAIN)
        if {**of_copy, "copy_of": None} != {**about, "copy_of": None}:
            raise InputError(run_path, f"a copy of {path.name} with the same metadata", "others", remedy=Remedy.TRAIN)
    else:
        run_path = path
    return ModelFile(path.stem, path, about["modality"], about.get("inputs") or {}, digest, tuple(about["genres"]),
                     run_path, run_digest, about.get("reader") is not None, about.get("embedding"))


def check_embeddings(files: Sequence[ModelFile], channels: Mapping[str, int]) -> None:
    """Raises `SettingError` where a model takes other embeddings than are given: by its name, how many numbers a film."""
    for file in files:
        if file.name in channels and channels[file.name] != file.embedding:
            raise SettingError("embeddings", f"{file.embedding or 'no'} numbers a film for {file.name}",
                               f"{channels[file.name]}")


class Release(BaseModel):
    """The content of `release.json`: what released models are called, on what films they were trained, and the licences
    that they are under."""

    model_config = STRICT

    name: Annotated[str, Field(min_length=1, max_length=100)]
    version: Annotated[str, Field(min_length=1, max_length=100)]
    data: Annotated[str, Field(max_length=2000)] = ""
    licences: list[Annotated[str, Field(max_length=500)]] = []

    @property
    def title(self) -> str:
        return one_line(f"{self.name} {self.version}")


def write_release(folder: Path, **about: Any) -> None:
    """Names the models of a folder, with the fields of `Release`; raises `SettingError` where these cannot be used."""
    try:
        release = Release(**about)
    except ValidationError as error:
        raise SettingError("release", "a name and a version of 1 to 100 characters", first_problem(error)) from None
    (folder / RELEASE).write_text(release.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_release(folder: Path | str) -> Release | None:
    """What `write_release` wrote to a folder, None where it names no models; raises `InputError` for a damaged file."""
    path, expected = Path(folder) / RELEASE, "name and version of a release"
    if not path.exists():
        return None
    try:
        return Release.model_validate_json(read_small(path, expected))
    except ValidationError as error:
        raise InputError(path, expected, first_problem(error), "Fetch it again.") from None


def model_name(folder: Path | str, files: Sequence[ModelFile]) -> str:
    """What to call some models of a folder: the name and version of a release, else the folder's name and a digest.

    Raises:
        InputError: a damaged `release.json`.
    """
    if release := read_release(folder):
        return release.title
    digest = hashlib.sha256("".join(file.digest for file in files).encode())
    return f"{Path(folder).resolve().name} {digest.hexdigest()[:8]}"


def modalities_of(files: Sequence[ModelFile]) -> list[str]:
    """What some models look at, in the order of `MODALITIES`."""
    there = {file.modality for file in files}
    return [modality for modality in MODALITIES if modality in there]


def default_ranking(files: Sequence[ModelFile]) -> dict[str, list[str]]:
    """Which models to believe first where no validation films have told: see `decisions.Decisions`."""
    posters, overviews, fusion = ([file.name for file in files if file.modality == kind] for kind in (*MODALITIES, None))
    return {POSTER: posters + fusion, OVERVIEW: overviews + fusion, BOTH: fusion + overviews + posters}


def needed_models(files: Sequence[ModelFile], ranking: Mapping[str, Sequence[str]], modalities: Sequence[str]
                  ) -> list[ModelFile]:
    """Of the models that `find_models` found, those that scoring uses: the best for each kind of film, and their inputs.

    Where the best one may have nothing to go by, the next ones are needed too: see `_always_answers`.

    Raises:
        InputError: the ranking names no model for some kind of film.
    """
    kinds = (*modalities, BOTH) if len(modalities) > 1 else modalities
    by_name, best = {file.name: file for file in files}, set[str]()
    for kind in kinds:
        fit = [name for name in ranking[kind]
               if name in by_name and _looked_at(by_name[name], by_name) & {kind, *(MODALITIES if kind == BOTH else ())}]
        if not fit:
            raise InputError(files[0].path.parent, f"a model for {kind} among those ranked",
                             ", ".join(ranking[kind]) or "none", remedy=Remedy.TUNE)
        always = next((number for number, name in enumerate(fit) if _always_answers(by_name[name], by_name, kind)), len(fit))
        best.update(fit[:always + 1])
    needed = best | {name for chosen in best for name in by_name[chosen].inputs}
    return [file for file in files if file.name in needed]


def _looked_at(file: ModelFile, by_name: Mapping[str, ModelFile], surely: bool = False) -> set[str]:
    """The modalities that a model looks at, a fusion by its inputs that are there; `surely`: of films that have them.

    One that looks at the text on posters, or takes embeddings, has nothing to go by of films without these.
    """
    looks = [by_name[name] for name in file.inputs if name in by_name] if file.modality is None else [file]
    return {str(each.modality) for each in looks if not (surely and (each.reads or each.embedding))}


def _always_answers(file: ModelFile, by_name: Mapping[str, ModelFile], kind: str) -> bool:
    """Whether a model has something to go by of all films of a kind; a fusion for `both`, of either modality."""
    wanted = set(MODALITIES) if kind == BOTH and file.modality is None else {kind, file.modality or kind} - {BOTH}
    return wanted <= _looked_at(file, by_name, surely=True)
