import numpy as np
import pytest
from scipy import stats

from movie_genres.evaluation.paired import difference, errors_needed, holm


def test_the_interval_and_p_value_are_those_of_a_paired_t_test():
    rng = np.random.default_rng(0)
    values, others = rng.normal(0.5, 0.02, 6), rng.normal(0.49, 0.02, 6)
    found, expected = difference(values, others, 0), stats.ttest_rel(values, others)  # of splits without an overlap
    low, high = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue) and found.pairs == 6
    assert (found.mean - found.margin, found.mean + found.margin) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("values, others, p", [
    ([0.3, 0.4], [0.3, 0.4], 1),  # nothing differs
    ([0.3001, 0.4001], [0.3, 0.4], 0.4),  # the same difference twice, of a rounding's size: no certainty
    ([0.5, 0.6, 0.7], [0.3, 0.4, 0.5], 0)])
def test_figures_that_differ_by_the_same_are_as_sure_as_their_digits(values, others, p):
    found = difference(values, others, 0)
    assert found.p == pytest.approx(p, abs=0.01) and 0 < found.margin < 0.01


def test_one_split_has_a_difference_and_no_interval():
    assert difference([0.5], [0.25], 0.125) == (0.25, None, None, 1)


@pytest.mark.parametrize("values, others", [([], []), ([1.0], [1.0, 2.0])])
def test_figures_have_to_be_pairs(values, others):
    with pytest.raises(ValueError):
        difference(values, others, 0)


def test_splits_that_share_films_are_not_surer_than_they_are():
    rng, tries, films, splits = np.random.default_rng(1), 300, 500, 10
    p_values = {0: [], 0.1 / 0.8: []}
    for _ in range(tries):
        by_film = rng.normal(size=films)  # no film gains by more than chance
        means = [by_film[rng.permutation(films)[:films // 10]].mean() for _ in range(splits)]
        for overlap, found in p_values.items():
            found.append(difference(means, [0.0] * splits, overlap).p)
    too_sure, corrected = (np.mean(np.array(found) < 0.05) for found in p_values.values())
    assert corrected < 0.07 < 0.1 < too_sure


@pytest.mark.parametrize("given, tests, expected", [
    ([0.01, 0.04, 0.03], 3, [0.03, 0.06, 0.06]),  # step by step, and never less than one before
    ([0.01], 20, [0.2]), ([0.5, 0.9], 4, [1, 1]), ([], 3, [])])
def test_p_values_are_corrected_for_what_was_tried(given, tests, expected):
    assert holm(given, tests) == pytest.approx(expected)


def test_the_errors_that_are_needed_are_those_that_holm_asks_for():
    needed = errors_needed(20, 3)
    assert holm([2 * stats.t.sf(needed, 2)], 20) == [pytest.approx(0.05)]
