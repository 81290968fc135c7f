"""How long commands take to start: help, and one film from a cold start, against importing TensorFlow alone."""

import subprocess
import sys
from collections.abc import Callable

import click

from benchmarks.timing import compare

OVERVIEW = "A detective hunts a gang of bank robbers through Los Angeles."


def command(*arguments: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, "-c", *arguments], check=True, capture_output=True)


@click.command(help=__doc__)
@click.option("--poster", default="data/posters/demo0000.jpg", show_default=True, help="An image file.")
@click.option("--models", default="released", show_default=True, help="Folder with the trained models.")
@click.option("--rounds", type=int, default=5, show_default=True, help="How often each is started, in turn.")
def main(poster: str, models: str, rounds: int) -> None:
    predict = "from genre_cli.predict import main; main()"
    compare({
        "import tensorflow": command("import tensorflow"),
        "one poster": command(predict, "--posters", poster, "--models", models),
        "one overview": command(predict, "--overview", OVERVIEW, "--models", models),
        "genre-predict --help": command(predict, "--help"),
    }, rounds, 1, "starts")


if __name__ == "__main__":
    main()
