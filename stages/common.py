"""What the stages share: their section of `params.yaml`, logging, and errors as one line."""

import contextlib
import logging
import os
import sys
import threading
import time
from pathlib import Path

import click
import psutil
import yaml
from pydantic import TypeAdapter, ValidationError

from genre_cli.advice import explain
from movie_genres.base.errors import UserError, one_line

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

params_option = click.option("--params", type=click.Path(exists=True, dir_okay=False), default="params.yaml",
                             show_default=True, help="The parameter file.")


def _input(name, default, text):
    return click.option(name, type=EXISTING_FOLDER, default=default, show_default=True, help=text)


prepared_option = _input("--prepared", "prepared", "Output of prepare: films, genres and splits.")
posters_option = _input("--posters", "features/posters", "Output of vectorize: pixel arrays.")
overviews_option = _input("--overviews", "features/overviews", "Output of vectorize: token ids and vocabulary.")
models_option = _input("--models", "models", "Folder of the trained models.")
answers_option = _input("--answers", "answers", "Folder with what the trained models say of all films.")


def training_outputs(name):
    """The options for what a training writes; `name` is the model's."""
    def add(command):
        for option, kind, default, text in (
                ("--live", FOLDER, f"live/{name}", "Folder for DVCLive, if the parameters ask for it."),
                ("--state", FOLDER, f"state/{name}", "Folder for what an interrupted training goes on from."),
                ("--out", FOLDER, f"answers/{name}", "Folder for what the model says of all films."),
                ("--metrics", FILE, f"metrics/{name}.json", "The best epoch's figures, to write."),
                ("--history", FILE, f"history/{name}.csv", "The epochs' figures, to write."),
                ("--model", FILE, f"models/{name}.keras", "The checkpoint to write.")):
            command = click.option(option, type=kind, default=default, show_default=True, help=text)(command)
        return command
    return add


def read_options(params, section, options_class):
    """Reads one section of the parameter file into the library's option class, which checks names, types and ranges."""
    return _checked(params, section, _read_section(params, section), options_class)


def read_encoders(params, options_class):
    """Reads the section `encoders`, each entry of it completed by the section `encoder_defaults` for its modality."""
    defaults = _read_section(params, "encoder_defaults")
    encoders = {name: {**defaults.get(encoder.get("modality"), {}), **encoder}
                for name, encoder in read_options(params, "encoders", dict[str, dict]).items()}
    return _checked(params, "encoders", encoders, dict[str, options_class])


def _read_section(params, section):
    content = yaml.safe_load(Path(params).read_text(encoding="utf-8")) or {}
    if section not in content:
        raise click.UsageError(f"{params}: expected a section {section!r}; found {', '.join(content) or 'nothing'}.")
    return content[section]


def _checked(params, section, content, options_class):
    try:
        return TypeAdapter(options_class).validate_python(content)
    except ValidationError as error:
        problems = (f"{section}.{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise click.UsageError(f"{params}: " + "; ".join(problems)) from None


def _dvc():
    """The `dvc` process that started this one, a `psutil.Process`; None for one started by hand."""
    try:
        return next(process for process in psutil.Process().parents() if "dvc" in map(os.path.basename, process.cmdline()))
    except (StopIteration, psutil.Error):
        return None


def _end_with(dvc):
    """Ends this process once the `dvc repro` that started it has been killed: nobody would take its outputs."""
    while dvc.is_running() and dvc.status() != psutil.STATUS_ZOMBIE:
        time.sleep(1)
    logging.error("The dvc process that started this stage has gone: it ends, and goes on with the next dvc repro.")
    os._exit(1)


@contextlib.contextmanager
def running():
    """Sets up a stage: logging, an end when DVC is gone, and errors that the user can mend as one line and exit code 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if dvc := _dvc():
        threading.Thread(target=_end_with, args=(dvc,), daemon=True).start()
    try:
        yield
    except UserError as error:
        raise click.UsageError(one_line(explain(error))) from None
