"""A run of the pipeline on the split of one seed, as a DVC experiment outside the workspace, and what is kept of it."""

import dataclasses
import fcntl
import hashlib
import io
import json
import logging
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from movie_genres.base.errors import UserError, one_line
from movie_genres.base.files import replacing

SEEDED = "prepare", "teach", "cnn", "lstm", "encoder_defaults.poster", "encoder_defaults.overview", "fusion"
FIGURES, POINTS = "metrics/evaluate.json", "plots/operating_points.csv"
NAMES = "metrics/encoders/names.json"  # which encoders there are
KEPT = Path("state/splits")  # a folder for each commit and its settings
LONGEST = 300  # characters of a reason
LAST = 20  # lines of a log that are about its end
# What is no fault of the settings: later they may do. By a shell, 137 and 143 are of what SIGKILL and SIGTERM ended.
NO_FAULT = re.compile(r"Unable to acquire lock|No space left on device|exited with (?:-\d+|137|143)\b")


class RunFailedError(UserError):
    """The pipeline failed with these settings; the message says why."""


@dataclasses.dataclass(frozen=True)
class SplitRun:
    """What is kept of a run."""

    seed: int
    commit: str  # whose code ran
    settings: tuple[str, ...]  # parameters that were changed, as `section.name=value`
    figures: dict[str, Any]  # by `model.metric`, of the films kept aside
    points: tuple[dict[str, Any], ...]  # what is named at the operating points; rows of `plots/operating_points.csv`
    validation: dict[str, dict[str, Any]]  # by model, what its training measured on validation films


Run = Callable[[int, tuple[str, ...], Path], SplitRun]  # as `run_pipeline`


def git(*arguments: str) -> str | None:
    """What a git command prints, or None where it fails."""
    result = subprocess.run(["git", *arguments], capture_output=True, text=True)
    return result.stdout.strip() if result.returncode == 0 else None


def committed_at(*apart: Path) -> str:
    """The commit whose code and settings are here, whatever has become of the files `apart`.

    Raises:
        UserError: no commit has them.
    """
    excluded = [f":(exclude,literal){path}" for path in apart if path.resolve().is_relative_to(Path.cwd())]
    commit = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", *excluded)
    if commit is None or changed is None:
        raise UserError("Runs need a Git repository with a commit, whose code and settings they are of.")
    if changed:
        names = ", ".join(line[2:].strip() for line in changed.splitlines())
        raise UserError(f"Runs are kept as those of a commit; found changes of {names[:300]}. Commit or stash them.")
    return commit


def of_commit(commit: str, run: Run, *apart: Path) -> Run:
    """Runs that are only made while a commit's code and settings are here, but for the files `apart`; else a `UserError`."""
    def checked(seed: int, settings: tuple[str, ...], log: Path) -> SplitRun:
        if (found := committed_at(*apart)) != commit:
            raise UserError(f"These runs are of commit {commit[:7]}; found {found[:7]} checked out. Check out the "
                            "first to go on, or start again to begin anew.")
        return run(seed, settings, log)
    return checked


def digest_of(*texts: str) -> str:
    """Eight characters that differ where texts do."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8]


def folder_of(commit: str, settings: Sequence[str]) -> Path:
    """Where the runs of a commit with some settings are kept, if no other folder is named."""
    return KEPT / digest_of(commit, *settings)


def experiment_name(seed: int, settings: Sequence[str]) -> str:
    """What DVC calls a run."""
    return f"split-{seed}-{digest_of(*settings)}" if settings else f"split-{seed}"


def options_of(settings: Sequence[str]) -> list[str]:
    """The options of `dvc exp run` that change parameters."""
    return [part for setting in settings for part in ("-S", setting)]


def command_of(seed: int, settings: Sequence[str]) -> list[str]:
    """The command, after the name of DVC, that runs the pipeline on the split of a seed."""
    chosen = options_of([*(f"{section}.seed={seed}" for section in SEEDED), *settings])
    return ["exp", "run", "--temp", "--name", experiment_name(seed, settings), *chosen, "evaluate"]


def run_pipeline(seed: int, settings: tuple[str, ...], log: Path) -> SplitRun:
    """Runs the pipeline on the split of a seed, up to its evaluation, as a DVC experiment; its messages go to a file.

    While another process makes the same run, this one waits.

    Raises:
        RunFailedError: the run failed.
        UserError: it, or one of its stages, was killed, or stopped by the machine.
    """
    commit = git("rev-parse", "HEAD") or ""
    reference = f"refs/exps/{commit[:2]}/{commit[2:]}/{experiment_name(seed, settings)}"
    # DVC inherits the lock with the file: where this process is killed, the next one waits for what DVC still does.
    with open(log, "a", encoding="utf-8") as output:
        try:
            fcntl.flock(output, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logging.info("This run goes on already; waiting for its end  (its messages: %s)", log)
            fcntl.flock(output, fcntl.LOCK_EX)
        if (revision := git("rev-parse", "--verify", "--quiet", reference)) is None:
            command = [sys.executable, "-m", "dvc", *command_of(seed, settings)]
            logging.info("dvc %s  (its messages: %s)", shlex.join(command[3:]), log)
            output.truncate(0)
            code = subprocess.run(command, stdout=output, stderr=output).returncode
            if code < 0:
                raise UserError(f"DVC was ended by signal {-code}; {log} says what it did. Start again to go on.")
            if (revision := git("rev-parse", "--verify", "--quiet", reference)) is None:
                raise _failure(log, code)
    return _read_experiment(seed, commit, settings, revision)


def run_split(seed: int, settings: Sequence[str], kept: Path, run: Run = run_pipeline) -> SplitRun:
    """Runs the pipeline on the split of a seed, up to its evaluation, unless the folder `kept` has what came of it.

    Raises:
        UserError: what was kept is of other parameters, or what `run` raises.
    """
    kept.mkdir(parents=True, exist_ok=True)
    if not (file := kept_file(kept, seed)).exists():
        content = dataclasses.asdict(run(seed, tuple(settings), file.with_suffix(".log")))
        with replacing(file) as partial:
            partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    done = read_run(kept, seed)
    if done.settings != tuple(settings):
        raise UserError(f"{file}: expected a run with {' '.join(settings) or 'the parameters as they are'}; found one with "
                        f"{' '.join(done.settings) or 'the parameters as they were'}. Name another folder.")
    return done


def read_run(kept: Path, seed: int) -> SplitRun:
    """What was kept of a run.

    Raises:
        UserError: nothing was, or the file is damaged.
    """
    file = kept_file(kept, seed)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return SplitRun(**content | {"settings": tuple(content["settings"]), "points": tuple(content["points"])})
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise UserError(f"{file}: expected what a run on a split left; {one_line(str(error))}.") from error


def kept_runs(root: Path = KEPT) -> Iterator[SplitRun]:
    """All runs that are kept in the folders of a folder; those that cannot be read are passed over."""
    for file in sorted(root.glob("*/split-*.json")):
        try:
            yield read_run(file.parent, int(file.stem.removeprefix("split-")))
        except (UserError, ValueError):
            logging.warning("%s cannot be read, and is left alone.", file)


def kept_file(kept: Path, seed: int) -> Path:
    """The file in a folder that keeps the run of a seed."""
    return kept / f"split-{seed}.json"


def _read_experiment(seed: int, commit: str, settings: tuple[str, ...], revision: str) -> SplitRun:
    """What an experiment left: files of Git and, of the trainings, figures that only DVC's cache has."""
    from dvc.api import DVCFileSystem

    files = DVCFileSystem(rev=revision)
    names = {*files.glob("metrics/*.json"), *files.glob("metrics/encoders/*.json")} - {FIGURES, NAMES}
    points = pd.read_csv(io.StringIO(files.read_text(POINTS))).to_dict("records")
    return SplitRun(seed, commit, settings, json.loads(files.read_text(FIGURES)),
                    tuple({str(column): cell for column, cell in line.items()} for line in points),
                    {Path(name).stem: json.loads(files.read_text(name)) for name in sorted(names)})


def _failure(log: Path, code: int) -> UserError:
    """A `RunFailedError` with the error that a failed run told, a stage's own rather than what DVC says of it; or another
    `UserError` where that was no fault of its settings."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("Error: ")] or [line for line in lines if line.startswith("ERROR: ")]
    outside = [found.group() for line in lines[-LAST:] if (found := NO_FAULT.search(line))]
    if outside or code == 0:  # and without an experiment
        what = outside[-1] if outside else "DVC ended well"
        return UserError(f"{log}: expected an experiment, or an error of its settings; found {what!r}. Start again to go "
                         "on, or leave such settings out if it comes again.")
    return RunFailedError(one_line((errors or lines or [f"DVC ended with code {code}"])[-1])[:LONGEST].strip())
