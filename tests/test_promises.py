"""What SCORING.md promises of bad conditions: nothing lost, nothing mixed, nothing that hangs, one line for each error."""

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import image_bytes, rewrite
from engines import RowEngine

from genre_cli.predict import main as genre_predict
from movie_genres.ensemble.folder import find_models
from movie_genres.scoring import predict as predicting
from movie_genres.scoring.rows import Row

GOOD = image_bytes(size=(30, 40))


class Stub(RowEngine):
    """Scores without networks: a film's answer depends on its poster's bytes and its overview."""

    def __init__(self, genres):
        super().__init__(self.score)
        self.genres = genres

    def score(self, item):
        content = (item.poster.read(10**6) if item.poster else b"") + (item.overview or "").encode()
        if not content:
            return Row(item.id, "overview", "empty_text", "no word")
        return Row(item.id, "poster", "ok", probabilities=np.full(self.genres, len(content) % 100 / 100), named=1)


@pytest.fixture
def stub(models, monkeypatch):
    """Runs `genre-predict` with the models of the tests but without TensorFlow."""
    engine = Stub(len(find_models(models)[0].genres))
    monkeypatch.setattr(predicting, "_engine", lambda *_: engine)
    return engine


@pytest.fixture
def own_models(models, tmp_path):
    """A copy of the models, with decisions, that a test may change."""
    folder = tmp_path / "own"
    folder.mkdir()
    for path in models.glob("*.onnx"):
        (folder / path.name).write_bytes(path.read_bytes())
    files = find_models(folder)
    names = [*(file.name for file in files), "fusion:poster", "fusion:overview"]
    digests = {file.name: file.digest for file in files}
    reached = {"precision": 0.5, "recall": 0.5, "genres_per_film": 2.0, "f1_per_film": 0.5}
    decision = {"scale": dict.fromkeys(files[0].genres, 1.0), "shift": dict.fromkeys(files[0].genres, 0.0),
                "default": {"threshold": 0.5, "power": 0.5, **reached},
                "curve": {"threshold": [0.0, 0.5], **{name: [value, value] for name, value in reached.items()}}}
    content = {"films": 7, "always": None, "ranking": {"poster": ["cnn"], "overview": ["lstm"], "both": ["fusion"]},
               "models": {name: {"sha256": digests[name.partition(":")[0]], **decision} for name in names}}
    (folder / "decisions.json").write_text(json.dumps(content))
    return folder


def change_decisions(folder, change):
    content = json.loads((folder / "decisions.json").read_text())
    change(content)
    (folder / "decisions.json").write_text(json.dumps(content))


@pytest.fixture
def films(tmp_path):
    rows = (f"{number},a detective {number}\n" for number in range(10))
    (tmp_path / "films.csv").write_text("id,overview\n" + "".join(rows))
    return tmp_path / "films.csv"


def assert_refused(result, message, code=2):
    assert result.exit_code == code, (result.output, result.exception)
    assert message in result.stderr and len(result.stderr.splitlines()) == 1, result.stderr
    assert "Traceback" not in result.stderr


def set_threshold(content):
    content["models"]["lstm"]["default"]["threshold"] = 0.1


def test_a_killed_job_does_not_go_on_after_the_decisions_changed(stub, own_models, films, tmp_path, run, monkeypatch):
    arguments = ["--overviews", films, "--models", own_models, "--out", tmp_path / "p.csv", "--shard-size", 2]
    films.write_text(films.read_text().replace("a detective 7", ""))
    assert_refused(run(genre_predict, *arguments, "--strict", "--quiet"), "stopped", code=1)
    change_decisions(own_models, set_threshold)
    assert_refused(run(genre_predict, *arguments), "begun with decisions")
    assert not (tmp_path / "p.csv").exists()
    assert run(genre_predict, *arguments, "--overwrite").exit_code == 3


@pytest.mark.parametrize("options, message", [
    (["--top", "2"], "begun with top 3; found 2"), (["--threshold", "0.3"], "begun with threshold None"),
    (["--batch-size", "3"], "begun with batch_size"), (["--max-pixels", "5000"], "begun with max_pixels"),
    (["--shard-size", "3"], "begun with shard_size 2; found 3"), (["--excel-safe"], "begun with excel_safe"),
    (["--columns", "id,status"], "columns"),
])
def test_a_retry_with_other_settings_is_refused_and_changes_nothing(stub, own_models, films, tmp_path, run, options,
                                                                    message):
    films.write_text(films.read_text().replace("a detective 7", ""))
    arguments = ["--overviews", films, "--models", own_models, "--out", tmp_path / "p.csv", "--shard-size", 2]
    assert run(genre_predict, *arguments).exit_code == 3
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    result = run(genre_predict, *arguments, "--retry-failed", *options)
    assert result.exit_code == 2 and message in result.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert not (tmp_path / "p.csv.job").exists()


def test_a_retry_of_changed_overviews_is_refused_and_mended_ones_are_scored(stub, own_models, films, tmp_path, run):
    plain = films.read_text()
    films.write_text(plain.replace("a detective 7", ""))
    arguments = ["--overviews", films, "--models", own_models, "--out", tmp_path / "p.csv"]
    assert run(genre_predict, *arguments).exit_code == 3
    films.write_text(plain.replace("a detective 3", "a sheriff"))
    assert_refused(run(genre_predict, *arguments, "--retry-failed"), "found one that has changed among rows 1 to 10")
    films.write_text(plain)
    assert run(genre_predict, *arguments, "--retry-failed").exit_code == 0
    retried = (tmp_path / "p.csv").read_bytes()
    assert run(genre_predict, *arguments, "--overwrite").exit_code == 0
    assert (tmp_path / "p.csv").read_bytes() == retried


def test_machines_that_see_other_films_do_not_share_an_output(stub, own_models, films, tmp_path, run):
    arguments = ["--overviews", films, "--models", own_models, "--out", f"{tmp_path}/parts/", "--shard-size", 2,
                 "--num-shards", 2]
    assert run(genre_predict, *arguments, "--shard-index", 0).exit_code == 0
    assert not (tmp_path / "parts" / "_SUCCESS").exists() and not list((tmp_path / "parts").glob("part-*"))
    plain = films.read_text()
    films.write_text("id,overview\n0,another one first\n" + plain.split("\n", 1)[1])
    assert_refused(run(genre_predict, *arguments, "--shard-index", 1), "begun with films 10; found 11")
    films.write_text(plain)
    assert run(genre_predict, *arguments, "--shard-index", 1).exit_code == 0
    assert len(list((tmp_path / "parts").glob("part-*"))) == 5
    made_from = json.loads((tmp_path / "parts" / "_SUCCESS").read_text())
    assert made_from["binding"]["films"] == 10 and made_from["statuses"] == {"ok": 10}


def positional(content):
    content["models"]["lstm"]["shift"] = [0.5] * len(content["models"]["lstm"]["shift"])


def other_genres(content):
    content["models"]["lstm"]["shift"]["Docudrama"] = content["models"]["lstm"]["shift"].popitem()[1]


def of_lstm(*keys, **values):
    """Changes what `decisions.json` holds of a model."""
    def change(content):
        place = content["models"]["lstm"]
        for key in keys:
            place = place[key]
        place.update(values)

    return change


@pytest.mark.parametrize("change", [
    *(of_lstm("scale", Drama=value) for value in (-1, 0, float("nan"), float("inf"), 1e9, "1", None, [])),
    *(of_lstm("default", threshold=value) for value in (-0.1, 1.1, float("nan"), "0.5", None)),
    of_lstm("default", power=-1), of_lstm("default", precision=2), of_lstm("curve", threshold=[]),
    of_lstm("curve", threshold=[0.5, 0.0]), of_lstm("curve", precision=[0.5]), of_lstm("curve", recall=[0.5, float("nan")]),
    of_lstm("curve", threshold=[0.0] * 2000, precision=[0.0] * 2000, recall=[0.0] * 2000),
    lambda content: content.update(films=-1), lambda content: content.update(always={"genres": ["Drama"]}),
    positional, other_genres,
    lambda content: content["models"].pop("lstm"),
    lambda content: content["ranking"].pop("overview"),
    lambda content: content["ranking"].update(overview=[]),
    lambda content: content["ranking"].update(overview=["nobody"]),
    lambda content: content["ranking"].update(overview=["cnn"]),
    lambda content: content["ranking"].update(overview="lstm"),
    lambda content: content.update(models=[]),
    lambda content: content.clear(),
], ids=range(32))
def test_decisions_that_make_no_sense_are_refused(stub, own_models, films, tmp_path, run, change):
    change_decisions(own_models, change)
    result = run(genre_predict, "--overviews", films, "--models", own_models, "--out", tmp_path / "p.csv")
    assert result.exit_code == 2 and "Traceback" not in result.stderr and len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("p.csv*"))


def test_calibrations_belong_to_their_genres_whatever_their_order(own_models):
    from movie_genres.ensemble.decisions import choose_models

    def reorder(content):
        shift = content["models"]["lstm"]["shift"]
        content["models"]["lstm"]["shift"] = {
            genre: number / 100 for number, genre in reversed(list(enumerate(shift)))}

    change_decisions(own_models, reorder)
    files, decisions = choose_models(own_models)
    found = dict(zip(files[0].genres, decisions.of("lstm", len(files[0].genres)).calibration.shift))
    assert found == {genre: number / 100 for number, genre in enumerate(files[0].genres)}


@pytest.mark.parametrize("change", [
    lambda about: about.update(image_size=[40_000, 40_000]), lambda about: about.update(image_size=[-1, 16]),
    lambda about: about.update(image_size="64"), lambda about: about.update(genres=[]),
    lambda about: about.update(genres=["A", "A"]), lambda about: about.update(genres="Drama"),
    lambda about: about.update(genres=None), lambda about: about.pop("genres"), lambda about: about.pop("modality"),
    lambda about: about.update(modality="sound"), lambda about: about.update(modality=7), lambda about: [about],
    lambda about: about.update(inputs=[]), lambda about: 7, lambda about: about.update(format="1"),
], ids=range(15))
def test_damaged_metadata_are_refused_in_one_line(own_models, tmp_path, run, change):
    (own_models / "decisions.json").unlink()
    (tmp_path / "a.jpg").write_bytes(GOOD)
    rewrite(own_models / "cnn.onnx", change)
    result = run(genre_predict, "--posters", tmp_path / "a.jpg", "--models", own_models, "--out", tmp_path / "p.csv")
    assert_refused(result, "cnn.onnx")


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"name": 1}', '{"name": "a", "version": ""}', "[" * 100_000,
                                     '{"name": "a", "version": "' + "1" * 1000 + '"}'])
def test_a_damaged_release_is_refused_in_one_line(stub, own_models, films, tmp_path, run, content):
    (own_models / "release.json").write_text(content)
    result = run(genre_predict, "--overviews", films, "--models", own_models, "--out", tmp_path / "p.csv")
    assert_refused(result, "expected name and version of a release")


@pytest.mark.parametrize("name", ["cnn.onnx", "decisions.json", "release.json"])
def test_a_pipe_in_place_of_a_model_file_does_not_hang(own_models, films, tmp_path, run, name):
    (own_models / name).unlink(missing_ok=True)
    os.mkfifo(own_models / name)
    result = run(genre_predict, "--overviews", films, "--models", own_models, "--out", tmp_path / "p.csv")
    assert_refused(result, name)


@pytest.mark.parametrize("options, message", [
    (["--columns", "id,id"], "expected each name once"),
    (["--columns", "id,status,genres,status"], "expected each name once"),
])
def test_columns_that_repeat_are_refused(stub, own_models, films, tmp_path, run, options, message):
    assert_refused(run(genre_predict, "--overviews", films, "--models", own_models, "--out", tmp_path / "p.csv", *options),
                   message)


@pytest.mark.parametrize("name", ["overviews", "posters"])
def test_an_input_is_never_the_output(stub, own_models, films, tmp_path, run, name):
    (tmp_path / "a.jpg").write_bytes(GOOD)
    given = films if name == "overviews" else tmp_path / "list.csv"
    (tmp_path / "list.csv").write_text("id,poster\n1,a.jpg\n")
    before = given.read_bytes()
    result = run(genre_predict, f"--{name}", given, "--models", own_models, "--out", given, "--overwrite")
    assert_refused(result, f"expected another file as output than as --{name}")
    assert given.read_bytes() == before


@pytest.mark.parametrize("kind", ["pipe", "device link"])
def test_an_output_that_is_no_file_is_left_alone(stub, own_models, films, tmp_path, run, kind):
    out = tmp_path / "out"
    os.mkfifo(out) if kind == "pipe" else out.symlink_to("/dev/null")
    result = run(genre_predict, "--overviews", films, "--models", own_models, "--out", out, "--format", "csv", "--overwrite")
    assert_refused(result, "expected a file or a folder to write to")
    assert out.is_symlink() or out.is_fifo()


def test_an_output_behind_a_link_is_replaced_there(stub, own_models, films, tmp_path, run):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "p.csv").symlink_to("real.csv")
    assert run(genre_predict, "--overviews", films, "--models", own_models, "--out", tmp_path / "p.csv",
               "--overwrite").exit_code == 0
    assert (tmp_path / "p.csv").is_symlink() and (tmp_path / "real.csv").read_text().startswith("id,")


def test_films_without_a_common_id_are_scored_with_a_warning(stub, own_models, films, tmp_path, run):
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "tt1.jpg").write_bytes(GOOD)
    result = run(genre_predict, "--posters", tmp_path / "posters", "--overviews", films, "--models", own_models,
                 "--out", tmp_path / "p.csv")
    assert result.exit_code == 0 and "1 posters and 10 overviews have not a single id in common" in result.stderr


SECRET = b"root:x:0:0:a secret\n"


def test_a_table_opens_nothing_outside_its_folder_and_nothing_of_the_own_network(own_models, tmp_path, run):
    (tmp_path / "inside" / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "inside" / "link.jpg").symlink_to("../secret")
    (tmp_path / "inside" / "sub" / "a.jpg").write_bytes(GOOD)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        port = server.getsockname()[1]
        places = [f"{tmp_path}/secret", "../secret", "link.jpg", f"file://{tmp_path}/secret", f"http://127.0.0.1:{port}/x",
                  f"http://localhost:{port}/x", f"simplecache::file://{tmp_path}/secret", "memory://x", "sub/a.jpg",
                  f"{tmp_path}/inside/sub/a.jpg"]
        (tmp_path / "inside" / "t.csv").write_text("id,poster\n" + "".join(f"{n},{p}\n" for n, p in enumerate(places)))
        result = run(genre_predict, "--posters", tmp_path / "inside" / "t.csv", "--models", own_models,
                     "--out", tmp_path / "p.csv", "--columns", "id,status,error")
        with pytest.raises(TimeoutError):
            server.accept()
    assert result.exit_code == 3, (result.stderr, result.exception)
    rows = [line.split(",")[1] for line in (tmp_path / "p.csv").read_text().splitlines()[1:]]
    assert rows == ["not_allowed"] * 8 + ["ok"] * 2
    assert "secret" not in (tmp_path / "p.csv").read_text().replace(f"{tmp_path}", "") and "root:" not in result.output


def test_content_of_a_file_that_is_no_picture_stands_nowhere(own_models, tmp_path, run):
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "a.jpg").write_bytes(SECRET)
    result = run(genre_predict, "--posters", tmp_path / "posters", "--models", own_models, "--out", tmp_path / "p.csv")
    assert result.exit_code == 3 and "secret" not in (tmp_path / "p.csv").read_text() + result.output


def test_poster_root_confines_lists_and_folders(own_models, tmp_path, run):
    (tmp_path / "in").mkdir()
    for name in ("in/a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(GOOD)
    (tmp_path / "in" / "out.jpg").symlink_to("../b.jpg")
    (tmp_path / "list.txt").write_text(f"{tmp_path}/in/a.jpg\n{tmp_path}/b.jpg\n")
    for where, expected in ((tmp_path / "list.txt", ["ok", "not_allowed"]), (tmp_path / "in", ["ok", "not_allowed"])):
        result = run(genre_predict, "--posters", where, "--models", own_models, "--out", tmp_path / "p.csv", "--overwrite",
                     "--poster-root", tmp_path / "in", "--columns", "id,status")
        assert result.exit_code == 3, (result.stderr, result.exception)
        assert [line.split(",")[1] for line in (tmp_path / "p.csv").read_text().splitlines()[1:]] == expected


COMMAND = [sys.executable, "-c", "from genre_cli.predict import main; main()"]


def test_a_server_that_never_answers_is_given_up(own_models, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/films.csv"
        result = subprocess.run([*COMMAND, "--overviews", url, "--models", own_models, "--out", tmp_path / "p.csv",
                                 "--timeout", "0.5"], capture_output=True, text=True, timeout=30)
    assert result.returncode == 2 and "no answer within 0.5 seconds" in result.stderr, result.stderr


@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize("option", ["--overviews", "--posters"])
def test_a_pipe_as_input_is_refused(own_models, tmp_path, scheme, option):
    os.mkfifo(tmp_path / "pipe")
    result = subprocess.run([*COMMAND, option, f"{scheme}{tmp_path}/pipe", "--models", own_models, "--out", "p.csv"],
                            cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert result.returncode == 2 and "not a regular file" in result.stderr, result.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "silent"])
def test_a_dead_ray_address_is_refused_in_time(own_models, films, tmp_path, address):
    pytest.importorskip("ray", reason="needs the extra ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}" if address == "silent" else address
        result = subprocess.run([*COMMAND, "--overviews", films, "--models", own_models, "--out", tmp_path / "p.csv",
                                 "--engine", "ray", "--ray-address", address, "--timeout", "2"],
                                capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and "expected a Ray cluster" in result.stderr.splitlines()[-1], result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]])
def test_closed_streams_change_nothing(own_models, films, tmp_path, closed):
    def close():
        for number in closed:
            os.close(number)

    result = subprocess.run([*COMMAND, "--overviews", films, "--models", own_models, "--out", tmp_path / "p.csv"],
                            preexec_fn=close, capture_output=True, text=True)
    assert result.returncode == 0 and len((tmp_path / "p.csv").read_text().splitlines()) == 11
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stderr_changes_nothing(own_models, films, tmp_path):
    with open("/dev/full", "w") as full:
        result = subprocess.run([*COMMAND, "--overviews", films, "--models", own_models, "--out", tmp_path / "p.csv"],
                                stderr=full, stdout=full)
    assert result.returncode == 0 and len((tmp_path / "p.csv").read_text().splitlines()) == 11


@pytest.mark.parametrize("error, message", [(OSError(errno.ENOSPC, "No space left on device"), "No space left"),
                                            (MemoryError(), "MemoryError")])
def test_a_full_disk_and_a_full_memory_stop_the_job_and_it_goes_on(stub, own_models, films, tmp_path, run, monkeypatch,
                                                                   error, message):
    arguments = ["--overviews", films, "--models", own_models, "--out", tmp_path / "p.csv", "--shard-size", 3]
    failed = []

    def broken(item):
        if item.id == "7" and not failed:
            failed.append(item)
            raise error
        return stub.score(item)

    monkeypatch.setattr(stub, "_row", broken)
    assert_refused(run(genre_predict, *arguments, "--quiet"), message, code=1)
    assert not (tmp_path / "p.csv").exists()
    result = run(genre_predict, *arguments)
    assert result.exit_code == 0 and "going on after 6 rows" in result.stderr


def test_a_temporary_folder_without_room_is_named(stub, own_models, films, tmp_path, run, monkeypatch):
    import sqlite3

    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "1.jpg").write_bytes(GOOD)

    class Full:
        isolation_level = text_factory = None

        def execute(self, *_):
            raise sqlite3.OperationalError("database or disk is full")

        def close(self):
            pass

    monkeypatch.setattr(sqlite3, "connect", lambda *_, **__: Full())
    result = run(genre_predict, "--posters", tmp_path / "posters", "--overviews", films, "--models", own_models,
                 "--out", tmp_path / "p.csv")
    assert_refused(result, "TMPDIR", code=1)


def test_a_model_that_is_replaced_before_it_is_loaded_is_refused(own_models, films, tmp_path, run, monkeypatch):
    from movie_genres.ensemble import scorer

    network = scorer.Network

    def replaced(path, *options):
        rewrite(path, lambda about: about.update(note="another one"))
        return network(path, *options)

    monkeypatch.setattr(scorer, "Network", replaced)
    result = run(genre_predict, "--overviews", films, "--models", own_models, "--out", tmp_path / "p.csv")
    assert result.exit_code == 2 and "expected the model file that was there at the start" in result.stderr
    assert not (tmp_path / "p.csv").exists()


@pytest.mark.parametrize("missing, options", [
    ("ray", ["--engine", "ray"]), ("pyarrow", ["--format", "parquet"]),
    ("pyarrow", ["--overviews", "films.parquet"]), ("aiohttp", ["--overviews", "https://films.example/films.csv"]),
])
def test_a_missing_extra_is_named_before_anything_is_made(own_models, films, tmp_path, missing, options):
    (tmp_path / "films.parquet").write_bytes(b"PAR1")
    code = ("import sys, importlib.util as util\nfind = util.find_spec\n"
            f"util.find_spec = lambda name, *rest: None if name == {missing!r} else find(name, *rest)\n"
            f"sys.modules[{missing!r}] = None\nfrom genre_cli.predict import main; main()")
    arguments = [*(["--overviews", films] if "--overviews" not in options else []), *options]
    result = subprocess.run([sys.executable, "-c", code, *arguments, "--models", own_models, "--out", "p.out",
                             *(["--format", "csv"] if "--format" not in options else [])],
                            cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and missing in result.stderr and "Traceback" not in result.stderr, result.stderr
    assert not list(tmp_path.glob("p.out*"))
