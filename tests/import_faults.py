"""Kills an import at each of its writes to the disk: `python import_faults.py FOLDER`.

A process of its own, so that it can fork: each import is a child that dies as a killed one does, without any clean-up.
Then the folder is mended, by `recover` or by another import. Prints how many were killed; ends with an error where the
data then are neither the old nor the new ones.
"""

import builtins
import os
import shutil
import signal
import sys
from pathlib import Path

from movie_genres.data.importing import import_films, recover

STEPS = [(os, name) for name in ("rename", "replace", "mkdir", "rmdir", "unlink", "fsync")]
STEPS += [(shutil, "rmtree"), (builtins, "open")]


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_source(folder, count):
    (folder / "posters").mkdir(parents=True)
    rows = [f"{number},film {number} of {count},Drama\n" for number in range(count)]
    (folder / "films.csv").write_text("id,overview,genres\n" + "".join(rows))
    for number in range(count):
        (folder / "posters" / f"{number}.jpg").write_bytes(b"poster" * count)


def die_at(target, after):
    """Makes the write of number `target` the process's last, done (`after`) or not."""
    count = 0

    def wrap(owner, name):
        real = getattr(owner, name)

        def counted(*arguments, **options):
            nonlocal count
            writes = name != "open" or not set((*arguments, "r")[1]).isdisjoint("wax+")
            count += writes
            if writes and count == target:
                if after:
                    real(*arguments, **options)
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        setattr(owner, name, counted)

    for owner, name in STEPS:
        wrap(owner, name)


def killed(source, data, target, after):
    """Whether an import in a child was killed at a write; it has fewer writes otherwise."""
    child = os.fork()
    if not child:
        die_at(target, after)
        import_films(source, data)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
    return status == signal.SIGKILL


def main(folder):
    sources = [folder / "one", folder / "two"]
    for count, source in enumerate(sources, start=1):
        write_source(source, count)
    wanted = []
    for number, source in enumerate(sources):
        import_films(source, folder / f"wanted{number}")
        wanted.append(content(folder / f"wanted{number}"))
    deaths, seen = 0, set()
    for after in (False, True):
        for mend in ("check", "import"):
            target = 1
            while True:
                data = folder / "work" / "data"
                shutil.rmtree(data.parent, ignore_errors=True)
                shutil.copytree(folder / "wanted0", data)
                if not killed(sources[1], data, target, after):
                    break
                recover(data) if mend == "check" else import_films(sources[1], data)
                assert content(data) in (wanted if mend == "check" else wanted[1:]), (target, after, mend)
                assert os.listdir(data.parent) == ["data"], (target, after, mend, os.listdir(data.parent))
                seen.add(wanted.index(content(data)))
                target, deaths = target + 1, deaths + 1
    assert seen == {0, 1}
    print(f"killed {deaths}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
