"""Charts of pages: settings of Chart.js, which `static/charts.js` draws, and the same figures as a table.

Colours are names of the variables in `static/site.css`, such as `--series-1`, so that charts follow light and dark.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from movie_genres.reporting.words import NONE, label

PERCENT = {"style": "percent", "minimumFractionDigits": 0, "maximumFractionDigits": 0}
PLAIN = "--series-6"  # of base rates and other naive answers
DASHES: tuple[list[int], ...] = ([], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4])
MARKS = ("circle", "rect", "triangle", "rectRot", "star")

Value = float | str | None


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart, which the macro `chart` of `figures.html.j2` shows.

    Attributes:
        id: of the element, unique on its page: a-z, 0-9 and hyphens.
        title: plain text above it.
        about: what it shows, for people who do not see it.
        settings: what Chart.js takes: type, data and options.
        columns: titles of the table with the same figures; the first is that of its first column.
        lines: of this table; each has a title, then texts and numbers.
    """

    id: str
    title: str
    about: str
    settings: Mapping[str, Any]
    columns: Sequence[str]
    lines: Sequence[Sequence[Value]]


class Series(NamedTuple):
    """A line of a chart: its name, a colour, and points (x, y); y is None where nothing is known."""

    name: str
    color: str
    points: Sequence[tuple[float, float | None]]
    dash: Sequence[int] = ()
    mark: str | None = None  # of its points; None: none
    line: bool = True
    width: float = 2
    quiet: bool = False  # neither in the legend nor in the table
    sizes: Sequence[float] = ()  # radii of the points, if they differ


class Axis(NamedTuple):
    """An axis: its title, and where it begins and ends if that is given; `percent`: its values are shares."""

    title: str
    least: float | None = None
    most: float | None = None
    percent: bool = False

    def settings(self) -> dict[str, Any]:
        limits = {name: value for name, value in (("min", self.least), ("max", self.most)) if value is not None}
        ticks = {"ticks": {"format": PERCENT}} if self.percent else {}
        return {"title": {"display": True, "text": self.title}, **limits, **ticks}


SHARE_OF_FILMS = Axis("share of films", 0, percent=True)
RECALL, PRECISION = Axis("recall", 0, 1, True), Axis("precision", 0, 1, True)


def colors(models: Iterable[str], baselines: Iterable[str]) -> dict[str, str]:
    """A colour for each model and baseline, the same on all pages; from the sixth on they come again, in other dashes."""
    places = [*models, *baselines]
    return {"base_rate": PLAIN, **{name: f"--series-{1 + place % 5}" for place, name in enumerate(places)}}


def dashes(names: Iterable[str]) -> dict[str, list[int]]:
    """How the line of each is drawn: colours are not all that tells them apart."""
    return {name: DASHES[place % len(DASHES)] for place, name in enumerate(names)}


def line_chart(id: str, title: str, about: str, x: Axis, y: Axis, series: Sequence[Series], digits: int = 3) -> Chart:
    """Lines over a common axis of numbers; where all have the same `x`, the table has one line for each of them."""
    data = [{"label": each.name, "data": [_point(*point) for point in each.points], "borderColor": each.color,
             "backgroundColor": each.color, "borderDash": list(each.dash), "showLine": each.line, "borderWidth": each.width,
             "pointStyle": each.mark or "line", "quiet": each.quiet,
             "pointRadius": list(each.sizes) or (5 if each.mark else 0)}
            for each in series]
    options: dict[str, Any] = {"scales": {"x": {"type": "linear", **x.settings()}, "y": y.settings()},
               "interaction": {"mode": "nearest", "intersect": False}}
    told = [each for each in series if not each.quiet]
    if sum(each.mark is None for each in told) > len(told) / 2:  # so that the legend shows their dashes
        options["plugins"] = {"legend": {"labels": {"pointStyleWidth": 26}}}
    tabled = [each for each in told if each.points]
    by_x = [dict(each.points) for each in tabled]
    places = sorted({place for points in by_x for place in points})
    lines = [[_rounded(place, digits), *(_rounded(points.get(place), digits) for points in by_x)] for place in places]
    return Chart(id=id, title=title, about=about, settings={"type": "line", "data": {"datasets": data}, "options": options},
                 columns=[x.title, *(each.name for each in tabled)], lines=lines)


def bar_chart(id: str, title: str, about: str, names: Sequence[str], y: Axis,
              series: Mapping[str, tuple[str, Sequence[float]]], wide: bool = False) -> Chart:
    """Bars for each of some names; `series` has colour and values by its name. `wide`: bars lie, one name below another."""
    data = [{"label": name, "data": [float(value) for value in values], "backgroundColor": color, "borderRadius": 2}
            for name, (color, values) in series.items()]
    along, across = ("y", "x") if wide else ("x", "y")
    options = {"indexAxis": along, "scales": {across: y.settings(), along: {"ticks": {"autoSkip": not wide}}}}
    lines = [[name, *(_rounded(values[place], 4) for _, values in series.values())] for place, name in enumerate(names)]
    return Chart(id=id, title=title, about=about, columns=["", *series], lines=lines, settings={
        "type": "bar", "data": {"labels": list(names), "datasets": data}, "options": options})


def interval_chart(id: str, title: str, about: str, found: Mapping[str, Mapping[str, float]], tints: Mapping[str, str],
                   percent: bool = True) -> Chart:
    """A value of each model with its interval; `found` has `value`, `low`, `high` by its name, all shares if `percent`."""
    names, tint = [label(name) for name in found], [tints[name] for name in found]
    ranges = {"type": "bar", "label": "95 % interval", "data": [[each["low"], each["high"]] for each in found.values()],
              "backgroundColor": [f"{color}/.35" for color in tint], "barThickness": 8, "borderRadius": 4,
              "borderSkipped": False}
    values = {"type": "scatter", "label": "value", "pointRadius": 5, "backgroundColor": tint, "borderColor": tint,
              "data": [{"x": each["value"], "y": name} for name, each in zip(names, found.values())]}
    axis = {**Axis("", percent=percent).settings(), "title": {"display": False}}
    options = {"indexAxis": "y", "plugins": {"legend": {"display": False}},
               "scales": {"x": axis, "y": {"type": "category", "labels": names}}}
    columns = ["value", "low", "high"]
    lines = [[name, *(_rounded(each[column], 4) for column in columns)] for name, each in zip(names, found.values())]
    return Chart(id=id, title=title, about=about, columns=["", *columns], lines=lines, settings={
        "type": "bar", "data": {"labels": names, "datasets": [values, ranges]}, "options": options})


def _point(x: float, y: float | None) -> dict[str, float | None]:
    return {"x": round(float(x), 5), "y": None if y is None else round(float(y), 5)}


def _rounded(value: float | None, digits: int) -> Value:
    return NONE if value is None or value != value else round(float(value), digits)
