"""Kills a training stage at random moments until it has come to its end, and compares what it made with an undisturbed run.

Works on the prepared demo (or films of your own), in a folder of its own.
"""

import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from movie_genres.base.files import file_digest


def train(stage: str, folder: Path) -> subprocess.Popen[str]:
    outputs = {"--model": "m.keras", "--history": "h.csv", "--metrics": "m.json", "--out": "answers", "--state": "state"}
    arguments = [part for option, name in outputs.items() for part in (option, str(folder / name))]
    return subprocess.Popen([sys.executable, "-m", f"stages.train_{stage}", *arguments], stderr=subprocess.PIPE, text=True)


def digest_of(folder: Path) -> str:
    digests = {str(path.relative_to(folder)): file_digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


def epochs_in(messages: str) -> int:
    return sum(": epoch " in line for line in messages.splitlines())


@click.command(help=__doc__.split("\n")[0])
@click.option("--stage", default="lstm", show_default=True, help="cnn, lstm or fusion.")
@click.option("--kills", default=50, show_default=True, help="How often to kill.")
@click.option("--seed", default=0, show_default=True, help="Decides the moments.")
def main(stage: str, kills: int, seed: int) -> None:
    chance, killed, runs = random.Random(seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        started, undisturbed = time.monotonic(), train(stage, Path(folder, "undisturbed"))
        needed = epochs_in(undisturbed.communicate()[1])
        usual, expected = time.monotonic() - started, digest_of(Path(folder, "undisturbed"))
        print(f"undisturbed: {needed} epochs, {usual:.0f} s, {expected[:16]}", flush=True)
        while killed < kills:
            runs += 1
            broken, done, kills_here, ended = Path(folder, f"run{runs}"), 0, 0, False
            while not ended:
                process = train(stage, broken)
                try:
                    messages = process.communicate(timeout=chance.uniform(0.2, 1) * usual)[1]
                except subprocess.TimeoutExpired:
                    process.kill()
                    messages = process.communicate()[1]
                assert process.returncode in (0, -signal.SIGKILL), messages
                # Or killed on its way out, with nothing left to do: its state is gone.
                ended = process.returncode == 0 or (broken / "m.json").exists() and not (broken / "state").exists()
                done += epochs_in(messages)
                kills_here += not ended
            killed += kills_here
            found = digest_of(broken)
            print(f"run {runs}: {kills_here} kills, {done - needed} epochs more than needed, "
                  f"{'the same bytes' if found == expected else 'OTHER BYTES'} ({killed} kills so far)", flush=True)
            assert found == expected and done - needed <= kills_here


if __name__ == "__main__":
    main()
