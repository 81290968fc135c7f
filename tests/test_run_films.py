"""The site of a pipeline run: its films, and the stage that writes it."""

import json

import numpy as np
import pytest
import yaml
from conftest import REPOSITORY, image_bytes
from onnx_models import poster_network
from runs import USUAL, run_of, write_run
from test_site import texts_of, unpacked

from movie_genres.evaluation.searching import Search, Tried, write_search
from movie_genres.explaining.hiding import GRID
from movie_genres.reporting.run_films import films_of_run
from stages.report import main as report


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of 240 films without posters, a third of them test films."""
    return write_run(tmp_path_factory.mktemp("run"), USUAL)


def test_films_get_the_answers_that_the_figures_are_about(folder):
    run = run_of(folder)
    rows = run.prepared.rows("test")
    films = films_of_run(run, rows)
    both = np.array(films.sources) == "both"
    assert both.sum() == len(rows) - np.isin(rows, [0, 1]).sum()  # of the first two films, a model knows nothing
    answer, *each = films.said
    assert (answer.name, [said.name for said in each]) == ("answer", ["cnn", "lstm", "fusion"])
    np.testing.assert_array_equal(answer.named[both], run.answered.named[both])
    np.testing.assert_allclose(answer.probabilities[both], run.answered.probabilities[both], rtol=1e-5)
    assert [said.kind for said in each] == ["poster", "overview", "both"]
    np.testing.assert_array_equal(films.truth, run.comparison.labels > 0)


def test_a_film_without_a_poster_is_answered_from_its_overview(folder):
    films = films_of_run(run_of(folder), np.arange(3))
    assert films.sources == ["overview", "poster", "both"]
    cnn, lstm = films.said[1:3]
    assert np.isnan(cnn.probabilities[0]).all() and not cnn.named[0].any() and lstm.named[0].any()
    assert films.said[0].named[0].any() and np.isnan(films.disagreement()).tolist() == [True, True, False]


def test_the_stage_writes_the_site(folder, tmp_path, run, monkeypatch):
    prepared = folder / "prepared" / "films.csv"
    lines = prepared.read_text().splitlines()
    (tmp_path / "poster.jpg").write_bytes(image_bytes())
    row = next(number for number, line in enumerate(lines) if line.endswith(",,test"))
    lines[row] = lines[row].replace(",,test", f",{tmp_path / 'poster.jpg'},test")
    prepared.write_text("\n".join(lines) + "\n")
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["report"] = {"splits": ["test", "train"], "films": 100, "against": "no-such-revision"}
    params["evaluate"]["sheet_films"] = 80
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "cnn.onnx").write_bytes(poster_network().SerializeToString())
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    settings = {name: Tried(settings=given, command="", state="done", validation=(0.1, 0.2), test=(0.1, 0.2))
                for name, given in (("committed", ()), ("other", ("fusion.units=64",)))}
    write_search(Search(commit="c0", model="fusion", space={}, splits=(0, 1), overlap=0.125, committed=settings["committed"],
                        tried=(settings["other"],)), tmp_path / "search.json")
    monkeypatch.chdir(folder)
    result = run(report, "--decisions", "decisions.json", "--histories", "history", "--baseline", "tfidf", "tfidf.npy",
                 "--search", tmp_path / "search.json", "--models", tmp_path / "models", "--out", tmp_path / "report",
                 "--params", tmp_path / "params.yaml")
    assert result.exit_code == 0, (result.output, result.exception)
    assert f"Open {tmp_path / 'report' / 'index.html'}" in result.output
    index = json.loads(unpacked(tmp_path / "report" / "data" / "index.js")["index"])
    assert index["splits"]["names"] == ["test", "train"] and index["splits"]["of"] == [0] * 80 + [1] * 20
    texts = texts_of(tmp_path / "report")
    why, = [film["explanation"]["genres"] for film in texts if "explanation" in film]  # of the only film with a poster
    assert why and all(np.shape(of_genre["poster"]) == GRID for of_genre in why.values())
    assert len(texts) == 100
    assert (tmp_path / "report" / "report.md").exists()
    assert "fusion.units=64" in (tmp_path / "report" / "sweep.html").read_text()
    assert [path.name for path in (tmp_path / "report" / "thumbs").rglob("*.jpg")] == ["0.jpg"]
    assert "Git has no figures of no-such-revision" in (tmp_path / "report" / "index.html").read_text()
