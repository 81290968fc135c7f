"""The films that a site shows: what is known of them, and what models say, as columns of one length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from movie_genres.inputs.modality import OVERVIEW, POSTER
from movie_genres.models.metrics import EPSILON

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


class Said(NamedTuple):
    """What one model says of all films.

    Attributes:
        kind: what it looks at: `poster`, `overview` or `both`.
        probabilities: calibrated, of shape (films, genres); NaN where they are not known.
        named: whether a genre is named, of the same shape.
    """

    name: str
    kind: str
    probabilities: Floats
    named: Bools

    def doubt(self) -> Floats:
        """The loss that the model itself expects, of shape (films,): the mean entropy of its genres, in nats."""
        return self._loss(self.probabilities)

    def loss(self, truth: Bools) -> Floats:
        """The mean cross-entropy of its genres, of shape (films,), in nats."""
        return self._loss(truth)

    def _loss(self, wanted: NDArray[Any]) -> Floats:
        if not self.named.size:  # no genre is known
            return np.full(len(self.named), np.nan)
        p = np.clip(self.probabilities, EPSILON, 1 - EPSILON)
        return -(wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).mean(axis=1)


@dataclass(frozen=True)
class Films:
    """Films in their order. A column that is empty is not known of any film; all others have a value for each.

    Attributes:
        genres: in the order of all arrays.
        ids: as they are written in tables; they may repeat.
        said: by each model; the one whose answers count is first.
        statuses, errors: as of `scoring.rows.Row`.
        sources: what the answer comes from, or should: `poster`, `overview` or `both`.
        overviews: empty text for a film without.
        titles, years, splits: as of `inputs.prepared.Prepared`.
        truth: the films' own genres, of shape (films, genres); None: not known.
        explanations: by id, each as of `explanations.shown`.
    """

    genres: Sequence[str]
    ids: Sequence[str]
    said: Sequence[Said]
    statuses: Sequence[str]
    sources: Sequence[str]
    overviews: Sequence[str]
    errors: Sequence[str] = ()
    titles: Sequence[str] = ()
    years: Sequence[str] = ()
    splits: Sequence[str] = ()
    truth: Bools | None = None
    explanations: Mapping[str, Any] = field(default_factory=dict)

    def disagreement(self) -> Floats | None:
        """How far the first poster model and the first overview model are apart: the mean difference of their probabilities.

        Of shape (films,), NaN for a film that one of them does not know; None where there are no two such models.
        """
        one, other = (next((said for said in self.said if said.kind == kind), None) for kind in (POSTER, OVERVIEW))
        return np.abs(one.probabilities - other.probabilities).mean(axis=1) if one and other else None
