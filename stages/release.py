"""Writes a small, versioned copy of the trained models and its model card; run by hand, not part of the pipeline."""

from pathlib import Path

import click
import numpy as np
import pandas as pd

from movie_genres.evaluation.figures import EvaluateOptions
from movie_genres.evaluation.releasing import Facts, model_card, release
from movie_genres.inputs.modality import BOTH, OVERVIEW, POSTER
from movie_genres.inputs.prepared import Prepared, load_prepared
from movie_genres.models.metrics import binary_cross_entropy, skill
from movie_genres.scoring.predictor import Predictor
from stages.common import models_option, params_option, path_option, prepared_option, read_options, running

REMAKE = ("genre-data import SOURCE --track && dvc repro && "
          "python -m stages.release --out {out} --card {card} --bits {bits} --name NAME --version VERSION --data TEXT")


@click.command(help=__doc__)
@models_option
@prepared_option
@path_option("--plots", "plots", "The figures, output of evaluate.", folder=True, exists=True)
@path_option("--out", "released", "Folder to write.", folder=True)
@path_option("--card", "MODEL_CARD.md", "The model card to write.")
@click.option("--bits", type=click.Choice(["16", "8"]), default="16", show_default=True, help="Of each large weight.")
@click.option("--name", required=True, help="Name of the release.")
@click.option("--version", required=True, help="Version of the release.")
@click.option("--data", required=True, help="A sentence on the films that the models were trained on.")
@click.option("--licence", "licences", multiple=True, help="A licence of the models, or of weights in them. Repeat it.")
@click.option("--limit", "limits", multiple=True, help="A sentence on what was not among the films. Repeat it.")
@click.option("--change", "changes", multiple=True, help="What differs from the release before. Repeat it.")
@params_option
def main(models: Path, prepared: Path, plots: Path, out: Path, card: Path, bits: str, name: str, version: str, data: str,
         licences: tuple[str, ...], limits: tuple[str, ...], changes: tuple[str, ...], params: Path) -> None:
    with running():
        options, films = read_options(params, "evaluate", EvaluateOptions), load_prepared(prepared)
        decisions = release(models, out, int(bits), name=name, version=version, data=data, licences=list(licences))
        skills, (intervals, points) = skills_of(out, films), (pd.read_csv(plots / f"{table}.csv")
                                                              for table in ("intervals", "operating_points"))
        facts = Facts(limits, changes, int(bits), REMAKE.format(out=out, card=card, bits=bits))
        card.write_text(model_card(out, facts, films, decisions, intervals, points, skills, options), "utf-8")
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        click.echo(f"{out}: {name} {version}, {size / 1e6:.1f} MB; skill on test films: "
                   + ", ".join(f"{kind} {value:.1%}" for kind, value in skills.items()))


def skills_of(folder: Path, prepared: Prepared) -> dict[str, float]:
    """The skill of a folder's models on the test films, shown their posters, their overviews or both, as they are scored."""
    predictor, rows, found = Predictor.load(folder), prepared.rows("test"), {}
    posters, overviews = ([text or None for text in prepared.films[column].iloc[rows]] for column in (POSTER, OVERVIEW))
    for kind, shown in {POSTER: (posters, None), OVERVIEW: (None, overviews), BOTH: (posters, overviews)}.items():
        if predictor.looks_at(kind):
            films = predictor.predict(*shown)
            said = np.array([list(map(film.probabilities.get, prepared.genres)) for film in films], float)
            probabilities = np.where(np.isnan(said), prepared.base_rates(), said)
            losses = (binary_cross_entropy(prepared.labels[rows], each) for each in (probabilities, prepared.base_rates()))
            found[kind] = skill(*losses)
    return found


if __name__ == "__main__":
    main()
