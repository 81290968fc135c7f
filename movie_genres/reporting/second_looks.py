"""The page about films that deserve a second look, from the tables of an audit."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

from movie_genres.base.errors import InputError
from movie_genres.data.tables import MAX_ROW
from movie_genres.reporting import words
from movie_genres.reporting.charts import Axis, bar_chart
from movie_genres.reporting.site import Page

SHOWN = 200  # lines of a table, at most


def audit_page(folder: Path, titles: Mapping[str, str]) -> Page:
    """The page `audit.html` of a folder with `suspects.csv`, `duplicates.csv`, `unusual.csv` and `summary.json`.

    `titles`: of films, by id. Raises `InputError` where a table cannot be read.
    """
    tables = {name: _lines(folder / f"{name}.csv") for name in ("suspects", "duplicates", "unusual")}
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    by_genre = summary["suspects_by_genre"]
    about, bars = "How many labels of each genre are suspicious", ("--series-1", list(by_genre.values()))
    chart = bar_chart("suspects", "Suspicious labels by genre", about, list(by_genre), Axis("labels", 0),
                      {"suspicious labels": bars}, wide=True)
    return Page("audit.html", "Second looks", "audit.html.j2", {
        "w": words, "shown": SHOWN, "tables": {name: lines[:SHOWN] for name, lines in tables.items()},
        "lengths": {name: len(lines) for name, lines in tables.items()}, "summary": summary, "chart": chart,
        "titles": titles, "leaks": sum(line["leak"] == "True" for line in tables["duplicates"])})


def _lines(path: Path) -> list[dict[str, str]]:
    csv.field_size_limit(MAX_ROW + 1)  # the module stops at 131,072 characters a field
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, strict=True))
    except csv.Error as error:
        raise InputError(path, "a table of an audit", str(error)) from None
