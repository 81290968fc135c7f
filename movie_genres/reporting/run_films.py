"""The films of a pipeline run, for the gallery of its site."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.base.options import STRICT
from movie_genres.ensemble.naming import Naming
from movie_genres.ensemble.operating_points import likeliest
from movie_genres.evaluation.searching import Search
from movie_genres.evaluation.tuning import present_of
from movie_genres.inputs.modality import BOTH, MODALITIES
from movie_genres.reporting.explanations import shown
from movie_genres.reporting.films import Bools, Films, Said
from movie_genres.reporting.gallery import film_pages
from movie_genres.reporting.pages import pages_of_run, write_markdown
from movie_genres.reporting.run import Run
from movie_genres.reporting.site import Page, write_site
from movie_genres.reporting.thumbnails import write_thumbnails
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.poster_sources import LocalPoster
from movie_genres.scoring.predictor import Predictor
from movie_genres.scoring.rows import OK


@dataclass(config=STRICT, frozen=True, kw_only=True)
class ReportOptions:
    """The `report` section of `params.yaml`.

    Attributes:
        splits: which splits the gallery has, one after the other.
        films: how many films it has at most, the first ones.
        against: the revision whose metrics the overview compares with; null: none.
    """

    splits: list[Literal["train", "validation", "test"]] = Field(min_length=1)
    films: int = Field(ge=1)
    against: str | None


def write_run_site(run: Run, options: ReportOptions, out: Path, audit: Path | None = None,
                   search: Search | None = None, explanations: Mapping[str, Any] = {}) -> None:
    """Writes the site of a pipeline run, with `report.md`.

    `audit`: the folder of the audit, if there is one; `search`: a search for better settings; `explanations`: of films,
    by id, as of `explanations.shown`.

    Raises `InputError` where `out` is a file, or a folder with other things in it.
    """
    rows = np.concatenate([run.prepared.rows(split) for split in options.splits])[:options.films]

    def build(folder: Path) -> Sequence[Page]:
        posters = run.prepared.films["poster"].iloc[rows].tolist()
        pictured = write_thumbnails(((number, LocalPoster(path)) for number, path in enumerate(posters) if path), len(rows),
                                    folder)
        write_markdown(run, folder)
        first, *others = pages_of_run(run, audit, search)
        return [first, *film_pages(replace(films_of_run(run, rows), explanations=explanations), pictured, folder), *others]

    write_site(out, "Genres of films", build)


def explain_films(run: Run, rows: NDArray[np.intp], models: Path, embeddings: Mapping[str, str]) -> dict[str, Any]:
    """Why the models of a folder say what they say of some films, by id, as of `explanations.shown`.

    `embeddings` are files of such, by the models that take them. Films of which nothing can be said are left out. Raises as
    `Predictor.load`.
    """
    predictor, found = Predictor.load(models, embeddings=embeddings), {}
    for film, poster, overview in run.prepared.films[["id", "poster", "overview"]].iloc[rows].to_numpy().tolist():
        _, explanations = predictor.explain_film(Entry(film, LocalPoster(poster) if poster else None, overview or None))
        if explanations:
            found[film] = shown(explanations)
    return found


def films_of_run(run: Run, rows: NDArray[np.intp]) -> Films:
    """Some of the prepared films, with what each model says of them; first, under the name `answer`, what a user is told."""
    having = _having(run, rows)
    answer = _said(run, rows, having, {kind: run.decisions.ranking[kind] for kind in having}, "answer", BOTH)
    each = [_said(run, rows, having, {kind: [name] for kind in having}, name, of_model.modality or BOTH)
            for name, of_model in run.answers.items()]
    films = run.prepared.films.iloc[rows]
    sources = np.select(list(having.values()), list(having), "").tolist()
    return Films(run.genres, films["id"].tolist(), [answer, *each], [OK] * len(rows), sources, films["overview"].tolist(),
                 titles=films["title"].tolist(), years=films["year"].tolist(), splits=films["split"].tolist(),
                 truth=run.prepared.labels[rows] > 0)


def _having(run: Run, rows: NDArray[np.intp]) -> dict[str, Bools]:
    """From what a film has for the models, a poster, an overview or both, to which films have just that."""
    present = {kind: there[rows] for kind, there in present_of(run.answers).items()}
    both = np.all(list(present.values()), axis=0) & (len(present) > 1)
    return {**({BOTH: both} if len(present) > 1 else {}), **{kind: present[kind] & ~both for kind in MODALITIES
                                                             if kind in present}}


def _said(run: Run, rows: NDArray[np.intp], having: Mapping[str, Bools], ranking: Mapping[str, Sequence[str]], name: str,
          looks_at: str) -> Said:
    """What models say of films, from those of each kind by the best that has something to go by, as scoring decides it."""
    probabilities = np.full((len(rows), len(run.genres)), np.nan)
    named = np.zeros(probabilities.shape, bool)
    for kind, there in having.items():
        for model in reversed([model for model in ranking[kind] if model in run.answers]):  # the best one last: it prevails
            of_model = run.answers[model].probabilities[rows]
            lines = np.flatnonzero(there & ~np.isnan(of_model[:, 0]))
            decision = run.decisions.of(model, len(run.genres), kind)
            probabilities[lines] = decision.calibration(of_model[lines])
            named[lines] = likeliest(probabilities[lines], decision.point(Naming()).number(probabilities[lines]))
    return Said(name, looks_at, probabilities, named)
