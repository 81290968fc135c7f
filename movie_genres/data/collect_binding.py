"""What a folder of collected films was begun with: `collect.json` in it. The folder is held to that."""

import os
from pathlib import Path
from typing import Literal

import pydantic

from movie_genres.base.errors import InputError, SettingError
from movie_genres.base.files import read_small, reason_of, replacing
from movie_genres.data.tmdb import Query

BINDING, LOCK = "collect.json", ".lock"


class Binding(pydantic.BaseModel):
    """The address of the API, and what it is asked for."""

    model_config = pydantic.ConfigDict(extra="forbid")
    version: Literal[1] = 1
    url: str
    query: Query


def check_folder(folder: Path) -> None:
    """Refuses a folder with anything in it that was not begun with a binding, by `InputError`."""
    expected, advice = "a new or empty folder, or one of collected films", "Give another folder."
    try:
        names = set(os.listdir(folder)) if os.path.lexists(folder) else set()
    except (OSError, ValueError) as error:
        raise InputError(folder, expected, reason_of(error), advice) from None
    if BINDING not in names and (others := sorted(names - {LOCK, f".partial-{BINDING}"})):
        raise InputError(folder, expected, f"one with {', '.join(others[:3])}", advice)


def is_begun(folder: Path, wanted: Binding) -> bool:
    """Whether a folder was begun, and with this binding.

    Raises:
        InputError: `collect.json` holds something else.
        SettingError: the folder was begun with another binding.
    """
    path = folder / BINDING
    if not path.exists():
        return False
    try:
        begun = Binding.model_validate_json(read_small(path, "what was collected"))
    except pydantic.ValidationError:
        raise InputError(path, "what was collected", "something else", "Give another folder.") from None
    former, now = ({"url": of.url, **vars(of.query)} for of in (begun, wanted))
    for name, value in former.items():
        if value != now[name]:
            raise SettingError(name, f"{value!r}, with which {folder} was begun", repr(now[name]))
    return True


def begin(folder: Path, binding: Binding) -> None:
    """Binds a folder, which is this process's, where it is not bound yet."""
    if not (path := folder / BINDING).exists():
        with replacing(path) as partial:
            partial.write_text(binding.model_dump_json(indent=1) + "\n")
