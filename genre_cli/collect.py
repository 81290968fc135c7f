"""`genre-data collect`: brings films from where they are described."""

import os
from dataclasses import dataclass
from typing import Annotated, Any

import click

from genre_cli.options import SectionedCommand, options_for
from movie_genres.base.errors import MissingPackageError, Remedy, UserError, one_line
from movie_genres.base.settings import Option, build
from movie_genres.data.tmdb import URL, Query

SOME_FAILED = 3


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asks for."""

    out: Annotated[str, Option("Output", "Folder for the films, a new one or one to go on with.", metavar="DIR")]
    query: Query = Query()
    rate: Annotated[int, Option("Requests", "Requests a second at most. TMDB allows about 40.", least=1, most=40)] = 20


@click.command("collect", cls=SectionedCommand, context_settings={"max_content_width": 110},
               params=[click.Argument(["source"], type=click.Choice(["tmdb"])), *options_for(Request)])
def collect_command(source: str, **options: Any) -> None:
    """Collects films from TMDB: overviews, genres and posters, for genre-data import.

    \b
    TMDB_READ_TOKEN=… genre-data collect tmdb --out tmdb/ --years 1975-2025 --min-votes 50
    genre-data import tmdb/ --track

    The key is read from TMDB_READ_TOKEN (an API read access token) or TMDB_API_KEY, and written nowhere. The same command
    goes on where it was stopped. TMDB's terms of use restrict what its content may be used for: see the README.

    \b
    Exit code: 3 when some answers could not be had, which the same command asks for again; others as of genre-data.
    """
    token, key = (os.environ.get(name, "").strip() for name in ("TMDB_READ_TOKEN", "TMDB_API_KEY"))
    if not token and not key:
        raise UserError("TMDB is asked with a key, and there is none.", Remedy.KEY)
    try:
        from movie_genres.data.collecting import collect
        from movie_genres.data.tmdb_client import Credentials
    except ImportError as error:
        raise MissingPackageError("Collecting", error.name or "", "collect") from None

    request = build(Request, options)
    done = collect(request.out, request.query, Credentials(token or key, bool(token)), request.rate,
                   os.environ.get("TMDB_URL") or URL)
    click.echo(one_line(f"{done.films:,} films with {done.posters:,} posters in {request.out}. Next: genre-data import "
                        f"{request.out}"))
    left_out = ", ".join(f"{count:,} of kind {kind}" for kind, count in sorted(done.left_out.items()))
    for note in [*([f"left out: {left_out}; see missing.csv"] if left_out else []), *done.notes]:
        click.echo(one_line(f"note: {note}"))
    if done.failed:
        click.echo(f"{done.failed:,} answers could not be had. The same command asks for them again.", err=True)
        raise click.exceptions.Exit(SOME_FAILED)
