"""Lists labels that are probably wrong or missing, films that are nearly the same, and films unlike all others."""

from pathlib import Path

import click

from movie_genres.evaluation.auditing import AuditOptions, audit, write_audit
from movie_genres.inputs.features import load_posters
from movie_genres.inputs.prepared import load_prepared
from stages.common import params_option, path_option, posters_option, prepared_option, read_options, running


@click.command(help=__doc__)
@prepared_option
@posters_option
@path_option("--out", "audit", "Folder for the tables.", folder=True)
@params_option
def main(prepared: Path, posters: Path, out: Path, params: Path) -> None:
    with running():
        options = read_options(params, "audit", AuditOptions)
        found = audit(load_prepared(prepared), load_posters(posters), options)
        write_audit(found, out)
        click.echo(f"{found.summary['suspects']:,} labels to look at, {len(found.duplicates):,} pairs of films that are "
                   f"nearly the same, {int(found.duplicates['leak'].sum()):,} of them across splits")


if __name__ == "__main__":
    main()
