"""Writes a site: pages by templates, and what they load; static files that open from the disk, without a network.

A page is a `Page`: the file that it becomes, its template in `templates/`, which extends `base.html.j2` (blocks `title`,
`main`, `scripts`), and what the template is given. Pages stand in the site's own folder: all links are plain file names. A
chart is `<canvas data-chart="ID">` with its Chart.js settings in `<script type="application/json" id="ID">`, written with
`|tojson`; `static/charts.js`, which the page loads in its block `scripts` after `chart.umd.min.js`, draws them. Nothing in a
page may be a script by itself: the pages' content security policy runs files alone.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from movie_genres.base.errors import InputError

HERE = Path(__file__).parent
MARK = "movie-genres-site.txt"  # a folder with this file is a site of ours, which may be replaced
MARKED = "A site written by movie-genres. The next one that is written to this folder replaces all that is in it.\n"


@dataclass(frozen=True)
class Page:
    """One page of a site.

    Attributes:
        file: its name in the site's folder, such as `gallery.html`.
        title: plain text, for the menu and the window.
        template: its file in `templates/`.
        context: what the template is given beside `site`, `menu` and `page`.
        in_menu: whether the menu of all pages leads to it, in the order of the pages.
    """

    file: str
    title: str
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    in_menu: bool = True


def write_site(out: Path, title: str, build: Callable[[Path], Sequence[Page]]) -> None:
    """Writes a site to a folder, whole or not at all; an older site there is replaced.

    Args:
        build: gives the pages, after it has written what else belongs to the site, such as pictures, to the folder it is
            given.

    Raises `InputError` where `out` is a file, or a folder with other things in it.
    """
    check_target(out)
    new, old = (out.parent / f".{kind}-{out.name}" for kind in ("partial", "replaced"))
    for leftover in (new, old):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        shutil.copytree(HERE / "static", new / "static")
        (new / MARK).write_text(MARKED)
        _render(build(new), title, new)
        if out.exists():
            out.rename(old)
        new.rename(out)
    finally:
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)


def check_target(out: Path) -> None:
    """Raises `InputError` where a site must not be written to a place: a file, or a folder with other things in it."""
    if out.exists() and not out.is_dir():
        raise InputError(out, "a folder for the site", "a file")
    if out.exists() and not (out / MARK).exists() and any(out.iterdir()):
        raise InputError(out, "an empty or a new folder, or an older site", "a folder with other things in it",
                         "Give another name.")


def _render(pages: Sequence[Page], title: str, folder: Path) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True,
                                     undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    menu = [page for page in pages if page.in_menu]
    for page in pages:
        content = environment.get_template(page.template).render(page.context, site=title, menu=menu, page=page)
        (folder / page.file).write_text(content, encoding="utf-8", errors="backslashreplace")  # half a surrogate pair
