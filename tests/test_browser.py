"""The sites in a real browser: Chromium, by Playwright. Skipped where one of them is not there."""

import csv
import io
import json

import numpy as np
import pytest
from sites import GENRES, HOSTILE, until, write_catalogue

from movie_genres.reporting.catalogue import write_catalogue_site
from movie_genres.reporting.films import Films, Said
from movie_genres.reporting.gallery import film_pages
from movie_genres.reporting.request import SiteRequest
from movie_genres.reporting.site import write_site

PAGES = ("index.html", "answers.html", "gallery.html", "gallery.html#film=film003", "review.html", "failures.html")

pytestmark = pytest.mark.browser

EXPLANATION = {"genres": {
    "Drama": {"probability": 0.9, "poster": [[0.5, -0.2], [0, 0.1]],
              "words": [["Film", 0.1], [" ", 0], ["<b>sea</b>", 0.7], [" is", -0.2]],
              "shares": {"poster": -0.25, "overview": 0.75}},
    "<i>Noir</i>": {"probability": 0.1, "poster": None, "words": None, "shares": {}}}}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """The site of a scored catalogue of 67 films."""
    folder = write_catalogue(tmp_path_factory.mktemp("catalogue"))
    (folder / "explanations.jsonl").write_text(json.dumps({"id": "film003", **EXPLANATION}) + "\n")
    write_catalogue_site(folder / "p.csv", SiteRequest(
        posters=str(folder / "posters"), overviews=str(folder / "o.csv"), explanations=str(folder), out=str(folder / "site"),
        title="A <b>catalogue</b>"))
    return folder / "site"


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """The site of 120 films whose genres are known, with three models: 30 of the split test, named Drama right, wrong or
    not at all in turn."""
    count, kinds = 120, np.arange(120) % 3
    truth = np.zeros((count, 4), bool)
    truth[:, 1], truth[:, 0] = kinds != 1, kinds == 1
    probabilities = np.full((count, 4), 0.05)
    probabilities[:, 1] = np.where(kinds == 2, 0.3, np.linspace(0.5, 0.99, count))
    probabilities[kinds == 2, 2] = 0.8
    poster = np.linspace(0.1, 0.9, count)[:, None] * np.ones(4)
    said = [Said("answer", "both", probabilities, probabilities > 0.4), Said("cnn", "poster", poster, poster > 0.4),
            Said("lstm", "overview", np.full((count, 4), 0.1), np.zeros((count, 4), bool))]
    films = Films(GENRES, [f"tt{number}" for number in range(count)], said, ["ok"] * count, ["both"] * count,
                  ["text"] * count, titles=[f"Title {number}" for number in range(count)],
                  years=[str(1900 + number) for number in range(count)],
                  splits=["test" if number < 30 else "train" for number in range(count)], truth=truth)
    out = tmp_path_factory.mktemp("judged") / "site"
    write_site(out, "Judged", lambda folder: film_pages(films, np.zeros(count, bool), folder))
    return out


def titles(shown):
    return shown.locator(".card-link").all_inner_texts()


def counted(shown):
    return shown.locator("#count").inner_text()


@pytest.mark.parametrize("scheme, width", [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
@pytest.mark.parametrize("page", PAGES)
def test_no_page_has_a_serious_hindrance(catalogue, tab, page, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the extra test")
    shown = tab(catalogue, page, color_scheme=scheme, viewport={"width": width, "height": 900})
    if "film=" in page:
        shown.wait_for_selector("#film-title")
    found = axe.Axe().run(shown, options={"preload": False}).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found
            if each["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_phone_shows_each_page_without_scrolling_sideways(catalogue, tab, page):
    shown = tab(catalogue, page, viewport={"width": 390, "height": 844})
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390


def test_names_and_overviews_show_as_the_text_they_are(catalogue, tab):
    shown = tab(catalogue, "gallery.html#page=2")
    assert titles(shown)[-4:] == list(HOSTILE)
    assert shown.title() == "Gallery · A <b>catalogue</b>"
    for film, overview in HOSTILE.items():
        shown.get_by_role("link", name=film, exact=True).click()
        until(shown, "film => document.getElementById('film-title')?.textContent === film", film)
        assert shown.locator("#film .overview").evaluate("box => box.textContent") == overview
        assert shown.locator("#film script, #film img, #film svg, #film i").count() == 0
        shown.keyboard.press("Escape")
    assert "<i>Noir</i>" in shown.locator("[name=genre]").inner_text()
    review = tab(catalogue, "review.html#sort=order&film=" + next(iter(HOSTILE)).replace(" ", "+"))
    assert review.locator("#reviewed-film h2").inner_text() == next(iter(HOSTILE))


def test_filters_narrow_and_a_link_gives_the_same_view(judged, tab):
    shown = tab(judged)
    assert counted(shown) == "30 of 120 films" and titles(shown)[0] == "Title 0"
    for outcome, first in (("right", "Title 0"), ("wrong", "Title 1"), ("missed", "Title 2")):
        shown.select_option("[name=genre]", "Drama")
        shown.select_option("[name=outcome]", outcome)
        assert counted(shown) == "10 of 120 films" and titles(shown)[0] == first
    shown.select_option("[name=split]", "all")
    assert counted(shown) == "40 of 120 films"
    shown.fill("[name=from]", "1950")
    shown.fill("[name=to]", "1960")
    shown.select_option("[name=sort]", "loss")
    assert titles(shown) == [f"Title {number}" for number in (50, 53, 56, 59)]
    again = tab(judged, shown.url.rsplit("/", 1)[1])
    assert titles(again) == titles(shown) and again.locator("[name=from]").input_value() == "1950"
    shown.get_by_role("button", name="Clear all").click()
    assert counted(shown) == "30 of 120 films"


def test_other_filters(judged, tab, catalogue):
    shown = tab(judged)
    shown.select_option("[name=model]", "1")  # cnn names all genres of films from 45 on
    shown.select_option("[name=genre]", "Comedy")
    shown.select_option("[name=by]", "named")
    assert counted(shown) == "0 of 120 films" and shown.locator("#nothing").is_visible()
    shown.select_option("[name=split]", "train")
    assert counted(shown) == "75 of 120 films"
    shown = tab(catalogue)
    assert counted(shown) == "67 films"
    shown.select_option("[name=status]", "corrupt")
    assert titles(shown) == ["broken", "half"]
    shown.select_option("[name=status]", "")
    shown.fill("[name=q]", "FILM00 3")
    assert titles(shown) == ["film003"]


@pytest.mark.parametrize("sort, first", [("order", 0), ("doubt", 2), ("sure", 28), ("disagreement", 29), ("loss", 28)])
def test_films_are_sorted(judged, tab, sort, first):
    assert titles(tab(judged, f"gallery.html#sort={sort}"))[0] == f"Title {first}"


def test_pages_of_films(catalogue, tab):
    shown = tab(catalogue)
    assert len(titles(shown)) == 48
    shown.get_by_role("button", name="Next →").first.click()
    assert len(titles(shown)) == 67 - 48 and "page=2" in shown.url
    assert shown.locator(".pager .where").first.inner_text() == "Page 2 of 2"


def test_the_gallery_by_keyboard(catalogue, tab):
    shown = tab(catalogue)
    focused = "document.activeElement.textContent"
    shown.keyboard.press("j")
    shown.keyboard.press("j")
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("k")
    assert shown.evaluate(focused) == "film001"
    shown.keyboard.press("ArrowDown")
    assert shown.evaluate(focused) == "film004"
    outline = shown.evaluate("getComputedStyle(document.activeElement.closest('.card')).outlineStyle")
    assert outline == "solid"
    shown.keyboard.press("Enter")
    assert shown.locator("#film-title").inner_text() == "film004" and "film=film004" in shown.url
    shown.keyboard.press("j")
    until(shown, "document.getElementById('film-title').textContent === 'film005'")
    shown.keyboard.press("ArrowLeft")
    until(shown, "document.getElementById('film-title').textContent === 'film004'")
    shown.keyboard.press("Escape")
    assert not shown.locator("#film").is_visible() and "film=" not in shown.url
    shown.keyboard.press("/")
    assert shown.evaluate("document.activeElement.name") == "q"
    shown.go_back()
    shown.wait_for_selector("#film[open]")


def test_everything_is_reached_by_tab(catalogue, tab):
    shown = tab(catalogue, "gallery.html#q=film003")
    reached = set()
    for _ in range(30):
        shown.keyboard.press("Tab")
        reached.add(shown.evaluate("document.activeElement.name || document.activeElement.textContent.trim()"))
    assert {"Skip to the content", "Gallery", "Review", "q", "genre", "status", "sort", "Clear all", "film003"} <= reached


def test_an_explanation_shades_poster_and_words(catalogue, tab):
    shown = tab(catalogue, "gallery.html#film=film003")
    shown.wait_for_selector("#film .heat")
    pixels = shown.evaluate("[...document.querySelector('.heat').getContext('2d').getImageData(10, 10, 1, 1).data]")
    assert pixels[0] > pixels[2] and pixels[3] > 100
    words = shown.locator("#film .word")
    assert shown.locator("#film .overview").evaluate("box => box.textContent") == "Film <b>sea</b> is"
    assert words.nth(2).evaluate("word => getComputedStyle(word).backgroundColor") == "rgba(226, 88, 34, 0.62)"
    assert shown.locator("#film .shares").inner_text().split() == ["poster", "−0.25", "overview", "+0.75"]
    shown.locator("#film .why button").nth(1).click()
    assert shown.locator("#film .heat").count() == 0 and words.count() == 0
    assert shown.locator("#film .overview").inner_text().startswith("Film 3 is about")


def test_an_address_of_no_film_says_so(catalogue, tab):
    shown = tab(catalogue, "gallery.html#film=nobody")
    assert shown.locator("#lost").is_visible() and not shown.locator("#film").is_visible()


def exported(shown):
    with shown.expect_download() as download:
        shown.locator("#export").click()
    return list(csv.reader(io.StringIO(download.value.path().read_text(encoding="utf-8"), newline="")))


def test_a_review_is_kept_and_exported(catalogue, tab):
    shown = tab(catalogue, "review.html#sort=order&film=film001")
    assert shown.locator("#marks .genre").all_inner_texts() == ["Drama", "<i>Noir</i>"]
    shown.get_by_role("button", name="Drama is wrong").click()
    shown.fill("#added", "comedy")
    shown.keyboard.press("Enter")
    assert shown.locator("#labels").inner_text() == "<i>Noir</i>, Comedy"
    shown.locator("#done").click()
    assert shown.locator("#reviewed-film h2").inner_text() == "film002"
    shown.locator("#reviewed-film h2").click()
    shown.keyboard.press("1")  # right
    shown.keyboard.press("Enter")
    assert shown.locator("#reviewed-film h2").inner_text() == "film003"
    hostile = '=HYPERLINK("http://x")'
    shown.evaluate("hash => { location.hash = hash; }", f"#sort=order&film={hostile}")
    until(shown, "film => document.querySelector('#reviewed-film h2').textContent === film", hostile)
    shown.locator("#done").click()
    expected = [["id", "genres"], ["film001", "<i>Noir</i>|Comedy"], ["film002", "Drama"],
                [hostile, "<i>Noir</i>|Ärger & Co"]]
    assert exported(shown) == expected
    shown.reload()
    shown.wait_for_selector("#marks li")
    assert counted(shown) == "3 of 67 films reviewed" and exported(shown) == expected
    shown.select_option("[name=which]", "reviewed")
    shown.locator("#forget").click()
    assert counted(shown) == "2 of 67 films reviewed"


def test_two_windows_keep_each_others_reviews(catalogue, tab):
    one = tab(catalogue, "review.html#sort=order&film=film001")
    two = one.context.new_page()
    two.goto(f"file://{catalogue}/review.html#sort=order&film=film002")
    two.get_by_role("button", name="Drama is wrong").click()
    one.get_by_role("button", name="Drama is wrong").click()
    for shown in (one, two):
        until(shown, "document.getElementById('count').textContent.startsWith('2 of')")
        assert exported(shown) == [["id", "genres"], ["film001", "<i>Noir</i>"], ["film002", ""]]
    two.locator("#forget").click()
    until(one, "document.getElementById('count').textContent.startsWith('1 of')")
    one.reload()
    one.wait_for_selector("#marks li")
    assert exported(one) == [["id", "genres"], ["film001", "<i>Noir</i>"]]


def bare_site(out, ids, named):
    """A site of films of which nothing is known but the genres that are named, of A, B and C."""
    named = np.array([[genre in of_film for genre in "ABC"] for of_film in named])
    films = Films(tuple("ABC"), ids, [Said("answer", "both", np.full(named.shape, np.nan), named)], ["ok"] * len(ids), (),
                  [f"Text {number}" for number in range(len(ids))])
    write_site(out, "Bare", lambda folder: film_pages(films, np.zeros(len(ids), bool), folder))
    return out


def test_labels_stay_what_a_reviewer_left_where_other_genres_are_named(tmp_path, tab):
    old, new = bare_site(tmp_path / "old", ["x", "y"], ["AB", "A"]), bare_site(tmp_path / "new", ["x", "y"], ["C", "C"])
    shown = tab(old, "review.html#film=x")
    shown.get_by_role("button", name="A is wrong").click()
    shown.goto(f"file://{new}/review.html#film=x")
    shown.wait_for_selector("#marks li")
    assert shown.locator("#marks .genre").all_inner_texts() == ["A", "B", "C"]
    assert exported(shown) == [["id", "genres"], ["x", "B"]]
    shown.get_by_role("button", name="C is right").click()
    assert exported(shown) == [["id", "genres"], ["x", "B|C"]]


def test_films_of_one_id_have_an_address_each(tmp_path, tab):
    site = bare_site(tmp_path / "site", ["a", "a", "b"], ["A", "B", "C"])
    shown = tab(site, "gallery.html#film=a")
    for number, address in ((0, "#film=a"), (1, "#film=a&n=2"), (2, "#film=b")):
        until(shown, "text => document.querySelector('#film .overview')?.textContent === text", f"Text {number}")
        assert shown.url.endswith(address)
        shown.keyboard.press("j")
    shown.keyboard.press("Escape")
    until(shown, "location.hash === '' && !document.getElementById('film').open")
    review = tab(site, "review.html#film=a&n=2&sort=order")
    assert review.locator("#marks .genre").all_inner_texts() == ["B"]
    review.locator("#next").click()
    assert review.locator("#reviewed-film h2").inner_text() == "b"


def test_an_export_is_taken_in_again(catalogue, tab):
    shown = tab(catalogue, "review.html")
    table = 'id,genres\r\nfilm005,"Comedy|Ärger & Co"\r\n"=HYPERLINK(""http://x"")",\r\nnobody,Drama\r\n'
    shown.set_input_files("#import", {"name": "c.csv", "mimeType": "text/csv", "buffer": table.encode()})
    until(shown, "document.getElementById('import-note').textContent !== ''")
    assert shown.locator("#import-note").inner_text() == "2 films taken in."
    assert exported(shown) == [["id", "genres"], ["film005", "Comedy|Ärger & Co"], ['=HYPERLINK("http://x")', ""]]
    shown.set_input_files("#import", {"name": "c.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"})
    until(shown, "document.getElementById('import-note').textContent.startsWith('This is no table')")


def test_where_genres_are_known_a_review_starts_from_them(judged, tab):
    shown = tab(judged, "review.html#film=tt2&sort=order")
    assert shown.locator("#marks .genre").all_inner_texts() == ["Drama", "<i>Noir</i>"]
    assert shown.locator("#labels").inner_text() == "Drama"


def test_the_page_of_a_film_without_probabilities(tmp_path, tab):
    shown = tab(bare_site(tmp_path / "site", ["one", "two"], ["A", ""]), "gallery.html#film=one")
    shown.wait_for_selector("#film-title")
    assert "Disagreement" not in shown.content()
    assert shown.locator("#film table").count() == 0 and shown.locator("[name=sort] option").count() == 1
