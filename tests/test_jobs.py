import subprocess
import sys
from pathlib import Path

import filelock
import numpy as np
import pytest

from movie_genres import jobs
from movie_genres.errors import LockedError, StoppedError, UserError
from movie_genres.items import Item
from movie_genres.jobs import Job, Tolerance, run, score_anew, with_kept_rows
from movie_genres.outputs import Layout, Row, read_rows

LAYOUT = Layout(("A", "B"))
FILMS = [Item(str(number)) for number in range(10)]


class Engine:
    """Scores without models; films whose id is in `bad` fail."""

    def __init__(self, bad=()):
        self.bad, self.scored = bad, []

    def __call__(self, job, shards, total, tolerance):
        for number, items in shards:
            yield job.write(number, tolerance.watch(map(self._row, items)))

    def _row(self, item):
        if item.kept:
            return Row(item.id, "", "ok", kept=item.kept)
        self.scored.append(item.id)
        if item.id in self.bad:
            return Row(item.id, "poster", "corrupt", "broken")
        return Row(item.id, "poster", "ok", "", "", np.array([0.25, 0.75]), np.array([0.5, 0.5]))


def score(out, engine=None, films=FILMS, settings=None, overwrite=False, allowed=None, **options):
    job = Job(out, LAYOUT, shard_size=4, **options)
    job.check_output(overwrite)
    with job.held():
        job.begin(settings or {"films": len(films)}, overwrite)
        return run(job, films, len(films), engine or Engine(), Tolerance(allowed))[0]


def ids_of(*paths):
    return [cells[0] for cells in read_rows(paths, LAYOUT)]


def interrupt(out, **options):
    with pytest.raises(StoppedError):
        score(out, Engine(bad=["5"]), allowed=0, **options)


def test_writes_every_film_in_order_and_cleans_up(tmp_path):
    assert score(tmp_path / "p.csv") == {"ok": 10}
    assert ids_of(tmp_path / "p.csv") == [item.id for item in FILMS]
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


def test_a_stopped_job_shows_no_output_and_goes_on_where_it_stopped(tmp_path):
    interrupt(tmp_path / "p.csv")
    assert not (tmp_path / "p.csv").exists()
    again = Engine()
    assert score(tmp_path / "p.csv", again) == {"ok": 10}
    assert again.scored == ["4", "5", "6", "7", "8", "9"]
    score(tmp_path / "undisturbed.csv")
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "undisturbed.csv").read_bytes()


def test_a_job_of_other_settings_is_refused_with_the_reason_and_started_anew_on_request(tmp_path):
    interrupt(tmp_path / "p.csv", settings={"films": 10, "model": "old"})
    with pytest.raises(UserError, match="begun with model 'old'; found 'new'"):
        score(tmp_path / "p.csv", settings={"films": 10, "model": "new"})
    anew = Engine()
    score(tmp_path / "p.csv", anew, settings={"films": 10, "model": "new"}, overwrite=True)
    assert len(anew.scored) == 10


def test_an_output_is_replaced_only_on_request(tmp_path):
    (tmp_path / "p.csv").write_text("old")
    with pytest.raises(UserError, match="there is an output already"):
        score(tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text() == "old"
    score(tmp_path / "p.csv", overwrite=True)
    assert len(ids_of(tmp_path / "p.csv")) == 10


@pytest.mark.parametrize("expected", [5, 9, 11, 20])
def test_films_that_change_while_they_are_scored_end_the_job_without_output(tmp_path, expected):
    job = Job(tmp_path / "p.csv", LAYOUT, shard_size=4)
    with job.held(), pytest.raises(UserError, match=f"expected {expected} films, as at the start; found 10"):
        job.begin({}, overwrite=False)
        run(job, FILMS, expected, Engine(), Tolerance())
    assert not (tmp_path / "p.csv").exists()


def test_scoring_anew_takes_nothing_from_a_job_that_was_interrupted(tmp_path, monkeypatch):
    engine = Engine()
    monkeypatch.setattr(jobs, "LocalEngine", lambda *_: engine)
    for bad in (["5"], []):
        engine.bad, engine.scored = bad, []
        monkeypatch.setattr(jobs, "Tolerance", lambda: Tolerance(0))
        if bad:
            with pytest.raises(StoppedError):
                score_anew(FILMS, 10, tmp_path / "p.csv", LAYOUT, None)
        else:
            assert score_anew(FILMS, 10, tmp_path / "p.csv", LAYOUT, None) == {"ok": 10}
    assert len(engine.scored) == 10


def test_a_second_process_is_turned_away_and_harms_nothing(tmp_path):
    (tmp_path / "p.csv.job").mkdir()
    with filelock.FileLock(tmp_path / "p.csv.job" / "lock"), pytest.raises(LockedError):
        score(tmp_path / "p.csv")
    assert score(tmp_path / "p.csv") == {"ok": 10}


@pytest.mark.parametrize("bad, allowed, stops", [([], 0, False), (["9"], 0, True), (["3", "9"], 2, False),
                                                 (["3", "6", "9"], 2, True), (["0", "1", "2"], None, False)])
def test_stops_where_more_rows_fail_than_are_allowed(tmp_path, bad, allowed, stops):
    if stops:
        with pytest.raises(StoppedError, match="'9': corrupt, broken"):
            score(tmp_path / "p.csv", Engine(bad), allowed=allowed)
    else:
        assert score(tmp_path / "p.csv", Engine(bad), allowed=allowed)["corrupt"] == len(bad)


def test_failures_of_shards_that_are_done_count_after_an_interruption(tmp_path):
    with pytest.raises(StoppedError):
        score(tmp_path / "p.csv", Engine(["0", "5"]), allowed=1)
    with pytest.raises(StoppedError, match="2 failed rows"):
        score(tmp_path / "p.csv", Engine(["9"]), allowed=1)


def test_a_folder_gets_a_part_for_each_shard_and_loses_those_of_a_longer_output(tmp_path):
    score(tmp_path / "parts", parts=True)
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == [
        "part-00000.csv", "part-00001.csv", "part-00002.csv"]
    score(tmp_path / "parts", films=FILMS[:5], parts=True, overwrite=True)
    assert ids_of(*sorted((tmp_path / "parts").glob("part-*"))) == ["0", "1", "2", "3", "4"]


def test_machines_share_a_job_and_the_parts_are_those_of_one_machine(tmp_path):
    for index in (1, 0):
        score(tmp_path / "shared", parts=True, num_shards=2, shard_index=index)
    score(tmp_path / "one", parts=True)
    for part in (tmp_path / "one").iterdir():
        assert (tmp_path / "shared" / part.name).read_bytes() == part.read_bytes()


def test_machines_with_different_settings_are_refused(tmp_path):
    interrupt(tmp_path / "shared", parts=True, num_shards=2, shard_index=1, settings={"films": 10, "input": "x"})
    with pytest.raises(UserError, match="begun with input 'x'; found 'y'"):
        score(tmp_path / "shared", parts=True, num_shards=2, shard_index=0, settings={"films": 10, "input": "y"})


@pytest.mark.parametrize("parts", [False, True])
def test_only_failed_rows_are_scored_again(tmp_path, parts):
    out = tmp_path / ("parts" if parts else "p.csv")
    score(out, Engine(["2", "7"]), parts=parts)
    job, again = Job(out, LAYOUT, parts, shard_size=4), Engine()
    with job.held():
        films = with_kept_rows(FILMS, job.previous_rows(), LAYOUT)
        job.begin({"again": True}, overwrite=False)
        assert run(job, films, 10, again, Tolerance())[0] == {"ok": 10}
    assert again.scored == ["2", "7"]
    score(tmp_path / "undisturbed.csv")
    found = sorted(out.iterdir()) if parts else [out]
    assert list(read_rows(found, LAYOUT)) == list(read_rows([tmp_path / "undisturbed.csv"], LAYOUT))


@pytest.mark.parametrize("films", [FILMS[:9], [*FILMS, Item("10")], [Item("x"), *FILMS[1:]]])
def test_rows_of_other_films_are_not_kept(tmp_path, films):
    score(tmp_path / "p.csv")
    with pytest.raises(UserError, match="expected the films of the earlier output"):
        list(with_kept_rows(films, read_rows([tmp_path / "p.csv"], LAYOUT), LAYOUT))


@pytest.mark.parametrize("mode, format, least", [("each", "csv", 130), ("each", "jsonl.gz", 190), ("random", "csv", 200)])
def test_a_job_broken_at_any_moment_ends_with_the_same_bytes(tmp_path, mode, format, least):
    result = subprocess.run([sys.executable, Path(__file__).with_name("faults.py"), tmp_path, mode, format],
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) >= least
