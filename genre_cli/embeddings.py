"""`genre-data embeddings`: what trained models make of films, for other software."""

from pathlib import Path

import click

from genre_cli.common import Group
from movie_genres.base.errors import SettingError, one_line
from movie_genres.base.progress import console

PATH = click.Path(path_type=Path)


@click.group("embeddings", cls=Group)
def embeddings() -> None:
    """Embeddings of films: vectors that other software, or a fusion, can go on with."""


@embeddings.command("export")
@click.option("--model", required=True, help="The model whose features are written, such as cnn.")
@click.option("--out", type=PATH, required=True, help="The file to write: .parquet or .npz.")
@click.option("--models", type=click.Path(exists=True, file_okay=False),
              help="Folder with the trained models; by default models, where there are any; else the package's own.")
@click.option("--data", type=PATH, help="The data folder whose films are taken; by default data.")
@click.option("--posters", help="In place of it: where posters are, as of genre-predict.")
@click.option("--overviews", help="In place of it: a table of overviews; with --posters, joined by id.")
@click.option("--id-column", help="Column of tables with the film's id.")
@click.option("--text-column", help="Column with the overview.")
@click.option("--dtype", type=click.Choice(["auto", "int8", "float32"]), default="auto", show_default=True,
              help="int8, and auto: a model with a copy in 8 bits is run by that, as in scoring; float32: the model itself.")
@click.option("--threads", type=click.IntRange(1), help="To decode and compute with; by default one for each core.")
def export_command(model: str, out: Path, models: str | None, data: Path | None, posters: str | None, overviews: str | None,
                   id_column: str | None, text_column: str | None, dtype: str, threads: int | None) -> None:
    """Writes id, features, model and digest of films, a row for each.

    The features are what the model says of a film before it tells its genres. Films of which it has nothing to go by, such
    as those without a poster, are left out. The file is replaced whole, or not at all.
    """
    from movie_genres.data.reading import TableOptions
    from movie_genres.inputs.caps import Caps
    from movie_genres.scoring.catalogue import Catalogue
    from movie_genres.scoring.embeddings import export_embeddings, films_of_data
    from movie_genres.scoring.request import check_not_input

    check_not_input(out, [("posters", posters), ("overviews", overviews)])
    if posters is None and overviews is None:
        films = films_of_data(data or Path("data"))
    elif data is not None:
        raise SettingError("data", "a data folder, or else posters or overviews", "both")
    else:
        films = iter(Catalogue(posters, overviews, Caps().bytes, TableOptions(id_column=id_column, text_column=text_column)))
    done = export_embeddings(films, model, out, models, threads, dtype=dtype)
    left_out = [f"{count:,} {what}" for count, what in (
        (done.without, f"of which {model} has nothing to go by"), (done.repeated, "with an id that is there"),
        (done.unnamed, "with an id that no file can hold")) if count]
    console.print(one_line(f"{out}: {done.films:,} films, {done.channels:,} numbers each"
                           + (f"; left out: {', '.join(left_out)}" if left_out else "")), soft_wrap=True, markup=False,
                  highlight=False)
