import json
import re
import subprocess
import sys

import markdown_it
import numpy as np
import pytest
from runs import BAD, HOSTILE, USUAL, run_of, site_of, write_run

from movie_genres.reporting import words
from movie_genres.reporting.genre_figures import outcomes_of, views_of
from movie_genres.reporting.overview import changes
from movie_genres.reporting.run import Earlier
from movie_genres.reporting.second_looks import audit_page
from movie_genres.reporting.site import write_site
from movie_genres.reporting.written import written_report


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return run_of(write_run(tmp_path_factory.mktemp("usual"), USUAL))


@pytest.fixture(scope="module")
def usual_pages(usual, tmp_path_factory):
    return site_of(usual, tmp_path_factory.mktemp("site") / "site")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = write_run(tmp_path_factory.mktemp("hostile"), HOSTILE, titles=f"{BAD} \u202e[x](y)\n# z")
    run = run_of(folder)
    return run, site_of(run, folder / "site"), (folder / "site" / "report.md").read_text()


def test_figures_on_the_overview_are_those_of_the_metrics(usual, usual_pages):
    page, figures = usual_pages["index.html"], usual.figures
    for kind in ("poster", "overview", "both"):
        for metric in ("precision", "recall", "f1_per_film"):
            assert words.share(figures[f"answers_to_{kind}.{metric}"]) in page
    for name in ("cnn", "lstm", "fusion", "tfidf", "base_rate"):
        for metric in ("skill", "tuned_f1", "tuned_macro_f1", "map", "recall_at_precision"):
            assert f'<td class="number">{words.share(figures[f"{name}.{metric}"])} ' in page, (name, metric)
    always = usual.tables["operating_points"].query("asked == 'always'").iloc[0]
    assert f"{words.share(always['precision'])} right, {words.share(always['recall'])} found" in page


def test_figures_of_genres_are_those_of_the_metrics(usual, usual_pages):
    expected = usual.tables["per_genre"].set_index("genre")
    answers, *views = views_of(usual)
    for view, name in zip(views, ("cnn", "lstm", "fusion", "tfidf", "base_rate")):
        for outcome in outcomes_of(usual, view):
            assert outcome.support == expected.loc[outcome.genre, "support"]
            for metric in ("precision", "recall", "f1"):
                want, found = expected.loc[outcome.genre, f"{name}.{metric}"], getattr(outcome, metric)
                assert (found is None and np.isnan(want)) or found == pytest.approx(want, abs=6e-5), (name, outcome.genre)
            assert outcome.right + outcome.wrong + outcome.missed + outcome.rest == usual.figures["films"]
            page = usual_pages[f"genre-{words.slugs(usual.genres)[outcome.genre]}.html"]
            cells = "".join(f'<td class="number">{count}</td>' for count in outcome[3:7])
            precision = words.share(outcome.precision)
            assert f'{words.number(outcome.threshold)}</td>{cells}<td class="number">{precision} ' in page
    named = outcomes_of(usual, answers)
    both = usual.figures["answers_to_both.precision"]  # all but the two films that lack an input
    right, wrong = (sum(column) for column in list(zip(*named))[3:5])
    assert right / (right + wrong) == pytest.approx(both, abs=0.02)


def test_the_point_that_is_picked_is_what_its_threshold_comes_to(usual):
    view = views_of(usual)[1]
    for place, outcome in enumerate(outcomes_of(usual, view)):
        there = usual.comparison.labels[:, place] > 0
        for point in outcome.points:
            named = view.probabilities[:, place] >= point.threshold
            assert (point.right, point.wrong) == ((there & named).sum(), (~there & named).sum())


def test_a_genre_without_test_films(usual, usual_pages):
    outcome = outcomes_of(usual, views_of(usual)[0])[-1]
    assert (outcome.support, outcome.recall, outcome.average_precision, outcome.points) == (0, None, None, [])
    page = usual_pages["genre-genre-h.html"]
    assert "No test film has it" in page and 'data-chart="curve"' not in page
    assert "nan" not in re.sub("<[^>]*>", "", "".join(usual_pages.values()))


def test_all_links_between_pages_lead_somewhere(usual_pages):
    for name, page in usual_pages.items():
        for link in re.findall('href="([^"]*html)["#]', page):
            assert link in usual_pages or link == "gallery.html", (name, link)


def test_films_have_their_addresses_in_the_gallery(usual_pages):
    assert re.search('href="gallery.html#film=f%2F[0-9]+%23"', usual_pages["genre-genre-a.html"])


def test_all_data_of_charts_are_json_and_have_a_table(usual_pages):
    for page in usual_pages.values():
        canvases = re.findall('<canvas role="img" aria-label="[^"]+" data-chart="([^"]+)"', page)
        assert len(canvases) == len(set(canvases)) == page.count("These figures as a table") == page.count("<canvas")
        for id in canvases:
            content, = re.findall(f'<script type="application/json" id="{id}">(.*?)</script>', page)
            assert json.loads(content, parse_constant=pytest.fail)["data"]["datasets"]


def test_hostile_names_and_titles_are_text(hostile):
    run, pages, _ = hostile
    assert len(pages) == 3 + len(HOSTILE)
    for name, page in pages.items():
        assert re.fullmatch(r"[a-z0-9-]+\.html", name)
        assert BAD not in page, name
        assert len(re.findall("<script", page)) == len(re.findall('<script (src="static/|type="application/json")', page))
    assert "&lt;script&gt;alert(1)" in pages["genres.html"]


def test_hostile_names_and_titles_are_text_in_markdown_too(hostile):
    run, pages, text = hostile
    html = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "linkify"]).render(text)
    assert "<script" not in html and "<a " not in html and "<h1>z" not in html
    assert html.count("<em>") == 0
    assert "[a](javascript:b)" in html and "A/B *c*" in html
    rows = [line for line in text.splitlines() if line.startswith("| ") and "accent" in line]
    assert rows and {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {6, 7}


@pytest.mark.parametrize("text, expected", [
    ("a|b", r"a\|b"), ("<b>", r"\<b\>"), ("a\n# b", r"a \# b"), ("`x`", r"\`x\`"), ("&lt;", r"\&lt\;"), (0.002, "0.002"),
    ("www.a.b", r"www\.a\.b"), ("\\", "\\\\"), ("Sci-Fi", "Sci-Fi"), ("\u2028a", "a"),
])
def test_text_in_markdown(text, expected):
    assert words.markdown(text) == expected


def test_slugs_are_safe_and_different():
    names = ["Sci-Fi", "sci fi", "SCI_FI", "sci-fi-2", "", "…", "../../etc", "É" * 200, "恐怖"]
    found = words.slugs(names)
    assert list(found) == names and len(set(found.values())) == len(names)
    assert all(re.fullmatch("[a-z0-9-]{1,64}", slug) for slug in found.values())


def test_a_run_of_posters_alone(tmp_path):
    run = run_of(write_run(tmp_path, USUAL, models=("cnn",)))
    pages = site_of(run, tmp_path / "site")
    assert run.best == "cnn" and "Films with an overview" not in pages["index.html"]
    assert words.share(run.figures["answers_to_poster.precision"]) in pages["index.html"]
    assert "right by both" not in pages["index.html"]


def test_what_changed_against_another_revision(usual, tmp_path):
    before = {name: value for name, value in usual.figures.items() if not name.startswith("lstm")}
    before |= {"fusion.skill": usual.figures["fusion.skill"] - 0.5, "old.skill": 0.125}
    run = run_of_earlier(usual, Earlier("main", before))
    found = {(change.of, change.metric): change for change in changes(run)}
    assert found["fusion", "skill"].difference == pytest.approx(0.5) and found["fusion", "skill"].verdict == "higher"
    assert found["fusion", "F1"].verdict == "the same"
    assert found["lstm", "skill"].verdict == "only now" and found["old", "skill"].verdict == "gone"
    assert "+50.0" in site_of(run, tmp_path / "site")["index.html"]
    without = run_of_earlier(usual, Earlier("v9", None, "There is no revision v9."))
    assert not list(changes(without)) and "There is no revision v9." in site_of(without, tmp_path / "site")["index.html"]


def run_of_earlier(run, earlier):
    return type(run)(**{**{name: getattr(run, name) for name in run.__dataclass_fields__}, "earlier": earlier})


def test_the_written_report_has_the_figures(usual):
    text = written_report(usual)
    for name in ("cnn", "fusion", "tfidf"):
        assert words.share(usual.figures[f"{name}.skill"]) in text
    assert words.share(usual.figures["answers_to_both.recall"]) in text
    assert "4,321 weights" in text and r"| re\_sidual |" in text and "2 (repeated id)" in text


def test_second_looks(tmp_path):
    for name, lines in {
            "suspects": ["rank,id,title,split,genre,labelled,probability,score,kind",
                         f"1,f/1,{BAD},train,Drama,0,0.97,0.02,missing"],
            "duplicates": ["kind,id,other_id,split,other_split,distance,leak", "poster,a,b,train,test,2,True",
                           "poster,a,c,train,train,2,False"],
            "unusual": ["rank,id,title,split,distance",
                        *(f"{n},u{n},{'T' * (140_000 if n == 299 else 1)},train,0.5" for n in range(300))]}.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "summary.json").write_text(json.dumps({
        "films": 9, "labels_judged": 50, "suspects": 1, "suspects_missing": 1, "suspects_wrong": 0,
        "suspects_by_genre": {"Drama": 1}}))
    write_site(tmp_path / "site", "Films", lambda folder: [audit_page(tmp_path, {"f/1": BAD, "b": "A film"})])
    page = (tmp_path / "site" / "audit.html").read_text()
    assert BAD not in page and "&lt;script&gt;" in page and "gallery.html#film=f%2F1" in page
    assert "1 of 2 pairs stand in two splits" in page and "The first 200 of 300" in page and "<b>1</b> (2.0" in page
    assert page.count("gallery.html#film=u") == 200 and '#film=b"><bdi>A film' in page and '#film=c"><bdi>c' in page


CATALOGUE = """
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from movie_genres.reporting.answers_page import expected_precisions, pages_of_catalogue
from movie_genres.reporting.films import Films, Said
from movie_genres.reporting.scored import Scored
from movie_genres.reporting.site import write_site

genres = ["Drama", "<b>Noir</b>"]
probabilities = np.array([[0.9, 0.7], [0.6, 0.1], [np.nan, np.nan]], np.float32)
films = Films(genres, list("abc"), [Said("answer", "both", probabilities, probabilities > 0.5)], ["ok", "ok", "unreadable"],
              ["both"] * 3, [""] * 3)
scored = Scored(films, 3, Counter(ok=2, unreadable=1), named=Counter({"Drama": 2, "<b>Noir</b>": 1}))
np.testing.assert_allclose(expected_precisions(films), [0.8, 0.6, np.nan], rtol=1e-5)
drift = SimpleNamespace(measure="poster_width", sentence="posters are <i>wider</i>", differs=True, beside="training films",
                        labels=["below 9", "9 or more"], found=[0.25, 0.75], expected=[0.5, 0.5])
out = Path(sys.argv[1])
write_site(out, "Films", lambda folder: pages_of_catalogue(scored, Path(sys.argv[2]) if sys.argv[2:] else None, [drift]))
assert not {"pandas", "sklearn", "scipy", "tensorflow"} & set(sys.modules)
"""


def test_the_answers_of_a_catalogue_need_no_pandas(tmp_path):
    done = subprocess.run([sys.executable, "-c", CATALOGUE, str(tmp_path / "site")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "answers.html").read_text()
    assert "3 rows, of which 2 are in order and 1 failed" in page and words.share(0.7) in page
    assert "in 1 of 1 measures" in page and "<i>wider" not in page and "<b>Noir" not in page
