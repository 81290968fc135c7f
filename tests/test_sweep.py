"""The search for better settings, with runs that are plain functions of settings and seed."""

import csv
import dataclasses
import html
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import runs, sweep
from experiments.runs import RunFailedError, SplitRun
from experiments.search import search
from experiments.space import overlap_of, read_space, text_of
from movie_genres.base.errors import InputError, UserError
from movie_genres.evaluation import searching
from movie_genres.evaluation.paired import holm
from movie_genres.evaluation.searching import DONE, Search, Tried, points, ranked, read_search, to_confirm, verdict
from movie_genres.reporting.search_page import search_page
from movie_genres.reporting.site import write_site

pytest.importorskip("optuna", reason="needs the extra sweep")
FUSION = {"seed": 0, "units": 128, "dropout": 0.5, "learning_rate": 0.001, "inputs": ["cnn", "lstm"]}
PARAMS = {"prepare": {"seed": 0, "validation": 0.1, "test": 0.1}, "fusion": FUSION, "encoders": {}, "tune": {"power": 0.5}}
OVERLAP = 0.125
SPACE = {"model": "fusion", "trials": 20, "splits": 2, "fresh": 4, "seed": 0, "stop_early": True, "parameters": {
    "fusion.units": {"choices": [64, 128, 256]}, "fusion.dropout": {"float": [0.2, 0.7], "step": 0.1},
    "fusion.learning_rate": {"float": [0.0001, 0.01], "log": True}}}


def written(folder, space=SPACE, params=PARAMS):
    """The space and the committed values, read from files."""
    (folder / "sweep.yaml").write_text(yaml.safe_dump(space, sort_keys=False))
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return read_space(folder / "sweep.yaml", folder / "params.yaml")


def figures(seed, settings, gain=0.0, noise=0.01, shared=0.02):
    """Skills of validation and of test films: of the split, of settings with many units, and of chance."""
    chosen = random.Random(f"{seed} {settings}")
    of_split = random.Random(seed).gauss(0.3, shared) + gain * ("fusion.units=256" in settings)
    return of_split + chosen.gauss(0, noise), of_split + chosen.gauss(0, noise)


def run_of(seed, settings, commit="c0", **others):
    validation, test = figures(seed, settings, **others)
    return SplitRun(seed, commit, settings, {"fusion.skill": test}, (), {"fusion": {"skill": validation}})


def searched(tmp_path, measure, **changes) -> Search:
    space, committed = written(tmp_path, SPACE | changes)
    return search(space, committed, "c0", OVERLAP, measure, sweep.command_of)


class Pipeline:
    """A pipeline that is killed during its run number `last`, and fails with a dropout of 0.2."""

    def __init__(self, last=None, **others):
        self.last, self.done, self.others = last, [], others

    def __call__(self, seed, settings, log=None):
        if self.last is not None and len(self.done) >= self.last:
            raise KeyboardInterrupt
        self.done.append((seed, settings))
        if "fusion.dropout=0.2" in settings:
            raise RunFailedError("the dropout of 0.2 is <too low>")
        return run_of(seed, settings, **self.others)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(tmp_path)
    for command in ("init -q", "add params.yaml sweep.yaml", "-c user.name=a -c user.email=a@b commit -qm first"):
        subprocess.run(["git", *command.split()], check=True)
    return tmp_path


@pytest.fixture
def swept(repository, monkeypatch, run):
    """Runs the command with a pipeline of the commit that is there; gives click's result."""
    def sweep_with(pipeline, *options):
        commit = runs.git("rev-parse", "HEAD")
        monkeypatch.setattr(sweep, "run_pipeline", lambda *given: dataclasses.replace(pipeline(*given), commit=commit))
        return run(sweep.main, *options)
    return sweep_with


def results(folder):
    return {path.name: path.read_text() for path in (folder / "sweep").iterdir()}


def test_a_search_that_is_killed_at_any_run_ends_with_the_same_table_and_makes_no_run_twice(repository, swept):
    written(repository, SPACE | {"trials": 9})
    whole = Pipeline()
    assert swept(whole).exit_code == 0
    expected, kept = results(repository), repository / "state"
    assert len(set(whole.done)) == len(whole.done) > 12 and "failed" in expected["results.csv"]
    for last in range(len(whole.done)):
        kept.rename(repository / f"old-{last}")
        first, second = Pipeline(last), Pipeline()
        assert swept(first).exit_code == 130 and len(first.done) == last
        assert swept(second).exit_code == 0
        assert first.done + second.done == whole.done and results(repository) == expected


def test_a_process_that_is_killed_while_it_keeps_a_run_leaves_nothing_damaged(repository, swept):
    program = ("import json, os, experiments.sweep as sweep, experiments.runs as runs, test_sweep\n"
               "made, dump = [], json.dumps\n"
               "def killing(content, **options):\n"
               "    made.append(content)\n"
               "    if len(made) == 9: os._exit(9)\n"
               "    return dump(content, **options)\n"
               "runs.json.dumps, sweep.run_pipeline = killing, test_sweep.Pipeline(commit=runs.git('rev-parse', 'HEAD'))\n"
               "sweep.main([])")
    places = os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "tests")))
    killed = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": places}, capture_output=True)
    assert killed.returncode == 9, killed.stderr
    kept = [path.suffix for path in repository.glob("state/splits/*/split-*")]
    assert kept.count(".json") == 8
    assert swept(again := Pipeline()).exit_code == 0
    after = results(repository)
    (repository / "state").rename(repository / "old")
    assert swept(whole := Pipeline()).exit_code == 0
    assert results(repository) == after and again.done == whole.done[len(kept):]


def test_the_table_has_all_settings_with_their_commands_and_reasons(repository, swept):
    shown = swept(Pipeline()).output
    rows = list(csv.DictReader((repository / "sweep/results.csv").open()))
    assert len(rows) == 21 and {row["state"] for row in rows} == {"done", "stopped early", "failed"}
    for row in rows:
        options = "".join(f" -S {setting}" for setting in row["settings"].split()) * (row["settings"] != "as committed")
        assert row["command"] == f"dvc exp run{options}"
        assert (row["reason"] != "") == (row["state"] == "failed") == ("fusion.dropout=0.2" in row["settings"])
        assert (row["corrected_p"] != "") == (row["state"] == "done" and row["settings"] != "as committed")
    done = [float(row["validation_skill"]) for row in rows if row["state"] == "done"]
    assert done == sorted(done, reverse=True)
    assert "No setting is better than the committed ones beyond noise" in re.sub(r"\s+", " ", shown)
    assert read_search(repository / "sweep/results.json").space["fusion.units"] == ("64, 128, 256", "128")


def test_a_setting_that_is_better_is_found_and_confirmed_on_fresh_splits(repository, swept):
    pipeline = Pipeline(gain=0.2, noise=0.0002)
    written(repository, SPACE | {"splits": 3})
    assert swept(pipeline).exit_code == 0
    found = read_search(repository / "sweep/results.json")
    assert "fusion.units=256" in to_confirm(found).settings and found.fresh.splits == (3, 4, 5, 6)
    assert re.search(r"fusion.units=256.* is better than the committed settings by \+20\.\d ± 0\.\d points", verdict(found))
    assert {seed for seed, chosen in pipeline.done if seed > 2 and chosen not in ((), to_confirm(found).settings)} == set()


def test_what_does_not_come_again_on_fresh_splits_is_not_named_better(repository, swept):
    def luck(seed, settings, log):
        return run_of(seed, settings, gain=0.2 * (seed < 3), noise=0.0002)

    written(repository, SPACE | {"splits": 3})
    assert swept(luck).exit_code == 0
    found = read_search(repository / "sweep/results.json")
    assert found.fresh and verdict(found).startswith("No setting is better than the committed ones beyond noise:")


def search_of_noise(rng, overlap, films=1000, splits=10):
    """Twenty settings that differ from the committed ones by chance alone, film by film, on random splits of these films."""
    orders, part = [rng.permutation(films) for _ in range(splits)], films // 10

    def tried(name, by_film):
        validation, test = ([float(by_film[order[place:place + part]].mean()) for order in orders] for place in (0, part))
        return Tried(settings=name, command="", state=DONE, validation=tuple(validation), test=tuple(test))

    return Search(commit="c0", model="fusion", space={}, splits=tuple(range(splits)), overlap=overlap,
                  committed=tried((), np.zeros(films)),
                  tried=tuple(tried((f"a={place}",), rng.normal(size=films)) for place in range(20)))


@pytest.mark.parametrize("overlap, corrects, few", [(OVERLAP, holm, True), (0, holm, False),
                                                    (OVERLAP, lambda p_values, tests: list(p_values), False)])
def test_noise_is_not_crowned_and_would_be_without_either_correction(monkeypatch, overlap, corrects, few):
    monkeypatch.setattr(searching, "holm", corrects)
    rng = np.random.default_rng(0)
    crowned = sum(to_confirm(search_of_noise(rng, overlap)) is not None for _ in range(100))
    assert (crowned <= 5) == few  # these would still have to come again on fresh splits


def test_p_values_are_corrected_for_all_that_was_tried_also_what_was_not_done(tmp_path):
    found = searched(tmp_path, Pipeline())
    done = [each for each in ranked(found) if each.corrected is not None]
    assert 3 < len(done) < len(found.tried) == 20
    assert [each.corrected for each in done] == holm([each.gain.p for each in done], 20)


def test_poor_settings_are_stopped_early_and_only_if_asked_for(tmp_path):
    measured = []

    def measure(seed, chosen):
        measured.append(chosen)
        return run_of(seed, chosen)

    found = searched(tmp_path, measure)
    stopped = [tried for tried in found.tried if tried.state == "stopped early"]
    assert 3 < len(stopped) < 17 and len(measured) == 42 - len(stopped)
    assert all(each.corrected is None and each.gain.margin is None for each in ranked(found) if each.tried in stopped)
    assert {tried.state for tried in searched(tmp_path, run_of, stop_early=False).tried} == {"done"}


def test_a_small_space_is_tried_whole_and_no_settings_twice(tmp_path):
    found = searched(tmp_path, run_of, stop_early=False, parameters={
        "fusion.units": {"choices": [64, 128]}, "fusion.inputs": {"choices": [["cnn", "lstm"], ["cnn"]]}})
    assert {tried.settings for tried in found.tried} == {("fusion.units=64",), ("fusion.inputs=[cnn]",),
                                                        ("fusion.units=64", "fusion.inputs=[cnn]")}


def test_committed_settings_that_fail_end_the_search(tmp_path):
    def fails(seed, chosen):
        raise RunFailedError("no films")

    with pytest.raises(UserError, match="as they are committed cannot be measured: no films"):
        searched(tmp_path, fails)


def test_failures_are_kept_until_they_are_tried_again(repository, swept):
    swept(first := Pipeline())
    swept(second := Pipeline())
    swept(third := Pipeline(), "--retry-failed")
    failed = [made for made in first.done if "fusion.dropout=0.2" in made[1]]
    assert failed and second.done == [] and third.done == failed


@pytest.mark.parametrize("change, message", [
    ("echo '{}' > params.yaml", "found changes of params.yaml"),
    ("git -c user.name=a -c user.email=a@b commit -q --allow-empty -m other", "found [0-9a-f]{7} checked out")])
def test_a_search_stops_where_its_commit_is_left_and_goes_on_where_it_is_back(repository, swept, change, message):
    def leaves(seed, chosen, log):
        subprocess.run(change, shell=True, check=True)
        return run_of(seed, chosen)

    result = swept(leaves)
    assert result.exit_code == 2 and re.search(message, result.output)
    subprocess.run("git reset -q --hard $(git rev-list HEAD | tail -n 1)", shell=True, check=True)
    swept(again := Pipeline())
    assert again.done[0] == (1, ())  # the one before is kept


def test_a_kept_run_of_another_commit_is_refused(repository, swept):
    swept(Pipeline())
    file = next(repository.glob("state/splits/*/split-1.json"))
    file.write_text(json.dumps(json.loads(file.read_text()) | {"commit": "c1"}))
    result = swept(Pipeline())
    assert result.exit_code == 2 and "found one of c1. Remove it" in re.sub(r"\s+", " ", result.output)


def test_results_in_the_repository_itself_hide_no_changes(repository, swept):
    assert swept(Pipeline(), "--out", ".").exit_code == 0
    subprocess.run("git add results.csv && git -c user.name=a -c user.email=a@b commit -qm second", shell=True, check=True)
    (repository / "results.csv").write_text("")
    assert swept(Pipeline(), "--out", ".").exit_code == 0
    (repository / "params.yaml").write_text(yaml.safe_dump(PARAMS | {"more": 1}))
    assert "found changes of params.yaml" in swept(Pipeline(), "--out", ".").output


def test_a_failure_on_fresh_splits_leaves_a_table_and_says_so(repository, swept, caplog):
    def fails_late(seed, chosen, log):
        if seed > 3 and chosen:
            raise RunFailedError("no memory")
        return run_of(seed, chosen, gain=0.2, noise=0.0002)

    written(repository, SPACE | {"splits": 3})
    result = swept(fails_late)
    assert result.exit_code == 0 and "cannot be compared on fresh splits: no memory" in caplog.text
    assert "that has not been measured on fresh splits." in re.sub(r"\s+", " ", result.output)
    assert read_search(repository / "sweep/results.json").fresh is None


def test_a_search_begins_from_a_commit_and_says_what_is_kept_of_which(repository, swept, caplog):
    (repository / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "fusion": {**FUSION, "units": 64}}))
    result = swept(Pipeline())
    assert result.exit_code == 2 and "found changes of params.yaml. Commit or stash them." in result.output
    subprocess.run("git -c user.name=a -c user.email=a@b commit -qam second".split(), check=True)
    head = subprocess.run("git rev-parse HEAD".split(), capture_output=True, text=True).stdout.strip()
    with caplog.at_level("INFO"):
        swept(Pipeline())
        swept(changed := Pipeline(), "--space", written_beside(repository, seed=1))
    kept = len(list(repository.glob("state/splits/*/split-*.json")))
    assert f"this commit, {head[:7]}, and not made again: 0." in caplog.text
    assert 0 < len(changed.done) < kept  # the committed settings, at least, are kept
    with caplog.at_level("INFO"):
        sweep.tell_kept("another")
    assert f"Of other commits, {head[:7]}, and so made anew" in caplog.text


def written_beside(folder, **changes):
    (folder / "other.yaml").write_text(yaml.safe_dump(SPACE | changes))
    return "other.yaml"


@pytest.mark.parametrize("given, allowed", [
    ({"float": [1000, 2000], "step": 5}, lambda value: value % 5 == 0),
    ({"float": [0.99, 0.9999]}, lambda value: 0.99 <= value <= 0.9999),
    ({"float": [0.0001, 0.01], "log": True}, lambda value: value == float(f"{value:.3g}"))])
def test_numbers_from_a_range_have_the_digits_that_it_needs_and_stay_in_it(tmp_path, given, allowed):
    found = searched(tmp_path, run_of, stop_early=False, parameters={"fusion.dropout": given})
    tried = [float(each.settings[0].split("=")[1]) for each in found.tried]
    assert len(set(tried)) == 20 and all(map(allowed, tried))


def test_a_committed_number_that_yaml_takes_for_text_is_the_number_that_it_is(tmp_path):
    params = PARAMS | {"fusion": FUSION | {"learning_rate": "5e-05", "units": "5e-05", "dropout": "x"}}
    assert list(written(tmp_path, params=params)[1].values()) == ["5e-05", "x", 5e-05]  # the first has choices


@pytest.mark.parametrize("prepare, settings, expected", [
    ({"validation": 0.1, "test": 0.1}, (), 0.125),
    ({"validation": 0.1, "test": 0.1}, ("prepare.test=0.3", "cnn.a=[1]"), 0.5),
    ({"validation": 0.6, "test": 0.4}, (), None), ({"validation": 0.1}, (), None), ("x", (), None),
    ({"validation": [], "test": 1}, (), None)])
def test_how_many_test_films_there_are_for_each_training_film(tmp_path, prepare, settings, expected):
    (path := tmp_path / "params.yaml").write_text(yaml.safe_dump({"prepare": prepare}))
    if expected:
        assert overlap_of(path, settings) == pytest.approx(expected)
    else:
        with pytest.raises(InputError, match="params.yaml: expected shares of validation and test films"):
            overlap_of(path, settings)


@pytest.mark.parametrize("changes, message", [
    ({"parameters": {"fusion.unit": {"choices": [1]}}}, "that stand in .*found fusion.unit. It has seed, units"),
    ({"parameters": {"fusion.units.x": {"choices": [1]}}}, "found fusion.units.x"),
    ({"parameters": {"fusion.seed": {"choices": [1]}}}, "other than seeds"),
    ({"parameters": {"tune.power": {"float": [0, 1]}}}, "Others decide which films are measured"),
    ({"parameters": {"fusion": {"choices": [1]}}}, "found fusion, where a number, a plain text"),
    ({"parameters": {"fusion.units": {"choices": [1, 1]}}}, "each choice is needed once"),
    ({"parameters": {"fusion.units": {"choices": []}}}, "at least 1 item"),
    ({"parameters": {"fusion.units": {"choices": ['"; rm']}}}, "a plain text"),
    ({"parameters": {"fusion.units": {"int": [8, 2]}}}, "less than the second"),
    ({"parameters": {"fusion.units": {"int": [0, 8], "log": True}}}, "above 0"),
    ({"parameters": {"fusion.units": {"float": [0, 1], "step": 2}}}, "fit between"),
    ({"parameters": {"fusion.units": {"float": [0, float("inf")]}}}, "finite"),
    ({"parameters": {"fusion.units": {"from": 1}}}, "one of choices, float, int is needed"),
    ({"parameters": {"fusion.units": {"int": [1, 2], "choices": [1]}}}, "one of choices, float, int is needed"),
    ({"parameters": {}}, "parameters"), ({"model": "gru"}, "cnn, lstm, fusion.*'gru'"), ({"splits": 1}, "splits"),
    ({"trials": 0}, "trials"), ({"more": 1}, "more")])
def test_a_space_that_cannot_be_searched_is_an_error_before_the_first_run(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        written(tmp_path, SPACE | changes)


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "\0", "x: " + "[" * 500, "a: &a [*a]", "parameters: 1"])
def test_files_that_are_no_space(tmp_path, text):
    (tmp_path / "s").write_text(text)
    (tmp_path / "p").write_text("fusion: {units: 1}")
    with pytest.raises(InputError, match="a search for settings"):
        read_space(tmp_path / "s", tmp_path / "p")


KEYS = st.sampled_from(["choices", "float", "int", "log", "step", "x"])
ANYTHING = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6)


@settings(max_examples=60, deadline=None)
@given(values=ANYTHING | st.fixed_dictionaries({"choices": st.lists(ANYTHING, max_size=4)})
       | st.fixed_dictionaries({"float": st.lists(st.floats(), min_size=2, max_size=2)}, optional={"log": st.booleans()})
       | st.fixed_dictionaries({"int": st.lists(st.integers(), min_size=2, max_size=2)}, optional={"step": st.integers()}))
def test_whatever_stands_in_a_space_is_refused_in_words_or_can_be_searched(tmp_path_factory, values):
    folder = Path(tmp_path_factory.getbasetemp())
    try:
        space, committed = written(folder, SPACE | {"parameters": {"fusion.units": values}, "trials": 2})
    except InputError as error:
        assert "sweep.yaml: expected" in str(error)
        return
    for tried in search(space, committed, "c0", OVERLAP, run_of, sweep.command_of).tried:
        name, text = tried.settings[0].split("=", 1)
        given_back = text.strip('"') if text.startswith('"') else yaml.safe_load(text)
        kind, = set(values) & {"choices", "float", "int"}
        if kind == "choices":
            assert text in map(text_of, values["choices"])
        else:
            low, high = values[kind]
            assert low <= float(given_back) <= high


@pytest.mark.parametrize("value, text", [(None, "null"), (True, "true"), (3, "3"), (0.5, "0.5"), ("gated", "gated"),
                                         ("hf://a/b", "hf://a/b"), ("null", '"null"'), ("1e3", '"1e3"'), ("a b", '"a b"'),
                                         (["cnn", 1], "[cnn,1]")])
def test_values_are_written_as_dvc_reads_them(tmp_path, value, text):
    from dvc.utils.hydra import apply_overrides

    assert text_of(value) == text
    (tmp_path / "p.yaml").write_text("a: 0")
    apply_overrides(tmp_path / "p.yaml", [f"a={text}"])
    assert yaml.safe_load((tmp_path / "p.yaml").read_text()) == {"a": value}


@pytest.mark.parametrize("changes", [{"splits": [0]}, {"tried": [1]}, {"committed": None}, {"fresh": {"splits": [7]}}])
def test_results_that_were_changed_by_hand_are_an_error(tmp_path, changes):
    sweep.write(searched(tmp_path, run_of, trials=2), tmp_path)
    content = json.loads((tmp_path / "results.json").read_text())
    (tmp_path / "results.json").write_text(json.dumps(content | changes))
    with pytest.raises(InputError, match="results.json: expected what a search"):
        read_search(tmp_path / "results.json")


def test_the_page_tells_what_the_table_does(tmp_path):
    found = searched(tmp_path, Pipeline())
    write_site(tmp_path / "site", "Films", lambda folder: [search_page(found)])
    page = (tmp_path / "site/sweep.html").read_text()
    assert verdict(found) in html.unescape(page)
    for each in ranked(found):
        assert each.tried.command in html.unescape(page)
        assert not each.gain or points(each.gain) in page
    assert "failed: <bdi>the dropout of 0.2 is &lt;too low&gt;" in page and "64, 128, 256" in page
    done = sum(each.corrected is not None for each in ranked(found))
    assert len(set(re.findall("no\\. [0-9]+", page))) == done


def test_the_committed_space_can_be_searched():
    space, committed = read_space(REPOSITORY / "sweep.yaml", REPOSITORY / "params.yaml")
    assert space.trials == 20 and len(committed) == len(space.parameters)
    read_search(REPOSITORY / "sweep/results.json")
