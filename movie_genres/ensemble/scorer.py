"""Models that belong together, run on films: from decoded posters and token ids to the answers to give."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from movie_genres.ensemble.decisions import Decisions
from movie_genres.ensemble.folder import FUSION, ModelFile
from movie_genres.inputs.modality import BOTH, FilmArrays
from movie_genres.models.answers import Floats, Rows
from movie_genres.models.network import BATCH_SIZE, Network, fusion_inputs, run_fusion


class Models:
    """Models that belong together: `networks` of single modalities, by name, and maybe a `fusion` over them.

    Raises:
        InputError: a model cannot be loaded.
    """

    def __init__(self, files: Sequence[ModelFile], decisions: Decisions, batch_size: int = BATCH_SIZE):
        networks = {file.name: Network(file.path, batch_size) for file in files}
        self.networks = {name: network for name, network in networks.items() if network.modality is not None}
        self.fusion, self.decisions = networks.get(FUSION), decisions
        self.genres: list[str] = next(iter(networks.values())).metadata["genres"]  # the order of all probabilities

    def predict(self, count: int, films: Mapping[str, FilmArrays]) -> dict[str, Floats]:
        """Probabilities of `count` films by each model, as it gives them; `films` are what each network takes, by its name.

        They are of shape (count, genres), NaN where a model has nothing to go by.
        """
        answers: dict[str, Floats] = {}
        encoded: dict[str, tuple[Rows, Floats, Floats]] = {}
        for name, network in self.networks.items():
            answers[name] = np.full((count, len(self.genres)), np.nan, np.float32)
            rows = np.flatnonzero(films[name].present)
            if len(rows):
                encoded[name] = rows, *network.encode(rows, films[name])
                answers[name][rows] = encoded[name][-1]
        if self.fusion is not None:
            inputs = fusion_inputs(count, self.fusion.metadata["channels"], len(self.genres), encoded)
            answers[FUSION] = run_fusion(self.fusion, inputs)
        return answers

    def decide(self, count: int, films: Mapping[str, FilmArrays]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The answers to give a user: for each film those of the model that did best on validation films like it.

        Returns:
            probabilities and thresholds, of shape (count, genres); calibrated where the decisions say how, NaN for a film
            that no model has anything to go by; thresholds are 0.5 where none are tuned.
        """
        answers = self.predict(count, films)
        shown: dict[str, NDArray[np.bool_]] = {}  # by modality: whether a network of it has something to go by
        for name, network in self.networks.items():
            shown[str(network.modality)] = shown.get(str(network.modality), False) | films[name].present
        both = np.all(list(shown.values()), axis=0) & (len(shown) > 1)
        probabilities, thresholds = np.full((2, count, len(self.genres)), np.nan)
        for films_like_it, ranking in self.decisions.ranking.items():
            rows = both if films_like_it == BOTH else shown.get(films_like_it, np.zeros(count, bool)) & ~both
            for name in reversed([name for name in ranking if name in answers]):  # the best one last: it prevails
                lines = np.flatnonzero(rows & ~np.isnan(answers[name][:, 0]))
                decision = self.decisions.of(name, len(self.genres), films_like_it)
                probabilities[lines], thresholds[lines] = decision.calibrate(answers[name][lines]), decision.thresholds
        return probabilities, thresholds
