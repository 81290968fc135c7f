"""How what a user names is read: tables, and what tables and lists lead to."""

from dataclasses import dataclass
from typing import Annotated

from movie_genres.base.settings import Option

HTTP = ("http", "https")


@dataclass(frozen=True)
class TableOptions:
    """How to read tables; None: see `tables.Table` and `tables.AnyTable.find`."""

    id_column: Annotated[str | None, Option("Input", "Column with the film's id.", metavar="NAME")] = None
    text_column: Annotated[str | None, Option("Input", "Column with the overview.", metavar="NAME")] = None
    poster_column: Annotated[str | None, Option("Input", "Column with the poster's path, in a table given to `posters`.",
                                                metavar="NAME")] = None
    encoding: Annotated[str | None, Option("Input", "Encoding of the tables, such as latin-1.", metavar="NAME",
                                           default="by the byte-order mark, else UTF-8")] = None
    delimiter: Annotated[str | None, Option("Input", "Separator of the tables.", metavar="CHAR",
                                            default="by the header line")] = None


@dataclass(frozen=True)
class Access:
    """Where things may be read from, and how long to wait for them: for each connection, listing and poster, and for each
    `access.STEP` of a table. Links are followed before a file is held to its `root`."""

    root: Annotated[str | None, Option("Limits", "Only posters below this folder are read; relative paths of a table start "
                                       "there.", is_folder=True, default="a table's own folder; else anywhere",
                                       name="poster_root")] = None
    schemes: Annotated[tuple[str, ...], Option("Limits", "URLs that lists and tables may name.", metavar="A,B,…",
                                               name="url_schemes")] = HTTP
    private_hosts: Annotated[bool, Option("Limits", "Let URLs of lists and tables lead into networks that are not public.")
                             ] = False
    timeout: Annotated[float, Option("Limits", "How long to wait for each answer from a URL or a Ray cluster.",
                                     metavar="SECONDS", above=0)] = 10
    retries: Annotated[int, Option("Limits", "How often to try a URL again that fails at once.", least=0)] = 2
