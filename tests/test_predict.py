import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import filelock
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import image_bytes, noise_bytes, rewrite
from PIL import Image

from genre_cli.predict import main as genre_predict
from movie_genres.base.settings import build, settings_of
from movie_genres.data.reading import TableOptions
from movie_genres.ensemble.decisions import choose_models
from movie_genres.ensemble.scorer import Models
from movie_genres.inputs.caps import Caps
from movie_genres.models.onnx_files import read
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.chunks import score
from movie_genres.scoring.poster_sources import LocalPoster
from movie_genres.scoring.request import Request, RowOptions

GOOD = image_bytes(size=(30, 40))


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def animated_webp():
    file = io.BytesIO()
    Image.new("RGB", (20, 30), "red").save(file, "WEBP", save_all=True, append_images=[Image.new("RGB", (20, 30), "blue")])
    return file.getvalue()


def item_of(film):
    return Entry(film.id, LocalPoster(film.poster) if film.poster else None, film.overview or None)


@pytest.fixture
def posters(tmp_path):
    folder = tmp_path / "posters"
    (folder / "sub").mkdir(parents=True)
    for name in ("b.jpg", "a.jpg", "sub/c.png"):
        (folder / name).write_bytes(GOOD)
    return folder


def test_scores_every_poster_in_order_with_the_promised_columns(posters, models, tmp_path, run):
    result = run(genre_predict, "--posters", posters, "--models", models, "--out", tmp_path / "p.csv", "--top", 2)
    assert result.exit_code == 0, result.stderr
    rows, genres = rows_of(tmp_path / "p.csv"), read(models / "cnn.onnx").metadata["genres"]
    assert list(rows[0]) == ["id", "source", "status", "error", "genres", "top", *(f"p_{genre}" for genre in genres)]
    assert [(row["id"], row["source"], row["status"]) for row in rows] == [
        ("a", "poster", "ok"), ("b", "poster", "ok"), ("sub/c", "poster", "ok")]
    probabilities = {genre: float(rows[0][f"p_{genre}"]) for genre in genres}
    best = sorted(probabilities, key=probabilities.get, reverse=True)
    assert [entry.split(":")[0] for entry in rows[0]["top"].split("|")] == best[:2]
    assert rows[0]["genres"] == "|".join([genre for genre in best if probabilities[genre] >= 0.5] or best[:1])


@pytest.mark.parametrize("name, content, status", [
    ("empty.jpg", b"", "empty"),
    ("page.jpg", b"<html>not found</html>", "not_an_image"),
    ("cut.jpg", noise_bytes()[:1500], "corrupt"),
    ("deep.png", image_bytes("I;16", format="PNG"), "ok"),
    ("moving.webp", animated_webp(), "ok"),
    ("two\nlines.jpg", GOOD, "ok"),
    ("no suffix", GOOD, "ok"),
    ("=1+1;,\".jpg", GOOD, "ok"),
    (b"latin\xe9.jpg", GOOD, "ok"),
], ids=str)
def test_every_file_gets_its_row(posters, models, tmp_path, run, name, content, status):
    with open(os.path.join(os.fsencode(posters), name if isinstance(name, bytes) else name.encode()), "wb") as file:
        file.write(content)
    result = run(genre_predict, "--posters", posters, "--models", models, "--out", tmp_path / "p.csv")
    assert result.exit_code == (0 if status == "ok" else 3), result.stderr
    rows = {row["id"]: row for row in rows_of(tmp_path / "p.csv")}
    assert len(rows) == 4
    stem = os.path.splitext(name)[0]
    row = rows[stem if isinstance(stem, str) else "latin\\xe9"]
    assert row["status"] == status and bool(row["top"]) == (status == "ok") == (not row["error"])


def test_an_overview_without_words_or_with_unknown_ones_is_no_confident_guess(models, tmp_path, run):
    (tmp_path / "o.csv").write_text("id,overview\n1,A detective and a murder\n2,\n3,!?\n4,qwxz zzyx\n5,a,b\n")
    result = run(genre_predict, "--overviews", tmp_path / "o.csv", "--models", models, "--out", tmp_path / "p.csv")
    assert result.exit_code == 3
    assert [(row["id"], row["status"]) for row in rows_of(tmp_path / "p.csv")] == [
        ("1", "ok"), ("2", "empty_text"), ("3", "empty_text"), ("4", "unknown_text"), ("5", "bad_row")]


def test_joins_posters_and_overviews(posters, models, tmp_path, run):
    (posters / "broken.jpg").write_bytes(b"")
    (tmp_path / "o.csv").write_text("Film ID,Plot\nz,A ghost in the cellar\na,The sheriff and the outlaw\n"
                                    "broken,A dragon and a wizard\nb,\n")
    result = run(genre_predict, "--posters", posters, "--overviews", tmp_path / "o.csv", "--models", models,
                 "--out", tmp_path / "p.csv")
    assert result.exit_code == 3
    rows = rows_of(tmp_path / "p.csv")
    assert [(row["id"], row["source"], row["status"]) for row in rows] == [
        ("z", "overview", "ok"), ("a", "both", "ok"), ("broken", "overview", "empty"), ("b", "poster", "ok"),
        ("sub/c", "poster", "ok")]  # b has a blank overview
    assert rows[2]["top"] and "poster: the file is empty" in rows[2]["error"]


def test_scores_do_not_depend_on_the_company(small_arrays, models):
    prepared, posters, overviews, _ = small_arrays
    films = prepared.films.iloc[:30]
    items = [item_of(film) for film in films.itertuples()]
    (_, together), = score([(0, items)], Models(*choose_models(models)))
    alone = list(score([(item.id, [item]) for item in items[:5]], Models(*choose_models(models), batch_size=3)))
    assert [key for key, _ in alone] == [item.id for item in items[:5]]
    for row, (_, (single,)) in zip(together, alone):
        assert np.allclose(row.probabilities, single.probabilities, atol=1e-6)


def test_an_input_that_breaks_off_loses_nothing_that_was_read_before(models):
    def chunks():
        yield from ((number, [Entry(str(number), overview="a detective")]) for number in range(4))
        raise OSError("broken off")

    scored = score(chunks(), Models(*choose_models(models)))
    assert [next(scored)[0] for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(OSError, match="broken off"):
        next(scored)


def test_scoring_agrees_with_evaluation(small_arrays, models, answers):
    prepared, posters, overviews, _ = small_arrays
    rows = prepared.rows("test", posters.present & overviews.present)
    expected = answers["fusion"].probabilities[rows]
    items = [item_of(film) for film in prepared.films.iloc[rows].itertuples()]
    (_, scored), = score([(0, items)], Models(*choose_models(models)))
    found = np.stack([row.probabilities for row in scored])
    assert np.allclose(found, expected, atol=1e-3)  # features are kept in float16 between stages


def test_a_folder_without_posters_is_refused_and_leaves_nothing(models, tmp_path, run):
    (tmp_path / "none").mkdir()
    result = run(genre_predict, "--posters", tmp_path / "none", "--models", models, "--out", tmp_path / "p.csv")
    assert result.exit_code == 2 and "found" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["none"]


def test_a_table_without_rows_gives_a_header_and_a_warning(models, tmp_path, run):
    (tmp_path / "o.csv").write_text("id,overview\n")
    result = run(genre_predict, "--overviews", tmp_path / "o.csv", "--models", models, "--out", tmp_path / "p.csv")
    assert result.exit_code == 0 and "no film in it" in result.stderr and rows_of(tmp_path / "p.csv") == []
    assert (tmp_path / "p.csv").read_text().startswith("id,source,status,error,genres,top,p_")


@pytest.mark.parametrize("arguments, message", [
    (["--out", "p.csv"], "--posters: expected posters, or else --overviews, to score; found neither"),
    (["--posters", "posters"], "--out: expected a file to write, as there are several posters; found none"),
    (["--posters", "nowhere", "--out", "p.csv"], "nowhere: expected a folder, a glob, an archive"),
    (["--posters", "posters", "--out", "no/p.csv"], "found no folder no"),
    (["--posters", "posters", "--out", "p.csv", "--models", "posters"], "expected a model for posters; found no model"),
    (["--overviews", "o.csv", "--out", "p.csv", "--text-column", "x"], "expected a column 'x'; found the columns id, y"),
    (["--overviews", "o.csv", "--out", "p.csv"], "Name it with --text-column"),
    (["--posters", "posters", "--out", "p.csv", "--top", "0"], "0 is not in the range"),
])
def test_usage_errors_exit_with_2_before_tensorflow_is_loaded(posters, models, tmp_path, arguments, message):
    (tmp_path / "o.csv").write_text("id,y\n1,x\n")
    if "--models" not in arguments:
        arguments = [*arguments, "--models", str(models)]
    code = ("import sys; from genre_cli.predict import main\n"
            "try: main(sys.argv[1:])\n"
            "finally: assert not {'tensorflow', 'keras'} & set(sys.modules), 'TensorFlow was imported'")
    result = subprocess.run([sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 2 and message in " ".join(result.stderr.split()), result.stderr
    assert not (tmp_path / "p.csv").exists()


def test_a_fusion_model_of_other_models_is_refused(models, tmp_path, run, posters):
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("cnn", "lstm", "fusion"):
        (folder / f"{name}.onnx").write_bytes((models / f"{name}.onnx").read_bytes())
    rewrite(folder / "cnn.onnx", lambda about: about.update(note="another one"))
    result = run(genre_predict, "--posters", posters, "--models", folder, "--out", tmp_path / "p.csv")
    assert result.exit_code == 2 and "cnn.onnx as it was when this model was trained" in " ".join(result.stderr.split())


def test_an_output_is_replaced_only_on_request(posters, models, tmp_path, run):
    (tmp_path / "p.csv").write_text("old")
    arguments = ["--posters", posters, "--models", models, "--out", tmp_path / "p.csv"]
    result = run(genre_predict, *arguments)
    assert result.exit_code == 2 and "--overwrite" in result.stderr and (tmp_path / "p.csv").read_text() == "old"
    assert run(genre_predict, *arguments, "--overwrite").exit_code == 0 and len(rows_of(tmp_path / "p.csv")) == 3


@pytest.mark.parametrize("out", ["p.csv", "parts/"])
def test_an_output_among_the_posters_is_not_one_of_them(posters, models, run, out):
    arguments = ["--posters", posters, "--models", models, "--out", f"{posters}/{out}"]
    assert [run(genre_predict, *arguments, *more).exit_code for more in ([], ["--overwrite"])] == [0, 0]
    written = posters / "p.csv" if out == "p.csv" else posters / "parts" / "part-00000.csv"
    assert [row["id"] for row in rows_of(written)] == ["a", "b", "sub/c"]


def test_only_failed_rows_are_scored_again(posters, models, tmp_path, run):
    (posters / "a.jpg").write_bytes(b"")
    arguments = ["--posters", posters, "--models", models, "--out", tmp_path / "p.csv"]
    assert run(genre_predict, *arguments).exit_code == 3
    before = rows_of(tmp_path / "p.csv")
    (posters / "a.jpg").write_bytes(GOOD)
    assert run(genre_predict, *arguments, "--retry-failed").exit_code == 0
    after = rows_of(tmp_path / "p.csv")
    assert [row["status"] for row in before] == ["empty", "ok", "ok"] and [row["status"] for row in after] == ["ok"] * 3
    assert after[1:] == before[1:] and after[0]["top"] == after[1]["top"]


@pytest.mark.parametrize("options", [["--strict"], ["--max-failure-rate", "0.2"]])
def test_stops_at_failures_on_request_and_goes_on_without_it(posters, models, tmp_path, run, options):
    (posters / "a.jpg").write_bytes(b"")
    arguments = ["--posters", posters, "--models", models, "--out", tmp_path / "p.csv"]
    result = run(genre_predict, *arguments, *options)
    assert result.exit_code == 1 and "'a': empty, poster: the file is empty" in result.stderr
    assert not (tmp_path / "p.csv").exists()
    assert run(genre_predict, *arguments).exit_code == 3 and len(rows_of(tmp_path / "p.csv")) == 3


def test_a_second_process_exits_with_75(posters, models, tmp_path, run):
    (tmp_path / "p.csv.job").mkdir()
    with filelock.FileLock(tmp_path / "p.csv.job" / "lock"):
        result = run(genre_predict, "--posters", posters, "--models", models, "--out", tmp_path / "p.csv")
    assert result.exit_code == 75 and "another process is working on this output" in result.stderr


def test_a_list_on_stdin_is_scored_in_its_order(posters, models, tmp_path):
    listed = f"{posters}/sub/c.png\n{posters}/nowhere.jpg\n{posters}/a.jpg\n"
    result = CliRunner().invoke(genre_predict, ["--posters", "-", "--models", str(models), "--out", str(tmp_path / "p.csv")],
                                input=listed)
    assert result.exit_code == 3
    assert [(row["id"].rsplit("/")[-1], row["status"]) for row in rows_of(tmp_path / "p.csv")] == [
        ("c", "ok"), ("nowhere", "missing"), ("a", "ok")]


def test_machines_read_the_summary_as_json_and_quiet_says_nothing(posters, models, tmp_path, run):
    arguments = ["--posters", posters, "--models", models, "--overwrite", "--out", tmp_path / "p.csv"]
    summary = json.loads(run(genre_predict, *arguments, "--log-format", "json").stderr.splitlines()[-1])
    assert (summary["rows"], summary["ok"], summary["failed"]) == (3, 3, {}) and summary["model"].startswith("models ")
    assert run(genre_predict, *arguments, "--quiet").stderr == ""


@pytest.mark.parametrize("arguments, message", [
    (["--num-shards", "2"], "--out: expected a folder, with a slash at its end"),
    (["--shard-index", "1"], "--shard-index: expected 0 to 0; found 1"),
    (["--columns", "id,x"], "--columns: expected names among id, source"),
    (["--retry-failed"], "expected an earlier output"),
    (["--retry-failed", "--columns", "id"], "expected the columns id and status"),
    (["--format", "xml"], "--format: expected one of csv"),
])
def test_options_that_make_no_sense_are_refused(posters, models, tmp_path, run, arguments, message):
    result = run(genre_predict, "--posters", posters, "--models", models, "--out", tmp_path / "p.csv", *arguments)
    assert result.exit_code == 2 and message in result.stderr
    assert not (tmp_path / "p.csv").exists()


def test_every_option_is_a_setting_of_the_request():
    options = {param.name: param for param in genre_predict.params}
    settings = {setting.name: setting for setting in settings_of(Request)}
    assert ["overview", *settings, "quiet", "log_format", "version", "describe"] == list(options)
    request = build(Request, {"out": "p.csv", "max_bytes": 7, "top": 2, "id_column": "key"})
    assert request == Request(out="p.csv", caps=Caps(7), row=RowOptions(top=2), tables=TableOptions("key"))
    in_backticks = {name for param in options.values() for name in re.findall(r"`(\w+)`", param.help)}
    assert in_backticks & set(settings) == {"top", "expected_precision"}  # all others are options; these are the columns


@pytest.mark.slow
@pytest.mark.parametrize("how, code", [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_an_interrupted_command_goes_on_and_ends_with_the_same_bytes(small_data, models, tmp_path, how, code):
    listed = "".join(f"{path}\n" for path in sorted((small_data / "posters").iterdir()) * 20)
    (tmp_path / "list.txt").write_text(listed)
    command = [sys.executable, "-c", "from genre_cli.predict import main; main()", "--posters", str(tmp_path / "list.txt"),
               "--models", str(models), "--shard-size", "20"]
    subprocess.run([*command, "--out", str(tmp_path / "undisturbed.csv")], check=False)
    broken = subprocess.Popen([*command, "--out", str(tmp_path / "p.csv")], stderr=subprocess.PIPE,
                              # Tests that run in the background have it ignored, and their children too.
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    while broken.poll() is None and len(list((tmp_path / "p.csv.job").glob("*.done"))) < 2:
        time.sleep(0.002)
    broken.send_signal(how)
    broken.communicate()
    assert broken.returncode == code and not (tmp_path / "p.csv").exists()
    subprocess.run([*command, "--out", str(tmp_path / "p.csv")], check=False)
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "undisturbed.csv").read_bytes()
