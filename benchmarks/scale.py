"""Time, memory and disk of each stage at several numbers of synthetic films, and how these grow with the films.

Linux only. Each stage is a process of its own. Its own memory is what it has written (RssAnon); pages of arrays that are
mapped from disk, which the system takes back when others need the memory, are in the peak of all its memory (VmHWM). Of
trainings, one epoch, one seed and one draw are taken; `--set-param` changes that, and any other parameter.
"""

import contextlib
import math
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click
from dvc.utils.hydra import apply_overrides

from benchmarks.many_films import write_many_films
from benchmarks.training_memory import peaks
from movie_genres.models.answers import save_teacher

SHORT = [f"{network}.{name}=1" for network in ("cnn", "lstm") for name in ("epochs", "seeds", "draws")]
PREPARED = {"prepared": "prepared"}
FEATURES = {"posters": "features/posters", "overviews": "features/overviews"}


class Stage(NamedTuple):
    """How a stage is run; paths are below the folder of a size."""

    module: str
    options: Mapping[str, str]  # from option to path
    outs: Sequence[str]


def _training(name: str, reads: str) -> Stage:
    options = {**PREPARED, reads: FEATURES[reads], "teacher": "teacher", "model": f"models/{name}.keras",
               "history": f"history/{name}.csv", "metrics": f"metrics/{name}.json", "out": f"answers/{name}",
               "state": f"state/{name}", "live": f"live/{name}", "params": "params.yaml"}
    return Stage(f"stages.train_{name}", options, [f"answers/{name}", f"models/{name}.keras", f"models/{name}.onnx"])


STAGES = {
    "prepare": Stage("stages.prepare", {"data": "data", "out": "prepared", "params": "params.yaml"}, ["prepared"]),
    "vectorize": Stage("stages.vectorize", {**PREPARED, **FEATURES, "params": "params.yaml"}, list(FEATURES.values())),
    "audit": Stage("stages.audit", {**PREPARED, "posters": FEATURES["posters"], "out": "audit", "params": "params.yaml"},
                   ["audit"]),
    "train_cnn": _training("cnn", "posters"),
    "train_lstm": _training("lstm", "overviews"),
    "tune": Stage("stages.tune", {**PREPARED, **FEATURES, "answers": "answers", "out": "models/decisions.json",
                                  "films": "models/films.json", "params": "params.yaml"}, ["models/decisions.json"]),
    "score": Stage("movie_genres", {"posters": "data/posters", "overviews": "data/films.csv", "models": "models",
                                    "out": "scored.csv"}, ["scored.csv"]),
}


class Cost(NamedTuple):
    """What a stage took: seconds by the clock, seconds of processors, MB of memory of its own, MB with mapped files, MB on
    disk."""

    seconds: float
    busy: float
    own: float
    whole: float
    disk: float


def measure(name: str, folder: Path) -> Cost:
    """Runs a stage in the folder of a size; what an earlier run left of it is removed first."""
    stage = STAGES[name]
    for out in stage.outs:
        shutil.rmtree(folder / out, ignore_errors=True)
        (folder / out).unlink(missing_ok=True)
    command, good = ([stage.module], [0]) if name != "score" else (
        [stage.module, "--quiet"], [0, 3])  # 3: some films could not be scored, such as those without anything
    options = (part for option, path in stage.options.items() for part in (f"--{option}", folder / path))
    started, busy = time.perf_counter(), _busy()
    own, whole = peaks(*command, *options, good=good)
    seconds, busy = time.perf_counter() - started, _busy() - busy
    files = (file for out in stage.outs for file in [folder / out, *(folder / out).rglob("*")] if file.is_file())
    return Cost(seconds, busy, own, whole, sum(file.stat().st_size for file in files) / 1e6)


def _busy() -> float:
    """Seconds that processors have worked for the processes started here that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def growth(few: int, many: int, before: float, after: float) -> float:
    """The power of the number of films with which a cost grows: 1 as they do, 2 with their square.

    >>> growth(100, 200, 3.0, 12.0)
    2.0
    """
    return math.log(after / before) / math.log(many / few)


def extrapolate(films: int, few: int, many: int, before: float, after: float) -> float:
    """A cost at a number of films, if it goes on as on a straight line through two that were measured.

    >>> extrapolate(1000, 100, 200, 3.0, 4.0)
    12.0
    """
    return after + (films - many) * (after - before) / (many - few)


def report(costs: Mapping[str, Mapping[int, Cost]], films: int) -> Iterator[str]:
    """A table, in Markdown, of the costs by stage and number of films, with what they come to for `films`."""
    yield ("| stage | films | seconds | processor seconds | growth | MB of its own | growth | MB with mapped files "
           "| MB on disk |")
    yield "|---" * 9 + "|"
    for stage, by_size in costs.items():
        sizes = sorted(by_size)
        for few, many in zip([None, *sizes], sizes):
            cost, busy, own = by_size[many], "", ""
            if few is not None:
                busy, own = (f"{growth(few, many, getattr(by_size[few], name), getattr(cost, name)):.2f}"
                             for name in ("busy", "own"))
            yield _line(stage, f"{many:,}", cost, busy, own)
        if len(sizes) > 1:
            few, many = sizes[-2:]
            there = Cost(*(extrapolate(films, few, many, *pair) for pair in zip(by_size[few], by_size[many])))
            yield _line(stage, f"{films:,}, on a line", there, "", "")


def _line(stage: str, films: str, cost: Cost, busy: str, own: str) -> str:
    cells = (f"{cost.seconds:,.1f}", f"{cost.busy:,.1f}", busy, f"{cost.own:,.0f}", own, f"{cost.whole:,.0f}",
             f"{cost.disk:,.0f}")
    return f"| {stage} | {films} | " + " | ".join(cells) + " |"


@contextlib.contextmanager
def _folder_of(work: Path | None) -> Iterator[Path]:
    if work:
        yield work.absolute()
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


@click.command(help=__doc__.split("\n")[0])
@click.option("--films", type=int, multiple=True, default=(10_000, 50_000), show_default=True, help="How many. Repeat it.")
@click.option("--stages", default=",".join(name for name in STAGES if name != "audit"), show_default=True,
              help=f"Which stages, of {', '.join(STAGES)}; what they read must be there.")
@click.option("-S", "--set-param", "settings", multiple=True, metavar="NAME=VALUE", help="Changes a parameter. Repeat it.")
@click.option("--work", type=Path, help="Folder for films and outputs, which stay there; films that are there are taken.")
@click.option("--extrapolate", "wanted", type=int, default=10_000_000, show_default=True, help="How many films to tell of.")
def main(films: tuple[int, ...], stages: str, settings: tuple[str, ...], work: Path | None, wanted: int) -> None:
    names = stages.split(",")
    if unknown := sorted(set(names) - set(STAGES)):
        raise click.UsageError(f"--stages: expected names among {', '.join(STAGES)}; found {', '.join(unknown)}.")
    costs: dict[str, dict[int, Cost]] = {name: {} for name in names}
    with _folder_of(work) as folder:
        for count in sorted(films):
            given = folder / str(count)
            if not (given / "data" / "films.csv").exists():
                shutil.rmtree(given / "data", ignore_errors=True)
                write_many_films(given / "data", count)
            save_teacher(given / "teacher", None)
            apply_overrides(shutil.copy("params.yaml", given / "params.yaml"), [*SHORT, *settings])
            for name in names:
                costs[name][count] = cost = measure(name, given)
                click.echo(_line(name, f"{count:,}", cost, "", ""), err=True)
    click.echo(f"{os.cpu_count()} processors\n\n" + "\n".join(report(costs, wanted)))


if __name__ == "__main__":
    main()
