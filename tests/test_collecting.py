"""The collector, against a TMDB of this machine: all films, once, politely, whatever goes wrong; the key stays secret."""

import asyncio
import csv
import datetime
import email.utils
import json
import logging
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import filelock
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tmdb_server import GENRES, WRONG, Tmdb, films

from genre_cli.data import main
from movie_genres.base.errors import InputError, Remedy, SettingError, UserError
from movie_genres.data import collect_binding, collecting, tmdb, tmdb_client
from movie_genres.data.collecting import collect
from movie_genres.data.tmdb import Query, Window
from movie_genres.data.tmdb_client import Client, Credentials

KEY = "sEcReT0123456789"
FILMS = films(150)
DISCOVER, POSTER = "/3/discover/movie", "/t/p/"
NUMBERS = {name: number for name, (number, *_) in GENRES.items()}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Retries at once, and a key."""
    monkeypatch.setattr(tmdb_client, "BACK_OFF", 0.001)
    monkeypatch.setattr(tmdb_client, "MAX_BACK_OFF", 0.01)
    monkeypatch.setattr(tmdb_client, "TIMES", aiohttp.ClientTimeout(total=20, sock_read=2))
    monkeypatch.setenv("TMDB_API_KEY", KEY)
    monkeypatch.delenv("TMDB_READ_TOKEN", raising=False)


@pytest.fixture
def gather(tmp_path):
    """Collects from a server into `tmp_path / "out"`, fast."""
    def run(server, **query):
        return collect(tmp_path / "out", Query(**{"years": "1950-2025", "min_votes": 0, "poster_size": "w92", **query}),
                       Credentials(KEY, is_token=False), 2000, server.url)

    return run


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def ids(folder):
    return sorted(int(row["id"]) for row in rows(folder / "films.csv"))


def dated(keep=lambda film: True):
    return sorted(film["id"] for film in FILMS if film["release_date"] and keep(film))


def without_poster(keep=lambda film: True):
    return dated(lambda film: not film["poster_path"] and keep(film))


def everything(folder):
    return b"".join(str(path).encode() + path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("variable", ["TMDB_API_KEY", "TMDB_READ_TOKEN"])
def test_films_are_collected_and_imported_and_the_key_is_written_nowhere(tmp_path, run, monkeypatch, caplog, variable):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(variable, KEY)
    with Tmdb(FILMS) as server:
        monkeypatch.setenv("TMDB_URL", server.url)
        options = ["--out", tmp_path / "out", "--rate", 40, "--years", "1990-2025", "--min-votes", 2]
        done = run(main, "collect", "tmdb", *options)
        assert done.exit_code == 0, done.output
        asked = len(server.requests)
        assert run(main, "collect", "tmdb", *options).stdout == done.stdout
        assert len(server.requests) == asked, "what is on the disk was asked for again"
    assert server.most_in_a_second() <= 40 + tmdb_client.CONCURRENCY and server.strangers == []
    def is_chosen(film):
        return film["release_date"] >= "1990" and film["vote_count"] >= 2

    assert ids(tmp_path / "out") == dated(is_chosen)
    assert {(int(row["name"]), row["reason"]) for row in rows(tmp_path / "out" / "missing.csv")} == {
        (number, "TMDB names no poster") for number in without_poster(is_chosen)}
    imported = run(main, "import", tmp_path / "out", "--data", tmp_path / "data")
    assert imported.exit_code == 0 and "layout tmdb" in imported.output
    by_id = {str(film["id"]): film for film in FILMS}
    for row in rows(tmp_path / "data" / "films.csv"):
        film = by_id[row["id"]]
        assert (row["title"], row["year"], row["overview"]) == (film["title"], film["release_date"][:4], film["overview"])
        assert sorted(NUMBERS[name] for name in row["genres"].split("|") if name) == sorted(film["genre_ids"])
        assert (tmp_path / "data" / "posters" / f"{film['id']}.jpg").exists() == bool(film["poster_path"])
    assert KEY.encode() not in everything(tmp_path) and KEY not in done.output + caplog.text


@pytest.mark.parametrize("query, keep", [
    ({"genres": ("drama", "War")}, lambda film: {18, 10752} & set(film["genre_ids"])),
    ({"language": "fr"}, lambda film: film["original_language"] == "fr"),
    ({"years": "2010-2013"}, lambda film: "2010" <= film["release_date"] < "2014"),
])
def test_only_what_is_asked_for_is_collected(tmp_path, gather, query, keep):
    with Tmdb(FILMS) as server:
        gather(server, no_posters=True, **query)
    assert ids(tmp_path / "out") == dated(keep) and len(dated(keep)) > 1
    assert not any(path.startswith(POSTER) for _, path in server.requests)


def test_no_more_films_than_wanted_are_asked_for(tmp_path, gather):
    with Tmdb(FILMS) as server:
        done = gather(server, max_films=47)
    dates = sorted((film["release_date"], film["id"]) for film in FILMS if film["release_date"])
    assert ids(tmp_path / "out") == sorted(number for _, number in dates[:47]) and "47 earliest" in done.notes[0]
    assert sum(path.startswith(DISCOVER) for _, path in server.requests) == 3


def test_a_stretch_with_too_many_pages_is_halved(tmp_path, gather, monkeypatch):
    monkeypatch.setattr(tmdb, "MOST_PAGES", 3)
    monkeypatch.setattr("tmdb_server.MOST_PAGES", 3)
    with Tmdb(FILMS) as server:
        assert not gather(server, no_posters=True).left_out
    assert ids(tmp_path / "out") == dated()
    assert max(server.times.values()) == 1


def test_a_day_with_too_many_pages_is_told(tmp_path, gather, monkeypatch):
    monkeypatch.setattr(tmdb, "MOST_PAGES", 3)
    with Tmdb([{**film, "release_date": "2000-01-01"} for film in FILMS]) as server:
        assert gather(server, no_posters=True).left_out == {"page": 1}
    assert len(ids(tmp_path / "out")) == 60 and rows(tmp_path / "out" / "missing.csv")[0]["name"] == "2000-01-01_2000-01-01"


@given(st.dates(), st.integers(0, 40_000))
def test_halves_have_each_day_once(start, days):
    window = Window(start, min(start, datetime.date.max - datetime.timedelta(days)) + datetime.timedelta(days))
    halves = window.halves()
    assert bool(halves) == (window.end > window.start)
    if halves:
        first, second = halves
        assert (first.start, second.end) == window and second.start - first.end == datetime.timedelta(1)
        assert first.start <= first.end and second.start <= second.end


@pytest.mark.parametrize("trouble", [429, 500, 503, "cut", "slow", "html"])
def test_troubles_that_pass_cost_no_film(tmp_path, gather, trouble):
    count = Counter()

    def now_and_then(path, times):
        count[path.split("?")[0].rpartition("/")[0]] += 1
        return trouble if times == 1 and count[path.split("?")[0].rpartition("/")[0]] % 40 == 1 else None

    with Tmdb(FILMS, now_and_then, retry_after="0") as server:
        done = gather(server)
    assert ids(tmp_path / "out") == dated() and not done.failed and done.left_out == {"poster": len(without_poster())}
    assert {path.name for path in (tmp_path / "out" / "posters").iterdir()} == {
        f"{film['id']}.jpg" for film in FILMS if film["poster_path"] and film["release_date"]}
    assert max(server.times.values()) == 2


def test_retries_keep_to_the_rate_too(tmp_path):
    with Tmdb(FILMS[-40:], lambda path, times: 500 if times == 1 else None) as server:
        collect(tmp_path / "out", Query(min_votes=0), Credentials(KEY, is_token=False), 50, server.url)
    assert set(server.times.values()) == {2} and len(server.requests) > 80
    assert server.most_in_a_second() <= 50 + tmdb_client.CONCURRENCY


def test_a_server_that_asks_to_wait_is_left_alone(tmp_path, gather):
    with Tmdb(FILMS, lambda path, times: 429 if "page=4&" in path and times == 1 else None) as server:
        gather(server, no_posters=True)
    times = [when for when, _ in server.requests]
    refused = next(when for when, path in server.requests if "page=4&" in path)
    # Those that were on their way when the answer came are no matter.
    assert max(later - earlier for earlier, later in zip(times, times[1:])) > 0.8
    assert sum(refused < when < refused + 0.9 for when in times) <= tmdb_client.CONCURRENCY
    assert ids(tmp_path / "out") == dated()


def only(start, trouble):
    return lambda path, times: trouble if path.startswith(start) else None


def replaced(**changes):
    return lambda answer: {**answer, **changes}


def no_film_has(field):
    return lambda answer: {**answer, "results": [{name: value for name, value in film.items() if name != field}
                                                 for film in answer["results"]]}


@pytest.mark.parametrize("trouble, expected", [
    (only("/3", 500), "HTTP status 500.*GO_ON"),
    (only("/3", "html"), "something other than JSON.*GO_ON"),
    (only("/3", "cut"), "GO_ON"),
    (only(DISCOVER, "huge"), "more than 10,000,000 bytes.*GO_ON"),
    (only(DISCOVER, "redirect"), "discover/movie: expected an answer; found HTTP status 302"),
    (only(DISCOVER, 404), "discover/movie: expected an answer; found HTTP status 404"),
    (only("/3", 403), "refuses the key .HTTP status 403.*KEY"),
    (only(DISCOVER, "echo"), "expected an answer that can be kept; found one that holds the key"),
    (only(DISCOVER, replaced(results=7)), "discover/movie: expected .* documents it; found results: Input should be"),
    (only(DISCOVER, lambda answer: {"films": answer["results"]}), "found results: Field required"),
    (only(DISCOVER, no_film_has("genre_ids")), "found none; of the first, genre_ids: Field required"),
    (only("/3/genre", replaced(genres=[{"name": "Drama"}])), "genre/movie/list: .*genres.0.id: Field required"),
    (only("/3/conf", replaced(images={"secure_base_url": "ftp://a/", "poster_sizes": []})), "images.secure_base_url: St"),
])
def test_what_does_not_pass_ends_the_work_in_words(tmp_path, gather, trouble, expected):
    with Tmdb(FILMS, trouble) as server, pytest.raises(UserError) as error:
        gather(server)
    assert re.search(expected, f"{error.value} {error.value.remedy}"), error.value
    assert KEY.encode() not in everything(tmp_path) and KEY not in str(error.value) and "Remove it" not in str(error.value)
    assert server.strangers == [] and not (tmp_path / "out" / "films.csv").exists()


@pytest.mark.parametrize("trouble, why", [
    (only(POSTER, 500), "HTTP status 500"),
    (only("/3/conf", replaced(images={"secure_base_url": "http://a..b/", "poster_sizes": ["w92"]})), "UnicodeError")])
def test_what_is_there_can_be_used_when_too_much_fails(tmp_path, gather, trouble, why):
    with Tmdb(FILMS, trouble) as server, pytest.raises(UserError) as error:
        gather(server)
    assert str(error.value) == f"10 answers in a row could not be had; the last: {why}."
    assert ids(tmp_path / "out") == dated() and error.value.remedy == Remedy.GO_ON
    reasons = Counter(row["reason"] for row in rows(tmp_path / "out" / "missing.csv"))
    assert reasons["TMDB names no poster"] == len(without_poster()) and sum(reasons.values()) == len(dated())
    assert set(reasons) == {"TMDB names no poster", f"not now: {why}", "not asked for yet"}


def test_what_was_there_does_not_vanish_from_the_table_when_too_much_fails(tmp_path, gather, monkeypatch):
    with Tmdb(FILMS, lambda path, times: 500 if "page=3&" in path else None) as server:
        assert gather(server, no_posters=True).failed == 1
        monkeypatch.setattr(collecting, "MOST_FAILURES", 1)
        monkeypatch.setattr(collecting, "CONCURRENCY", 1)  # it does not come to page 4
        with pytest.raises(UserError, match="HTTP status 500"):
            gather(server, no_posters=True)
    assert len(ids(tmp_path / "out")) == len(dated()) - tmdb.PAGE_FILMS
    assert [row["kind"] for row in rows(tmp_path / "out" / "missing.csv")] == ["page"]


def test_a_network_that_is_away_for_a_minute_ends_nothing(monkeypatch):
    monkeypatch.undo()
    waits = []

    async def ask():
        client = Client("https://api.example/3", Credentials(KEY, is_token=False), 1)

        async def fail():
            raise tmdb_client.AnswerError("no network", is_passing=True)

        async def sleep(seconds):
            waits.append(seconds)

        monkeypatch.setattr(asyncio, "sleep", sleep)
        with pytest.raises(tmdb_client.AnswerError):
            await client._persistently(fail)

    asyncio.run(ask())
    assert 120 <= sum(waits) <= 150 and min(waits) >= 4 and len(waits) == tmdb_client.ATTEMPTS - 1


def test_a_long_pause_is_not_waited_for(gather):
    with Tmdb(FILMS, only("/3", 429), retry_after="9999") as server, pytest.raises(UserError, match="for 9,999 seconds"):
        gather(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize("change", [{"id": "7"}, {"title": None}, {"genre_ids": ["Drama"]}, {"poster_path": 7},
                                    {"release_date": "soon"}])
def test_a_film_of_another_form_is_left_out_and_counted(tmp_path, gather, change):
    def other(answer):
        first, *others = answer["results"]
        return {**answer, "results": [{**first, **change}, *others]}

    with Tmdb(FILMS, lambda path, times: other if "page=2&" in path else None) as server:
        done = gather(server, no_posters=True)
    assert done.left_out == {"film": 1} and len(ids(tmp_path / "out")) == len(dated()) - 1
    missing, = rows(tmp_path / "out" / "missing.csv")
    assert missing["kind"] == "film" and missing["reason"].startswith(next(iter(change)))


@pytest.mark.parametrize("path, reason", [
    (None, "TMDB names no poster"), ("", "TMDB names no poster"),
    *((path, "TMDB names one of another kind than JPEG, PNG or WebP")
      for path in ("/a.svg", "/a.JPG", "/../../x.jpg", "//a.example/x.jpg", "/a.jpg\n", "/a.jpg?b=c"))])
def test_a_film_without_a_poster_that_can_be_used_stays_and_is_told(tmp_path, gather, path, reason):
    with Tmdb([{**FILMS[-1], "poster_path": path}]) as server:
        done = gather(server)
    assert (done.films, done.posters, done.left_out) == (1, 0, {"poster": 1})
    assert rows(tmp_path / "out" / "films.csv")[0]["poster_path"] == ""
    assert rows(tmp_path / "out" / "missing.csv") == [{"name": str(FILMS[-1]["id"]), "kind": "poster", "reason": reason}]
    assert not any(asked.startswith(POSTER) for _, asked in server.requests)


HOSTILE = ["a\rb", "a\nb,\"c\"", "=1+1", "nul\0", "\x1b[31mred", "'; drop", "ünï — 電影"]


def test_odd_text_stays_as_it_is_and_costs_no_other_film(tmp_path, gather, run):
    odd = [{**film, "title": text, "overview": f"{text} and more"} for film, text in zip(FILMS, [*HOSTILE, "half \ud800"])]
    with Tmdb([{**film, "release_date": "2000-01-01"} for film in odd]) as server:
        done = gather(server, no_posters=True)
    assert done.films == len(odd)
    assert {row["title"] for row in rows(tmp_path / "out" / "films.csv")} == {*HOSTILE, "half ?"}
    assert run(main, "import", tmp_path / "out", "--data", tmp_path / "data").exit_code == 0
    assert len(rows(tmp_path / "data" / "films.csv")) == len(odd)


VALUES = st.none() | st.integers(-1, 9) | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
RESULTS = st.fixed_dictionaries({}, optional={
    name: VALUES | st.just(right) for name, right in [("id", 7), ("title", "T"), ("overview", ""), ("genre_ids", []),
                                                      ("poster_path", "/a.jpg"), ("release_date", "2000-01-01")]})


@settings(max_examples=200)
@given(st.binary(max_size=50) | (VALUES | st.builds(
    lambda *parts: dict(zip(("results", "total_pages"), parts)), VALUES | st.lists(RESULTS | VALUES, max_size=3), VALUES)
    ).map(lambda content: json.dumps(content).encode()))
def test_any_answer_is_a_page_or_an_error_in_words(data):
    try:
        page = tmdb.read_page(data, "here")
    except InputError as error:
        assert str(error).startswith("here: expected ")
    else:
        assert all(film.poster is None or re.fullmatch(r"/[\w-]+\.\w+", film.poster) for film in page.films)


@given(st.text(max_size=40) | st.sampled_from(["Mon, 01 Jan 99999999999 00:00:00 GMT", "1e9", "31 Feb 2020 0:0:0 GMT"]))
def test_no_wish_to_wait_is_too_odd(wish):
    async def heed():
        client = Client("https://api.example/3", Credentials(KEY, is_token=False), 1)
        client._heed(wish)
        return client._resume - asyncio.get_running_loop().time()

    try:
        assert asyncio.run(heed()) <= tmdb_client.MAX_PAUSE
    except UserError as error:
        assert "asks to be left alone" in str(error)


@pytest.mark.parametrize("seconds, waits", [(100, True), (-100, False)])
def test_a_date_to_wait_for_is_understood(seconds, waits):
    async def heed():
        client = Client("https://api.example/3", Credentials(KEY, is_token=False), 1)
        client._heed(email.utils.format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)))
        return client._resume - asyncio.get_running_loop().time()

    assert (90 < asyncio.run(heed()) < 101) == waits


def test_a_poster_that_is_not_there_is_noted_and_not_asked_for_again(tmp_path, gather):
    served = [film for film in FILMS if film["poster_path"]]
    film = next(film for film in served if film["release_date"])
    with Tmdb(served, lambda path, times: 404 if path.endswith(film["poster_path"]) else None) as server:
        for _ in range(2):
            assert gather(server).left_out == {"poster": 1}
            assert rows(tmp_path / "out" / "missing.csv") == [
                {"name": str(film["id"]), "kind": "poster", "reason": "HTTP status 404"}]
        with open(tmp_path / "out" / "raw" / "missing_posters.csv", "a") as file:
            file.write("12")  # cut short by a kill
        assert gather(server).left_out == {"poster": 1}
    assert max(server.times.values()) == 1


def test_what_failed_is_asked_for_by_the_same_command(tmp_path, run, monkeypatch):
    served = [film for film in FILMS if film["poster_path"]]
    there = sorted(film["id"] for film in served if film["release_date"])
    broken = ["page=3&", next(film["poster_path"] for film in served if film["release_date"])]
    with Tmdb(served, lambda path, times: "html" if any(part in path for part in broken) else None) as server:
        monkeypatch.setenv("TMDB_URL", server.url)
        monkeypatch.setattr(tmdb_client, "SLACK", 0.01)
        command = ["collect", "tmdb", "--out", tmp_path / "out", "--years", "1950-2025", "--min-votes", 0]
        done = run(main, *command)
        assert done.exit_code == 3 and "2 answers could not be had" in done.output
        assert len(ids(tmp_path / "out")) == len(there) - 20
        assert {row["kind"]: row["reason"] for row in rows(tmp_path / "out" / "missing.csv")} == {
            "page": "not now: something other than JSON", "poster": "not now: something other than a picture"}
        broken.clear()
        assert run(main, *command).exit_code == 0
    assert ids(tmp_path / "out") == there and rows(tmp_path / "out" / "missing.csv") == []
    assert sum(times > 1 for times in server.times.values()) == 2


@pytest.mark.parametrize("query, setting", [({"years": "1990"}, "years"), ({"max_films": 9}, "max_films"),
                                            ({"genres": ("War",)}, "genres"), ({"no_posters": True}, "no_posters")])
def test_a_folder_stays_with_what_it_was_begun_with(tmp_path, gather, query, setting):
    with Tmdb(FILMS[-40:]) as server:
        gather(server)
        before = everything(tmp_path)
        with pytest.raises(SettingError, match=f"^{setting}: expected .*, with which .*out was begun; found"):
            gather(server, **query)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("options, expected", [
    (["--years", "2000-1990"], "--years: expected a year"), (["--years", "all"], "--years: expected a year"),
    (["--language", "English"], "--language: expected two small letters"),
    (["--genres", "Drama,Opera"], "--genres: expected names of Drama, Comedy, .*found 'Opera'"),
    (["--poster-size", "w1"], "--poster-size: expected w92 or w154"), (["--rate", "41"], "is not in the range 1<=x<=40"),
])
def test_options_that_cannot_be_are_told_by_their_names(tmp_path, run, monkeypatch, options, expected):
    with Tmdb(FILMS[-40:]) as server:
        monkeypatch.setenv("TMDB_URL", server.url)
        command = ["collect", "tmdb", "--out", tmp_path / "out", "--min-votes", 0]
        done = run(main, *command, *options)
        assert done.exit_code == 2 and re.search(expected, done.output), done.output
        assert not any(path.startswith(DISCOVER) for _, path in server.requests)
        assert run(main, *command).exit_code == 0, "the folder is bound to options that cannot be"


@pytest.mark.parametrize("key, expected", [
    ("", "there is none. Set TMDB_READ_TOKEN, or TMDB_API_KEY"), (WRONG, "HTTP status 401). Set TMDB_READ_TOKEN"),
    ("two\nlines in one key", "or some that no key has. Set TMDB_READ_TOKEN")])
def test_without_a_key_it_is_said_where_one_belongs(tmp_path, run, monkeypatch, key, expected):
    with Tmdb(FILMS) as server:
        monkeypatch.setenv("TMDB_URL", server.url)
        monkeypatch.setenv("TMDB_API_KEY", key)
        done = run(main, "collect", "tmdb", "--out", tmp_path / "out")
    assert done.exit_code == 2 and expected in done.output and len(server.requests) == (key == WRONG)
    assert "two" not in done.output


@pytest.mark.parametrize("url", ["http://api.example/3", "ftp://127.0.0.1/3", "https://user@api.example/3", "api.example",
                                 "https://api.example/3?a=b", "https://[x/3", "https://h:abc/3", "https://a..b/3", "https://:pw@h/3"])
def test_the_key_is_sent_only_where_it_cannot_be_read_on_the_way(url):
    with pytest.raises(SettingError, match="an address that starts with https://") as error:
        Client(url, Credentials(KEY, is_token=False), 1)
    assert "pw" not in str(error.value)


def test_a_wrong_address_is_told_by_the_name_of_its_variable_and_none_is_tmdb(tmp_path, run, monkeypatch):
    monkeypatch.setenv("TMDB_URL", "https://[x/3")
    assert "Error: TMDB_URL: expected an address" in run(main, "collect", "tmdb", "--out", tmp_path / "out").output
    monkeypatch.setenv("TMDB_URL", "")
    asked = []
    monkeypatch.setattr(collecting, "Client", lambda url, *others: asked.append(url) or Client("", *others))
    run(main, "collect", "tmdb", "--out", tmp_path / "out")
    assert asked == [tmdb.URL] and not (tmp_path / "out").exists()


def test_credentials_do_not_show_themselves():
    assert KEY not in repr(Credentials(KEY, is_token=True))


@pytest.mark.parametrize("name", ["thesis.txt", "posters", "raw"])
def test_somebody_elses_folder_is_refused(tmp_path, gather, name):
    (tmp_path / "out" / name).mkdir(parents=True)
    (tmp_path / "out" / name / ".partial-7.jpg").write_text("mine")
    with Tmdb(FILMS) as server, pytest.raises(InputError, match=f"found one with {name}"):
        gather(server)
    assert list((tmp_path / "out").rglob("*")) == [tmp_path / "out" / name, tmp_path / "out" / name / ".partial-7.jpg"]
    assert server.requests == []


def test_two_at_once_do_not_share_a_folder(tmp_path, run, monkeypatch):
    (tmp_path / "out").mkdir()
    with Tmdb(FILMS) as server, filelock.FileLock(tmp_path / "out" / collect_binding.LOCK):
        monkeypatch.setenv("TMDB_URL", server.url)
        done = run(main, "collect", "tmdb", "--out", tmp_path / "out")
    assert done.exit_code == 75 and "another process collects" in done.output and server.requests == []


def test_an_answer_that_was_damaged_on_the_disk_is_named(tmp_path, gather):
    with Tmdb(FILMS[-40:]) as server:
        gather(server, no_posters=True)
        page = next((tmp_path / "out" / "raw").glob("*/001.json"))
        page.write_text(page.read_text()[:-20])
        with pytest.raises(InputError, match="001.json: expected an answer as TMDB documents it.*Remove it"):
            gather(server, no_posters=True)
        page.unlink()
        gather(server, no_posters=True)
    assert sorted(Counter(server.times.values())) == [1, 2]


def file_of(path):
    """What a request leaves on the disk, if there is an answer."""
    parts = urlsplit(path)
    if not path.startswith(DISCOVER):
        return {"/3/genre/movie/list": "raw/genres.json", "/3/configuration": "raw/configuration.json"}[parts.path]
    query = {name: value for name, (value,) in parse_qs(parts.query).items()}
    return f"raw/{query['primary_release_date.gte']}_{query['primary_release_date.lte']}/{int(query['page']):03}.json"


@pytest.mark.slow
def test_killed_at_random_no_film_is_lost_and_no_answer_that_is_there_is_asked_for_again(tmp_path):
    served = films(650, seed=1)
    film_of = {film["poster_path"]: film["id"] for film in served}
    gone = {path for path in film_of if path and path[1] == "0"}  # one of sixteen
    with Tmdb(served, lambda path, times: 404 if path[path.rindex("/"):] in gone else None) as server:
        done = subprocess.run([sys.executable, Path(__file__).parent / "collect_kills.py", tmp_path / "out", server.url],
                              capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lives = json.loads(done.stdout)
    assert len(lives) - 1 >= 50
    there_since = {name: when for when, names in lives for name in names}
    for when, path in server.requests:
        stem = path[path.rindex("/"):]
        name = file_of(path) if stem not in film_of else f"{film_of[stem]},HTTP status 404" if stem in gone else (
            f"posters/{film_of[stem]}.jpg")
        assert when < there_since[name], f"{name} was asked for again"
    asked_again = len(server.requests) - len(server.times)
    assert asked_again <= tmdb_client.CONCURRENCY * (len(lives) - 1)
    assert ids(tmp_path / "out") == sorted(film["id"] for film in served if film["release_date"])
    assert len(list((tmp_path / "out" / "posters").iterdir())) == sum(
        bool(film["poster_path"] and film["release_date"]) and film["poster_path"] not in gone for film in served)
    assert server.most_in_a_second() <= 100


def test_help_needs_no_package_of_the_collector():
    code = ("import sys, genre_cli.data as data; print({'aiohttp', 'aiolimiter', 'tenacity'} & set(sys.modules)); "
            "data.main(['collect', '--help'])")
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "COLUMNS": "80"})
    assert shown.stdout.startswith("set()") and "--poster-size" in shown.stdout


def test_without_the_extra_it_is_said_how_to_install_it(tmp_path, run, monkeypatch):
    for name in ("movie_genres.data.collecting", "movie_genres.data.tmdb_client"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiolimiter", None)
    done = run(main, "collect", "tmdb", "--out", tmp_path / "out")
    assert done.exit_code == 2 and "Collecting needs the package aiolimiter." in done.output and "collect" in done.output
