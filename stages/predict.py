"""Scores the test films the way `genre-predict` does: from their files, to a CSV with a row for each."""

from pathlib import Path

import click
from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.base.options import STRICT
from stages.common import (
    embedding_files,
    embeddings_option,
    models_option,
    params_option,
    path_option,
    prepared_option,
    read_options,
    running,
)


@dataclass(config=STRICT, frozen=True, kw_only=True)
class PredictOptions:
    """The `predict` section of `params.yaml`: how many genres stand in `top`; the others as in `naming.Naming`."""

    top: int = Field(ge=1)
    precision: float | None
    recall: float | None
    threshold: float | None
    max_genres: int | None


@click.command(help=__doc__)
@prepared_option
@models_option
@embeddings_option
@path_option("--out", "predictions/test.csv", "The CSV file to write.")
@params_option
def main(prepared: Path, models: Path, embeddings: Path, out: Path, params: Path) -> None:
    with running():
        from movie_genres.data.embeddings import read_embeddings
        from movie_genres.ensemble.decisions import choose_models
        from movie_genres.ensemble.naming import Naming
        from movie_genres.ensemble.scorer import Models
        from movie_genres.inputs.modality import MODALITIES
        from movie_genres.inputs.prepared import read_split
        from movie_genres.scoring.catalogue import Entry
        from movie_genres.scoring.engine import score_anew
        from movie_genres.scoring.poster_sources import LocalPoster
        from movie_genres.scoring.rows import RowFormat

        options = read_options(params, "predict", PredictOptions)
        items = [Entry(film["id"], LocalPoster(film["poster"]) if film["poster"] else None, film["overview"] or None)
                 for film in read_split(prepared, "test")]
        naming = Naming(precision=options.precision, recall=options.recall, threshold=options.threshold,
                        max_genres=options.max_genres)
        files = embedding_files(params, embeddings)
        vectors = {name: read_embeddings(path) for name, path in files.items()}
        loaded = Models(*choose_models(models, MODALITIES, embedded=files), embeddings=vectors).naming(naming)
        out.parent.mkdir(parents=True, exist_ok=True)
        layout = RowFormat(tuple(loaded.genres), top=options.top)
        statuses = score_anew(items, len(items), out, layout, loaded)
        click.echo(", ".join(f"{count:,} {status}" for status, count in statuses.items()))


if __name__ == "__main__":
    main()
