"""Peak memory of `genre-predict` on few films and on many: it must not grow with their number."""

import csv
import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from movie_genres.data.reading import TableOptions
from movie_genres.scoring.catalogue import read_overviews


def show_peak(kind: str, count: int, given: Path, models: str) -> None:
    """Runs `genre-predict` on films and prints its peak memory."""
    process = subprocess.Popen([sys.executable, "-c", "from genre_cli.predict import main; main()", "--quiet",
                                f"--{kind}", given, "--models", models, "--out", given.with_suffix(".out.csv")])
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 3)
    print(f"{count:>9,} {kind}: {usage.ru_maxrss / 1024:,.0f} MB", flush=True)


@click.command(help=__doc__)
@click.option("--data", default="data", show_default=True, help="Folder with films.csv and posters, which are repeated.")
@click.option("--models", default="released", show_default=True, help="Folder with the trained models.")
@click.option("--overviews", type=(int, int), default=(10_000, 1_000_000), show_default=True, help="Few and many overviews.")
@click.option("--posters", type=(int, int), default=(2_000, 20_000), show_default=True, help="Few and many posters.")
def main(data: str, models: str, overviews: tuple[int, int], posters: tuple[int, int]) -> None:
    texts = [item.overview for item in read_overviews(f"{data}/films.csv", TableOptions()) if item.overview]
    files = sorted(Path(data, "posters").resolve().iterdir())
    with tempfile.TemporaryDirectory() as folder:
        for count in overviews:
            table = Path(folder, f"overviews-{count}.csv")
            with table.open("w", newline="") as file:
                csv.writer(file).writerows([("id", "overview"), *zip(range(count), itertools.cycle(texts))])
            show_peak("overviews", count, table, models)
        for count in posters:
            links = Path(folder, f"posters-{count}")
            links.mkdir()
            for number, poster in zip(range(count), itertools.cycle(files)):
                (links / f"{number:07}{poster.suffix}").symlink_to(poster)
            show_peak("posters", count, links, models)


if __name__ == "__main__":
    main()
