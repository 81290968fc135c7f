"""Settings that are declared once, as fields of the class that uses them: what they mean, and in which range they lie."""

import dataclasses
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

Group = TypeVar("Group")


@dataclasses.dataclass(frozen=True)
class Option:
    """Makes a setting of a field: `top: Annotated[int, Option("Output", "Genres a film.", least=1)] = 3`.

    All settings are listed by `section`; `metavar` stands for the value there.
    """

    section: str
    help: str  # a sentence; the names of other settings stand in backticks
    _: dataclasses.KW_ONLY
    metavar: str | None = None
    default: str | None = None  # what applies when there is no value, in words
    least: int | None = None
    above: int | None = None  # a lower bound that does not belong to the range
    most: int | None = None
    choices: tuple[str, ...] = ()
    is_folder: bool = False  # which exists
    is_repeated: bool = False  # each time with one text of a tuple
    name: str | None = None  # where the field's own would not say enough among all others


class Setting(NamedTuple):
    """A setting of a class, or of a group in it. `kind`: bool, int, float, str or tuple (of text); `default`:
    `dataclasses.MISSING` where a value is needed."""

    name: str
    kind: type
    option: Option
    default: Any


def settings_of(group: type) -> Iterator[Setting]:
    """The settings of a dataclass, and of those that its fields hold, in order."""
    for _, part in _parts(group):
        yield from (part,) if isinstance(part, Setting) else settings_of(part)


def build(group: type[Group], values: Mapping[str, Any]) -> Group:
    """Makes a dataclass, and those that its fields hold, of the values of settings by name; others keep their defaults."""
    arguments: dict[str, Any] = {}
    for field, part in _parts(group):
        if not isinstance(part, Setting):
            arguments[field] = build(part, values)
        elif part.name in values:
            arguments[field] = values[part.name]
    return group(**arguments)


def _parts(group: Any) -> Iterator[tuple[str, Setting | type]]:
    """The name of each field, and the setting that it is or the dataclass that it holds."""
    hints = get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        hint = hints[field.name]
        if get_origin(hint) is Annotated:
            kind, option = get_args(hint)
            if isinstance(kind, types.UnionType):
                kind = next(each for each in get_args(kind) if each is not types.NoneType)
            hint = Setting(option.name or field.name, get_origin(kind) or kind, option, field.default)
        yield field.name, hint
