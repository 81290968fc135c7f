"""The page about a search for better settings: what was tried, and what may be said of it."""

from movie_genres.evaluation.searching import DONE, Search, points, ranked, verdict
from movie_genres.reporting import words
from movie_genres.reporting.charts import PLAIN, Chart, interval_chart
from movie_genres.reporting.site import Page

FIRST = "--series-1"


def search_page(search: Search) -> Page:
    """The page `sweep.html`."""
    return Page("sweep.html", "Search", "sweep.html.j2", {
        "w": words, "search": search, "order": ranked(search), "points": points, "verdict": verdict(search), "DONE": DONE,
        "chart": _chart(search)})


def _chart(search: Search) -> Chart | None:
    """Differences to the committed settings with their intervals, by rank, of settings that were measured on all splits."""
    found = {f"no. {rank}": {"value": 100 * gain.mean, "low": 100 * (gain.mean - gain.margin),
                             "high": 100 * (gain.mean + gain.margin)}
             for rank, (tried, _, gain, _) in enumerate(ranked(search), 1)
             if gain and gain.margin is not None and tried.state == DONE}
    if not found:
        return None
    tints = {name: FIRST if name == "no. 1" else PLAIN for name in found}
    return interval_chart("gains", "Differences to the committed settings, in points of skill",
                          "Mean differences of skill on test films to the committed settings, by rank, with 95 % intervals "
                          f"over {len(search.splits)} splits", found, tints, percent=False)
