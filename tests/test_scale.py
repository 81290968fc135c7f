"""Of the benchmark of scale: the films that it makes, and its table."""

import contextlib
import re
import time

import pytest
import yaml
from conftest import REPOSITORY

from benchmarks import many_films
from benchmarks.many_films import make_many_films, write_many_films
from benchmarks.scale import Cost, extrapolate, growth, main, report
from benchmarks.training_memory import peaks
from movie_genres.base.threads import AHEAD, WORKERS, in_threads
from movie_genres.data.films import poster_files, read_films
from movie_genres.inputs.posters import read_poster


@pytest.fixture
def few_pictures(monkeypatch):
    monkeypatch.setattr(many_films, "PICTURES", 38)


def test_many_films_have_what_films_have_and_all_posters_differ(few_pictures, tmp_path):
    write_many_films(tmp_path, 300)
    films, posters = read_films(tmp_path), poster_files(tmp_path)
    assert len({film.id for film in films}) == 300 and {len(film.genres) for film in films} == {1, 2, 3}
    assert 270 < len(posters) < 300 and len({path.read_bytes() for path in posters.values()}) == len(posters)
    assert read_poster(next(iter(posters.values())), (16, 12)).std() > 5
    assert len({film.overview for film in films}) > 280 and any(not film.overview for film in films)


def test_many_films_follow_the_seed_and_begin_alike(few_pictures):
    first, longer, other = (list(make_many_films(count, seed)) for count, seed in ((50, 0), (80, 0), (50, 1)))
    assert first == longer[:50] != other


def test_growth_and_what_goes_on_along_a_line():
    assert growth(100, 200, 3.0, 12.0) == pytest.approx(2) and growth(10, 1000, 5.0, 5.0) == pytest.approx(0)
    assert extrapolate(1000, 100, 200, 3.0, 4.0) == pytest.approx(12)


def test_the_table_has_a_line_for_each_size_and_one_for_what_is_to_come():
    costs = {"prepare": {1000: Cost(2, 1, 100, 120, 5), 2000: Cost(3, 4, 100, 140, 10)}, "tune": {1000: Cost(1, 1, 1, 1, 1)}}
    lines = list(report(costs, 10_000))
    assert lines[2:] == ["| prepare | 1,000 | 2.0 | 1.0 |  | 100 |  | 120 | 5 |",
                         "| prepare | 2,000 | 3.0 | 4.0 | 2.00 | 100 | 0.00 | 140 | 10 |",
                         "| prepare | 10,000, on a line | 11.0 | 28.0 |  | 100 |  | 300 | 50 |",
                         "| tune | 1,000 | 1.0 | 1.0 |  | 1 |  | 1 | 1 |"]
    assert {line.count("|") for line in lines} == {10}


def test_an_unknown_stage_is_refused(run):
    result = run(main, "--stages", "prepare,nothing")
    assert result.exit_code == 2 and "found nothing" in result.output


@pytest.mark.slow
def test_stages_are_measured_with_parameters_as_they_were_changed(few_pictures, run, tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    result = run(main, "--films", 200, "--films", 400, "--stages", "prepare,vectorize", "--work", tmp_path,
                 "-S", "prepare.top_genres=5", "--extrapolate", 1000)
    assert result.exit_code == 0, result.output
    assert len(re.findall(r"^\| (?:prepare|vectorize) \| (?:200|400|1,000, on a line) \|", result.stdout, re.MULTILINE)) == 6
    assert yaml.safe_load((tmp_path / "200" / "params.yaml").read_text())["prepare"]["top_genres"] == 5
    assert (tmp_path / "400" / "features" / "posters" / "pixels.npy").stat().st_size > 380 * 64 * 64 * 3


@pytest.mark.parametrize("code, good, passes", [(0, {}, True), (3, {}, False), (3, {"good": [0, 3]}, True)])
def test_a_command_that_fails_is_not_measured(tmp_path, monkeypatch, code, good, passes):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ends.py").write_text(f"raise SystemExit({code})")
    with contextlib.nullcontext() if passes else pytest.raises(AssertionError):
        peaks("ends", **good)


@pytest.mark.parametrize("options, ahead", [((), AHEAD), ((1,), 1), ((7,), 7)])
def test_threads_take_items_when_their_turn_comes_and_raise_what_is_raised(options, ahead):
    taken = []

    def items():
        for number in range(10 * AHEAD):
            taken.append(number)
            yield number

    halves = in_threads(lambda number: 1 / (number - 2 * AHEAD), items(), *options)
    assert next(halves) == -1 / (2 * AHEAD) and len(taken) == ahead
    with pytest.raises(ZeroDivisionError):
        list(halves)
    assert len(taken) <= 3 * AHEAD


def test_threads_that_are_left_early_begin_no_other_item():
    begun = []

    def work(number):
        begun.append(number)
        time.sleep(0.5 if number else 0)

    working = in_threads(work, range(1000), 10 * WORKERS)
    next(working)
    working.close()
    assert len(begun) <= 1 + WORKERS
