"""The sites: what is read, joined, packed, escaped and written; `test_browser` opens them."""

import base64
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY, image_bytes
from PIL import Image
from sites import GENRES, HOSTILE, write_catalogue, write_overviews, write_scored

from genre_cli.report import main as genre_report
from movie_genres.base.errors import InputError, LockedError
from movie_genres.reporting import packing
from movie_genres.reporting.explanations import explanations_of
from movie_genres.reporting.failures import MEANINGS
from movie_genres.reporting.films import Films, Said
from movie_genres.reporting.scored import read_scored
from movie_genres.reporting.site import MARK, Page, write_site
from movie_genres.reporting.thumbnails import write_thumbnails
from movie_genres.scoring.poster_sources import FailedPoster, LoadedPoster


def unpacked(path):
    """What a file of `data/` holds, by name."""
    return {name: zlib.decompress(base64.b64decode(text), -15)
            for name, text in re.findall(r'siteData\("([^"]+)","([^"]+)"\);\n', path.read_text())}


def texts_of(site):
    return [film for path in sorted((site / "data").glob("films-*.js")) for shard in unpacked(path).values()
            for film in json.loads(shard)]


def made_films(count=3, overviews=None, **columns):
    probabilities = np.linspace(0.1, 0.9, count * 2).reshape(count, 2).astype(np.float32)
    return Films(("A", "B"), [f"f{number}" for number in range(count)],
                 [Said("answer", "both", probabilities, probabilities > 0.4)], ["ok"] * count, ["both"] * count,
                 overviews or ["text"] * count, **columns)


@pytest.fixture
def site(tmp_path, run):
    """The site of a catalogue, made by the command."""
    folder = write_catalogue(tmp_path / "in")
    result = run(genre_report, folder / "p.csv", "--posters", folder / "posters", "--overviews", folder / "o.csv",
                 "--out", tmp_path / "site")
    assert result.exit_code == 0, (result.output, result.exception)
    return tmp_path / "site"


def test_the_site_has_all_rows_joined_by_id(site):
    parts = unpacked(site / "data" / "index.js")
    index = json.loads(parts["index"])
    assert index["ids"] == [*(f"film{number:03}" for number in range(60)), "gone", "broken", "half", *HOSTILE]
    assert index["genres"] == list(GENRES) and index["statuses"]["names"] == ["ok", "corrupt", "missing"]
    pictured = np.unpackbits(np.frombuffer(parts["pictured"], np.uint8))[:67]
    assert pictured[:60].all() and not pictured[60:].any()
    assert Image.open(site / "thumbs" / "000" / "59.jpg").size == (120, 180)
    texts = texts_of(site)
    assert texts[7]["overview"] == "Film 7 is about a ship & a captain." and texts[60] == {"error": "poster: no such file"}
    assert [film["overview"] for film in texts[63:]] == list(HOSTILE.values())
    probabilities = np.frombuffer(parts["probabilities-0"], np.uint8).reshape(67, 4)
    assert (probabilities[0, 1] - 0.5) / index["steps"] == pytest.approx(60 / 61, abs=0.5 / index["steps"])  # as data.js
    assert (probabilities[60] == 255).all()
    named = np.unpackbits(np.frombuffer(parts["named-0"], np.uint8).reshape(67, 1), axis=1)[:, :4]
    assert named[0].tolist() == [0, 1, 0, 0] and named[1].tolist() == [0, 1, 1, 0] and not named[60].any()


def test_pages_name_no_other_address_and_hold_no_markup_of_films(site):
    for path in site.glob("*.html"):
        page = path.read_text()
        assert re.findall(r"(?:src|href)=\"(?!static/|data/|[a-z]+\.html|#|data:image)[^\"]*", page) == []
        assert re.findall(r"\son\w+=|<script(?![^>]*src=)(?! type=\"application/json\")", page) == []
    failures = (site / "failures.html").read_text()
    assert "damaged &lt;b&gt;or&lt;/b&gt; cut short" in failures and "<b>or</b>" not in failures
    assert "&lt;i&gt;Noir" in (site / "index.html").read_text()


def test_failures_are_counted_by_kind_with_what_to_do(site):
    page = re.sub(r"\s+", " ", (site / "failures.html").read_text())
    assert "3 of 67 rows failed" in page and page.index("corrupt") < page.index("missing")
    for kind in ("corrupt", "missing"):
        assert MEANINGS[kind][0] in page.replace("&#39;", "'") and f'href="gallery.html#status={kind}"' in page
    assert "1 of them has genres all the same" in page


def test_every_kind_of_failure_has_its_meaning():
    files = [path for folder in ("scoring", "inputs") for path in (REPOSITORY / "movie_genres" / folder).glob("*.py")]
    kinds = re.findall(r'(?:PosterError|FailedPoster|failures\.append\(|\nNO_[A-Z]+ = )\(?(?:[\w.]+, )?"([a-z_]+)"',
                       "".join(path.read_text() for path in files))
    expected = {"missing", "corrupt", "empty_text", "unknown_text", "no_text", "no_embedding", "no_answer"}
    assert expected <= set(kinds) <= set(MEANINGS)


@pytest.mark.parametrize("format", ["csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
@pytest.mark.parametrize("columns", [None, ("status", "id", "genres"),
                                     ("id", "status", *(f"p_{genre}" for genre in GENRES))])
def test_all_formats_and_columns_are_read(tmp_path, format, columns):
    found = read_scored(write_scored(tmp_path / f"p.{format}", 5, format, columns), 9)
    assert found.rows == 12 and found.statuses == {"ok": 9, "corrupt": 2, "missing": 1} and found.answered["corrupt"] == 1
    assert list(found.films.ids) == [*(f"film{number:03}" for number in range(5)), "gone", "broken", "half", *HOSTILE][:9]
    said = found.films.said[0]
    named = [{genre for genre, is_named in zip(found.films.genres, row) if is_named} for row in said.named]
    from_half = columns is not None and "genres" not in columns
    assert named[0] == {"Drama"} and named[3] == ({"Comedy"} if from_half else {"Comedy", "Drama"}) and named[5] == set()
    assert found.has_genres != from_half
    assert np.isnan(said.probabilities[0]).all() == (not found.has_probabilities) == (columns == ("status", "id", "genres"))


def test_a_folder_of_parts_is_read_in_order(tmp_path):
    write_scored(tmp_path / "part-00001.csv", 2)
    write_scored(tmp_path / "part-00000.csv", 3)
    (tmp_path / "_SUCCESS").touch()
    assert read_scored(tmp_path, 100).films.ids[:3] == ("film000", "film001", "film002")
    assert read_scored(tmp_path, 100).rows == 3 + 2 + 14


@pytest.mark.parametrize("content, message", [
    ("id,genres\na,Drama\n", "the columns id, status and genres"), ("", "no row"),
    ("id,status,genres\n", "at least one row"),
    ("id,status,p_A\na,ok,much\n", "probabilities as numbers"),
    *((f"id,status,p_A\na,ok,nan\na,ok,{value}\n", "row 2: a probability of") for value in ("5", "-0.1", "inf")),
    ("id,status,genres\na,ok\n", "2 in row 1"), ("id,status,genres\na,ok,A\n\n\na,ok,B\n", "row 2 blank"),
    ("id,status\na,ok\n", "the columns id, status and genres"),
])
def test_what_is_no_output_of_scoring_is_refused(tmp_path, run, content, message):
    (tmp_path / "p.csv").write_text(content)
    result = run(genre_report, tmp_path / "p.csv", "--out", tmp_path / "site")
    assert result.exit_code == 2 and message in result.stderr and not (tmp_path / "site").exists()


@pytest.mark.parametrize("lines, message", [
    ("[1]", "another value in row 1"), ('{"id": "a", "status": "ok", "genres": []}\nnull', "another value in row 2"),
    ('{"id": "a", "status": "ok", "genres": []}\n{', "row 2: "),
    ('{"id": "a", "status": "ok", "genres": [1]}', "row 1: a genre"),
    ('{"id": "a", "status": "ok", "p_A": 1' + 400 * "0" + "}", "row 1: "),
])
def test_lines_of_json_that_are_no_rows_are_refused(tmp_path, lines, message):
    (tmp_path / "p.jsonl").write_text(lines)
    with pytest.raises(InputError, match=message):
        read_scored(tmp_path / "p.jsonl", 9)


def test_blank_lines_at_the_end_and_halves_of_surrogate_pairs_do_no_harm(tmp_path, run):
    (tmp_path / "p.jsonl").write_text('{"id": "a", "status": "ok", "genres": ["B\\ud800"]}\n\n \n')
    result = run(genre_report, tmp_path / "p.jsonl", "--out", tmp_path / "site")
    assert result.exit_code == 0 and "gallery.html#genre=B%3F" in (tmp_path / "site" / "index.html").read_text()
    assert json.loads(unpacked(tmp_path / "site" / "data" / "index.js")["index"])["genres"] == ["B?"]


@pytest.mark.filterwarnings("error")
def test_films_that_all_failed_have_a_site(tmp_path, run):
    (tmp_path / "p.csv").write_text("id,status,genres\na,missing,\n\n")
    assert run(genre_report, tmp_path / "p.csv", "--out", tmp_path / "site").exit_code == 0


def test_models_of_other_genres_are_refused(tmp_path, run):
    (tmp_path / "p.csv").write_text("id,status,genres\na,ok,Drama\nb,ok,Gardening\n")
    models = REPOSITORY / "movie_genres" / "released"
    result = run(genre_report, tmp_path / "p.csv", "--models", models, "--out", tmp_path / "s")
    assert result.exit_code == 2 and "none that knows the genre Gardening" in result.stderr


def test_posters_of_other_films_are_refused(tmp_path, run):
    folder = write_catalogue(tmp_path / "in", 3)
    write_overviews(tmp_path / "other.csv", {"another": "film"})
    result = run(genre_report, folder / "p.csv", "--overviews", tmp_path / "other.csv", "--out", tmp_path / "site")
    assert result.exit_code == 2 and "found none of their ids" in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"in", "other.csv"}


def test_ids_that_repeat_are_joined_in_order(tmp_path, run):
    (tmp_path / "p.csv").write_text("id,status,genres\na,ok,Drama\na,ok,War\nb,ok,War\n")
    (tmp_path / "o.csv").write_text("id,overview\nb,of b\na,first\na,second\n")
    result = run(genre_report, tmp_path / "p.csv", "--overviews", tmp_path / "o.csv", "--out", tmp_path / "site")
    assert result.exit_code == 0
    assert [film["overview"] for film in texts_of(tmp_path / "site")] == ["first", "second", "of b"]


def page():
    return Page("index.html", "Start", "failures.html.j2", {"failures": [], "scored": {"rows": 7}})


def test_an_older_site_is_replaced_whole_or_stays(tmp_path):
    out = tmp_path / "site"
    write_site(out, "One", lambda folder: [page()] if (folder / "extra.txt").write_text("x") else [])
    assert (out / "extra.txt").exists() and (out / "static" / "site.css").exists()

    def broken(folder):
        raise OSError("full")

    with pytest.raises(OSError):
        write_site(out, "Two", broken)
    assert (out / "extra.txt").exists() and [path.name for path in tmp_path.iterdir()] == ["site"]
    write_site(out, "<Three>", lambda folder: [page()])
    assert not (out / "extra.txt").exists() and "&lt;Three&gt;" in (out / "index.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_only_one_writes_a_site_and_a_killed_one_leaves_the_older(tmp_path):
    out = tmp_path / "site"

    def build(folder):
        with pytest.raises(LockedError):
            write_site(out, "Two", lambda folder: [])
        return [page()]

    def broken(folder):
        raise OSError("full")

    write_site(out, "One", build)
    (tmp_path / ".partial-site").mkdir()
    out.rename(tmp_path / ".partial-site" / "old")  # as between the two renames
    with pytest.raises(OSError):
        write_site(out, "Three", broken)
    assert "One" in (out / "index.html").read_text() and [path.name for path in tmp_path.iterdir()] == ["site"]


def test_what_was_put_into_a_site_is_not_lost(tmp_path):
    out = tmp_path / "site"
    write_site(out, "One", lambda folder: [page()])
    (out / ".DS_Store").touch()
    write_site(out, "Two", lambda folder: [page()])
    with pytest.raises(InputError, match="corrections.csv"):
        write_site(out, "Three", lambda folder: [page()] if (out / "corrections.csv").write_text("mine") else [])
    with pytest.raises(InputError, match="corrections.csv"):
        write_site(out, "Four", pytest.fail)
    assert (out / "corrections.csv").exists() and "Two" in (out / "index.html").read_text()


@pytest.mark.parametrize("out", [".", "..", "../here"])
def test_the_current_folder_is_never_replaced(tmp_path, monkeypatch, out):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="the current folder"):
        write_site(Path(out), "One", pytest.fail)


@pytest.mark.parametrize("make", [lambda out: out.write_text("mine"),
                                  lambda out: (out.mkdir(), (out / "mine.txt").touch())])
def test_what_is_no_site_is_never_replaced(tmp_path, make):
    make(tmp_path / "site")
    with pytest.raises(InputError, match="site: expected"):
        write_site(tmp_path / "site", "One", lambda folder: [page()])
    assert not (tmp_path / "site" / MARK).exists()


def test_overviews_are_cut_as_far_as_it_takes(tmp_path):
    random = np.random.default_rng(0)
    overviews = ["".join(random.choice(list("abcdefghij "), 900)) for _ in range(50)]
    films = made_films(50, overviews)
    whole = packing.write_films(films, np.zeros(50, bool), tmp_path / "whole", 10**6)
    assert whole is None and [film["overview"] for film in texts_of(tmp_path / "whole")] == overviews
    cut = packing.write_films(films, np.zeros(50, bool), tmp_path / "cut", 12_000)
    texts = texts_of(tmp_path / "cut")
    assert cut in packing.LONGEST_CUTS and 0 < cut < 900
    assert [film["overview"] for film in texts] == [overview[:cut] for overview in overviews]
    assert all(film["cut"] for film in texts)
    assert sum(path.stat().st_size for path in (tmp_path / "cut" / "data").iterdir()) <= 12_000


def test_films_that_are_too_many_lose_their_overviews_and_are_told_of(tmp_path, caplog):
    cut = packing.write_films(made_films(3), np.zeros(3, bool), tmp_path / "site", 10)
    assert cut == 0 and texts_of(tmp_path / "site") == [{"cut": True}] * 3 and "Give fewer films" in caplog.text


def test_films_are_measured_by_doubt_loss_and_disagreement():
    half, sure = np.full((1, 2), 0.5), np.array([[1.0, 0.0]])
    says = [Said(name, name, probabilities, probabilities > 0.4)
            for name, probabilities in (("poster", half), ("overview", sure))]
    assert says[0].doubt() == pytest.approx(np.log(2)) and says[1].doubt() == pytest.approx(0, abs=1e-5)
    assert says[1].loss(np.array([[True, False]])) == pytest.approx(0, abs=1e-5)
    assert says[1].loss(np.array([[False, True]])) > 5
    films = Films(("A", "B"), ["f"], says, ["ok"], ["both"], [""])
    assert films.disagreement() == pytest.approx(0.5)
    assert Films(("A", "B"), ["f"], says[:1], ["ok"], ["both"], [""]).disagreement() is None


def test_thumbnails_are_named_by_number_and_broken_posters_have_none(tmp_path):
    good = image_bytes()
    posters = [(0, LoadedPoster("../../etc/x", good, len(good))), (1, FailedPoster("b", "missing", "no such file")),
               (1002, LoadedPoster("c", b"no picture", 10)), (1003, LoadedPoster("d", good, len(good)))]
    pictured = write_thumbnails(posters, 1004, tmp_path)
    assert np.flatnonzero(pictured).tolist() == [0, 1003]
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jpg"))
    assert written == ["thumbs/000/0.jpg", "thumbs/001/1003.jpg"]


EXPLAINED = {"genres": {"Drama": {"probability": 0.7123, "poster": [[0.5, -0.25]], "words": [["sea", 0.3]],
                                  "shares": {"poster": 0.4, "overview": 0.6}}}}


def test_explanations_are_read_for_the_films_that_are_shown(tmp_path):
    path = tmp_path / "explanations.jsonl"
    path.write_text("".join(json.dumps({"id": film, **EXPLAINED}) + "\n" for film in "abc")
                    + '{"id": "d", "status": "corrupt", "error": "x", "genres": {}}\n')
    assert explanations_of(tmp_path, {"a", "c", "d"}) == {"a": EXPLAINED, "c": EXPLAINED}
    assert explanations_of(path, {"b"}) == {"b": EXPLAINED}


@pytest.mark.parametrize("line", ["{", "[]", '{"id": "a"}', '{"id": "a", "genres": {"B": {"probability": NaN}}}',
                                  '{"id": "a", "genres": {"B": {"probability": 1, "words": "sea"}}}'])
def test_explanations_that_are_none_are_refused(tmp_path, line):
    (tmp_path / "explanations.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match="line 1"):
        explanations_of(tmp_path, {"a"})
