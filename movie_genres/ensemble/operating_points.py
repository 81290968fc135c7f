"""Which genres of a film are named, given calibrated probabilities: operating points, and the curves to find them on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.errors import SettingError
from movie_genres.ensemble.naming import Naming

Floats = NDArray[np.floating]


class OperatingPoint(NamedTuple):
    """From which probability on a film's genres are named: `threshold * p ** power`, p being that of its likeliest genre.

    With a power above 0, less will do where nothing is sure. The likeliest genre is always named.
    """

    threshold: float
    power: float = 0.0

    def number(self, probabilities: Floats) -> NDArray[np.int_]:
        """How many genres of each film are named, the likeliest ones; arrays are of shape (films, genres) and (films,).

        0 for a film whose probabilities are NaN.
        """
        likeliest = probabilities.max(axis=1, keepdims=True, initial=0)
        with np.errstate(invalid="ignore"):
            named = probabilities >= np.minimum(self.threshold * likeliest**self.power, likeliest)
        return named.sum(axis=1)


class Measured(NamedTuple):
    """What an operating point came to on some films.

    Attributes:
        precision, recall: over all films and genres.
        genres_per_film: how many are named, the mean.
        f1_per_film: the mean over films of the F1 of a film's genres.
    """

    precision: float
    recall: float
    genres_per_film: float
    f1_per_film: float


class Curve(NamedTuple):
    """What single thresholds came to on validation films: a row for each, from the lowest threshold, 0, on."""

    thresholds: Floats  # of shape (rows,)
    measured: Floats  # of shape (rows, 4), the columns those of `Measured`

    def at(self, row: int) -> tuple[OperatingPoint, Measured]:
        """The operating point of a row, and what it came to."""
        return OperatingPoint(float(self.thresholds[row])), Measured(*self.measured[row].tolist())

    def for_precision(self, precision: float) -> tuple[OperatingPoint, Measured, bool]:
        """The point of the most recall at a precision, what it came to, and whether it reached the precision.

        Where none does, it is the one of the highest precision.
        """
        enough = np.flatnonzero(self.measured[:, 0] >= precision)
        return *self.at(int(enough[0] if len(enough) else self.measured[:, 0].argmax())), bool(len(enough))

    def for_recall(self, recall: float) -> tuple[OperatingPoint, Measured, bool]:
        """The point of the highest threshold that has this recall; the lowest names all genres, whose recall is 1."""
        enough = np.flatnonzero(self.measured[:, 1] >= recall)
        return *self.at(int(enough[-1] if len(enough) else 0)), bool(len(enough))


class Choice(NamedTuple):
    """The operating points that validation films suggest for a model."""

    default: OperatingPoint
    measured: Measured  # what the default came to on these films
    curve: Curve

    def of(self, naming: Naming) -> tuple[OperatingPoint, Measured | None, bool]:
        """The point for what a user wants, what it came to on validation films if known, and whether that will do."""
        if naming.precision is not None:
            return self.curve.for_precision(naming.precision)
        if naming.recall is not None:
            return self.curve.for_recall(naming.recall)
        if naming.threshold is not None:
            return OperatingPoint(naming.threshold), None, True
        return self.default, self.measured, True


def point_without_curve(naming: Naming) -> OperatingPoint:
    """The operating point of a model of which nothing has been measured: the given threshold, else 0.5.

    Raises:
        SettingError: a precision or a recall is wanted.
    """
    name, value = naming.aim or ("threshold", 0.5)
    if name != "threshold":
        raise SettingError(name, "models of which decisions.json tells what they reach", f"{value}, and no such file")
    return OperatingPoint(value)


def number_named(point: OperatingPoint, probabilities: Floats, naming: Naming) -> NDArray[np.int_]:
    """As `OperatingPoint.number`, at most as many as are wanted."""
    number = point.number(probabilities)
    return number if naming.max_genres is None else np.minimum(number, naming.max_genres)


def likeliest(probabilities: Floats, count: NDArray[np.int_]) -> NDArray[np.bool_]:
    """Which genres are the likeliest `count` of each film; arrays are of shape (films, genres) and (films,)."""
    places = np.argsort(np.argsort(-probabilities, axis=1, kind="stable"), axis=1)
    return places < count[:, None]
