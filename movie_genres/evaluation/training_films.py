"""Counts the films that models were trained on, to be compared with those that they are asked about."""

from collections import deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from movie_genres.base.errors import InputError, Remedy
from movie_genres.base.threads import in_threads
from movie_genres.ensemble.decisions import Decisions
from movie_genres.ensemble.film_counts import (
    MEASURES,
    OK,
    POSTER_MEASURES,
    AnswerCounts,
    FilmCounts,
    count_answers,
    count_films,
    measure_overviews,
    measure_poster,
)
from movie_genres.ensemble.film_summaries import TrainingFilms
from movie_genres.evaluation.tuning import present_of
from movie_genres.inputs.caps import Caps
from movie_genres.inputs.features import Overviews
from movie_genres.inputs.modality import BOTH, OVERVIEW, POSTER, Tokenizer
from movie_genres.inputs.posters import PosterError, picture_size, read_file
from movie_genres.inputs.prepared import Prepared
from movie_genres.models.answers import Answers


def count_training_films(prepared: Prepared, unreadable: Mapping[str, str], vocabulary: Tokenizer, encoded: Overviews,
                         answers: Mapping[str, Answers], decisions: Decisions) -> TrainingFilms:
    """Counts the training and the validation films, and the answers to the latter, as scoring counts films.

    Args:
        unreadable: from the path of each poster that does not decode to the kind of failure, and more after a colon.
        encoded: the token ids of all overviews by the vocabulary.
        decisions: what was decided for these answers, as it was read from its file.

    Raises:
        InputError: a poster is no longer there.
    """
    facts = np.full((len(prepared.films), len(MEASURES)), np.nan)
    facts[:, POSTER_MEASURES:] = measure_overviews(prepared.films["overview"].tolist(), vocabulary, encoded)
    failures = [unreadable.get(path, "").partition(":")[0] for path in prepared.films["poster"]]

    def measured(row: int) -> None:
        try:
            data = read_file(paths[row], Caps().bytes)
        except PosterError as error:
            raise InputError(paths[row], "a poster as it was decoded", str(error), remedy=Remedy.VECTORIZE) from None
        facts[row, :POSTER_MEASURES] = measure_poster(*picture_size(data), len(data))

    paths = prepared.films["poster"].tolist()
    deque(in_threads(measured, (row for row, path in enumerate(paths) if path and not failures[row])), maxlen=0)
    return TrainingFilms(
        genres=prepared.genres, decisions=decisions.digest,
        training=_count(prepared.rows("train"), facts, failures, encoded.present),
        validation=_count(prepared.rows("validation"), facts, failures, encoded.present,
                          _answers(prepared.rows("validation"), answers, decisions)))


def _count(rows: NDArray[np.intp], facts: NDArray[np.floating], failures: list[str], known: NDArray[np.bool_],
           answers: Mapping[str, AnswerCounts] = {}) -> FilmCounts:
    """`known`, of shape (films,), says whether the models know a word of a film's overview."""
    kinds, statuses = [], []
    for row in rows.tolist():
        has_poster, has_text = not np.isnan(facts[row, 0]), not np.isnan(facts[row, POSTER_MEASURES])
        poster, overview = ((has_poster, known[row]) if has_poster or known[row] else
                            (bool(failures[row]), has_text))  # of nothing that is understood, what was given
        kinds.append(BOTH if poster and overview else POSTER if poster else OVERVIEW)
        statuses.append(failures[row] or ("unknown_text" if has_text and not known[row] else OK))
    return count_films(kinds, statuses, facts[rows], answers)


def _answers(rows: NDArray[np.intp], answers: Mapping[str, Answers], decisions: Decisions) -> dict[str, AnswerCounts]:
    """What a user would be told by default of these films, shown with each kind of input that they have."""
    having, found = present_of(answers), {}
    for kind in (*having, BOTH):
        if believed := decisions.believed(kind, answers):
            name, choice = believed
            shown = answers[name].alone.get(kind, answers[name].probabilities)[rows]
            has_it = np.all(list(having.values()), axis=0) if kind == BOTH else having[kind]
            shown = shown[has_it[rows] & ~np.isnan(shown[:, 0])]
            if len(shown):
                calibrated = decisions.of(name, shown.shape[1], kind).calibration(shown)
                found[str(kind)] = count_answers(calibrated, choice.default.number(calibrated))
    return found
