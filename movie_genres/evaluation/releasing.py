"""Makes a small, versioned copy of trained models, with a card that says what they are worth."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2
import pandas as pd

from movie_genres.base.errors import SettingError
from movie_genres.base.files import file_digest
from movie_genres.checkpoints import keras_files
from movie_genres.data.splits import SPLITS
from movie_genres.ensemble.decisions import FILE_NAME, Decisions, read_decisions, write_decisions
from movie_genres.ensemble.folder import find_models, write_release
from movie_genres.evaluation.figures import EvaluateOptions
from movie_genres.inputs.modality import BOTH
from movie_genres.inputs.prepared import Prepared
from movie_genres.models import onnx_files

CARD = Path(__file__).with_name("model_card.md.j2")


class Facts(NamedTuple):
    """What a model card says beside the figures: whoever releases the models knows it.

    Attributes:
        data: a sentence on the films that the models were trained on.
        limits: sentences on what these films do not tell.
        remake: the commands that make the release.
    """

    name: str
    version: str
    data: str
    limits: Sequence[str]
    remake: str


def release(folder: Path, out: Path, package: Path, name: str, version: str) -> Decisions:
    """Writes small copies of the models of a folder, their decisions and the release's name; returns the decisions.

    `out` gets all of them, `package` what scoring needs. The copies have 16-bit weights, and compute in 32 bits; those in 8
    bits stay as they are.

    Raises:
        InputError: as `find_models` and `read_decisions`.
        SettingError: as `write_release`; or a folder to write holds more than models.
    """
    files, digests = find_models(folder), dict[str, str]()
    decisions = read_decisions(folder / FILE_NAME, {file.name: file.digest for file in files}, files[0].genres)
    for target in (out, package):
        _check_replaceable(target)
    with tempfile.TemporaryDirectory(prefix="movie-genres-") as private:
        made = Path(private) / "release"  # copied with its permissions, which are everybody's
        made.mkdir()
        write_release(made, name, version)
        for file in sorted(files, key=lambda file: bool(file.inputs)):  # the fusion model last: it names the others
            copy = made / file.path.relative_to(folder)
            changes = {"inputs": {name: digests[name] for name in file.inputs}} if file.inputs else {}
            keras_files.save_small(file.path.with_suffix(".keras"), copy.with_suffix(".keras"), **changes)
            onnx_files.write_small(file.path, copy, **changes)
            digests[file.name] = file_digest(copy)
            if file.run_path != file.path:
                _, _, model, metadata = onnx_files.read(file.run_path)
                onnx_files.write(model, onnx_files.int8_path(copy), {**metadata, "copy_of": digests[file.name]})
        write_decisions(decisions, digests, made / FILE_NAME, files[0].genres)
        for target, left_out in ((out, ()), (package, ("*.keras",))):
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(made, target, ignore=shutil.ignore_patterns(*left_out))
    return decisions


def _check_replaceable(folder: Path) -> None:
    """Raises `SettingError` for a folder that is more than an older release."""
    others = [path.name for path in folder.rglob("*") if path.is_file() and path.suffix not in (".keras", ".onnx", ".json")]
    if others:
        raise SettingError("release", f"no folder, or an older release, as {folder}", f"{others[0]} in it")


def model_card(facts: Facts, prepared: Prepared, decisions: Decisions, intervals: pd.DataFrame,
               options: EvaluateOptions) -> str:
    """The text of a model card; `options` are those that `figures.intervals` measured `intervals` with."""
    best, rows = decisions.ranking[BOTH][0], {split: prepared.rows(split) for split in SPLITS}
    genres = pd.DataFrame({"name": prepared.genres, "threshold": decisions.of(best, len(prepared.genres)).thresholds,
                           **{split: prepared.labels[rows[split]].sum(axis=0).astype(int) for split in SPLITS}})
    genres_of_film = prepared.labels.sum(axis=1).astype(int)
    figures = {model: {row["metric"]: row for row in of_model.dropna().to_dict("records")}
               for model, of_model in intervals.groupby("model", sort=False)}
    template = jinja2.Template(CARD.read_text("utf-8"), undefined=jinja2.StrictUndefined, trim_blocks=True,
                               keep_trailing_newline=True)
    return template.render(
        facts=facts, options=options, ranking=decisions.ranking, best=best, figures=figures,
        untuned=[model for model in figures if model not in decisions.models],
        films={split: len(of_split) for split, of_split in rows.items()}, genres=genres.to_dict("records"),
        fewest=genres_of_film.min(), most=genres_of_film.max())
