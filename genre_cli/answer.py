"""The answer for a single film, for people to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movie_genres.base.errors import one_line

if TYPE_CHECKING:  # it brings ONNX Runtime
    from movie_genres.scoring.predictor import Prediction, Predictor

SHOWN = 5  # genres that stand there at least
SOURCES = {"poster": "the poster", "overview": "the overview", "both": "the poster and the overview"}


def in_words(predictor: Predictor, found: Prediction) -> str:
    """What the models say of a film: the genres it has, and the most probable ones beside how frequent they are anyway."""
    film = one_line(found.id)
    if not found.probabilities:
        return f"{film}: {found.status}, {one_line(found.error)}"
    lines = [f"{film}: {', '.join(found.genres)}", "",
             f"  {'genre':<16}{'probability':>12}{'of all films':>14}"]
    for genre, probability in list(found.probabilities.items())[:max(SHOWN, len(found.genres))]:
        rate = f"{predictor.base_rates[genre]:.0%}" if predictor.base_rates else ""
        lines.append(f"{'*' if genre in found.genres else ' '} {one_line(genre):<16}{probability:>12.0%}{rate:>14}")
    if found.error:
        lines += ["", one_line(found.error)]
    return "\n".join([*lines, "", f"by {predictor.name}, from {SOURCES[found.source]}"])
