"""`genre-report`: makes a site of a scored catalogue, to look at and to review."""

import logging
import os
import warnings
from typing import Any

import click

from genre_cli.common import Messages, reporting
from genre_cli.options import SectionedCommand, options_for
from movie_genres.base.errors import MissingPackageError
from movie_genres.base.settings import build
from movie_genres.reporting.request import SiteRequest


@click.command(cls=SectionedCommand, params=[click.Argument(["predictions"], metavar="PREDS"), *options_for(SiteRequest)],
               context_settings={"max_content_width": 110})
def main(predictions: str, **options: Any) -> None:
    """Makes a site of static files of PREDS: what genre-predict wrote, a file or a folder of parts, in any format.

    \b
    genre-report preds.csv --posters DIR --overviews films.csv --out site/

    Posters and overviews are found as genre-predict finds them, and joined with the rows by id. The site opens from the
    disk: an overview, a gallery of all films, what failed and what to do about it, and a page on which to mark genres as
    right or wrong, and to export the corrections.

    \b
    Exit code: 0 when done; 2 when it could not be done as asked; 1 when stopped by a full disk or memory; 130 after Ctrl-C.
    """
    warnings.filterwarnings("ignore", module="PIL")  # of damaged metadata in pictures that can be decoded
    logging.basicConfig(level=logging.INFO, handlers=[Messages()], force=True)
    with reporting(main):
        try:
            import jinja2  # noqa: F401
        except ImportError:
            raise MissingPackageError("A site", "jinja2", "report") from None
        from movie_genres.reporting.catalogue import write_catalogue_site

        request = build(SiteRequest, options)
        scored = write_catalogue_site(predictions, request)
        click.echo(f"{scored.rows:,} rows. Open {os.path.join(request.out, 'index.html')}")
