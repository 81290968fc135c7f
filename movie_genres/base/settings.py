"""Settings that are declared once, as fields of the class that uses them: what they mean, and in which range they lie."""

import dataclasses
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

Group = TypeVar("Group")


@dataclasses.dataclass(frozen=True)
class Option:
    """Makes a setting of a field: `top: Annotated[int, Option("Output", "Genres a film.", least=1)] = 3`.

    Attributes:
        section: of the list of all settings.
        help: what it means, in a sentence; the names of other settings stand in backticks.
        metavar: what stands for its value in that list.
        default: what applies when there is no value, in words.
        least, most: its range; `above`: a lower bound that does not belong to it.
        choices: its values, where they are few.
        is_folder: whether it names a folder that exists.
        name: of the setting, where the field's own would not say enough among all others.
    """

    section: str
    help: str
    _: dataclasses.KW_ONLY
    metavar: str | None = None
    default: str | None = None
    least: int | None = None
    above: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    is_folder: bool = False
    name: str | None = None


class Setting(NamedTuple):
    """A setting of a class, or of a group in it. `kind`: bool, int, float, str or tuple (of text); `default`:
    `dataclasses.MISSING` where a value is needed."""

    name: str
    kind: type
    option: Option
    default: Any


def settings_of(group: type) -> Iterator[Setting]:
    """The settings of a dataclass, and of those that its fields hold, in order."""
    for field, inner, setting in _parts(group):
        if inner:
            yield from settings_of(inner)
        elif setting:
            yield setting


def build(group: type[Group], values: Mapping[str, Any]) -> Group:
    """Makes a dataclass, and those that its fields hold, of the values of settings by name; others keep their defaults."""
    arguments: dict[str, Any] = {}
    for field, inner, setting in _parts(group):
        if inner:
            arguments[field] = build(inner, values)
        elif setting and setting.name in values:
            arguments[field] = values[setting.name]
    return group(**arguments)


def _parts(group: Any) -> Iterator[tuple[str, type | None, Setting | None]]:
    """(name, dataclass that it holds or None, `Setting` that it is or None) of each field."""
    hints = get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        hint = hints[field.name]
        option = next(iter(getattr(hint, "__metadata__", ())), None)
        if get_origin(hint) is Annotated and isinstance(option, Option):
            kind = hint.__origin__
            if isinstance(kind, types.UnionType):
                kind = next(each for each in get_args(kind) if each is not types.NoneType)
            yield field.name, None, Setting(option.name or field.name, get_origin(kind) or kind, option, field.default)
        else:
            yield field.name, hint if isinstance(hint, type) and dataclasses.is_dataclass(hint) else None, None
