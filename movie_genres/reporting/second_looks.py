"""The page about films that deserve a second look, from the tables of the stage `audit`."""

import csv
import json
from pathlib import Path
from typing import Any

from movie_genres.reporting import words
from movie_genres.reporting.site import Page

SHOWN = 200  # lines of a table, at most


def audit_page(folder: Path) -> Page:
    """The page `audit.html` of a folder with `suspects.csv`, `duplicates.csv`, `unusual.csv` and `summary.json`."""
    tables = {name: _lines(folder / f"{name}.csv") for name in ("suspects", "duplicates", "unusual")}
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return Page("audit.html", "Second looks", "audit.html.j2", {
        "w": words, "shown": SHOWN, "tables": {name: lines[:SHOWN] for name, lines in tables.items()},
        "lengths": {name: len(lines) for name, lines in tables.items()}, "facts": list(_facts(summary).items()),
        "leaks": [line for line in tables["duplicates"] if _is_true(line["leak"])]})


def _lines(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def _is_true(cell: str) -> bool:
    return cell.lower() in ("1", "true", "yes")


def _facts(summary: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The single values of a summary, however deep, by their names in words."""
    found: dict[str, Any] = {}
    for key, value in summary.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, dict):
            found |= _facts(value, f"{name}: ")
        elif isinstance(value, (str, int, float)):
            found[name] = value
    return found
