"""The wheel alone: in an empty environment, away from the clone, it scores at once."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY, noise_bytes

LARGEST = 300  # MB of the whole environment, as `du -sh` counts them
PYTHONS = [python for python in ("python3.11", "python3.13") if shutil.which(python)] or [sys.executable]
pytestmark = pytest.mark.slow


def works(python):
    """Whether a Python is there: a name on the path may be that of a version manager which has none."""
    return subprocess.run([python, "-c", "import venv"], capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built of the files that Git tracks."""
    clone, out = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("dist")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, (file.decode() for file in files)):
        if (REPOSITORY / name).is_file() and not name.startswith("demo/remote"):
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, clone / name)
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", out, clone], check=True)
    return next(out.glob("*.whl"))


@pytest.mark.parametrize("python", PYTHONS)
def test_it_scores_in_an_empty_environment(wheel, tmp_path, python):
    if not works(python):
        pytest.skip(f"{python} is not installed")
    home = tmp_path / "environment"
    subprocess.run([python, "-m", "venv", home], check=True)
    subprocess.run([home / "bin" / "pip", "install", "--quiet", "--constraint", REPOSITORY / "constraints.txt", wheel],
                   check=True)
    folder = tmp_path / "elsewhere"
    (folder / "posters").mkdir(parents=True)
    for name in "ab":
        (folder / "posters" / f"{name}.jpg").write_bytes(noise_bytes())
    (folder / "films.csv").write_text("id,overview\na,A detective hunts a gang of robbers\n")

    def run(*command):
        return subprocess.run([home / "bin" / command[0], *command[1:]], cwd=folder, capture_output=True, text=True)

    result = run("genre-predict", "--posters", "posters", "--out", "posters.csv")
    assert result.returncode == 0 and "movie_genres/released" in result.stderr, result.stderr
    assert run("genre-predict", "--overviews", "films.csv", "--out", "overviews.csv").returncode == 0
    for name, count in (("posters", 2), ("overviews", 1)):
        rows = list(csv.DictReader((folder / f"{name}.csv").open(newline="")))
        assert [row["status"] for row in rows] == ["ok"] * count and all(row["genres"] for row in rows)
    shown = run("python", "-m", "movie_genres", "--version")
    assert shown.returncode == 0 and len(shown.stdout.splitlines()) == 2, shown.stderr
    code = "from movie_genres import Predictor; print(Predictor.load().predict_one('posters/a.jpg').genres)"
    film = run("python", "-c", code)
    assert film.returncode == 0 and film.stdout.startswith("{"), film.stderr
    missing = run("genre-predict", "--posters", "posters", "--out", "x.csv", "--engine", "ray")
    assert missing.returncode == 2 and f"pip install 'movie-genres[ray] @ file://{wheel}'" in missing.stderr, missing.stderr
    assert {path.name for path in folder.iterdir()} == {"posters", "films.csv", "posters.csv", "overviews.csv",
                                                        ".posters.csv.success", ".overviews.csv.success"}
    megabytes = sum(path.lstat().st_blocks for path in Path(home).rglob("*")) * 512 / 2**20
    assert megabytes <= LARGEST
