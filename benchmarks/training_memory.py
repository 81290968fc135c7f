"""Peak memory of the trainings on prepared films, and on the same ones repeated: it must not grow with the posters.

Linux only. Memory that a process needs is what it has written (RssAnon); pages of arrays that are mapped from disk, which
the system takes back when others need the memory, are in the second figure (VmHWM).
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Container
from pathlib import Path

import click
import numpy as np
import pandas as pd
import yaml

from movie_genres.inputs.features import Overviews, load_overviews, load_posters, save_overviews, saving_posters
from movie_genres.inputs.prepared import load_prepared, load_summary, save_prepared
from movie_genres.inputs.vocabulary import load_vocabulary, save_vocabulary

STAGES = {"cnn": "posters", "lstm": "overviews", "fusion": "answers"}  # and what they read


def repeat(prepared: Path, features: Path, times: int, folder: Path) -> None:
    """Writes what the trainings read, of every film `times` times, below `folder`."""
    for name in ("posters", "overviews"):
        (folder / name).mkdir(parents=True)
    films = load_prepared(prepared).films
    copies = [films.assign(id=films["id"] + f"-{number}") for number in range(times)]
    save_prepared(pd.concat(copies), load_summary(prepared), folder / "prepared")
    posters, overviews = load_posters(features / "posters"), load_overviews(features / "overviews")
    with saving_posters(folder / "posters", times * len(films), posters.pixels.shape[1:3]) as (pixels, present):
        for number in range(times):
            rows = slice(number * len(films), (number + 1) * len(films))
            pixels[rows], present[rows] = posters
    starts = np.append(0, np.cumsum(np.tile(overviews.lengths, times)))
    save_overviews(Overviews(np.tile(overviews.ids, times), starts), folder / "overviews")
    save_vocabulary(load_vocabulary(features / "overviews"), folder / "overviews")


def peaks(*command: object, good: Container[int] = (0,)) -> tuple[float, float]:
    """Runs a command, which must end with a `good` code; returns the peaks of its own and of all its memory, in MB."""
    process = subprocess.Popen([sys.executable, "-m", *map(str, command)])
    own = whole = 0
    while process.poll() is None:
        found = dict(re.findall(r"(RssAnon|VmHWM):\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text()))
        own, whole = max(own, int(found.get("RssAnon", 0))), max(whole, int(found.get("VmHWM", 0)))
        time.sleep(0.1)
    assert process.returncode in good, (process.returncode, command)
    return own / 1024, whole / 1024


@click.command(help=__doc__.split("\n")[0])
@click.option("--prepared", type=Path, default="prepared", show_default=True, help="Output of the stage prepare.")
@click.option("--features", type=Path, default="features", show_default=True, help="Outputs of the stage vectorize.")
@click.option("--times", type=int, default=10, show_default=True, help="How often each film is repeated.")
def main(prepared: Path, features: Path, times: int) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    short = {name: {**params[name], "epochs": 1} for name in STAGES}
    short["cnn"]["draws"] = short["lstm"]["draws"] = 1
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "params.yaml").write_text(json.dumps(short))
        for count in (1, times):
            given = folder / f"{count}"
            repeat(prepared, features, count, given)
            for name, read in STAGES.items():
                files = {"prepared": "prepared", read: read, "model": f"{name}.keras", "history": f"{name}.csv",
                         "metrics": f"{name}.json", "out": f"answers/{name}", "state": f"state/{name}"}
                options = (part for option, path in files.items() for part in (f"--{option}", given / path))
                own, whole = peaks(f"stages.train_{name}", "--params", folder / "params.yaml", *options)
                print(f"{name}, each film {count} x: {own:,.0f} MB of its own, {whole:,.0f} MB in all", flush=True)


if __name__ == "__main__":
    main()
