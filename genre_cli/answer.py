"""The answer for a single film, for people to read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from movie_genres.base.errors import one_line

if TYPE_CHECKING:  # it brings ONNX Runtime
    from movie_genres.explaining.explanation import Explanation
    from movie_genres.scoring.predictor import Prediction, Predictor

SHOWN = 5  # genres that stand there at least
WORDS = 5  # that counted most, for a genre and against it
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


def why_in_words(explanations: Iterable[Explanation]) -> str:
    """What made a film's genres more or less probable than the base rates, in log-odds, and the words that counted most."""
    lines = []
    for why in explanations:
        shares = ", ".join(f"{SOURCES[modality]} {share:+.2f}" for modality, share in why.shares.items())
        lines += ["", f"{one_line(why.genre)}: {shares} (log-odds, from the share of all films)"]
        ranked = sorted((word for word in why.words or () if word[1]), key=lambda word: -word[1])
        for title, words in (("for it", [word for word in ranked[:WORDS] if word[1] > 0]),
                             ("against", [word for word in ranked[:-WORDS - 1:-1] if word[1] < 0])):
            if words:
                lines.append(f"  {title + ':':<9}" + ", ".join(f"{one_line(text)} {weight:+.2f}" for text, weight in words))
    return "\n".join(lines)
