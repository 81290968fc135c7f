"""The site of a scored catalogue: its films and answers, what failed, and a page to review them on."""

import logging
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from movie_genres.base.errors import InputError
from movie_genres.base.files import StrPath
from movie_genres.base.names import escape_name, spreadsheet_safe
from movie_genres.base.progress import track
from movie_genres.ensemble.drift import compare
from movie_genres.ensemble.film_summaries import read_summary
from movie_genres.reporting.answers_page import pages_of_catalogue
from movie_genres.reporting.explanations import explanations_of
from movie_genres.reporting.failures import failures_of
from movie_genres.reporting.gallery import film_pages
from movie_genres.reporting.request import SiteRequest
from movie_genres.reporting.scored import Scored, read_scored
from movie_genres.reporting.site import Page, check_target, write_site
from movie_genres.reporting.thumbnails import write_thumbnails
from movie_genres.scoring.catalogue import Catalogue
from movie_genres.scoring.poster_sources import Picture, PosterSource
from movie_genres.scoring.rows import OK

logger = logging.getLogger(__name__)


def write_catalogue_site(predictions: StrPath, request: SiteRequest) -> Scored:
    """Writes the site of what a scoring job wrote; gives what was read of that.

    Films are joined with their posters and overviews by id: the first with the first where an id repeats.

    Raises `InputError` where an input cannot be read, the posters and overviews have not one id of the films, or the site's
    place holds other things.
    """
    out = Path(request.out)
    check_target(out)
    scored = read_scored(Path(predictions), request.films, request.format)
    if request.explanations is not None:
        explanations = explanations_of(Path(request.explanations), set(scored.films.ids))
        scored.films = replace(scored.films, explanations=explanations)
    drifts = compare(read_summary(Path(request.summary))) if request.summary is not None else []
    answers = pages_of_catalogue(scored, None if request.models is None else Path(request.models), drifts)

    def build(folder: Path) -> list[Page]:
        overviews = [""] * len(scored.films.ids)
        pictured = write_thumbnails(_joined(scored, overviews, request), len(overviews), folder, request.caps)
        films = replace(scored.films, overviews=overviews)
        having = {"a thumbnail": int(pictured.sum()), "an overview": sum(map(bool, overviews)),
                  "an explanation": len(films.explanations)}
        context = {"scored": scored, "failures": failures_of(scored), "ok": scored.statuses[OK], "having": having,
                   "shown": len(overviews)}
        return [Page("index.html", "Overview", "catalogue.html.j2", context), *answers, *film_pages(films, pictured, folder),
                Page("failures.html", "Failures", "failures.html.j2", context)]

    write_site(out, request.title or Path(predictions).name, build)
    return scored


def _joined(scored: Scored, overviews: list[str], request: SiteRequest) -> Iterator[tuple[int, PosterSource]]:
    """Yields the posters of films with the films' numbers, and puts down their overviews."""
    if request.posters is None and request.overviews is None:
        return
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for number, film in enumerate(scored.films.ids):
        waiting[film].append(number)
    entries = Catalogue(request.posters, request.overviews, request.caps.bytes, request.tables, access=request.access)
    matched = others = 0
    for entry in track(entries, None, "Reading films"):
        name = escape_name(entry.id)
        if not (numbers := waiting.get(name) or waiting.get(spreadsheet_safe(name))):
            others += 1
            continue
        number = numbers.popleft()
        matched += 1
        overviews[number] = entry.overview or ""
        if entry.poster is not None and not isinstance(entry.poster, Picture):
            yield number, entry.poster
    if not matched:
        raise InputError(request.posters or request.overviews, "posters or overviews of the films that were scored",
                         "none of their ids")
    if matched < len(scored.films.ids):
        logger.warning("%s of %s films are not among the posters and overviews", f"{len(scored.films.ids) - matched:,}",
                       f"{len(scored.films.ids):,}")
    if others and len(scored.films.ids) == scored.rows:
        logger.warning("%s posters and overviews have no row among the scored films", f"{others:,}")
