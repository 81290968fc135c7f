"""All pages about figures of a pipeline run."""

from pathlib import Path

from movie_genres.evaluation.searching import Search
from movie_genres.reporting.genre_pages import genre_pages
from movie_genres.reporting.overview import overview
from movie_genres.reporting.run import Run
from movie_genres.reporting.search_page import search_page
from movie_genres.reporting.second_looks import audit_page
from movie_genres.reporting.site import Page
from movie_genres.reporting.written import FILE, report_page, written_report


def pages_of_run(run: Run, audit: Path | None = None, search: Search | None = None) -> list[Page]:
    """The pages of a run: overview, genres, a page of each genre, second looks if there is a folder `audit`, the search for
    better settings if there was one, the report.

    Films link to `gallery.html#film=ID`, the report to `report.md`, which `write_markdown` writes.
    """
    titles = dict(zip(run.prepared.films["id"], run.prepared.films["title"]))
    audited = [audit_page(audit, titles)] if audit and audit.is_dir() else []
    searched = [search_page(search)] if search else []
    return [overview(run), *genre_pages(run), *audited, *searched, report_page(run)]


def write_markdown(run: Run, folder: Path) -> None:
    """Writes the report as `report.md` to the folder of a site."""
    (folder / FILE).write_text(written_report(run), encoding="utf-8", errors="backslashreplace")
