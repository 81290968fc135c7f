"""A run of the pipeline on the split of one seed, as a DVC experiment outside the workspace, and what is kept of it."""

import dataclasses
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from movie_genres.base.errors import UserError, one_line
from movie_genres.base.files import replacing

SEEDED = "prepare", "teach", "cnn", "lstm", "encoder_defaults.poster", "encoder_defaults.overview", "fusion"
FIGURES, POINTS = "metrics/evaluate.json", "plots/operating_points.csv"


@dataclasses.dataclass(frozen=True)
class SplitRun:
    """What is kept of a run."""

    seed: int
    commit: str  # whose code ran
    settings: tuple[str, ...]  # parameters that were changed, as `section.name=value`
    figures: dict[str, Any]  # by `model.metric`, of the films kept aside
    points: tuple[dict[str, Any], ...]  # what is named at the operating points; rows of `plots/operating_points.csv`


def git(*arguments: str) -> str | None:
    """What a git command prints, or None where it fails."""
    result = subprocess.run(["git", *arguments], capture_output=True, text=True)
    return result.stdout.strip() if result.returncode == 0 else None


def digest_of(*texts: str) -> str:
    """Eight characters that differ where texts do."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8]


def run_split(seed: int, settings: Sequence[str], kept: Path) -> SplitRun:
    """Runs the pipeline on the split of a seed, up to its evaluation, unless the folder `kept` has what came of it.

    Raises:
        UserError: what was kept is of other parameters.
        subprocess.CalledProcessError: the run failed.
    """
    if not (file := _kept_file(kept, seed)).exists():
        kept.mkdir(parents=True, exist_ok=True)
        with replacing(file) as partial:
            content = dataclasses.asdict(_run(seed, tuple(settings)))
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
    file = _kept_file(kept, seed)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return SplitRun(**content | {"settings": tuple(content["settings"]), "points": tuple(content["points"])})
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise UserError(f"{file}: expected what a run on a split left; {one_line(str(error))}.") from error


def _kept_file(kept: Path, seed: int) -> Path:
    return kept / f"split-{seed}.json"


def _run(seed: int, settings: tuple[str, ...]) -> SplitRun:
    commit = git("rev-parse", "HEAD") or ""
    name = f"split-{seed}-{digest_of(*settings)}" if settings else f"split-{seed}"

    def written(path: str) -> str | None:
        return git("show", f"refs/exps/{commit[:2]}/{commit[2:]}/{name}:{path}")

    if written(FIGURES) is None:
        seeds = [f"{section}.seed={seed}" for section in SEEDED]
        chosen = [part for setting in (*seeds, *settings) for part in ("--set-param", setting)]
        command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", name, *chosen, "evaluate"]
        subprocess.run(command, check=True)
    points = pd.read_csv(io.StringIO(written(POINTS)))
    return SplitRun(seed, commit, settings, json.loads(written(FIGURES) or ""), tuple(points.to_dict("records")))
