"""What a user does, in a clone of the repository: minutes, so behind a marker."""

import csv
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import REPOSITORY

pytestmark = pytest.mark.slow


def command(folder, *arguments, codes=(0,)):
    """Runs a command in a folder with this environment's programs and returns what it printed."""
    environment = {**os.environ, "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],
                   "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
                   "GIT_COMMITTER_EMAIL": "a@b", "COLUMNS": "200"}
    environment.pop("PYTHONPATH", None)
    result = subprocess.run(arguments, cwd=folder, env=environment, text=True, capture_output=True)
    assert result.returncode in codes, f"{arguments} gave {result.returncode}:\n{result.stdout}\n{result.stderr}"
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with the demo data, trained for a few epochs."""
    folder = tmp_path_factory.mktemp("clone") / "repository"
    command(REPOSITORY, "git", "clone", "--quiet", str(REPOSITORY), str(folder))
    if not (folder / "demo" / "remote" / "files").exists():
        pytest.skip("the demo data is not committed")
    command(folder, "git", "checkout", "--quiet", "-b", "work")
    command(folder, "dvc", "pull", "data", "released")
    set_parameters(folder, **{"epochs: 30": "epochs: 3", "epochs: 16": "epochs: 4"})
    command(folder, "dvc", "repro")
    command(folder, "git", "add", "--all")
    command(folder, "git", "commit", "--quiet", "-m", "trained")
    return folder


def set_parameters(folder, **changes):
    text = (folder / "params.yaml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "params.yaml").write_text(text)


def test_everything_is_made_and_a_second_repro_runs_nothing(clone):
    for path in (*(f"models/{name}.{suffix}" for name in ("cnn", "lstm", "fusion") for suffix in ("keras", "onnx")),
                 "metrics/evaluate.json", "plots/films_1.png", "predictions/test.csv", "history/cnn.csv"):
        assert (clone / path).stat().st_size > 0
    assert "Data and pipelines are up to date" in command(clone, "dvc", "repro")
    assert command(clone, "git", "status", "--porcelain") == ""


TRAININGS = {"train_cnn", "train_lstm", "train_encoders", "train_fusion"}


@pytest.mark.parametrize("module, stages", [
    ("data/splits.py", {"prepare"}),
    ("networks/lstm.py", {"train_lstm"}),
    ("checkpoints/layers.py", {*TRAININGS, "teach"}),
    ("models/network.py", {*TRAININGS, "teach", "tune", "evaluate", "report", "predict"}),  # decodes no poster
    ("evaluation/plots.py", {"evaluate", "report"}),
    ("scoring/rows.py", {"report", "predict"}),
    ("base/errors.py", {"prepare", "vectorize", "read_posters", "baselines", *TRAININGS, "teach", "audit", "tune",
                        "evaluate", "report", "predict"}),
])
def test_editing_a_module_runs_only_the_stages_that_use_it(clone, module, stages):
    file = clone / "movie_genres" / module
    before = file.read_text()
    file.write_text(before + "\n# changed\n")
    planned = command(clone, "dvc", "repro", "--dry")
    file.write_text(before)
    assert set(re.findall(r"Running stage '(\w+)'", planned)) == stages


def test_forcing_a_stage_changes_nothing(clone):
    command(clone, "dvc", "repro", "--force", "--single-item", "train_lstm")
    assert "up to date" in command(clone, "dvc", "status")
    assert command(clone, "git", "status", "--porcelain") == ""


def test_metrics_diff_shows_a_changed_parameter(clone):
    command(clone, "git", "checkout", "--quiet", "-b", "other")
    set_parameters(clone, **{"modality_dropout: 0.5": "modality_dropout: 0.1"})
    command(clone, "dvc", "repro")
    command(clone, "git", "commit", "--quiet", "--all", "-m", "less modality dropout")
    metrics = command(clone, "dvc", "metrics", "diff", "work", "other")
    params = command(clone, "dvc", "params", "diff", "work", "other")
    plots = command(clone, "dvc", "plots", "diff", "work", "other")
    command(clone, "git", "checkout", "--quiet", "work")
    command(clone, "dvc", "checkout", "--quiet")
    assert "metrics/test/fusion.json" in metrics and "metrics/test/cnn.json" not in metrics
    assert "fusion.modality_dropout" in params and "index.html" in plots


def test_an_experiment_changes_one_parameter(clone):
    printed = command(clone, "dvc", "exp", "run", "--temp", "--name", "short", "-S", "lstm.epochs=1")
    assert "Running stage 'train_lstm'" in printed and "Running stage 'train_cnn'" not in printed
    assert "short" in command(clone, "dvc", "exp", "show", "--no-pager", "--only-changed")


@pytest.mark.browser
def test_the_report_of_the_demo_opens_in_a_browser(clone, tab):
    shown = tab(clone / "report", "index.html")
    assert shown.locator("h1").inner_text() == "What the models can and cannot do"
    addresses = shown.locator("nav a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert {"gallery.html", "genres.html", "review.html", "audit.html", "report.html"} <= set(addresses)
    for address in addresses:
        tab(clone / "report", address)
    film = tab(clone / "report")
    film.locator(".card-link").first.click()
    film.wait_for_selector("#film-title")


@pytest.mark.browser
def test_plots_are_shown_without_a_network(clone, browser):
    command(clone, "dvc", "plots", "show")
    requests, shown = [], browser.new_page()
    shown.on("request", lambda request: requests.append(request.url))
    shown.goto(f"file://{clone}/dvc_plots/index.html")
    shown.wait_for_selector(".vega-embed canvas, .vega-embed svg")
    assert [address for address in requests if not address.startswith(("file://", "data:", "blob:"))] == []


def test_genre_predict_scores_the_demo_posters(clone):
    command(clone, "genre-predict", "--posters", "data/posters", "--out", "preds.csv", codes=(3,))
    with open(clone / "preds.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    (clone / "preds.csv").unlink()
    assert len(rows) == len(list((clone / "data" / "posters").iterdir()))
    assert sorted({row["status"] for row in rows}) == ["corrupt", "ok"]


def test_released_models_score_without_training(clone):
    printed = command(clone, "genre-predict", "--models", "released", "--posters", "data/posters", "--overviews",
                      "data/films.csv", "--out", "preds.csv", "--model-column", codes=(3,))
    with open(clone / "preds.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    (clone / "preds.csv").unlink()
    release, = {row["model"] for row in rows}
    assert release in printed and {"both", "poster", "overview"} == {row["source"] for row in rows}


def test_own_films_take_the_place_of_the_demo(clone, tmp_path):
    folder = tmp_path / "own"
    shutil.copytree(clone, folder, symlinks=True)
    shutil.copytree(folder / "data", tmp_path / "films")
    with open(tmp_path / "films" / "films.csv", newline="") as file:
        rows = list(csv.reader(file))
    with open(tmp_path / "films" / "films.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows[:400])
    command(folder, "genre-data", "import", str(tmp_path / "films"), "--track")
    printed = command(folder, "dvc", "repro", "vectorize")
    assert "Running stage 'prepare'" in printed
    assert "399" in command(folder, "genre-data", "check")
    assert "demo/remote" not in command(folder, "git", "status", "--porcelain")
