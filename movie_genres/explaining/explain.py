"""Why a film is given its genres: models are asked about variants of it, and not looked into.

Where on the poster: occlusion sensitivity (Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014),
with a blurred copy in the place of what is hidden (Fong and Vedaldi, "Interpretable Explanations of Black Boxes by
Meaningful Perturbation", 2017). Which words: each left out in turn. How much from each input: Shapley values of two players
(Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", 2017).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.errors import SettingError
from movie_genres.ensemble.scorer import Models
from movie_genres.explaining.asking import Film, LogOdds, Question
from movie_genres.explaining.explanation import Explanation
from movie_genres.explaining.hiding import GRID, each_cell, hide_words, spans
from movie_genres.inputs.modality import OVERVIEW, POSTER, Modality


def explain(models: Models, film: Film, genres: Sequence[str] | None = None) -> dict[str, Explanation]:
    """Explains a film's genres, by name: by default those that are named; empty where there is nothing to go by.

    All genres are explained by the same answers: the film as it is, with each cell of the poster hidden, without each word.

    Raises:
        SettingError: a genre that the models do not know.
        UserError: the models do not say how frequent genres are.
    """
    if unknown := [genre for genre in genres or () if genre not in models.genres]:
        raise SettingError("genres", f"names among {', '.join(models.genres)}", unknown[0])
    return explained(Question(models, film), models.genres, genres)


def explained(question: Question, known: Sequence[str], genres: Sequence[str] | None = None) -> dict[str, Explanation]:
    """As `explain`, by a question; `known`: the genres of its models."""
    if not question.modalities:
        return {}
    whole, shares = question.ask()[0], shares_of(question)
    grid = poster_grid(question, whole) if POSTER in question.modalities and question.sees_pixels else None
    parts = spans(question.film.overview)
    weights = word_weights(question, whole, parts) if OVERVIEW in question.modalities else None
    return {known[number]: Explanation(
        known[number], float(question.probabilities[number]),
        None if grid is None else grid[..., number],
        None if weights is None else [(part, float(weight)) for part, weight in zip(parts, weights[:, number]) if part],
        {modality: float(share[number]) for modality, share in shares.items()},
    ) for number in (question.named if genres is None else map(known.index, genres))}


def poster_grid(question: Question, whole: LogOdds) -> NDArray[np.float32]:
    """By how much the log-odds of each genre fall from `whole` when cells are hidden, of shape (*GRID, genres)."""
    return (whole - question.ask(cells=each_cell())).astype(np.float32).reshape(*GRID, -1)


def word_weights(question: Question, whole: LogOdds, parts: Sequence[str]) -> LogOdds:
    """By how much the log-odds of each genre fall from `whole` without each of the words among `spans`, of shape (parts,
    genres): 0 for what is no word, and for words that come too late in the overview to count."""
    weights = np.zeros((len(parts), len(whole)))
    words = range(1, len(parts), 2)[:question.length]
    seen = parts[:2 * (question.length + 1)]  # with the word that moves up when another one is left out
    weights[words] = whole - question.ask(overviews=[hide_words(seen, {number}) for number in words])
    return weights


def shares_of(question: Question) -> dict[Modality, LogOdds]:
    """What each modality adds to the log-odds of the base rates, of shape (genres,): exact Shapley values."""
    whole, modalities = question.ask()[0], question.modalities
    if len(modalities) == 1:
        return {modalities[0]: whole - question.base}
    alone = {modality: question.ask_alone(modality) for modality in modalities}
    poster, overview = alone[Modality.POSTER], alone[Modality.OVERVIEW]
    return {Modality.POSTER: (poster - question.base + whole - overview) / 2,
            Modality.OVERVIEW: (overview - question.base + whole - poster) / 2}
