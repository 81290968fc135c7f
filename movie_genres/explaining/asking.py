"""A film, and the model that answers it, to be asked what it says when parts of the film are hidden."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.errors import UserError
from movie_genres.ensemble.folder import FUSION
from movie_genres.ensemble.scorer import Encoded, Models, Pixels
from movie_genres.explaining.hiding import BLURRED, hide_cells
from movie_genres.inputs.modality import Modality
from movie_genres.models.metrics import EPSILON

LogOdds = NDArray[np.float64]


class Film(NamedTuple):
    """A film as models take it.

    `pixels`: its poster in each of `Models.sizes`, of shape (height, width, 3), RGB; None or an empty text: it has none.
    `id`: by which its embeddings are found.
    """

    pixels: Pixels | None = None
    overview: str = ""
    id: str = ""


class Question:
    """A film, and the model that answers it, as `Models.decide` chooses it: `ask` has it answer variants of the film.

    The text on the poster, where a network looks at it, is read once, and stays as it was where parts of the poster are
    hidden: to read each variant would take twenty seconds a film. So do embeddings, which nothing here computes.

    Attributes:
        film: the film as it is.
        probabilities: of each genre, calibrated, of shape (genres,): what a user is told. NaN: there is nothing to go by.
        named: numbers of the genres that are named, the most probable first.
        modalities: what the model looks at of this film. base: log-odds of the base rates, of shape (genres,): what is
            known of a film of which nothing is shown.
        sees_pixels: whether a network that the answer comes from looks at the poster itself, not only at the text on it.
        length: after how many words nothing in an overview counts any more.

    Raises:
        UserError: the models do not say how frequent genres are.
    """

    def __init__(self, models: Models, film: Film):
        self.film, self._models = film, models
        rates = next(iter(models.networks.values())).metadata.get("base_rates")
        if rates is None:
            raise UserError("Models that do not say how frequent genres are cannot be explained. Train them again.")
        self.base = log_odds(np.array(rates))
        there = np.array([film.pixels is not None])
        pixels = {size: of_one[None] for size, of_one in (film.pixels or {}).items()}
        self._texts = models.read(pixels, there) if film.pixels is not None else []
        of_posters = models.of_posters(pixels, there, self._texts) if pixels else {}
        encoded = {modality: models.encode({**given, **models.of_embeddings(modality, [film.id])}) for modality, given in (
            (Modality.POSTER, of_posters), (Modality.OVERVIEW, models.of_overviews([film.overview])))}
        everything = {name: of_one for of_some in encoded.values() for name, of_one in of_some.items()}
        (self.probabilities,), (count,) = models.decide(1, everything)
        self.named: list[int] = np.argsort(-self.probabilities, kind="stable")[:count].tolist()
        self._model, used = self._answering(everything)
        self._networks = {name: models.networks[name] for name in used}  # of modalities that the film has
        self._encoded = {modality: {name: of_one for name, of_one in of_some.items() if name in used}
                         for modality, of_some in encoded.items()}
        self.modalities = [modality for modality, of_some in self._encoded.items()
                           if any(len(rows) for rows, _, _ in of_some.values())]
        self.sees_pixels = any(self._networks[name].image_size is not None and not self._networks[name].reads
                               for name in self._encoded[Modality.POSTER])
        self.length: int = max((self._networks[name].metadata["vocabulary"]["max_length"]
                                for name in self._encoded[Modality.OVERVIEW] if self._networks[name].vocabulary), default=0)

    def _answering(self, encoded: Encoded) -> tuple[str, list[str]]:
        """The model that `Models.decide` believes, and the networks that its answer comes from; none where there is none."""
        answers = self._models.answers(1, encoded)
        for kind, there in self._models.by_kind(1, encoded).items():
            for name in self._models.decisions.ranking.get(kind, ()) if there[0] else ():
                if name in answers and not np.isnan(answers[name][0, 0]):
                    fusion = self._models.fusion if name == FUSION else None
                    return name, [each for each in (fusion.metadata["channels"] if fusion else [name]) if each in encoded]
        return "", []

    def ask(self, cells: NDArray[np.bool_] | None = None, overviews: Sequence[str] | None = None, fill: str = BLURRED
            ) -> LogOdds:
        """Log-odds of each genre, calibrated, for variants of the film, of shape (variants, genres).

        Args:
            cells: which cells of the poster each hides, as of `hide_cells`; None: the poster stays.
            overviews: the overview of each; None: it stays.
        """
        count = len(cells) if cells is not None else len(overviews) if overviews is not None else 1
        encoded = {modality: _repeated(of_some, count) for modality, of_some in self._encoded.items()}
        if cells is not None and self.film.pixels is not None:
            pixels = {size: hide_cells(of_one, cells, fill) for size, of_one in self.film.pixels.items()}
            films = self._models.of_posters(pixels, np.ones(count, bool), self._texts * count)
            encoded[Modality.POSTER] |= self._models.encode({
                name: of_one for name, of_one in films.items() if name in self._networks and not self._networks[name].reads})
        if overviews is not None:
            encoded[Modality.OVERVIEW] |= self._models.encode({
                name: of_one for name, of_one in self._models.of_overviews(overviews).items() if name in self._networks})
        return self._answers(count, {name: of_one for of_some in encoded.values() for name, of_one in of_some.items()})

    def ask_alone(self, modality: Modality) -> LogOdds:
        """Log-odds of each genre, calibrated, for the film with nothing but one modality, of shape (genres,)."""
        return self._answers(1, self._encoded[modality])[0]

    def _answers(self, count: int, encoded: Encoded) -> LogOdds:
        found = np.tile(self.base, (count, 1))
        answers = self._models.answers(count, encoded).get(self._model)
        if answers is None:
            return found
        for kind, lines in self._models.by_kind(count, encoded).items():
            lines &= ~np.isnan(answers[:, 0])
            decision = self._models.decisions.of(self._model, len(self.base), kind)
            found[lines] = log_odds(decision.calibration(answers[lines]))
        return found


def log_odds(probabilities: NDArray[np.floating]) -> LogOdds:
    """Logarithms of odds, of the shape of `probabilities`."""
    p = np.clip(np.float64(probabilities), EPSILON, 1 - EPSILON)
    return np.log(p / (1 - p))


def _repeated(encoded: Encoded, count: int) -> Encoded:
    """What networks give of one film, as if there were `count` of it."""
    return {name: (np.arange(count), np.repeat(features, count, axis=0), np.repeat(probabilities, count, axis=0))
            if len(rows) else (rows, features, probabilities) for name, (rows, features, probabilities) in encoded.items()}
