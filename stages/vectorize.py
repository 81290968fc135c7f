"""Decodes the posters and encodes the overviews to arrays that training maps from disk."""

from pathlib import Path

import click

from movie_genres.data.vectorizing import VectorizeOptions, write_overviews, write_posters
from movie_genres.inputs.prepared import load_prepared
from movie_genres.inputs.vocabulary import Vocabulary
from stages.common import params_option, path_option, prepared_option, read_options, running


@click.command(help=__doc__)
@prepared_option
@path_option("--posters", "features/posters", "Folder for pixel arrays.", folder=True)
@path_option("--overviews", "features/overviews", "Folder for token ids.", folder=True)
@params_option
def main(prepared: Path, posters: Path, overviews: Path, params: Path) -> None:
    with running():
        options, films = read_options(params, "vectorize", VectorizeOptions), load_prepared(prepared)
        paths, texts = films.films["poster"], films.films["overview"]
        unreadable = write_posters(paths.tolist(), posters, options.image_size, options.engine)
        vocabulary = Vocabulary.fit(texts.iloc[films.rows("train")], options.max_tokens, options.max_length)
        write_overviews(texts.tolist(), vocabulary, overviews)
        click.echo(f"{(paths != '').sum() - len(unreadable):,} posters, {len(unreadable):,} unreadable; "
                   f"{len(texts):,} overviews, {len(vocabulary):,} tokens")


if __name__ == "__main__":
    main()
