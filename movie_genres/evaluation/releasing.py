"""Makes a small, versioned copy of trained models, with a card that says what they are worth."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import pandas as pd

from movie_genres.base.errors import SettingError
from movie_genres.base.files import file_digest
from movie_genres.data.splits import SPLITS
from movie_genres.ensemble import film_summaries
from movie_genres.ensemble.decisions import FILE_NAME, IN_WORDS, Decisions, read_decisions, write_decisions
from movie_genres.ensemble.film_summaries import read_training_films, write_training_films
from movie_genres.ensemble.folder import find_models, modalities_of, needed_models, read_release, write_release
from movie_genres.evaluation.figures import EvaluateOptions
from movie_genres.inputs.prepared import Prepared
from movie_genres.models import onnx_files

CARD = Path(__file__).with_name("model_card.md.j2")


class Facts(NamedTuple):
    """What a model card says beside the figures and what `release.json` has: whoever releases the models knows it.

    Attributes:
        limits: sentences on what the films do not tell.
        changes: sentences on what is different from the release before.
        bits: of the weights.
        remake: the commands that make the release.
    """

    limits: Sequence[str]
    changes: Sequence[str]
    bits: int
    remake: str


def release(folder: Path, out: Path, bits: int, **about: Any) -> Decisions:
    """Writes what scoring needs of the models of a folder, with weights of 16 or 8 bits; returns their decisions.

    These are the models that answer, and those below them; their copies for computing in 8 bits stay as they are. What is
    known of the films that they were trained on goes with them. `about` has the fields of `folder.Release`.

    Raises:
        InputError: as `find_models`, `read_decisions` and `read_training_films`.
        SettingError: as `write_release`; or the folder to write holds more than models.
    """
    files, digests = find_models(folder), dict[str, str]()
    decisions = read_decisions(folder / FILE_NAME, {file.name: file.digest for file in files}, files[0].genres)
    files = needed_models(files, decisions.ranking, modalities_of(files))
    _check_replaceable(out)
    with tempfile.TemporaryDirectory(prefix="movie-genres-") as private:
        made = Path(private) / "release"  # copied with its permissions, which are everybody's
        made.mkdir()
        write_release(made, **about)
        for file in sorted(files, key=lambda file: bool(file.inputs)):  # the fusion model last: it names the others
            copy = made / file.path.relative_to(folder)
            changes = {"inputs": {name: digests[name] for name in file.inputs}} if file.inputs else {}
            onnx_files.write_small(file.path, copy, bits, **changes)
            digests[file.name] = file_digest(copy)
            if file.run_path != file.path:
                _, _, model, metadata = onnx_files.read(file.run_path)
                onnx_files.write(model, onnx_files.int8_path(copy), {**metadata, "copy_of": digests[file.name]})
        ranking = {kind: [name for name in names if name in digests] for kind, names in decisions.ranking.items()}
        decisions = decisions._replace(ranking=ranking)
        write_decisions(decisions, digests, made / FILE_NAME, files[0].genres)
        if films := read_training_films(folder, decisions.digest, files[0].genres):
            films = films.model_copy(update={"decisions": file_digest(made / FILE_NAME)})
            write_training_films(films, made / film_summaries.FILE_NAME)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(made, out)
    return decisions


def _check_replaceable(folder: Path) -> None:
    """Raises `SettingError` for a folder that is more than an older release."""
    others = [path.name for path in folder.rglob("*") if path.is_file() and path.suffix not in (".keras", ".onnx", ".json")]
    if others:
        raise SettingError("release", f"no folder, or an older release, as {folder}", f"{others[0]} in it")


def model_card(folder: Path, facts: Facts, prepared: Prepared, decisions: Decisions, intervals: pd.DataFrame,
               points: pd.DataFrame, skills: Mapping[str, float], options: EvaluateOptions) -> str:
    """The text of the card of a release that was written to a folder.

    `intervals` and `points` are those of `figures.intervals` and `figures.operating_points`, with `options`; `skills`, by
    what a film has, what the released files reach on the test films.
    """
    rows = {split: prepared.rows(split) for split in SPLITS}
    genres = pd.DataFrame({"name": prepared.genres,
                           **{split: prepared.labels[rows[split]].sum(axis=0).astype(int) for split in SPLITS}})
    genres_of_film = prepared.labels.sum(axis=1).astype(int)
    figures = {model: {row["metric"]: row for row in of_model.dropna().to_dict("records")}
               for model, of_model in intervals.groupby("model", sort=False)}
    files = {path.relative_to(folder).as_posix(): (path.stat().st_size, file_digest(path))
             for path in sorted(folder.rglob("*")) if path.is_file()}
    template = jinja2.Template(CARD.read_text("utf-8"), undefined=jinja2.StrictUndefined, trim_blocks=True,
                               keep_trailing_newline=True)
    return template.render(
        facts=facts, about=read_release(folder), options=options, ranking=decisions.ranking, figures=figures, skills=skills,
        kinds=IN_WORDS, points=points.to_dict("records"), files=files, genres=genres.to_dict("records"),
        films={split: len(of_split) for split, of_split in rows.items()},
        genres_per_film=prepared.labels[rows["test"]].sum(axis=1).mean(),
        fewest=genres_of_film.min(), most=genres_of_film.max())
