import numpy as np
import pytest

from movie_genres.inputs.features import Overviews
from movie_genres.training.batches import augment, by_length, drop_words, erase, mixup

RNG = np.random.default_rng


def test_pad_gives_each_overview_a_line():
    overviews = Overviews(np.array([5, 6, 7, 8], np.int32), np.array([0, 1, 1, 4]))
    assert overviews.batch(np.array([2, 0, 1])).tolist() == [[6, 7, 8], [5, 0, 0], [0, 0, 0]]


def test_by_length_uses_every_row_once_and_mixes_lengths_little():
    lengths = RNG(0).integers(1, 60, 500)
    rows = np.arange(100, 500)
    batches = by_length(rows, lengths, 32, RNG(1))
    assert sorted(np.concatenate(batches)) == rows.tolist()
    assert np.mean([np.ptp(lengths[batch]) for batch in batches]) < 15
    assert [len(batch) for batch in batches].count(32) == 12


def test_by_length_differs_from_epoch_to_epoch():
    lengths = RNG(0).integers(1, 60, 500)
    first, second = (by_length(np.arange(500), lengths, 32, RNG(seed)) for seed in (1, 2))
    assert {tuple(sorted(batch)) for batch in first} != {tuple(sorted(batch)) for batch in second}


def picture():
    pixels = np.zeros((1, 10, 10, 3), np.uint8)
    pixels[0, 4, 2] = 200
    return np.repeat(pixels, 200, axis=0)


def test_augment_off_changes_nothing():
    assert np.array_equal(augment(picture(), RNG(0), flip=False, shift=0, brightness=0), picture())


@pytest.mark.parametrize("options, places", [
    ({"flip": True, "shift": 0}, {(4, 2), (4, 7)}),
    ({"flip": False, "shift": 0.1}, {(row, column) for row in (3, 4, 5) for column in (1, 2, 3)}),
])
def test_augment_moves_and_mirrors(options, places):
    moved = augment(picture(), RNG(0), brightness=0, **options)
    assert moved.dtype == np.uint8
    assert {tuple(np.argwhere(one[..., 0] == 200)[0]) for one in moved} == places


def test_augment_changes_light_within_bounds():
    changed = augment(np.full((50, 4, 4, 3), 128, np.uint8), RNG(0), flip=False, shift=0, brightness=0.1)
    assert 128 * 0.9 - 14 <= changed.min() < 120 and 135 < changed.max() <= 128 * 1.1 + 14


def test_erase_covers_a_rectangle_of_a_share_of_posters():
    covered = erase(np.zeros((400, 16, 16, 3), np.uint8), RNG(0), 0.5) == 127
    touched = covered.any(axis=(1, 2, 3))
    assert 0.4 < touched.mean() < 0.6
    sizes = covered[touched][..., 0].sum(axis=(1, 2))
    assert sizes.min() >= 4 and sizes.max() <= 49


def test_mixup_blends_posters_and_labels_alike():
    pixels = np.stack([np.full((2, 2, 3), value, np.uint8) for value in (0, 200)] * 8)
    labels = np.float32([[0], [1]] * 8)
    blended, soft = mixup(pixels, labels, RNG(3), 1.0)
    assert np.abs(blended[:, 0, 0, 0] / 200 - soft[:, 0]).max() < 0.01 and ((soft > 0) & (soft < 1)).any()


def test_drop_words_spares_padding_and_special_ids():
    dropped = drop_words(np.array([[3] * 100 + [5] * 100 + [0] * 100], np.int32), RNG(0), 0.9, hidden=7, special=[3])
    assert (dropped[0, :100] == 3).all() and (dropped[0, 100:200] == 7).sum() > 70 and not dropped[0, 200:].any()


def test_drop_words_hides_a_share():
    tokens = np.array([[5] * 500 + [0] * 500], np.int32)
    dropped = drop_words(tokens, RNG(0), 0.3, hidden=1, special=[])
    assert 0.2 < (dropped[0, :500] == 1).mean() < 0.4 and not dropped[0, 500:].any()
