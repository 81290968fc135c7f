"""Peak memory of the trainings on prepared films, and on the same ones repeated: it must not grow with the posters.

Linux only. Memory that a process needs is what it has written (RssAnon); pages of arrays that are mapped from disk, which
the system takes back when others need the memory, are in the second figure (VmHWM).
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd
import yaml

STAGES = {"cnn": "posters", "lstm": "overviews", "fusion": "answers"}  # and what they read


def repeat(prepared: Path, features: Path, times: int, folder: Path) -> None:
    """Writes what the trainings read, of every film `times` times, below `folder`."""
    films = pd.read_csv(prepared / "films.csv", dtype=str, keep_default_na=False)
    copies = [films.assign(id=films["id"] + f"-{number}") for number in range(times)]
    for name in ("prepared", "posters", "overviews"):
        (folder / name).mkdir(parents=True)
    pd.concat(copies).to_csv(folder / "prepared" / "films.csv", index=False)
    shutil.copy(prepared / "summary.json", folder / "prepared")
    pixels = np.load(features / "posters" / "pixels.npy", mmap_mode="r")
    shape = (times * len(pixels), *pixels.shape[1:])
    more = np.lib.format.open_memmap(folder / "posters" / "pixels.npy", "w+", pixels.dtype, shape)
    for number in range(times):
        more[number * len(pixels):(number + 1) * len(pixels)] = pixels
    np.save(folder / "posters" / "present.npy", np.tile(np.load(features / "posters" / "present.npy"), times))
    ids, starts = (np.load(features / "overviews" / f"{name}.npy") for name in ("ids", "starts"))
    np.save(folder / "overviews" / "ids.npy", np.tile(ids, times))
    np.save(folder / "overviews" / "starts.npy", np.append(0, np.cumsum(np.tile(np.diff(starts), times))))
    shutil.copy(features / "overviews" / "vocabulary.json", folder / "overviews")


def peaks(*command: object) -> tuple[float, float]:
    """Runs a command; returns the peaks of its own and of its whole resident memory, in MB."""
    process = subprocess.Popen([sys.executable, "-m", *map(str, command)])
    own = whole = 0
    while process.poll() is None:
        found = dict(re.findall(r"(RssAnon|VmHWM):\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text()))
        own, whole = max(own, int(found.get("RssAnon", 0))), max(whole, int(found.get("VmHWM", 0)))
        time.sleep(0.1)
    assert process.returncode == 0, command
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
