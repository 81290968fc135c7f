import numpy as np
import pytest

from movie_genres.models.metrics import binary_cross_entropy
from movie_genres.training.batches import draw
from movie_genres.training.losses import build_loss

LABELS = np.float32([[1, 0, 0], [0, 1, 0]])
PROBABILITIES = np.float32([[0.7, 0.2, 0.04], [0.4, 0.1, 0.6]])
RATES = np.array([0.5, 0.1, 0.0001])


def value(name, focus=2.0, probabilities=PROBABILITIES):
    return float(build_loss(name, focus, RATES)(LABELS, probabilities))


def test_crossentropy_is_the_metric():
    assert value("crossentropy") == pytest.approx(binary_cross_entropy(LABELS, PROBABILITIES), rel=1e-5)


def test_weighted_counts_the_positives_of_rare_genres_more():
    extra = (3 - 1) * -np.log(0.1) / 6  # genre 1 of base rate 0.1 counts sqrt(0.9 / 0.1) = 3 times
    assert value("weighted") == pytest.approx(binary_cross_entropy(LABELS, PROBABILITIES) + extra, rel=1e-5)


def test_focal_without_focus_is_crossentropy_and_else_spares_what_is_easy():
    assert value("focal", 0.0) == pytest.approx(value("crossentropy"), rel=1e-4)
    assert value("focal", 2.0) < value("crossentropy")


def test_asymmetric_spares_negatives_only():
    terms = -np.log(0.7) - 0.15**2 * np.log(0.85) - 0.35**2 * np.log(0.65) - np.log(0.1) - 0.55**2 * np.log(0.45)
    assert value("asymmetric") == pytest.approx(terms / 6, rel=1e-4)


@pytest.mark.parametrize("name", ["crossentropy", "weighted", "focal", "asymmetric"])
def test_is_finite_at_certainty(name):
    assert np.isfinite(value(name, probabilities=np.float32([[0, 1, 0], [1, 0, 1]])))


def test_draw_takes_each_film_once_or_prefers_rare_genres():
    labels = np.array([[1, 0]] * 90 + [[1, 1]] * 10)
    rows, rng = np.arange(100), np.random.default_rng(0)
    assert draw(rows, labels, 0, rng).tolist() == rows.tolist()
    drawn = np.concatenate([draw(rows, labels, 1.0, rng) for _ in range(50)])
    assert len(drawn) == 5000 and 0.48 < labels[drawn, 1].mean() < 0.58
