"""What the site of a scored catalogue can be asked for."""

from dataclasses import dataclass
from typing import Annotated

from movie_genres.base.settings import Option
from movie_genres.data.reading import Access, TableOptions
from movie_genres.inputs.caps import Caps


@dataclass(frozen=True, kw_only=True)
class SiteRequest:
    """What the site of a scored catalogue is to show. `posters`, `overviews` and how they are read: as for scoring."""

    posters: Annotated[str | None, Option("Input", "The posters that were scored: folder, glob, archive, table, list, URL.",
                                          metavar="WHERE")] = None
    overviews: Annotated[str | None, Option("Input", "The table of overviews that was scored.", metavar="TABLE")] = None
    models: Annotated[str | None, Option("Input", "Folder of the models that scored them, which tells what to expect.",
                                         is_folder=True)] = None
    explanations: Annotated[str | None, Option("Input", "Why films got their genres: `explanations.jsonl`, or a folder with "
                                               "it.", metavar="PLACE")] = None
    summary: Annotated[str | None, Option("Input", "What scoring wrote by its option of this name, to show how the films "
                                          "have drifted.", metavar="FILE")] = None
    format: Annotated[str | None, Option("Input", "csv, csv.gz, jsonl, jsonl.gz or parquet.", metavar="NAME",
                                         default="by the suffix")] = None
    out: Annotated[str, Option("Output", "Folder for the site; an older site there is replaced.", metavar="DIR")]
    title: Annotated[str | None, Option("Output", "The site's name.", metavar="TEXT",
                                        default="that of the rows' file")] = None
    films: Annotated[int, Option("Output", "Films in the gallery at most, the first ones.", least=1)] = 20_000
    tables: TableOptions = TableOptions()
    caps: Caps = Caps()
    access: Access = Access()
