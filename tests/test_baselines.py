import numpy as np
from conftest import options_of

from movie_genres.evaluation.baselines import BaselinesOptions, tfidf_probabilities
from movie_genres.models.metrics import binary_cross_entropy, skill


def test_tfidf_learns_from_training_films_only_and_answers_for_all(small_arrays):
    prepared = small_arrays[0]
    probabilities = tfidf_probabilities(prepared, options_of(BaselinesOptions))
    assert probabilities.shape == prepared.labels.shape and ((probabilities > 0) & (probabilities < 1)).all()
    train, test = prepared.rows("train"), prepared.rows("test")
    assert skill(binary_cross_entropy(prepared.labels[train], probabilities[train]),
                 binary_cross_entropy(prepared.labels[train], prepared.base_rates())) > 0.2
    changed = prepared.labels.copy()
    changed[test] = 1 - changed[test]
    again = tfidf_probabilities(prepared._replace(labels=changed), options_of(BaselinesOptions))
    assert np.array_equal(again, probabilities)


def test_a_genre_of_every_or_no_training_film_gets_its_base_rate(small_arrays):
    prepared = small_arrays[0]
    labels = prepared.labels.copy()
    labels[:, 0], labels[:, 1] = 1, 0
    probabilities = tfidf_probabilities(prepared._replace(labels=labels), options_of(BaselinesOptions))
    assert (probabilities[:, 0] == 1).all() and (probabilities[:, 1] == 0).all()
