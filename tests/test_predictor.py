"""The Python API, and the answer that `genre-predict` prints for a single film."""

import csv
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import REPOSITORY, image_bytes, noise_bytes
from PIL import Image

from genre_cli.predict import main as genre_predict
from movie_genres import Prediction, Predictor
from movie_genres.base.errors import InputError, MissingPackageError, SettingError, UserError
from movie_genres.ensemble import folder as folders

OVERVIEW = "A detective and a murder in the old house"
# What scoring must do without: the packages of the extra `train`.
HEAVY = {"tensorflow", "keras", "keras_hub", "sklearn", "scipy", "pandas", "dvc", "tf2onnx", "matplotlib"}


@pytest.fixture
def predictor(models):
    return Predictor.load(models)


@pytest.fixture
def posters(tmp_path):
    folder = tmp_path / "posters"
    folder.mkdir()
    for number, name in enumerate(("a.jpg", "b.jpg", "c.jpg")):
        (folder / name).write_bytes(noise_bytes(seed=number))
    return folder


def test_gives_the_rows_that_genre_predict_writes(predictor, posters, models, tmp_path, run):
    (posters / "d.jpg").write_bytes(b"")
    (tmp_path / "o.csv").write_text(f"id,overview\na,{OVERVIEW}\nb,?!\nc,\nd,\n")
    result = run(genre_predict, "--posters", posters, "--overviews", tmp_path / "o.csv", "--models", models,
                 "--out", tmp_path / "p.jsonl")
    assert result.exit_code == 3
    written = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    found = predictor.predict([posters / f"{name}.jpg" for name in "abcd"], [OVERVIEW, "?!", None, None])
    assert list(found.rows()) == written and found.columns == tuple(written[0])
    assert [film.status for film in found] == ["ok", "empty_text", "ok", "empty"]


@pytest.mark.parametrize("kind", [
    str, lambda path: path, lambda path: path.read_bytes(), Image.open, lambda path: np.asarray(Image.open(path)),
], ids=["text", "path", "bytes", "picture", "array"])
def test_takes_posters_as_a_program_has_them(predictor, tmp_path, kind):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 40, 3), dtype=np.uint8)).save(tmp_path / "heat.png")
    expected = predictor.predict_one(tmp_path / "heat.png")
    found = predictor.predict([kind(tmp_path / "heat.png")], ids=["heat"])[0]
    assert found == expected and found.id == "heat" and len(found.probabilities) == len(predictor.genres)


def test_arrays_in_grey_and_with_transparency_are_pictures(predictor):
    grey = np.full((20, 10), 90, np.uint8)
    clear = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    first, second = predictor.predict([grey, clear])
    assert first.probabilities == second.probabilities


def test_a_picture_is_turned_as_its_file_is(predictor, tmp_path):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 40, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.png", exif=exif)
    assert predictor.predict_one(Image.open(tmp_path / "a.png")).genres == predictor.predict_one(tmp_path / "a.png").genres


def test_the_most_probable_genre_stands_first(predictor):
    found = predictor.predict_one(overview=OVERVIEW, threshold=0.0)
    assert list(found.genres.values()) == sorted(found.genres.values(), reverse=True)
    assert found.genres == found.probabilities and set(found.genres) == set(predictor.genres)
    likeliest = next(iter(found.probabilities.items()))
    assert list(predictor.predict_one(overview=OVERVIEW, threshold=1.0).genres.items()) == [likeliest]


def test_ids_are_file_names_or_numbers_unless_they_are_given(predictor, posters):
    assert [film.id for film in predictor.predict([posters / "a.jpg", None, noise_bytes()], [None, OVERVIEW, None])] == [
        "a", "1", "2"]
    assert [film.id for film in predictor.predict(overviews=[OVERVIEW] * 2, ids=["x", ""])] == ["x", ""]


@pytest.mark.parametrize("given, message", [
    ({}, "posters: expected posters, overviews or both; found neither"),
    ({"overviews": ["a"], "ids": ["1", "2"]}, "ids: expected 1, as many as overviews; found 2"),
    ({"overviews": [7]}, r"overviews\[0\]: expected text or None; found int"),
    ({"posters": [None, 7]}, r"posters\[1\]: expected a path, bytes, a PIL image or an array; found int"),
    ({"posters": [np.zeros((4, 4, 3), np.float32)]}, r"posters\[0\]: expected an array of uint8 .*; found float32"),
    ({"posters": [np.zeros((4, 4, 2), np.uint8)]}, r"found uint8 of shape \(4, 4, 2\)"),
    ({"posters": [np.zeros((0, 4), np.uint8)]}, r"found uint8 of shape \(0, 4\)"),
])
def test_what_it_cannot_take_is_refused_by_name(predictor, given, message):
    with pytest.raises(SettingError, match=message):
        predictor.predict(**given)


def test_nan_of_a_table_is_no_overview(predictor, posters):
    assert predictor.predict([posters / "a.jpg"], [float("nan")])[0].source == "poster"


def test_a_bad_poster_fails_its_film_alone(predictor, posters):
    found = predictor.predict([posters / "none.jpg", b"", b"text", noise_bytes()[:900], image_bytes()])
    assert [film.status for film in found] == ["missing", "empty", "not_an_image", "corrupt", "ok"]
    cut = Image.open(posters / "a.jpg")
    (posters / "a.jpg").write_bytes(noise_bytes()[:900])
    assert predictor.predict([Image.open(posters / "a.jpg")])[0].status == "corrupt" and cut
    with pytest.raises(UserError, match="none: missing, poster: no such file"):
        predictor.predict_one(posters / "none.jpg")


def test_a_film_of_which_one_input_fails_is_scored_by_the_other(predictor):
    found = predictor.predict_one(b"", OVERVIEW)
    assert found.source == "overview" and found.status == "empty" and found.probabilities


def test_of_no_films_it_gives_no_rows(predictor):
    found = predictor.predict(overviews=[])
    assert len(found) == 0 and found.to_pandas().empty and list(found.to_pandas().columns) == list(found.columns)


def test_a_table_of_pandas_has_its_rows(predictor):
    table = predictor.predict(overviews=[OVERVIEW, ""], top=1).to_pandas()
    assert table["status"].tolist() == ["ok", "empty_text"] and len(table["top"][0]) == 1


def test_without_pandas_the_table_says_so(predictor, monkeypatch):
    found = predictor.predict(overviews=[OVERVIEW])
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackageError, match="pandas"):
        found.to_pandas()


def test_a_slice_is_a_table_too(predictor):
    found = predictor.predict(overviews=[OVERVIEW, "", OVERVIEW])
    assert [film.status for film in found[1:]] == ["empty_text", "ok"] and isinstance(found[-1], Prediction)


def test_many_threads_get_what_one_gets(predictor, posters):
    films = [(posters / f"{'abc'[number % 3]}.jpg", OVERVIEW[:number * 5]) for number in range(24)]
    expected = [predictor.predict_one(*film) for film in films]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda film: predictor.predict_one(*film), films)) == expected


def test_a_folder_of_one_modality_scores_that_alone(models, tmp_path):
    (tmp_path / "lstm.onnx").write_bytes((models / "lstm.onnx").read_bytes())
    predictor = Predictor.load(tmp_path)
    assert predictor.predict_one(overview=OVERVIEW).source == "overview"
    with pytest.raises(SettingError, match="posters: expected none, as the models look at none"):
        predictor.predict([b""])


def test_models_are_those_of_the_working_folder_if_there_are_any(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folders, "PACKAGED", models)
    assert Predictor.load().name.startswith("models ")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "notes.txt").write_text("no model")
    assert Predictor.load().genres
    (tmp_path / "models" / "cnn.keras").write_bytes(b"of an earlier version")
    with pytest.raises(InputError, match="expected a model for posters; found cnn.keras"):
        Predictor.load()


def test_a_device_that_is_not_there_is_refused(models):
    with pytest.raises(MissingPackageError, match="The device cuda needs the package onnxruntime-gpu"):
        Predictor.load(models, device="cuda")


def test_a_single_film_is_answered_in_words(posters, models, run):
    result = run(genre_predict, "--posters", posters / "a.jpg", "--overview", OVERVIEW, "--models", models)
    assert result.exit_code == 0 and result.stdout.startswith("a: ")
    assert "of all films" in result.stdout and "from the poster and the overview" in result.stdout
    only = run(genre_predict, "--overview", OVERVIEW, "--models", models, "--threshold", 1)
    assert "," not in only.stdout.splitlines()[0] and "from the overview" in only.stdout


def test_a_single_film_may_stand_in_a_list_or_a_table(posters, models, tmp_path):
    (tmp_path / "one.csv").write_text("key;file\na;posters/a.jpg\n")
    options = ["--posters", str(tmp_path / "one.csv"), "--id-column", "key", "--poster-column", "file", "--delimiter", ";"]
    for given, listed in ((options, None), (["--posters", "-"], f"{posters}/a.jpg\n")):
        result = CliRunner().invoke(genre_predict, [*given, "--models", str(models)], input=listed)
        assert result.exit_code == 0, result.stderr
        assert result.stdout.splitlines()[0].split(":")[0].rsplit("/")[-1] == "a"


def test_a_single_film_that_fails_exits_with_3(posters, models, run):
    (posters / "a.jpg").write_bytes(b"")
    result = run(genre_predict, "--posters", posters / "a.jpg", "--models", models)
    assert result.exit_code == 3 and result.stdout == "" and "a: empty, poster: the file is empty" in result.stderr


@pytest.mark.parametrize("options, message", [
    ([], "--out: expected a file to write, or else a single poster or --overview; found neither"),
    (["--posters", "."], "--out: expected a file to write, as there are several posters; found none"),
    (["--overviews", "o.csv"], "--out: expected a file to write, or else a single poster or --overview; found neither"),
    (["--overview", "x", "--out", "p.csv"], "--overview: expected no --out, as the answer is printed"),
])
def test_what_is_no_single_film_needs_an_output(posters, models, run, monkeypatch, options, message):
    monkeypatch.chdir(posters)
    result = run(genre_predict, "--models", models, *options)
    assert result.exit_code == 2 and message in result.stderr
    assert sorted(path.name for path in posters.iterdir()) == ["a.jpg", "b.jpg", "c.jpg"]


def test_the_versions_are_those_of_package_and_models(models, run):
    lines = run(genre_predict, "--version", "--models", models).stdout.splitlines()
    assert lines[0].startswith("movie-genres ") and lines[1].startswith("models models ")


PARAMS = "predict: {top: 3, precision: null, recall: null, threshold: null, max_genres: 2}\nencoders: {}\n"
WAYS = {
    "a job": "from genre_cli.predict import main; "
             "main(['--posters', 'p', '--overviews', 'o.csv', '--out', 'x.csv', *models])",
    "a single film": "from genre_cli.predict import main; main(['--posters', 'p/a.jpg', '--overview', 'a house', *models])",
    "the module": "from movie_genres.__main__ import main; main(['--overview', 'a house', *models])",
    "the API": "from movie_genres import Predictor; Predictor.load(models[1]).predict(['p/a.jpg'], ['a house'])",
    "the stage": "from stages.predict import main; main(['--prepared', 'prepared', '--out', 'y.csv', *models])",
}


@pytest.mark.parametrize("way", WAYS)
def test_scoring_imports_nothing_that_only_training_needs(models, arrays_folder, tmp_path, way):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.jpg").write_bytes(noise_bytes())
    (tmp_path / "o.csv").write_text("id,overview\na,a house\n")
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "prepared").symlink_to(arrays_folder / "prepared")
    code = (f"import sys\nmodels = sys.argv[1:]\ntry: {WAYS[way]}\nexcept SystemExit as end: assert not end.code\n"
            "print(*sys.modules)")
    result = subprocess.run([sys.executable, "-c", code, "--models", models], cwd=tmp_path, capture_output=True, text=True,
                            env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    assert result.returncode == 0, result.stderr
    imported = set(result.stdout.splitlines()[-1].split())
    assert not HEAVY & imported and "onnxruntime" in imported


def test_the_output_of_the_stage_is_a_table(models, arrays_folder, tmp_path, run):
    from stages.predict import main as stage

    (tmp_path / "params.yaml").write_text(PARAMS)
    result = run(stage, "--prepared", arrays_folder / "prepared", "--models", models, "--params", tmp_path / "params.yaml",
                 "--out", tmp_path / "p.csv")
    assert result.exit_code == 0, result.output
    with open(tmp_path / "p.csv", newline="") as file:
        assert {row["status"] for row in csv.DictReader(file)} <= {"ok", "corrupt", "empty", "missing", "empty_text"}
