"""What the library's errors mean to somebody who has given a command: its options and what to run."""

import importlib.metadata
import json
import os
import re
import shlex
from collections.abc import Callable
from urllib.parse import urlsplit
from urllib.request import url2pathname

from movie_genres.base.errors import InputError, MissingPackageError, Remedy, SettingError, UserError

ADVICE = {
    Remedy.IMPORT: "Build it with: genre-data import SOURCE",
    Remedy.VECTORIZE: "Run: dvc repro vectorize",
    Remedy.TRAIN: "Train with: dvc repro",
    Remedy.TRAIN_OTHERS: "Add them, or run only the stages of the other model, such as: dvc repro train_lstm",
    Remedy.TUNE: "Run: dvc repro tune",
    Remedy.REPLACE: "Give another name, or --overwrite to replace it, or --retry-failed to score its failed rows again.",
    Remedy.SCORE_ANEW: "Score all anew, with --overwrite.",
    Remedy.SAME_OR_ANEW: "Give the same options, models and inputs, or start anew with --overwrite.",
    Remedy.KEY: "Set TMDB_READ_TOKEN, or TMDB_API_KEY, to what https://www.themoviedb.org/settings/api shows.",
    Remedy.GO_ON: "Give the same command again later: it goes on from here.",
}

VARIABLES = {"url": "TMDB_URL"}  # of the environment, by settings that no option is for


def in_options(text: str, option_of: Callable[[str], str | None]) -> str:
    """A text with the option in place of each setting's name in backticks; other words in backticks stay."""
    return re.sub(r"`(\w+)`", lambda found: option_of(found[1]) or found[0], text)


def install_command(extra: str) -> str:
    """The command that adds an extra to this installation: one of a clone, of a wheel, or of a package index."""
    # A clone's own folder looks like an installation of its own, which does not say where it came from.
    found = (each.read_text("direct_url.json") for each in importlib.metadata.distributions(name="movie-genres"))
    content = json.loads(next(filter(None, found), "{}"))
    url = content.get("url", "")
    if url.startswith("file:") and "dir_info" in content:
        clone = url2pathname(urlsplit(url).path)
        constraints = os.path.join(clone, "constraints.txt")
        if os.path.realpath(clone) == os.path.realpath("."):
            clone, constraints = ".", "constraints.txt"
        return f"pip install -c {shlex.quote(constraints)} -e {shlex.quote(f'{clone}[{extra}]')}"
    return f"pip install {shlex.quote(f'movie-genres[{extra}]' + (f' @ {url}' if url else ''))}"


def explain(error: BaseException, option_of: Callable[[str], str | None] = lambda setting: None) -> str:
    """The message of an error, with what to do about it. `option_of`: the option for a setting, if there is one."""
    if isinstance(error, SettingError):
        name = option_of(error.setting) or VARIABLES.get(error.setting, error.setting)
        return f"{name}: {in_options(error.problem, option_of)}"
    parts = [str(error) or type(error).__name__]
    if isinstance(error, MissingPackageError):
        parts.append(f"Install it with: {install_command(error.extra)}")
    if isinstance(error, InputError) and error.setting and (option := option_of(error.setting)):
        parts.append(f"Name it with {option}.")
    if isinstance(error, UserError) and error.remedy:
        parts.append(ADVICE[error.remedy])
    return " ".join(parts)
