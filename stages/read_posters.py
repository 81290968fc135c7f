"""Reads the text on posters, such as titles and names, if the parameters ask for it."""

from pathlib import Path

import click

from movie_genres.data.poster_texts import ReadPostersOptions, write_texts
from stages.common import params_option, path_option, read_options, running


@click.command(help=__doc__)
@path_option("--posters", "data/posters", "Folder with the posters.", folder=True, exists=True)
@path_option("--out", "features/poster_text", "Folder for the texts.", folder=True)
@path_option("--kept", "state/poster_text", "Folder for what has been read of every poster so far.", folder=True)
@params_option
def main(posters: Path, out: Path, kept: Path, params: Path) -> None:
    with running():
        texts = write_texts(posters, out, kept, read_options(params, "read_posters", ReadPostersOptions))
        click.echo("posters are not read" if texts is None
                   else f"text on {sum(map(bool, texts.values())):,} of {len(texts):,} posters")


if __name__ == "__main__":
    main()
