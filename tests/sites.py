"""Small sites for tests: scored films, some with names that would like to be more than text."""

import csv
import time

import numpy as np
from conftest import image_bytes, noise_bytes

from movie_genres.scoring.rows import Row, RowFormat, write_part

GENRES = ("Comedy", "Drama", "<i>Noir</i>", "Ärger & Co")
HOSTILE = {
    "<img src=x onerror=alert(1)>": "<script>document.title = 'taken'</script> Of </script><script>alert(2)</script>",
    "\"'><svg onload=alert(3)>": "{{ 7 * 7 }} ${alert(4)} &lt;b&gt; javascript:alert(5)",
    "مرحبا بالعالم": "\u202eTxet taht sdaer morf eht rehto edis\u202c قصة عن البحر",
    "=HYPERLINK(\"http://x\")": "A cell, \"quoted\",\nover two lines",
}


def write_posters(folder, ids):
    """A poster for each id; those of the first rows are pictures of noise."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, film in enumerate(ids):
        (folder / f"{film}.jpg").write_bytes(noise_bytes((60, 90), seed=number) if number < 5 else image_bytes())


def write_overviews(path, overviews):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "overview"), *overviews.items()])


def scored_rows(count):
    """Rows as scoring gives them: probabilities that rise with the film's number; then three failures, then hostile ids."""
    for number in range(count):
        first = (number + 1) / (count + 1)
        yield Row(f"film{number:03}", "both", "ok", "", "", np.array([first, 1 - first, 0.1, 0.02]), 1 + number % 2)
    yield Row("gone", "poster", "missing", "poster: no such file")
    yield Row("broken", "poster", "corrupt", "poster: damaged <b>or</b> cut short")
    yield Row("half", "overview", "corrupt", "poster: damaged", "", np.array([0.2, 0.9, 0.1, 0.1]), 1)
    for film in HOSTILE:
        yield Row(film, "overview", "ok", "", "", np.array([0.1, 0.3, 0.6, 0.5]), 2)


def write_scored(path, count=60, format="csv", columns=None, **options):
    write_part((layout.cells(row) for layout in [RowFormat(genres=GENRES, format=format, columns=columns, **options)]
                for row in scored_rows(count)), path, RowFormat(genres=GENRES, format=format, columns=columns, **options))
    return path


def write_catalogue(folder, count=60, **options):
    """A scored catalogue: `p.csv`, `posters`, `o.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_scored(folder / f"p.{options.get('format', 'csv')}", count, **options)
    write_posters(folder / "posters", [f"film{number:03}" for number in range(count)])
    write_overviews(folder / "o.csv", {**{f"film{number:03}": f"Film {number} is about a ship & a captain." for number in
                                          range(count)}, **HOSTILE})
    return folder


def until(shown, condition, argument=None):
    """Waits until a page fulfils a condition in JavaScript.

    Playwright's `wait_for_function` asks again by an `eval` in the page, which the pages' policy forbids.
    """
    end = time.monotonic() + 30
    while not shown.evaluate(condition, argument):
        assert time.monotonic() < end, condition
        shown.wait_for_timeout(20)
