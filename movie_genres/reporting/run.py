"""What a run of the pipeline left, as the pages about it take it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from movie_genres.ensemble.decisions import Decisions
from movie_genres.ensemble.operating_points import likeliest
from movie_genres.evaluation.figures import BASE_RATE, Comparison, read_comparison
from movie_genres.evaluation.measures import Floats
from movie_genres.evaluation.report import read_histories
from movie_genres.inputs.modality import BOTH, MODALITIES
from movie_genres.inputs.prepared import Prepared, load_summary
from movie_genres.models.answers import Answers

TABLES = ("intervals", "operating_points", "per_genre", "pr_curves")
Figures = Mapping[str, float | None]  # as of `figures.measure_all`


class Earlier(NamedTuple):
    """Another revision to compare with. `figures`: its metrics; None: there are none, and `why` says so in a sentence."""

    name: str
    figures: Figures | None
    why: str = ""


class Answered(NamedTuple):
    """What users get of the test films, each from the model that answers what it has; arrays are of shape (films, genres).

    Attributes:
        probabilities: calibrated; the base rates for a film that no model can say anything of.
        named: the genres that are named by default; none for such a film.
    """

    probabilities: Floats
    named: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run of the pipeline left.

    Attributes:
        summary: of the films, as of `preparing.prepare`.
        figures: what `evaluation` measured.
        tables: those of `evaluation.report.write_report`, by the names in `TABLES`.
        histories: by model, the epochs of its training.
        trainings: by model, what its training measured on validation films, as of `outputs.write_summary`.
        settings: the parameters of all stages, by section.
        earlier: the revision to compare with, if any.
    """

    prepared: Prepared
    summary: Mapping[str, Any]
    answers: Mapping[str, Answers]
    decisions: Decisions
    comparison: Comparison
    figures: Figures
    tables: Mapping[str, pd.DataFrame]
    histories: Mapping[str, pd.DataFrame]
    trainings: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any]
    earlier: Earlier | None = None

    @property
    def genres(self) -> list[str]:
        return self.prepared.genres

    @property
    def baselines(self) -> list[str]:
        """The names of the baselines but the base rates."""
        return [name for name in self.comparison.candidates if name not in self.answers and name != BASE_RATE]

    @property
    def best(self) -> str:
        """The model that answers films with the most kinds of input; of those that are known to answer, else the first."""
        believed = self.comparison.believed
        kind = next((kind for kind in (BOTH, *reversed(MODALITIES)) if kind in believed), None)
        return believed[kind][0] if kind else next(iter(self.answers))

    @cached_property
    def answered(self) -> Answered:
        """What users get of the test films."""
        comparison = self.comparison
        probabilities = np.broadcast_to(comparison.base_rates, comparison.labels.shape).copy()
        named = np.zeros(probabilities.shape, dtype=bool)
        for kind in (*MODALITIES, BOTH):  # what is known of films with both comes last, and stays
            if kind in comparison.believed:
                of_kind, (_, shown) = comparison.having[kind], comparison.of_kind(kind)
                _, choice = comparison.believed[kind]
                probabilities[of_kind] = shown
                named[of_kind] = likeliest(shown, choice.default.number(shown))
        return Answered(probabilities, named)

    def interval(self, model: str, metric: str) -> Mapping[str, float] | None:
        """Value, low and high of a metric of a model, if it was measured."""
        table = self.tables["intervals"]
        found = table[(table["model"] == model) & (table["metric"] == metric)]
        if found.empty or found["value"].isna().any():
            return None
        return {part: float(found[part].iloc[0]) for part in ("value", "low", "high")}


def read_run(prepared: Path, answers: Path, decisions: Path, baselines: Mapping[str, Path], figures: Path, plots: Path,
             histories: Path, settings: Mapping[str, Any], earlier: Earlier | None = None) -> Run:
    """Reads what the stages wrote; other arguments are as in `Run`.

    Args:
        baselines: by name, the files with the probabilities of all films.
        figures: the file of `evaluate`.
        plots: the folder with the tables of `evaluate`; histories: that with epochs and figures of the trainings.

    Raises `InputError` where decisions and answers are not of the same models.
    """
    films, of_models, tuned, comparison = read_comparison(prepared, answers, decisions, baselines,
                                                          settings["evaluate"]["min_films"])
    trained = {path.stem: json.loads(path.read_text()) for path in histories.glob("**/*.json") if path.stem in of_models}
    return Run(prepared=films, summary=load_summary(prepared), answers=of_models, decisions=tuned, comparison=comparison,
               figures=json.loads(figures.read_text()),
               tables={name: pd.read_csv(plots / f"{name}.csv", keep_default_na=False, na_values=[""]) for name in TABLES},
               histories=read_histories(histories, of_models), trainings=trained, settings=settings, earlier=earlier)
