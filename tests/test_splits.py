import numpy as np
import pytest

from movie_genres.base.errors import UserError
from movie_genres.data.films import Film
from movie_genres.data.splits import choose_genres, draw_evenly, group_duplicates, stratified_split, undersample

FRACTIONS = (0.8, 0.1, 0.1)


def films(*genres):
    return [Film(str(index), overview=f"word{index}", genres=tuple(of_film)) for index, of_film in enumerate(genres)]


@pytest.mark.parametrize("options, expected", [
    ({}, ["A", "B", "C"]),
    ({"min_films": 2}, ["A", "B"]),
    ({"top": 2}, ["A", "B"]),
    ({"only": ("C", "A")}, ["C", "A"]),
])
def test_choose_genres(options, expected):
    assert choose_genres(films("A", "A", "AB", "BC"), **{"min_films": 1, **options}) == expected


@pytest.mark.parametrize("options, message", [
    ({"only": ("A", "X")}, "names X, which no film has; the films have A, B"),
    ({"min_films": 9}, "at least two genres; found none with at least 9 films"),
])
def test_choose_genres_refuses(options, message):
    with pytest.raises(UserError, match=message):
        choose_genres(films("A", "AB"), **options)


def test_duplicates_are_grouped_by_overview_and_poster_also_in_chains():
    several = [Film("a", overview="One, two"), Film("b", overview="one two!"), Film("c", overview="three"),
               Film("d", overview=""), Film("e", overview="")]
    assert group_duplicates(several, {"b": "x", "c": "x", "d": "y"}).tolist() == [0, 0, 0, 3, 4]


@pytest.mark.parametrize("seed", range(5))
def test_split_keeps_shares_groups_and_rare_genres(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random((600, 8)) < [0.5, 0.4, 0.2, 0.1, 0.05, 0.02, 0, 0]).astype(int)
    labels[rng.choice(600, 3, replace=False), 6] = 1
    labels[rng.choice(600, 4, replace=False), 7] = 1
    groups = np.arange(600)
    groups[10:20] = 10
    split = stratified_split(labels, groups, FRACTIONS, seed)
    assert len(set(split[10:20])) == 1
    for index, fraction in enumerate(FRACTIONS):
        inside = labels[split == index]
        assert abs(len(inside) - 600 * fraction) <= 12
        assert (inside.sum(axis=0) >= 1).all()
        assert (np.abs(inside.sum(axis=0) - fraction * labels.sum(axis=0)) <= 4).all()


def test_split_follows_the_seed():
    labels = (np.random.default_rng(0).random((200, 4)) < 0.3).astype(int)
    first, again, other = (stratified_split(labels, np.arange(200), FRACTIONS, seed) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_undersample_drops_only_films_of_the_majority_alone():
    labels = np.array([[1, 0]] * 80 + [[1, 1]] * 10 + [[0, 1]] * 10)
    training = np.arange(100) >= 5
    dropped = undersample(labels, training, 0.7, seed=0)
    assert 0.65 < labels[training & ~dropped, 0].mean() <= 0.7
    assert not dropped[~training].any() and not dropped[80:].any()


def test_undersample_drops_nothing_below_the_share():
    assert not undersample(np.eye(2, dtype=int)[[0, 1] * 5], np.full(10, True), 0.6, seed=0).any()


@pytest.mark.parametrize("count, expected", [(30, [10, 10, 10]), (60, [22, 22, 16]), (90, [37, 37, 16]),
                                             (196, [100, 80, 16])])
def test_draw_evenly_leaves_out_films_of_frequent_genres_first(count, expected):
    labels = np.repeat(np.eye(3, dtype=int), [100, 80, 16], axis=0)
    drawn = draw_evenly(labels, np.arange(196), count, seed=0)
    assert len(set(drawn.tolist())) == count and labels[drawn].sum(axis=0).tolist() == expected


def test_draw_evenly_counts_all_genres_of_a_film_and_follows_the_seed():
    labels = (np.random.default_rng(0).random((3000, 5)) < [0.6, 0.4, 0.2, 0.1, 0.05]).astype(int)
    candidates = np.flatnonzero(labels.any(axis=1))[::2]
    first, again, other = (draw_evenly(labels, candidates, 500, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert set(first.tolist()) <= set(candidates.tolist()) and labels[first, 4].sum() == labels[candidates, 4].sum()
    before, after = (labels[rows].sum(axis=0) for rows in (candidates, first))
    assert after.max() / after.min() < before.max() / before.min() / 2
