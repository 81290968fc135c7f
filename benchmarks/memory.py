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


def peak(*arguments):
    """Peak memory of a run of the command, in MB."""
    process = subprocess.Popen([sys.executable, "-c", "from genre_cli.predict import main; main()", "--quiet", *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 3)
    return usage.ru_maxrss / 1024


@click.command(help=__doc__)
@click.option("--data", default="data", show_default=True, help="Folder with films.csv and posters, which are repeated.")
@click.option("--models", default="released", show_default=True, help="Folder with the trained models.")
@click.option("--overviews", type=(int, int), default=(10_000, 1_000_000), show_default=True, help="Few and many overviews.")
@click.option("--posters", type=(int, int), default=(2_000, 20_000), show_default=True, help="Few and many posters.")
def main(data, models, overviews, posters):
    texts = [item.overview for item in read_overviews(f"{data}/films.csv", TableOptions()) if item.overview]
    files = sorted(Path(data, "posters").iterdir())
    with tempfile.TemporaryDirectory() as folder:
        for count in overviews:
            with open(Path(folder) / "films.csv", "w", newline="") as file:
                csv.writer(file).writerows([("id", "overview"), *zip(range(count), itertools.cycle(texts))])
            used = peak("--overviews", f"{folder}/films.csv", "--models", models, "--out", f"{folder}/overviews-{count}.csv")
            print(f"{count:>9,} overviews: {used:,.0f} MB", flush=True)
        for count in posters:
            Path(folder, "posters").mkdir(exist_ok=True)
            for number, file in zip(range(count), itertools.cycle(files)):
                link = Path(folder, "posters", f"{number:07}{file.suffix}")
                if not link.exists():
                    os.symlink(file.resolve(), link)
            used = peak("--posters", f"{folder}/posters", "--models", models, "--out", f"{folder}/posters-{count}.csv")
            print(f"{count:>9,} posters: {used:,.0f} MB", flush=True)


if __name__ == "__main__":
    main()
