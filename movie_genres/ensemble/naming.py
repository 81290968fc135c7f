"""Which genres a user wants to have named."""

from dataclasses import dataclass
from typing import Annotated

from movie_genres.base.errors import SettingError
from movie_genres.base.settings import Option


@dataclass(frozen=True, kw_only=True)
class Naming:
    """Which genres a user wants to have named; at most one of the first three, by default the models' own choice.

    Raises:
        SettingError: more than one of the three, or a value out of range.
    """

    precision: Annotated[float | None, Option("Answers", "Name as many genres as this share of them being right allows: the "
                                              "most recall at this precision, as measured on validation films.",
                                              metavar="SHARE", least=0, most=1)] = None
    recall: Annotated[float | None, Option("Answers", "Name as many genres as it takes to find this share of the true ones: "
                                           "the most precision at this recall.", metavar="SHARE", least=0, most=1)] = None
    threshold: Annotated[float | None, Option("Answers", "Name genres from this probability on.", metavar="PROBABILITY",
                                              least=0, most=1)] = None
    max_genres: Annotated[int | None, Option("Answers", "Name at most so many genres a film, the most probable ones.",
                                             least=1)] = None

    def __post_init__(self) -> None:
        given = self._given()
        for name, value in given:
            if not 0 <= value <= 1:
                raise SettingError(name, "a value from 0 to 1", f"{value}")
        if len(given) > 1:
            (first, _), (second, _), *_ = given
            raise SettingError(second, f"one of `precision`, `recall` and `threshold`, as `{first}` is given", "both")
        if self.max_genres is not None and self.max_genres < 1:
            raise SettingError("max_genres", "at least 1", f"{self.max_genres}")

    @property
    def aim(self) -> tuple[str, float] | None:
        """Which of precision, recall and threshold is given, and its value."""
        return next(iter(self._given()), None)

    def _given(self) -> list[tuple[str, float]]:
        return [(name, value) for name in ("precision", "recall", "threshold") if (value := getattr(self, name)) is not None]


SHARES = (0.5, 0.6, 0.7, 0.8, 0.9)
# What people are told of: what comes by default, and what if they ask for more.
USUAL = (Naming(), *(Naming(precision=share) for share in SHARES), *(Naming(recall=share) for share in SHARES))
