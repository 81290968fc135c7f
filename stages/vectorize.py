"""Decodes the posters and encodes the overviews to arrays that training maps from disk."""

from pathlib import Path

import click

from movie_genres.data.vectorizing import VectorizeOptions, write_overviews, write_posters
from movie_genres.inputs.prepared import load_prepared
from movie_genres.inputs.vocabulary import Vocabulary
from stages.common import FOLDER, params_option, prepared_option, read_options, running


@click.command(help=__doc__)
@prepared_option
@click.option("--posters", type=FOLDER, default="features/posters", show_default=True, help="Folder for pixel arrays.")
@click.option("--overviews", type=FOLDER, default="features/overviews", show_default=True, help="Folder for token ids.")
@params_option
def main(prepared: Path, posters: Path, overviews: Path, params: Path) -> None:
    with running():
        options = read_options(params, "vectorize", VectorizeOptions)
        content = load_prepared(prepared)
        films = content.films
        unreadable = write_posters(films["poster"].tolist(), posters, options.image_size)
        training = films["overview"].iloc[content.rows("train")]
        vocabulary = Vocabulary.fit(training, options.max_tokens, options.max_length)
        write_overviews(films["overview"].tolist(), vocabulary, overviews)
        click.echo(f"{(films['poster'] != '').sum() - len(unreadable):,} posters, {len(unreadable):,} unreadable; "
                   f"{len(films):,} overviews, {len(vocabulary):,} tokens")


if __name__ == "__main__":
    main()
