"""What the stages share: their section of `params.yaml`, logging, and errors as one line."""

import contextlib
import functools
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml
from pydantic import TypeAdapter, ValidationError

from genre_cli.advice import explain
from movie_genres.base.errors import UserError, one_line
from stages.parent import end_with_dvc

Command = TypeVar("Command", bound=Callable[..., Any])
Options = TypeVar("Options")

EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def path_option(name: str, default: str, text: str, folder: bool = False, exists: bool = False
                ) -> Callable[[Command], Command]:
    """The option for a file or a folder, which has to exist or is to be written."""
    kind = click.Path(exists=exists, file_okay=not folder, dir_okay=folder, path_type=Path)
    return click.option(name, type=kind, default=default, show_default=True, help=text)


_input = functools.partial(path_option, folder=True, exists=True)
params_option = path_option("--params", "params.yaml", "The parameter file.", exists=True)
prepared_option = _input("--prepared", "prepared", "Output of prepare: films, genres and splits.")
posters_option = _input("--posters", "features/posters", "Output of vectorize: pixel arrays.")
overviews_option = _input("--overviews", "features/overviews", "Output of vectorize: token ids and vocabulary.")
texts_option = _input("--texts", "features/poster_text", "Output of read_posters: text on posters.")
embeddings_option = path_option("--embeddings", "embeddings", "Folder with the files of embeddings that encoders name.",
                                folder=True)
teacher_option = _input("--teacher", "teacher", "Output of teach: what a teacher says of the training films.")
models_option = _input("--models", "models", "Folder of the trained models.")
answers_option = _input("--answers", "answers", "Folder with what the trained models say of all films.")


def comparison_inputs(command: Command) -> Command:
    """The options for what `evaluation.figures.read_comparison` reads, and for the curves of the trainings."""
    baseline = click.option("--baseline", type=(str, EXISTING_FILE), multiple=True, metavar="NAME FILE",
                            help="A baseline's name and its probabilities of all films. Repeat it.")
    decisions = path_option("--decisions", "models/decisions.json", "Output of tune.", exists=True)
    histories = _input("--histories", "history", "Folder with the models' trainings, for the curves.")
    return prepared_option(answers_option(decisions(histories(baseline(command)))))


def training_outputs(name: str) -> Callable[[Command], Command]:
    """The options for what a training of the model `name` writes: the fields of `outputs.Outputs`."""
    options = (path_option("--model", f"models/{name}.keras", "The checkpoint to write."),
               path_option("--history", f"history/{name}.csv", "The epochs' figures, to write."),
               path_option("--metrics", f"metrics/{name}.json", "The best epoch's figures, to write."),
               path_option("--out", f"answers/{name}", "Folder for what the model says of all films.", folder=True),
               path_option("--state", f"state/{name}", "Folder for what an interrupted training goes on from.", folder=True),
               path_option("--live", f"live/{name}", "Folder for DVCLive, if the parameters ask for it.", folder=True))
    return lambda command: functools.reduce(lambda done, option: option(done), reversed(options), command)


def encoder_inputs(command: Command) -> Command:
    """The options for what encoders are trained on: see `stages.encoders`."""
    return prepared_option(posters_option(texts_option(embeddings_option(command))))


def write_names(folder: Path, names: Sequence[str]) -> None:
    """Writes which models a folder is for. It is never empty then: DVC warns of empty folders again and again."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "names.json").write_text(json.dumps(names) + "\n")


def read_options(params: Path, section: str, options_class: type[Options]) -> Options:
    """Reads one section of the parameter file; the class checks names, types and ranges."""
    content = yaml.safe_load(params.read_text(encoding="utf-8")) or {}
    if section not in content:
        raise click.UsageError(f"{params}: expected a section {section!r}; found {', '.join(content) or 'nothing'}.")
    return checked(params, section, content[section], options_class)


def embedding_files(params: Path, folder: Path) -> dict[str, str]:
    """The files of embeddings that the section `encoders` names, by encoder; they stand in a folder, a dependency of DVC."""
    found = {}
    for name, given in read_options(params, "encoders", dict[str, dict]).items():
        if "file" in given:
            path = Path(str(given["file"]))
            if path.is_absolute() or ".." in path.parts:  # there, no change of it would be seen
                raise click.UsageError(f"{params}: encoders.{name}.file: expected a file in {folder}; "
                                       f"found {given['file']}.")
            found[name] = str(folder / path)
    return found


def checked(params: Path, section: str, content: object, options_class: type[Options]) -> Options:
    """What a part of the parameter file holds, as a class; refuses what that does not allow."""
    try:
        return TypeAdapter(options_class).validate_python(content)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, (section, *problem['loc'])))}: {problem['msg']}" for problem in error.errors())
        raise click.UsageError(f"{params}: " + "; ".join(problems)) from None


@contextlib.contextmanager
def running() -> Iterator[None]:
    """Sets up a stage: logging, an end when DVC is gone, and errors that the user can mend as one line and exit code 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    end_with_dvc()
    try:
        yield
    except UserError as error:
        raise click.UsageError(one_line(explain(error))) from None
