"""Kills a collector at random moments until it is done: `python collect_kills.py FOLDER URL`.

A process of its own, so that it can fork: each life is a child that dies as a killed one does, without any clean-up. Prints,
as JSON, of each life, when it ended, by the monotonic clock, and which answers were on the disk then and not before.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from movie_genres.data.collecting import collect
from movie_genres.data.tmdb import Query
from movie_genres.data.tmdb_client import Credentials

RATE, KILLS = 100, 55
QUERY = Query(years="1950-2025", min_votes=0, poster_size="w92")


def answers(folder):
    """What is on the disk, complete: names of files, and lines of the posters that there are not."""
    gone = folder / "raw" / "missing_posters.csv"
    lines = gone.read_text().rpartition("\n")[0].splitlines() if gone.exists() else []
    files = {*folder.glob("raw/**/*.json"), *folder.glob("posters/*")}
    return {str(file.relative_to(folder)) for file in files if not file.name.startswith(".")} | {*lines}


def is_done(folder, url, seconds):
    """Whether a collector came to its end within so many seconds; it is killed then."""
    child = os.fork()
    if not child:
        collect(folder, QUERY, Credentials("0123456789abcdef", is_token=False), RATE, url)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
    return status == 0


def main(folder, url):
    chance, there, lives, ended = random.Random(0), set(), [], False
    while not ended:
        longer = 1 if len(lives) < KILLS else 10  # so that it ends soon, on a slow machine too
        ended = is_done(folder, url, chance.uniform(0.02, 0.2) * longer)
        found = answers(folder)
        assert there <= found, f"lost: {sorted(there - found)[:3]}"
        lives.append((time.monotonic(), sorted(found - there)))
        there = found
    print(json.dumps(lives))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
