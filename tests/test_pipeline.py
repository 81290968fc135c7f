"""The repository as a whole: `dvc.yaml`, the embedded demo and the README say what the code does."""

import ast
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY
from dvc.utils.hydra import apply_overrides

from demo.generate import FILMS, SEED, make_films, write_demo
from demo.show import main as show
from genre_cli.data import main as genre_data
from genre_cli.predict import main as genre_predict
from genre_cli.report import main as genre_report
from movie_genres.data.films import poster_files, read_films
from movie_genres.data.preparing import PrepareOptions
from stages.common import read_options

PIPELINE = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())
STAGES = PIPELINE["stages"]
NETWORKS = ("cnn", "lstm", "fusion")


def imported(file):
    """The files of this repository that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse((REPOSITORY / file).read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            found |= {f"{name.replace('.', '/')}.py" for name in names}
    return {name for name in found if (REPOSITORY / name).is_file()}


def files_of(stage):
    """All files of this repository that a stage runs, directly or through others."""
    todo, seen = {f"stages/{stage}.py"}, set()
    while todo - seen:
        file = (todo - seen).pop()
        seen.add(file)
        todo |= imported(file)
    return seen


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_files_that_it_runs_and_no_others(stage):
    run = files_of(stage)
    listed = {name for name in STAGES[stage]["deps"] if name.startswith(("movie_genres", "stages", "genre_cli"))}
    assert {file for file in run if not listed & {file, *map(str, Path(file).parents)}} == set(), "not listed"
    assert {name for name in listed if not any(Path(file).is_relative_to(name) for file in run)} == set(), "not run"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_names_its_files_in_its_command_and_tracks_its_own_section(stage):
    definition = STAGES[stage]
    beside = {"models/int8": "models/cnn.keras", **{f"history/{name}.json": f"history/{name}.csv" for name in NETWORKS}}
    assert definition["desc"] and definition["params"][0] == stage.removeprefix("train_")
    for kind in ("outs", "metrics"):
        for entry in definition.get(kind, []):
            path = entry if isinstance(entry, str) else next(iter(entry))
            named = beside.get(path, path.replace(".onnx", ".keras"))  # an ONNX file stands beside the checkpoint
            assert named in definition["cmd"], f"{path} is not visible in the command"


def test_every_picture_is_among_the_plots():
    listed = {entry if isinstance(entry, str) else next(iter(entry)) for entry in PIPELINE["plots"]}
    assert {f"plots/{path.name}" for path in (REPOSITORY / "plots").glob("*.png")} <= listed


def listing(tracked):
    """(digest, entries) of what a `.dvc` file tracks, from the embedded remote."""
    out, = yaml.safe_load((REPOSITORY / tracked).read_text())["outs"]
    file = blob(out["md5"])
    if not file.exists():
        pytest.skip(f"{tracked} tracks other files than the embedded ones")
    return out["md5"], json.loads(file.read_text())


def blob(digest):
    return REPOSITORY / "demo" / "remote" / "files" / "md5" / digest[:2] / digest[2:]


def test_the_embedded_blobs_are_those_that_are_tracked():
    digest, films = listing("data.dvc")
    model_digest, models = listing("released.dvc")
    wanted = {digest, model_digest, *(entry["md5"] for entry in films + models)}
    tracked = subprocess.run(["git", "ls-files", "demo/remote/files"], cwd=REPOSITORY, capture_output=True, text=True)
    assert {"".join(Path(name).parts[-2:]) for name in tracked.stdout.split()} == wanted
    for name in wanted:
        assert hashlib.md5(blob(name).read_bytes()).hexdigest() == name.removesuffix(".dir")
    assert sum(blob(entry["md5"]).stat().st_size for entry in films) < 2_000_000
    assert sum(blob(entry["md5"]).stat().st_size for entry in models) <= 40_000_000


def test_the_generator_makes_the_embedded_films(tmp_path):
    _, embedded = listing("data.dvc")
    table, = (entry["md5"] for entry in embedded if entry["relpath"] == "films.csv")
    write_demo(tmp_path / "data", count=FILMS, seed=SEED)
    assert hashlib.md5((tmp_path / "data" / "films.csv").read_bytes()).hexdigest() == table
    assert len(poster_files(tmp_path / "data")) == sum(entry["relpath"].startswith("posters/") for entry in embedded)


def test_the_demo_has_what_real_data_has():
    films = [film for film, _ in make_films(FILMS, SEED)]
    assert len({genre for film in films for genre in film.genres}) >= 8
    assert any(not film.overview for film in films) and any(poster is None for _, poster in make_films(FILMS, SEED))
    assert {len(film.genres) for film in films} == {1, 2, 3}


def test_write_demo_gives_a_readable_data_folder(tmp_path):
    write_demo(tmp_path / "data", count=20, seed=3)
    assert [film.id for film in read_films(tmp_path / "data")] == [f"demo{number:04d}" for number in range(20)]


def test_show_prints_the_committed_figures_and_scored_films(tmp_path, run):
    (tmp_path / "preds.csv").write_text("id,source,status,error,genres,top\nfilm1,poster,ok,,Drama,Drama:0.712\n")
    result = run(show, REPOSITORY / "metrics" / "evaluate.json", tmp_path / "preds.csv")
    assert result.exit_code == 0
    for word in ("base_rate", "tfidf", "cnn", "lstm", "fusion", "film1", "Drama:0.712"):
        assert word in result.output


@pytest.mark.parametrize("name, command", [("genre-predict", genre_predict), ("genre-report", genre_report),
                                           *((f"genre-data {name}", command) for name, command in [
                                               *genre_data.commands.items(),
                                               *((f"{name} {below}", command) for name, group in genre_data.commands.items()
                                                 for below, command in getattr(group, "commands", {}).items())])])
def test_the_docs_name_every_command_and_option(name, command):
    docs = "".join((REPOSITORY / name).read_text() for name in ("README.md", "SCORING.md"))
    assert name in docs
    for parameter in command.params:
        for option in parameter.opts:
            assert not option.startswith("-") or re.search(rf"`[^`]*{option}\b[^`]*`", docs), f"{option} of {name}"


def test_the_readme_names_every_section_of_the_parameters():
    readme = (REPOSITORY / "README.md").read_text()
    for section in yaml.safe_load((REPOSITORY / "params.yaml").read_text()):
        assert f"`{section}`" in readme


def test_the_published_recipe_is_of_parameters_that_prepare_takes(tmp_path):
    makefile = (REPOSITORY / "Makefile").read_text()
    recipe = re.search(r"^tmdb-recipe:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE).group(1)
    films = re.search(r"FILMS \?= (\d+)", makefile).group(1)
    settings = re.findall(r"--set-param '(.*)'", recipe.replace("$(FILMS)", films))
    params = shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    apply_overrides(params, settings)
    options = read_options(tmp_path / "params.yaml", "prepare", PrepareOptions)
    assert (options.top_genres, options.periods, options.films) == (12, ((1975, 2000), (2001, 2025)), 20530)
