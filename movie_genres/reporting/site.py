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
from movie_genres.base.files import locked

HERE = Path(__file__).parent
MARK = "movie-genres-site.txt"  # a folder with this file is a site of ours, which may be replaced; it lists what is in it
MARKED = "A site written by movie-genres. The next one that is written to this folder replaces all of this:\n"
CLUTTER = (".DS_Store", "Thumbs.db", "desktop.ini")  # which file managers leave in folders


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

    Raises `InputError` as `check_target`, `LockedError` where another process writes a site to that folder.
    """
    check_target(out)
    out = out.resolve()
    work = out.parent / f".partial-{out.name}"
    new, old = work / "new", work / "old"
    work.mkdir(parents=True, exist_ok=True)
    with locked(work / "lock", f"{out}: another process writes a site to this folder. Wait for it, or give another name."):
        try:
            _put_back(old, out)  # what a process left that was killed
            shutil.rmtree(new, ignore_errors=True)
            shutil.copytree(HERE / "static", new / "static")
            _render(build(new), title, new)
            (new / MARK).write_text("\n".join([MARKED, *sorted(path.name for path in new.iterdir()), ""]))
            check_target(out)  # again: building takes long enough to put something there
            shutil.rmtree(old, ignore_errors=True)
            if out.exists():
                out.rename(old)
            new.rename(out)
        finally:
            _put_back(old, out)
            shutil.rmtree(work, ignore_errors=True)


def _put_back(old: Path, out: Path) -> None:
    if old.exists() and not out.exists():
        old.rename(out)


def check_target(out: Path) -> None:
    """Raises `InputError` where a site must not be written to a place.

    That is a file, a folder with things in it that are not of an older site, or one that is or holds the current folder.
    """
    if out.exists() and not out.is_dir():
        raise InputError(out, "a folder for the site", "a file")
    if Path.cwd().is_relative_to(out.resolve()):
        raise InputError(out, "a folder of its own for the site", "the current folder, or one that holds it")
    mark = out / MARK
    ours = {MARK, *CLUTTER, *(mark.read_text(errors="replace").splitlines() if mark.exists() else ())}
    others = sorted({path.name for path in out.iterdir()} - ours) if out.exists() else []
    if others:
        raise InputError(out, "an empty or a new folder, or an older site", f"a folder with other things in it: {others[0]}",
                         "Move them elsewhere, or give another name.")


def _render(pages: Sequence[Page], title: str, folder: Path) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True,
                                     undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    menu = [page for page in pages if page.in_menu]
    for page in pages:
        content = environment.get_template(page.template).render(page.context, site=title, menu=menu, page=page)
        (folder / page.file).write_text(content, encoding="utf-8", errors="backslashreplace")  # half a surrogate pair
