"""What a search tries: the parameters and their values, how often, on how many splits; as `sweep.yaml` says it."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from movie_genres.base.errors import InputError, one_line
from movie_genres.base.files import read_small
from movie_genres.base.options import STRICT, first_problem

TRAINED = "vectorize", "read_posters", "teach", "cnn", "lstm", "encoders", "encoder_defaults", "fusion"
NETWORKS = "cnn", "lstm", "fusion"
PLAIN = re.compile(r"[A-Za-z_][\w./:-]*")  # text that DVC reads as it stands
WORDS = "null", "true", "false", "nan", "inf", "yes", "no", "on", "off"  # which mean something else


def text_of(value: object) -> str:
    """A value as DVC reads it on its command line.

    Raises:
        ValueError: it cannot be written there.
    """
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, int | float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, list) and not any(isinstance(each, list) for each in value):
        return f"[{','.join(map(text_of, value))}]"
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in WORDS:
        return value
    if isinstance(value, str) and value.isprintable() and not set(value) & {'"', "\\", "$"}:
        return f'"{value}"'
    raise ValueError(f"a number, a plain text, true, false, null or a list of these is needed, not {value!r:.100}")


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Choices:
    """One of some values: `{choices: [gated, attention]}`."""

    choices: list[Any] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Choices":
        texts = list(map(text_of, self.choices))
        if len(set(texts)) < len(texts):
            raise ValueError("each choice is needed once")
        return self

    @property
    def words(self) -> str:
        return ", ".join(map(text_of, self.choices))


class _Range:
    """What ranges of numbers have in common."""

    bounds: tuple[Any, Any]
    log: bool
    step: Any

    def _check_range(self) -> None:
        low, high = self.bounds
        if not low < high:
            raise ValueError("the first number has to be less than the second")
        if self.step is not None and self.step > high - low:
            raise ValueError("the step has to fit between the numbers")
        if self.log and (low <= 0 or self.step is not None):
            raise ValueError("log needs numbers above 0, and no step")

    @property
    def words(self) -> str:
        low, high = self.bounds
        how = " by orders of magnitude" if self.log else f" by {self.step}" if self.step else ""
        return f"{low} to {high}{how}"


Finite = Annotated[float, Field(allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=-2**53, le=2**53)]


@dataclass(config=STRICT, frozen=True, kw_only=True)
class FloatRange(_Range):
    """Numbers from one to another: `{float: [0.0003, 0.003], log: true}` or `{float: [0.2, 0.6], step: 0.1}`."""

    bounds: tuple[Finite, Finite] = Field(alias="float")
    log: bool = False  # by orders of magnitude
    step: Annotated[Finite, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _check(self) -> "FloatRange":
        self._check_range()
        return self


@dataclass(config=STRICT, frozen=True, kw_only=True)
class IntRange(_Range):
    """Whole numbers from one to another, both included: `{int: [32, 256], log: true}`."""

    bounds: tuple[Whole, Whole] = Field(alias="int")
    log: bool = False
    step: Annotated[Whole, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _check(self) -> "IntRange":
        self._check_range()
        return self


KINDS = {"choices": Choices, "float": FloatRange, "int": IntRange}
Values = Choices | FloatRange | IntRange


def _values(given: object) -> object:
    """Checks values as the kind that they name, so that an error is about this kind alone."""
    named = [kind for name, kind in KINDS.items() if isinstance(given, Mapping) and name in given]
    if len(named) != 1:
        raise ValueError(f"one of {', '.join(KINDS)} is needed, such as {{choices: [64, 128]}} or {{float: [0.1, 0.5]}}")
    try:
        return TypeAdapter(named[0]).validate_python(given)
    except ValidationError as error:
        raise ValueError(first_problem(error)) from None


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Space:
    """A search, as its file has it.

    Attributes:
        model: whose skill on validation films is to rise.
        trials: how many settings to try, no two alike.
        splits: how many splits to measure each on, of the seeds from 0 on.
        fresh: how many further splits the first settings have to prove themselves on, if it comes to that.
        seed: of the search.
        stop_early: whether settings that are worse than half of the others so far are not measured on further splits.
        parameters: what to try, by `section.name`.
    """

    model: str
    trials: int = Field(ge=1, le=10_000)
    splits: int = Field(ge=2, le=1000)
    fresh: int = Field(ge=2, le=1000)
    seed: int = Field(ge=0, lt=2**32)
    stop_early: bool
    parameters: dict[str, Annotated[Values, BeforeValidator(_values)]] = Field(min_length=1)


def read_space(path: Path, params: Path) -> tuple[Space, dict[str, Any]]:
    """Reads a search, and the committed values of its parameters from the parameter file.

    Raises:
        InputError: a file cannot be read, or names what is not there or cannot be searched.
    """
    settings, expected = _read(params, "the parameters"), "a search for settings"
    try:
        space = TypeAdapter(Space).validate_python(_read(path, expected))
    except ValidationError as error:
        raise InputError(path, expected, first_problem(error)) from None
    models = [*NETWORKS, *(settings.get("encoders") or {})]
    if space.model not in models:
        raise InputError(path, f"a model among {', '.join(models)}", repr(space.model))
    return space, {name: _number(values, _committed(path, name, settings, params))
                   for name, values in space.parameters.items()}


def overlap_of(params: Path, settings: Sequence[str] = ()) -> float:
    """How many test films a split has for each of its training films, by the parameter file and what changes it.

    Raises:
        InputError: they do not tell.
    """
    expected = "shares of validation and test films in the section prepare"
    changed = dict(setting.partition("=")[::2] for setting in settings)
    try:
        committed = _read(params, expected)["prepare"]
        validation, test = (float(changed.get(f"prepare.{name}", committed[name])) for name in ("validation", "test"))
    except (LookupError, TypeError, ValueError) as error:
        raise InputError(params, expected, one_line(repr(error))[:100]) from None
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise InputError(params, expected, f"{validation} and {test}")
    return test / (1 - validation - test)


def _read(path: Path, expected: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(read_small(path, expected))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(path, f"{expected}, as YAML", " ".join(str(error).split())[:300]) from None
    if not isinstance(content, dict):
        raise InputError(path, expected, f"{content!r:.100}")
    return content


def _number(values: Values, committed: Any) -> Any:
    """A committed value; where numbers are searched, also what YAML took for text, such as 5e-05, as a number."""
    if not isinstance(values, FloatRange) or not isinstance(committed, str):
        return committed
    try:
        return number if math.isfinite(number := float(committed)) else committed
    except ValueError:
        return committed


def _committed(path: Path, name: str, settings: Mapping[str, Any], params: Path) -> Any:
    """The committed value of a parameter."""
    section, *inner = name.split(".")
    if section not in TRAINED:
        raise InputError(path, f"parameters of trainings, in {', '.join(TRAINED)}", name,
                         "Others decide which films are measured, or how." if section in settings else "")
    if inner[-1:] == ["seed"]:
        raise InputError(path, "parameters other than seeds", name, "Each split has its own.")
    found: Any = settings
    for part in (section, *inner):
        if not isinstance(found, Mapping) or part not in found:
            among = f"It has {', '.join(map(str, found))} in this place." if isinstance(found, Mapping) else ""
            raise InputError(path, f"parameters that stand in {params}", name, among)
        found = found[part]
    try:
        text_of(found)
    except ValueError as error:
        raise InputError(path, "single parameters", f"{name}, where {error}") from None
    return found
