"""Second looks: labels that are probably wrong or missing, films that are nearly the same, films unlike all others."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.base.files import replacing
from movie_genres.base.options import STRICT
from movie_genres.evaluation.cross_fitting import Inputs, cross_fit, see_films
from movie_genres.evaluation.likeness import Pair, like_overviews, like_posters, strangeness
from movie_genres.inputs.features import Posters
from movie_genres.inputs.prepared import Prepared
from movie_genres.models.metrics import EPSILON

AGAINST = 1000.0  # the odds that a label is right, before the film is looked at
DIGITS = 6  # of probabilities and distances, as they are written


@dataclass(config=STRICT, frozen=True, kw_only=True)
class AuditOptions:
    """The `audit` section of `params.yaml`.

    Attributes:
        seed: of the folds, and of the space in which films are near or far.
        suspects: how many labels to list at most.
        folds: films are dealt to so many folds; a film is judged by models trained on the others.
        repeats: how often this is done, with other folds, and averaged.
        min_films: genres that fewer films have, or lack, are left out of the suspects.
        poster_distance: posters whose hashes differ in at most this share of their bits are nearly the same.
        overview_distance: overviews of at most this cosine distance are nearly the same.
        neighbours: how many nearest films one is compared with.
        unusual: how many films that are unlike all others to list at most.
    """

    seed: int = Field(ge=0)
    suspects: int = Field(ge=1)
    folds: int = Field(ge=3)
    repeats: int = Field(ge=1)
    min_films: int = Field(ge=1)
    poster_distance: float = Field(ge=0, le=1)
    overview_distance: float = Field(ge=0, le=1)
    neighbours: int = Field(ge=1)
    unusual: int = Field(ge=1)


class Audit(NamedTuple):
    """What an audit found; tables as `write_audit` writes them."""

    suspects: pd.DataFrame  # rank, id, title, split, genre, labelled (0/1), probability, score, kind: missing or wrong
    duplicates: pd.DataFrame  # kind: poster or overview; id, other_id, split, other_split, distance, leak
    unusual: pd.DataFrame  # rank, id, title, split, distance
    summary: dict[str, Any]


def audit(prepared: Prepared, posters: Posters, options: AuditOptions) -> Audit:
    """Audits all prepared films, of whatever split; `posters` are those that `vectorize` decoded, in the same order."""
    inputs = see_films(prepared.films["overview"].tolist(), posters)
    suspects = find_suspects(prepared, inputs, options)
    duplicates = pd.concat([
        _duplicate_table(prepared, "poster", like_posters(posters, options.poster_distance, options.neighbours)),
        _duplicate_table(prepared, "overview", like_overviews(inputs.words, options.overview_distance, options.neighbours))])
    unusual = _unusual_table(prepared, strangeness(inputs.words, options.neighbours, options.seed), options.unusual)
    audited = audited_genres(prepared, options)
    cells = len(prepared.films) * len(audited)
    summary = {
        "films": len(prepared.films), "genres": len(prepared.genres), "labels_judged": cells,
        "genres_left_out": [genre for index, genre in enumerate(prepared.genres) if index not in audited],
        "share_labelled": round(float(prepared.labels.mean()), DIGITS) if prepared.labels.size else None,
        "suspects": len(suspects), "suspects_share": round(len(suspects) / cells, DIGITS) if cells else None,
        **{f"suspects_{kind}": int((suspects["kind"] == kind).sum()) for kind in ("missing", "wrong")},
        "suspects_by_split": {split: int((suspects["split"] == split).sum()) for split in prepared.films["split"].unique()},
        "suspects_by_genre": {genre: int((suspects["genre"] == genre).sum()) for genre in prepared.genres},
        **{f"duplicate_{kind}s": int((duplicates["kind"] == kind).sum()) for kind in ("poster", "overview")},
        **{f"leaking_{kind}s": int(((duplicates["kind"] == kind) & duplicates["leak"]).sum())
           for kind in ("poster", "overview")},
        "unusual": len(unusual),
    }
    return Audit(suspects, duplicates, unusual, summary)


def audited_genres(prepared: Prepared, options: AuditOptions) -> NDArray[np.intp]:
    """The indices of the genres that enough films have, and enough lack, for their labels to be judged."""
    there = prepared.labels.sum(axis=0)
    return np.flatnonzero(np.minimum(there, len(prepared.labels) - there) >= options.min_films)


def find_suspects(prepared: Prepared, inputs: Inputs, options: AuditOptions) -> pd.DataFrame:
    """The labels that are most probably wrong, worst first, as in `Audit.suspects`; at most `options.suspects` of them.

    A label's quality is cleanlab's self-confidence: how probable the label is, as it stands, by models that have not seen
    the film (see `cross_fitting.cross_fit`). Its score is the probability that it is right, if at most one label of a film
    is wrong: beside a genre too many the film's others look improbable, too, and they share the doubt. (Northcutt, Jiang
    and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021; Thyagarajan et al., "Identifying
    Incorrect Annotations in Multi-Label Classification Data", 2022.)
    """
    genres = audited_genres(prepared, options)
    labels = prepared.labels[:, genres]
    probabilities, scores = np.zeros(labels.shape), np.zeros(labels.shape)
    if len(genres):
        probabilities = cross_fit(inputs, prepared.labels, genres, options.folds, options.repeats, options.seed)
        given = [np.flatnonzero(of_film).tolist() for of_film in labels]
        quality = get_label_quality_scores_per_class(given, probabilities, method="self_confidence").clip(EPSILON)
        odds = (1 - quality) / quality / AGAINST  # of being wrong rather than right, each label by itself
        scores = 1 - odds / (1 + odds.sum(axis=1, keepdims=True))
    order = np.argsort(np.round(scores.ravel(), DIGITS), kind="stable")[:options.suspects]
    films, columns = np.unravel_index(order, labels.shape) if labels.size else (order, order)
    labelled = labels[films, columns].astype(int)
    return pd.DataFrame({
        "rank": np.arange(1, len(order) + 1), **_about(prepared, films),
        "genre": [prepared.genres[genre] for genre in genres[columns]], "labelled": labelled,
        "probability": np.round(probabilities[films, columns], DIGITS), "score": np.round(scores[films, columns], DIGITS),
        "kind": np.where(labelled == 1, "wrong", "missing")})


def _about(prepared: Prepared, films: NDArray[np.intp]) -> dict[str, list[str]]:
    return {name: prepared.films[name].iloc[films].tolist() for name in ("id", "title", "split")}


def _duplicate_table(prepared: Prepared, kind: str, pairs: list[Pair]) -> pd.DataFrame:
    ordered = sorted(pairs, key=lambda pair: (round(pair.distance, DIGITS), pair.film, pair.other))
    films, others = (_about(prepared, np.array(which, dtype=np.intp))
                     for which in ([pair.film for pair in ordered], [pair.other for pair in ordered]))
    table = pd.DataFrame({"kind": kind, "id": films["id"], "other_id": others["id"], "split": films["split"],
                          "other_split": others["split"], "distance": [round(pair.distance, DIGITS) for pair in ordered]})
    return table.assign(leak=(table["split"] != table["other_split"]).astype(bool))


def _unusual_table(prepared: Prepared, distances: NDArray[np.float64], most: int) -> pd.DataFrame:
    order = np.argsort(-np.round(distances, DIGITS), kind="stable")[:most]  # NaN comes last
    films = order[~np.isnan(distances[order])]
    return pd.DataFrame({"rank": np.arange(1, len(films) + 1), **_about(prepared, films),
                         "distance": np.round(distances[films], DIGITS)})


def write_audit(found: Audit, folder: Path) -> None:
    """Writes the tables as CSV, and `summary.json`, to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("suspects", "duplicates", "unusual"):
        with replacing(folder / f"{name}.csv") as partial:
            getattr(found, name).to_csv(partial, index=False, lineterminator="\n")
    with replacing(folder / "summary.json") as partial:
        partial.write_text(json.dumps(found.summary, indent=2) + "\n")
