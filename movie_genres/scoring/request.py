"""What a scoring job can be asked for: each setting is declared here, or in the class of another room that uses it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from movie_genres.base.errors import SettingError
from movie_genres.base.files import StrPath
from movie_genres.base.settings import Option
from movie_genres.data.reading import Access, TableOptions
from movie_genres.ensemble.naming import Naming
from movie_genres.inputs.caps import Caps
from movie_genres.models.run_options import RunOptions


@dataclass(frozen=True, kw_only=True)
class RowOptions:
    """What a row shows; `columns`: see `rows.all_columns`, None for the usual ones."""

    columns: Annotated[tuple[str, ...] | None, Option(
        "Output", "Columns to write, of: id, source, status, error, genres, top, p_<Genre>, file, expected_precision, "
        "model.", metavar="A,B,…", default="all but the last three")] = None
    top: Annotated[int, Option("Output", "Genres in the column `top`.", least=1)] = 3
    excel_safe: Annotated[bool, Option("Output", "Put an apostrophe before text that a spreadsheet would run as a formula.")
                          ] = False


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to score, with what, and how to write it.

    A folder for parts is one that exists, or a name with a slash at its end. `format`: one of `rows.FORMATS`.
    """

    posters: Annotated[str | None, Option("Input", "Folder (with its subfolders), glob, zip or tar archive, table, list of "
                                          "paths, URL, or - for a list on stdin.", metavar="WHERE")] = None
    overviews: Annotated[str | None, Option("Input", "CSV, TSV or Parquet table with overviews, also .gz or a URL.",
                                            metavar="TABLE")] = None
    embeddings: Annotated[tuple[str, ...], Option(
        "Input", "Parquet or .npz file with vectors of films, found by id, for a model that takes such. Repeat it.",
        metavar="MODEL=FILE", is_repeated=True)] = ()
    tables: TableOptions = TableOptions()
    caps: Caps = Caps()
    access: Access = Access()
    models: Annotated[str | None, Option("Models", "Folder with the trained models.", is_folder=True,
                                                default="models, where there are any; else the package's own")] = None
    run: RunOptions = RunOptions()
    naming: Naming = Naming()
    out: Annotated[str, Option("Output", "File to write, or a folder, with a slash at the end, for a file for each shard. "
                               "Without it, a single film's answer is printed.", metavar="PATH")] = ""
    format: Annotated[str | None, Option("Output", "csv, csv.gz, jsonl, jsonl.gz or parquet.", metavar="NAME",
                                         default="by the suffix of `out`; csv in a folder")] = None
    row: RowOptions = RowOptions()
    expected_precision: Annotated[bool, Option("Output", "Add a column `expected_precision`: the share of the row's genres "
                                               "that is right, as far as the models know.")] = False
    model_column: Annotated[bool, Option("Output", "Add a column `model`: name and version of the models.")] = False
    explain: Annotated[str | None, Option("Output", "New folder for why films have their genres: posters with heat laid "
                                          "over them, and explanations.jsonl. For up to 200 films, with `out` or without.",
                                          metavar="DIR")] = None
    summary: Annotated[str | None, Option("Output", "Write, as JSON, what the films are like, beside those that the models "
                                          "were trained on, and warn where they differ.", metavar="FILE")] = None
    overwrite: Annotated[bool, Option("Output", "Replace an output, or a job begun with other settings.")] = False
    strict: Annotated[bool, Option("Failures", "Stop at the first film that cannot be scored.")] = False
    max_failure_rate: Annotated[float | None, Option("Failures", "Stop when more than this share of all films has failed.",
                                                     metavar="SHARE", least=0, most=1)] = None
    retry_failed: Annotated[bool, Option("Failures", "Score the failed rows of an output again, and keep the others.")
                            ] = False
    shard_size: Annotated[int, Option("Large jobs", "Films a shard: what an interruption costs at most.", least=1)] = 8192
    num_shards: Annotated[int, Option("Large jobs", "Machines that share the job; `out` is a folder then.", least=1)] = 1
    shard_index: Annotated[int, Option("Large jobs", "Which of them this one is.", least=0)] = 0
    engine: Annotated[str, Option("Large jobs", "What runs the shards: this process, or a Ray cluster.",
                                  choices=("local", "ray"))] = "local"
    ray_address: Annotated[str | None, Option("Large jobs", "A running Ray cluster.", metavar="ADDRESS",
                                              default="RAY_ADDRESS, else one started here")] = None


def check_not_input(out: StrPath, inputs: Iterable[tuple[str, StrPath | None]]) -> None:
    """Raises `SettingError` where the output `out` is one of the inputs, each with the name of its setting."""
    for name, given in inputs:
        if given is not None and os.path.isfile(out) and os.path.exists(given) and os.path.samefile(given, out):
            raise SettingError("out", f"another file as output than as `{name}`", f"{os.fspath(out)} as both")
