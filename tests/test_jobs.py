import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import filelock
import numpy as np
import pytest
from engines import RowEngine

from movie_genres.base.errors import InputError, LockedError, Remedy, StoppedError, UserError
from movie_genres.scoring import engine as running
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.engine import Tolerance, run, score_anew
from movie_genres.scoring.job import Share, open_job
from movie_genres.scoring.job_files import JobFiles
from movie_genres.scoring.rows import Row, RowFormat, read_rows

LAYOUT = RowFormat(("A", "B"))


def film(name, state=""):
    return Entry(name, identity=f"{name} {state}".encode())


FILMS = [film(str(number)) for number in range(10)]


class Engine(RowEngine):
    """Scores without models; films whose id is in `bad` fail."""

    def __init__(self, bad=()):
        super().__init__(self._score)
        self.bad, self.scored = bad, []

    def _score(self, item):
        self.scored.append(item.id)
        if item.id in self.bad:
            return Row(item.id, "poster", "corrupt", "broken")
        return Row(item.id, "poster", "ok", "", "", np.array([0.25, 0.75]), 1)


def opened(out, films=FILMS, settings=None, share=Share(), overwrite=False, retry=False, parts=False):
    return open_job(JobFiles(out, LAYOUT, 4, parts), films, settings or {}, share, overwrite, retry)


def score(out, engine=None, *, allowed=None, **options):
    """Does what `predict.predict` does with a job; returns the rows by status."""
    with opened(out, **options) as job:
        return run(job, engine or Engine(), Tolerance(allowed)).statuses


def ids_of(*paths):
    return [cells[0] for cells in read_rows(paths, LAYOUT)]


def interrupt(out, **options):
    with pytest.raises(StoppedError):
        score(out, Engine(bad=["5"]), allowed=0, **options)


def test_writes_every_film_in_order_and_cleans_up(tmp_path):
    assert score(tmp_path / "p.csv") == {"ok": 10}
    assert ids_of(tmp_path / "p.csv") == [item.id for item in FILMS]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".p.csv.success", "p.csv"]


def test_a_stopped_job_shows_no_output_and_goes_on_where_it_stopped(tmp_path):
    interrupt(tmp_path / "p.csv")
    assert not (tmp_path / "p.csv").exists()
    again = Engine()
    assert score(tmp_path / "p.csv", again) == {"ok": 10}
    assert again.scored == ["4", "5", "6", "7", "8", "9"]
    score(tmp_path / "undisturbed.csv")
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "undisturbed.csv").read_bytes()


def test_a_job_of_other_settings_is_refused_with_the_reason_and_started_anew_on_request(tmp_path):
    interrupt(tmp_path / "p.csv", settings={"model": "old"})
    with pytest.raises(UserError, match="begun with model 'old'; found 'new'"):
        score(tmp_path / "p.csv", settings={"model": "new"})
    anew = Engine()
    score(tmp_path / "p.csv", anew, settings={"model": "new"}, overwrite=True)
    assert len(anew.scored) == 10


def test_an_output_is_replaced_only_on_request(tmp_path):
    (tmp_path / "p.csv").write_text("old")
    with pytest.raises(UserError, match="there is an output already"):
        score(tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text() == "old"
    score(tmp_path / "p.csv", overwrite=True)
    assert len(ids_of(tmp_path / "p.csv")) == 10


def test_an_output_that_was_taken_away_does_not_block_the_next_one(tmp_path):
    score(tmp_path / "p.csv")
    (tmp_path / "p.csv").unlink()
    assert score(tmp_path / "p.csv") == {"ok": 10}


class Changing:
    """Films of which some are others the second time they are read."""

    def __init__(self, *rounds):
        self.rounds = list(rounds)

    def __iter__(self):
        return iter(self.rounds.pop(0) if len(self.rounds) > 1 else self.rounds[0])


@pytest.mark.parametrize("others", [FILMS[:5], FILMS[:9], [*FILMS, film("10")], [], [film("0", "changed"), *FILMS[1:]],
                                    [*FILMS[:9], film("9", "changed")]])
def test_films_that_change_while_they_are_scored_end_the_job_without_output(tmp_path, others):
    with pytest.raises(UserError, match="the input has changed since"):
        score(tmp_path / "p.csv", films=Changing(FILMS, others))
    assert not (tmp_path / "p.csv").exists()


def test_a_shard_of_films_that_were_others_for_a_moment_is_scored_again(tmp_path):
    others = [film("0", "changed"), *FILMS[1:]]
    with pytest.raises(StoppedError):
        score(tmp_path / "p.csv", Engine(bad=["5"]), films=Changing(FILMS, others), allowed=0)
    with pytest.raises(UserError, match="the input has changed since"):
        score(tmp_path / "p.csv")
    again = Engine()
    assert score(tmp_path / "p.csv", again) == {"ok": 10}
    assert "0" in again.scored


def test_scoring_anew_writes_all_or_nothing(tmp_path, monkeypatch):
    def rows(chunks, *_):
        for key, chunk in chunks:
            if broken:
                raise OSError("broken")
            yield key, [Row(item.id, "poster", "ok") for item in chunk]

    monkeypatch.setattr(running, "score", rows)
    broken = False
    assert score_anew(FILMS, 10, tmp_path / "p.csv", LAYOUT, None) == {"ok": 10}
    before, broken = (tmp_path / "p.csv").read_bytes(), True
    with pytest.raises(OSError):
        score_anew(FILMS, 10, tmp_path / "p.csv", LAYOUT, None)
    assert (tmp_path / "p.csv").read_bytes() == before and [path.name for path in tmp_path.iterdir()] == ["p.csv"]


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


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".job")


PARTS = ["part-00000.csv", "part-00001.csv", "part-00002.csv"]


def test_a_folder_gets_a_part_for_each_shard_and_loses_those_of_a_longer_output(tmp_path):
    score(tmp_path / "parts", parts=True)
    assert visible(tmp_path / "parts") == ["_SUCCESS", *PARTS]
    score(tmp_path / "parts", films=FILMS[:5], parts=True, overwrite=True)
    assert visible(tmp_path / "parts") == ["_SUCCESS", *PARTS[:2]]
    assert ids_of(*sorted((tmp_path / "parts").glob("part-*"))) == ["0", "1", "2", "3", "4"]


def test_a_folder_may_hold_other_files_and_loses_parts_of_another_format(tmp_path):
    (tmp_path / "parts").mkdir()
    for name in ("notes.txt", "part-one.csv", "part-00007.jsonl"):
        (tmp_path / "parts" / name).write_text("mine")
    with pytest.raises(UserError, match="there is an output already"):
        score(tmp_path / "parts", parts=True)
    score(tmp_path / "parts", parts=True, overwrite=True)
    assert visible(tmp_path / "parts") == ["_SUCCESS", "notes.txt", *PARTS, "part-one.csv"]


def share(folder, index, **options):
    return score(folder, parts=True, share=Share(2, index), **options)


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0, 1), (1, 1, 0, )], ids=str)
def test_machines_share_a_job_and_the_parts_are_those_of_one_machine(tmp_path, order):
    for index in order[:-1]:
        share(tmp_path / "shared", index)
        assert visible(tmp_path / "shared") == []  # nothing is there until all is
    share(tmp_path / "shared", order[-1])
    score(tmp_path / "one", parts=True)
    assert visible(tmp_path / "shared") == visible(tmp_path / "one") == ["_SUCCESS", *PARTS]
    for part in PARTS:
        assert (tmp_path / "shared" / part).read_bytes() == (tmp_path / "one" / part).read_bytes()
    for index in (0, 1):
        with pytest.raises(UserError, match="there is an output already"):
            share(tmp_path / "shared", index)


def test_a_share_outlives_its_machine_and_another_one_with_other_films_is_refused(tmp_path):
    share(tmp_path / "shared", 0)
    with pytest.raises(UserError, match="begun with films 10; found 11"):
        share(tmp_path / "shared", 1, films=[*FILMS, film("10")])
    with pytest.raises(UserError, match="begun with model 'x'; found 'y'"):
        for index, name in enumerate("xy"):
            share(tmp_path / "other", index, settings={"model": name})
    assert visible(tmp_path / "shared") == visible(tmp_path / "other") == []


def test_a_job_that_another_machine_works_on_is_not_thrown_away(tmp_path):
    share(tmp_path / "shared", 0)
    with filelock.FileLock(tmp_path / "shared" / ".job" / "lock-0"), pytest.raises(LockedError):
        share(tmp_path / "shared", 1, settings={"model": "other"}, overwrite=True)
    share(tmp_path / "shared", 1)
    assert visible(tmp_path / "shared") == ["_SUCCESS", *PARTS]


@pytest.mark.parametrize("parts", [False, True])
def test_only_failed_rows_are_scored_again(tmp_path, parts):
    out = tmp_path / ("parts" if parts else "p.csv")
    score(out, Engine(["2", "7"]), parts=parts)
    again, mended = Engine(), [film(item.id, "mended") if item.id in "27" else item for item in FILMS]
    assert score(out, again, films=mended, retry=True, parts=parts) == {"ok": 10}
    assert again.scored == ["2", "7"]
    score(tmp_path / "undisturbed.csv")
    found = sorted(out.glob("part-*")) if parts else [out]
    assert list(read_rows(found, LAYOUT)) == list(read_rows([tmp_path / "undisturbed.csv"], LAYOUT))
    assert score(out, films=mended, retry=True, parts=parts) == {"ok": 10}  # what was retried can be retried


@pytest.mark.parametrize("films", [FILMS[:9], [*FILMS, film("10")], [film("x"), *FILMS[1:]]])
def test_rows_of_other_films_are_not_kept(tmp_path, films):
    score(tmp_path / "p.csv")
    with pytest.raises(UserError, match="expected the films of the earlier output"):
        score(tmp_path / "p.csv", films=films, retry=True)


@pytest.mark.parametrize("changed", ["0", "3", "4", "9"])
def test_rows_of_films_that_have_changed_are_not_kept(tmp_path, changed):
    score(tmp_path / "p.csv", Engine(["2"]))
    before = (tmp_path / "p.csv").read_bytes()
    films = [film(item.id, "changed") if item.id == changed else item for item in FILMS]
    with pytest.raises(UserError, match="found one that has changed among rows"):
        score(tmp_path / "p.csv", films=films, retry=True)
    assert (tmp_path / "p.csv").read_bytes() == before and not (tmp_path / "p.csv.job").exists()


@pytest.mark.parametrize("spoil", [
    lambda folder: (folder / ".p.csv.success").unlink(),
    lambda folder: (folder / ".p.csv.success").write_text("{}"),
    lambda folder: (folder / ".p.csv.success").write_text("[" * 100_000),
    lambda folder: (folder / "p.csv").write_bytes((folder / "p.csv").read_bytes().replace(b"0.75", b"0.57")),
])
def test_an_output_of_which_nothing_certain_is_known_is_not_retried(tmp_path, spoil):
    score(tmp_path / "p.csv", Engine(["2"]))
    spoil(tmp_path)
    before = (tmp_path / "p.csv").read_bytes()
    with pytest.raises(InputError) as refused:
        score(tmp_path / "p.csv", retry=True)
    assert refused.value.remedy is Remedy.SCORE_ANEW
    assert (tmp_path / "p.csv").read_bytes() == before


def test_the_output_is_looked_for_while_it_is_held(tmp_path):
    """Two that are started together: the second finds the first one's output, not what was there when it started."""
    with opened(tmp_path / "p.csv") as first:
        with pytest.raises(LockedError), opened(tmp_path / "p.csv"):
            pass
        run(first, Engine(), Tolerance())
    with pytest.raises(UserError, match="there is an output already"), opened(tmp_path / "p.csv"):
        pass


def test_an_output_that_appears_while_the_films_are_read_is_not_replaced(tmp_path):
    class Films(list):
        def __iter__(self):
            (tmp_path / "p.csv").write_text("new")
            return super().__iter__()

    with pytest.raises(UserError, match="there is an output already"):
        score(tmp_path / "p.csv", films=Films(FILMS))
    assert (tmp_path / "p.csv").read_text() == "new"


@pytest.mark.parametrize("spoil", [
    lambda state: (state / "00000.done").write_text("{"),
    lambda state: (state / "00000.done").write_text('{"statuses": {"ok": -4}}'),
    lambda state: (state / "part-00000.csv").unlink(),
    lambda state: (state / "part-00000.csv").write_text("cut"),
])
def test_a_damaged_shard_is_done_again(tmp_path, spoil):
    interrupt(tmp_path / "p.csv")
    spoil(tmp_path / "p.csv.job")
    score(tmp_path / "p.csv")
    score(tmp_path / "undisturbed.csv")
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "undisturbed.csv").read_bytes()


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "7"])
def test_damaged_settings_are_refused_until_told_to_start_anew(tmp_path, content):
    interrupt(tmp_path / "p.csv")
    (tmp_path / "p.csv.job" / "job.json").write_text(content)
    with pytest.raises(UserError) as refused:
        score(tmp_path / "p.csv")
    assert refused.value.remedy is Remedy.SCORE_ANEW
    assert score(tmp_path / "p.csv", overwrite=True) == {"ok": 10}


def test_settings_that_lack_one_without_a_value_are_other_settings(tmp_path):
    interrupt(tmp_path / "p.csv")
    file = tmp_path / "p.csv.job" / "job.json"
    content = json.loads(file.read_text())
    assert content.pop("retried") is None
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match="begun with retried None"):
        score(tmp_path / "p.csv")


@pytest.mark.parametrize("parts", [False, True])
def test_nothing_is_left_where_a_job_does_not_begin(tmp_path, parts):
    with pytest.raises(ZeroDivisionError):
        score(tmp_path / "p.csv", films=(1 / 0 for _ in FILMS), parts=parts)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode, format, least", [("each", "csv", 130), ("each", "jsonl.gz", 190), ("random", "csv", 200)])
def test_a_job_broken_at_any_moment_ends_with_the_same_bytes(tmp_path, mode, format, least):
    result = subprocess.run([sys.executable, Path(__file__).with_name("faults.py"), tmp_path, mode, format],
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) >= least


@pytest.mark.slow
def test_whatever_happens_to_an_output_it_is_absent_the_old_one_or_the_right_one(tmp_path):
    """60 random lives; `python tests/job_machine.py 500` tries more."""
    result = subprocess.run([sys.executable, Path(__file__).with_name("job_machine.py"), "60"], capture_output=True,
                            text=True, env=os.environ | {"TMPDIR": str(tmp_path)})
    assert result.returncode == 0, result.stderr[-5000:]
    assert int(result.stdout.split()[2]) > 150


@pytest.mark.parametrize("suffix", ["", ".over"])
@pytest.mark.parametrize("parts", [False, True])
@pytest.mark.parametrize("foreign", ["notes.txt", "00000.done/", "link"])
def test_a_folder_of_somebody_else_is_not_taken_for_that_of_a_job(tmp_path, parts, suffix, foreign):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "part-00000.csv").write_text("mine")
    state = tmp_path / (f"out/.job{suffix}" if parts else f"out.job{suffix}")
    state.parent.mkdir(exist_ok=True)
    if foreign == "link":
        state.symlink_to(tmp_path / "mine")
    else:
        (state / foreign).mkdir(parents=True) if foreign.endswith("/") else state.mkdir()
        (state / foreign / "x" if foreign.endswith("/") else state / foreign).write_text("mine")
    before = sorted((path, path.is_file() and path.read_text()) for path in tmp_path.rglob("*"))
    with pytest.raises(InputError, match="Move it away"):
        score(tmp_path / "out", parts=parts, overwrite=True)
    assert sorted((path, path.is_file() and path.read_text()) for path in tmp_path.rglob("*")) == before


def test_shares_of_machines_without_a_common_folder_can_be_put_together(tmp_path):
    for index in (0, 1):
        share(tmp_path / f"{index}", index)
    shutil.copytree(tmp_path / "1" / ".job", tmp_path / "0" / ".job", dirs_exist_ok=True)
    share(tmp_path / "0", 1)
    assert visible(tmp_path / "0") == ["_SUCCESS", *PARTS]
