"""The pages about figures in a real browser: charts, tables and choices."""

import pytest
from runs import HOSTILE, run_of, site_of, write_run
from sites import until

pytestmark = pytest.mark.browser
PAGES = ("index.html", "genres.html", "genre-sci-fi.html", "report.html")


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """The site of a run whose genres have hostile names."""
    folder = write_run(tmp_path_factory.mktemp("run"), HOSTILE)
    site_of(run_of(folder), folder / "site")
    return folder / "site"


@pytest.mark.parametrize("scheme, width", [("light", 1280), ("dark", 390)])
@pytest.mark.parametrize("page", PAGES)
def test_all_can_be_read_by_everybody(figures, tab, page, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the extra test")
    shown = tab(figures, page, color_scheme=scheme, viewport={"width": width, "height": 900})
    shown.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = axe.Axe().run(shown, options={"preload": False}).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found
            if each["impact"] in ("serious", "critical")] == []
    assert shown.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("page", ["index.html", "genre-sci-fi.html"])
def test_charts_are_drawn_when_they_come_into_view_and_anew_in_the_dark(figures, tab, page):
    shown = tab(figures, page)
    canvases = shown.locator("canvas:visible")
    for number in range(canvases.count()):
        canvases.nth(number).scroll_into_view_if_needed()
        until(shown, "canvas => Boolean(Chart.getChart(canvas))", canvases.nth(number).element_handle())
    color = "Chart.getChart(document.querySelector('canvas')).options.scales.x.ticks.color"
    light = shown.evaluate(color)
    shown.emulate_media(color_scheme="dark")
    until(shown, f"before => {color} !== before", light)


def test_a_threshold_is_picked_by_keyboard(figures, tab):
    shown = tab(figures, "genre-sci-fi.html")
    box = shown.locator("[data-points]:visible")
    slider, value = box.locator("input"), lambda name: box.locator(f'[data-value="{name}"]').inner_text()
    slider.focus()
    shown.keyboard.press("Home")
    found, missed = (int(value(name)) for name in ("true positives", "false negatives"))
    assert found >= 1 and found + missed == int(box.get_attribute("data-support"))
    shown.keyboard.press("End")
    assert value("false negatives") == "0" and value("recall").startswith("100")
    drawn = shown.evaluate("Chart.getChart(document.querySelector('[data-chart=curve]')).data.datasets.at(-1).data[0].x")
    assert drawn == 1
    shown.locator("select[data-switch=model]").select_option(label="TF-IDF")
    assert shown.locator("section[data-panel=model]:visible h2").inner_text() == "TF-IDF"


def test_the_heat_map_sorts_and_shows_another_model(figures, tab):
    shown = tab(figures, "genres.html")
    shown.locator("select[data-switch=heat]").select_option(label="lstm")
    table = shown.locator("section[data-panel=heat]:visible table")
    table.get_by_role("button", name="recall").focus()
    shown.keyboard.press("Enter")
    texts = table.locator("tbody tr td:nth-child(6)").all_inner_texts()
    numbers = [float(text) for text in texts if text != "–"]
    assert numbers == sorted(numbers, reverse=True) and texts[len(numbers):] == ["–"] * (len(texts) - len(numbers))
    assert table.locator("th[aria-sort=descending]").inner_text().startswith("recall")
    table.get_by_role("button", name="genre").click()
    names = table.locator("tbody th").all_inner_texts()
    assert len(names) == len(HOSTILE) and "<script>alert(1)</script>" in names
