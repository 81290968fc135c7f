"""Figures and tables on films that no training, and no choice of epoch, has seen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass
from sklearn.metrics import precision_recall_curve

from movie_genres.base.options import STRICT
from movie_genres.ensemble.decisions import Decisions, read_decisions
from movie_genres.ensemble.naming import USUAL
from movie_genres.ensemble.operating_points import Choice
from movie_genres.evaluation import measures
from movie_genres.evaluation.measures import Floats
from movie_genres.evaluation.tuning import fit_thresholds, measure, measure_always, present_of
from movie_genres.inputs.modality import BOTH, MODALITIES
from movie_genres.inputs.prepared import Prepared, load_prepared
from movie_genres.models import metrics
from movie_genres.models.answers import Answers, load_answers

BASE_RATE = "base_rate"
RECALL_GRID = np.linspace(0.01, 1, 100)
HEADLINES = ("loss", "skill", "precision", "recall", "tuned_macro_f1", "map", "recall_at_precision")


@dataclass(config=STRICT, frozen=True, kw_only=True)
class EvaluateOptions:
    """The `evaluate` section of `params.yaml`.

    Attributes:
        threshold: probability at or above which a genre counts as predicted, beside the tuned thresholds.
        min_films: genres with fewer validation films share one tuned threshold.
        precision: the precision at which recall is reported.
        resamples: bootstrap samples for the 95 % intervals.
        sheet_films: how many test films the sheets show.
        seed: decides the samples and which films the sheets show.
    """

    threshold: float = Field(gt=0, lt=1)
    min_films: int = Field(ge=1)
    precision: float = Field(gt=0, lt=1)
    resamples: int = Field(ge=1)
    sheet_films: int = Field(ge=0)
    seed: int


class Candidate(NamedTuple):
    """What a baseline or a model says of the films that it is measured on, in arrays of shape (films, genres).

    Attributes:
        raw: `probabilities` before calibration; None: they are not calibrated.
        thresholds: of each genre, with the best F1 on validation films.
        alone: from modality to the calibrated probabilities of a fusion model that is shown this modality only.
    """

    probabilities: Floats
    raw: Floats | None
    thresholds: Floats
    alone: Mapping[str, Floats] = {}

    @property
    def named(self) -> NDArray[np.bool_]:
        """Which genres are predicted at the tuned thresholds."""
        return self.probabilities >= self.thresholds


class Comparison(NamedTuple):
    """Baselines and models, measured on the same films.

    Attributes:
        rows: of the films among those prepared.
        labels: 0/1, of shape (films, genres).
        base_rates: of the training films, of shape (genres,).
        candidates: by name: `base_rate`, the constant, first, then the other baselines, then the models.
        specialists: from modality to the name of the best model that looks at it only.
        believed: from what a film has, `poster`, `overview` or `both`, to the model that answers, and its operating points.
        having: which of the films have that, of shape (films,).
    """

    rows: NDArray[np.intp]
    labels: Floats
    base_rates: Floats
    candidates: Mapping[str, Candidate]
    specialists: Mapping[str, str]
    believed: Mapping[str, tuple[str, Choice]]
    having: Mapping[str, NDArray[np.bool_]]

    def of_kind(self, kind: str) -> tuple[Floats, Floats]:
        """Labels, and calibrated probabilities by the model that answers, of the films that have a `kind` of input, shown
        as if they had nothing else; both of shape (films, genres)."""
        candidate, having = self.candidates[self.believed[kind][0]], self.having[kind]
        return self.labels[having], candidate.alone.get(kind, candidate.probabilities)[having]


def compare(prepared: Prepared, answers: Mapping[str, Answers], decisions: Decisions, baselines: Mapping[str, Floats],
            min_films: int) -> Comparison:
    """Lines up what baselines (from name to the probabilities of all films) and models say of the test films.

    A film that lacks what a model needs gets the base rates, so that all models are measured on the same films. The
    validation films give each of them a threshold for each genre, one for all genres with fewer than `min_films` films.
    """
    rows, validation, base_rates = prepared.rows("test"), prepared.rows("validation"), prepared.base_rates()

    def known(probabilities: Floats) -> Floats:
        return np.where(np.isnan(probabilities), base_rates, probabilities)

    def thresholds(of_all: Floats) -> Floats:
        return fit_thresholds(prepared.labels[validation], of_all[validation], min_films)

    constant = np.broadcast_to(base_rates, prepared.labels.shape)
    candidates = {name: Candidate(of_all[rows], None, thresholds(of_all))
                  for name, of_all in {BASE_RATE: constant, **baselines}.items()}
    for name, of_model in answers.items():
        raw = known(of_model.probabilities)
        calibrated = decisions.of(name, len(base_rates)).calibration(raw)
        alone = {modality: known(decisions.of(name, len(base_rates), modality).calibration(probabilities[rows]))
                 for modality, probabilities in of_model.alone.items()}
        candidates[name] = Candidate(calibrated[rows], raw[rows], thresholds(calibrated), alone)
    specialists = {str(modality): name for modality in MODALITIES for name in reversed(decisions.ranking[modality])
                   if answers[name].modality == modality}  # the best one last: it stays
    present = present_of(answers)
    having = {**present, **({BOTH: np.all(list(present.values()), axis=0)} if len(present) > 1 else {})}
    believed = {kind: found for kind in having if (found := decisions.believed(kind, answers))}
    return Comparison(rows, prepared.labels[rows], base_rates, candidates, specialists, believed,
                      {kind: of_all[rows] for kind, of_all in having.items()})


def read_comparison(prepared: Path, answers: Path, decisions: Path, baselines: Mapping[str, Path], min_films: int
                    ) -> tuple[Prepared, dict[str, Answers], Decisions, Comparison]:
    """Reads what the stages left of films and models, and compares them and `baselines` as `compare` does.

    `baselines`: by name, the files with the probabilities of all films. Raises `InputError` where decisions and answers are
    not of the same models.
    """
    films, of_models = load_prepared(prepared), load_answers(answers)
    tuned = read_decisions(decisions, {name: of_model.digest for name, of_model in of_models.items()}, films.genres)
    of_baselines = {name: np.load(path) for name, path in baselines.items()}
    return films, of_models, tuned, compare(films, of_models, tuned, of_baselines, min_films)


def measure_all(comparison: Comparison, options: EvaluateOptions) -> dict[str, float | None]:
    """All metrics of all candidates as `name.metric` in one flat dict, rounded for a metrics file.

    Metrics named `tuned_…` are at the tuned thresholds, the others that need a threshold at `options.threshold`;
    `…_uncalibrated` are those of the raw probabilities, `skill_…s_only` those of a fusion model shown one modality only.
    `answers_to_KIND.…` are of the genres that are named by default of films with a poster, an overview or both.
    """
    labels, base_rates = comparison.labels, comparison.base_rates
    base_loss = metrics.binary_cross_entropy(labels, base_rates)
    found: dict[str, float | None] = {"films": len(labels)}
    for name, candidate in comparison.candidates.items():
        probabilities, raw = candidate.probabilities, candidate.raw
        measured = {**measures.of_probabilities(labels, probabilities, base_rates, options.precision),
                    **measures.of_decisions(labels, probabilities >= options.threshold),
                    "calibration_error": measures.expected_calibration_error(labels, probabilities)}
        tuned = measures.of_decisions(labels, candidate.named)
        measured |= {f"tuned_{metric}": value for metric, value in tuned.items()}
        if raw is not None:
            measured |= {"loss_uncalibrated": metrics.binary_cross_entropy(labels, raw),
                         "calibration_error_uncalibrated": measures.expected_calibration_error(labels, raw)}
        for modality, shown in candidate.alone.items():
            measured[f"skill_{modality}s_only"] = metrics.skill(metrics.binary_cross_entropy(labels, shown), base_loss)
        found |= {f"{name}.{metric}": metrics.rounded(value) for metric, value in measured.items()}
    found["genres_per_film"] = metrics.rounded(labels.sum(axis=1).mean())
    for kind, (_, choice) in comparison.believed.items():
        of_kind, shown = comparison.of_kind(kind)
        answered = measure(of_kind, shown, choice.default.number(shown))
        found |= {f"answers_to_{kind}.{metric}": metrics.rounded(value) for metric, value in answered._asdict().items()}
    return found | complementarity(comparison)


def headlines(figures: Mapping[str, float | None]) -> dict[str, dict[str, float | None]]:
    """Of all that `measure_all` found, the few figures of each candidate that a person compares, by its name."""
    names = [key.removesuffix(".skill") for key in figures if key.endswith(".skill")]
    return {name: {metric: figures[f"{name}.{metric}"] for metric in HEADLINES} for name in names}


def operating_points(comparison: Comparison) -> pd.DataFrame:
    """What users get who ask for a precision or a recall, or for nothing, of films that have a poster, an overview or both.

    Columns kind, model, asked (such as `precision 0.7`), reached (whether validation films say so), then what it came to on
    these films (`validation_…`) and on the test films, as of `operating_points.Measured`. `single threshold` is the one with
    the best F1 per film on validation films, and `always` what naming the most frequent genres of every film comes to.
    """
    lines: list[dict[str, Any]] = []
    for kind, (model, choice) in comparison.believed.items():
        labels, shown = comparison.of_kind(kind)
        points = {" ".join(map(str, naming.aim or ["default"])): choice.of(naming) for naming in USUAL}
        points["single threshold"] = *choice.curve.at(int(choice.curve.measured[:, -1].argmax())), True
        for name, (point, expected, reached) in points.items():
            measured = measure(labels, shown, point.number(shown))
            before = {f"validation_{metric}": value for metric, value in expected._asdict().items()} if expected else {}
            lines.append({"kind": kind, "model": model, "asked": name, "reached": reached, **before, **measured._asdict()})
    _, always = measure_always(comparison.base_rates, comparison.labels)
    lines.append({"kind": "any", "model": BASE_RATE, "asked": "always", "reached": True, **always._asdict()})
    return pd.DataFrame(lines).round(4)


def complementarity(comparison: Comparison) -> dict[str, float | None]:
    """Shares of films whose top genre both specialists, only one of them, or neither gets right; empty without both."""
    if len(comparison.specialists) < len(MODALITIES):
        return {}
    films, (first, second) = np.arange(len(comparison.labels)), (comparison.specialists[kind] for kind in MODALITIES)
    right, also = (comparison.labels[films, np.argmax(comparison.candidates[name].probabilities, axis=1)] > 0
                   for name in (first, second))
    shares = {"both": right & also, f"only_{first}": right & ~also, f"only_{second}": ~right & also,
              "neither": ~right & ~also}
    return {f"top_genre_right.{who}": metrics.rounded(np.mean(share)) for who, share in shares.items()}


def intervals(comparison: Comparison, options: EvaluateOptions) -> pd.DataFrame:
    """95 % bootstrap intervals over test films (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).

    Columns model, metric, value, low and high; decisions are at the tuned thresholds.
    """
    labels, rng = comparison.labels, np.random.default_rng(options.seed)
    samples = [rng.integers(0, len(labels), len(labels)) for _ in range(options.resamples)]
    lines = []
    for name, candidate in comparison.candidates.items():
        probabilities, decided = candidate.probabilities, candidate.named
        values, *resampled = [
            {**measures.of_probabilities(labels[rows], probabilities[rows], comparison.base_rates, options.precision),
             **measures.of_decisions(labels[rows], decided[rows])} for rows in (np.arange(len(labels)), *samples)]
        bounds = pd.DataFrame(resampled, dtype=float).quantile([0.025, 0.975])
        lines += [(name, metric, *map(metrics.rounded, (value, *bounds[metric]))) for metric, value in values.items()]
    return pd.DataFrame(lines, columns=["model", "metric", "value", "low", "high"])


def per_genre(comparison: Comparison, genres: Sequence[str]) -> pd.DataFrame:
    """Precision, recall and F1 of each genre, at the tuned thresholds.

    Columns genre, support (films that have it), then `model.metric`, None where undefined.
    """
    columns = {"genre": list(genres), "support": comparison.labels.sum(axis=0).astype(int)}
    for name, candidate in comparison.candidates.items():
        by_genre = zip(*metrics.counts(comparison.labels, candidate.named))
        scores = [metrics.precision_recall_f1(*of_genre) for of_genre in by_genre]
        for metric, values in zip(("precision", "recall", "f1"), zip(*scores)):
            columns[f"{name}.{metric}"] = [metrics.rounded(value) for value in values]
    return pd.DataFrame(columns)


def precision_recall_curves(comparison: Comparison) -> pd.DataFrame:
    """Micro-averaged precision at each recall from 0.01 to 1: the best precision at that recall or above.

    Columns recall, then one of precision for each candidate.
    """
    columns = {"recall": RECALL_GRID}
    for name, candidate in comparison.candidates.items():
        precision, recall, _ = precision_recall_curve(comparison.labels.ravel(), candidate.probabilities.ravel())
        columns[name] = np.array([precision[recall >= least].max() for least in RECALL_GRID])
    return pd.DataFrame(columns).round(4)


def top_genre_confusion(labels: Floats, probabilities: Floats) -> NDArray[np.int_]:
    """How many films of a genre (row) have a genre (column) named first.

    A film counts in the row of each of its genres: with several, not all of a row can be on the diagonal.
    """
    first = np.eye(labels.shape[1], dtype=int)[np.argmax(probabilities, axis=1)]
    return (labels > 0).astype(int).T @ first
