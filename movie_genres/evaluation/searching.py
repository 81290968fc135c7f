"""What a search for better settings found, and what may be said of it.

Settings are ranked by a model's skill on validation films; by how much they differ from the committed ones is told of test
films, of the same splits. The first ones are named better only if that difference, corrected for how many were tried, is
beyond chance, and is so once more on splits that the search has not seen.

Within a split, the ranking uses its validation films and the differences its test films. But test films of one split are
validation films of others: what comes first seems a little better on test films than it is. Fresh splits tell, though
these too share films with the ones before.
"""

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from movie_genres.base.errors import InputError
from movie_genres.base.files import read_small, replacing
from movie_genres.base.options import STRICT, first_problem
from movie_genres.evaluation.paired import LEVEL, Difference, difference, errors_needed, holm

State = Literal["done", "stopped early", "failed"]
DONE: State = "done"
STOPPED: State = "stopped early"
FAILED: State = "failed"


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Tried:
    """Settings that were tried.

    Attributes:
        settings: what differs from the committed ones, as `section.name=value`; nothing: these themselves.
        command: that tries them once more, on the first split.
        state: whether it was measured on all splits.
        validation: skill on the validation films of each split that it was measured on, in their order.
        test: the same of the test films.
        reason: why it failed.
    """

    settings: tuple[str, ...]
    command: str
    state: State
    validation: tuple[float, ...]
    test: tuple[float, ...]
    reason: str = ""


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Fresh:
    """The first settings once more, on splits that the search has not seen: skill on test films of each."""

    splits: tuple[int, ...]
    committed: tuple[float, ...]
    first: tuple[float, ...]


@dataclass(config=STRICT, frozen=True, kw_only=True)
class Search:
    """A search for better settings.

    Attributes:
        commit: whose code and settings were the ones to better.
        model: whose skill was to rise.
        space: by parameter, in words, the values that were searched, and the committed one.
        splits: their seeds.
        overlap: test films of a split for each of its training films.
        committed: the committed settings, on all splits.
        tried: others, no two alike, in the order in which they were tried.
        fresh: the first one's second measurement, if it came to that.
    """

    commit: str
    model: str
    space: Mapping[str, tuple[str, str]]
    splits: tuple[int, ...]
    overlap: float = Field(ge=0, allow_inf_nan=False)
    committed: Tried
    tried: tuple[Tried, ...]
    fresh: Fresh | None = None


class Ranked(NamedTuple):
    """Settings in their order.

    Attributes:
        validation: mean skill over the splits that were measured; None: none was.
        gain: difference to the committed settings on test films of the same splits; None: it failed, or is these.
        corrected: the p-value of `gain`, corrected for the number of settings tried; None: it was not done.
    """

    tried: Tried
    validation: float | None
    gain: Difference | None
    corrected: float | None


def ranked(search: Search) -> list[Ranked]:
    """All settings, the committed ones too: first those that were done, by skill on validation films, then those that were
    stopped early, by splits and skill, then those that failed."""
    done = [tried for tried in search.tried if tried.state == DONE]
    gains = {tried.settings: difference(tried.test, search.committed.test[:len(tried.test)], search.overlap)
             for tried in search.tried if tried.state != FAILED}
    p_values = [1.0 if (p := gains[tried.settings].p) is None else p for tried in done]
    corrected = dict(zip([tried.settings for tried in done], holm(p_values, len(search.tried))))
    found = [Ranked(tried, statistics.fmean(tried.validation) if tried.validation else None, gains.get(tried.settings),
                    corrected.get(tried.settings)) for tried in (search.committed, *search.tried)]
    order = {DONE: 0, STOPPED: 1, FAILED: 2}
    return sorted(found, key=lambda each: (order[each.tried.state], -len(each.tried.validation), -(each.validation or 0)))


def to_confirm(search: Search) -> Tried | None:
    """The settings that are first on validation films, if they seem better than the committed ones beyond chance."""
    first = ranked(search)[0]
    return first.tried if first.gain and first.gain.mean > 0 and (first.corrected or 0) < 1 - LEVEL else None


def verdict(search: Search) -> str:
    """What the search has shown, in sentences."""
    first = ranked(search)[0]
    nothing = "No setting is better than the committed ones beyond noise"
    if first.gain is None or first.corrected is None:
        return f"{nothing}: on validation films the committed ones are first."
    if not to_confirm(search):
        tried, splits = len(search.tried), len(search.splits)
        return (f"{nothing}: what is first on validation films, {_text(first.tried)}, differs on test films by "
                f"{points(first.gain)}, p = {first.corrected:.2g} corrected for {tried} settings. With {splits} splits "
                f"a difference tells from {errors_needed(tried, splits):.1f} standard errors on, which allow for films "
                f"that splits share; more splits tell more.")
    seems = f"{_text(first.tried)} seems better by {points(first.gain)}, p = {first.corrected:.2g} corrected"
    if search.fresh is None:
        return f"{seems}; that has not been measured on fresh splits."
    again = difference(search.fresh.first, search.fresh.committed, search.overlap)
    on_fresh = f"{points(again)}, p = {again.p:.2g}, on {again.pairs} fresh splits"
    if again.mean > 0 and again.p is not None and again.p < 1 - LEVEL:
        return f"{_text(first.tried)} is better than the committed settings by {on_fresh}."
    return f"{nothing}: {seems}, but differs by {on_fresh}."


def points(gain: Difference) -> str:
    """A difference of skills in points, with half of its interval."""
    margin = "" if gain.margin is None else f" ± {100 * gain.margin:.1f}"
    return f"{100 * gain.mean:+.1f}{margin} points".replace("-", "\N{MINUS SIGN}")


def _text(tried: Tried) -> str:
    return " ".join(tried.settings)


def write_search(search: Search, path: Path) -> None:
    """Writes what a search found as JSON."""
    with replacing(path) as partial:
        partial.write_bytes(TypeAdapter(Search).dump_json(search, indent=1) + b"\n")


def read_search(path: Path) -> Search | None:
    """Reads what `write_search` wrote; None where the file says that there was no search, by `null`.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    expected = "what a search for settings found"
    try:
        found = TypeAdapter(Search | None).validate_json(read_small(path, expected))
    except ValidationError as error:
        raise InputError(path, expected, first_problem(error), "Search once more.") from None
    if found is not None and (problem := _inconsistent(found)):
        raise InputError(path, expected, problem, "Search once more.")
    return found


def _inconsistent(search: Search) -> str:
    """Why figures and splits do not belong together; empty where they do."""
    for tried in (search.committed, *search.tried):
        if len(tried.validation) != len(tried.test) or len(tried.test) > len(search.splits):
            return f"figures of other splits for {_text(tried) or 'the committed settings'}"
        if (tried.state == DONE) != (len(tried.test) == len(search.splits)) or (tried.state != FAILED and not tried.test):
            return f"{tried.state!r} with {len(tried.test)} of {len(search.splits)} splits for {_text(tried)}"
    if search.committed.settings or search.committed.state != DONE or len(search.splits) < 2:
        return "no measurement of the committed settings on several splits"
    fresh = search.fresh
    return "fresh splits without figures" if fresh and not 1 < len(fresh.first) == len(fresh.committed) else ""
