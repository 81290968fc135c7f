import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, log_loss

from movie_genres import evaluation, metrics

RNG = np.random.default_rng(0)
LABELS = (RNG.random((80, 4)) < [0.5, 0.3, 0.1, 0]).astype(float)  # the last genre never occurs
PROBABILITIES = np.clip(0.5 * LABELS + 0.6 * RNG.random((80, 4)), 0, 1)
BASE = LABELS.mean(axis=0)


def test_agrees_with_scikit_learn():
    found = metrics.evaluate(LABELS, PROBABILITIES, BASE)
    decisions = PROBABILITIES >= 0.5
    assert found["loss"] == pytest.approx(np.mean([log_loss(LABELS[:, genre], PROBABILITIES[:, genre], labels=[0, 1])
                                                   for genre in range(4)]), rel=1e-4)
    assert found["f1"] == pytest.approx(f1_score(LABELS, decisions, average="micro"))
    assert found["macro_f1"] == pytest.approx(f1_score(LABELS[:, :3], decisions[:, :3], average="macro"))
    assert found["map"] == pytest.approx(average_precision_score(LABELS[:, :3], PROBABILITIES[:, :3]))
    assert found["exact_match"] == np.mean((decisions == LABELS).all(axis=1))


def test_the_base_rates_have_no_skill_and_a_perfect_model_all():
    assert metrics.evaluate(LABELS, np.tile(BASE, (80, 1)), BASE)["skill"] == 0
    assert metrics.evaluate(LABELS, LABELS, BASE)["skill"] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("true_positives, predicted, actual, expected", [
    (2, 4, 3, (0.5, 2 / 3, 4 / 7)),
    (0, 0, 3, (None, 0.0, 0.0)),
    (0, 2, 0, (0.0, None, 0.0)),
    (0, 0, 0, (None, None, None)),
])
def test_undefined_is_none(true_positives, predicted, actual, expected):
    assert metrics.precision_recall_f1(true_positives, predicted, actual) == pytest.approx(expected)


def test_figures_are_flat_rounded_and_beside_the_base_rates():
    figures = evaluation.figures(LABELS, {"base_rate": np.tile(BASE, (80, 1)), "cnn": PROBABILITIES}, 0.5)
    assert figures["base_rate.skill"] == 0 and figures["cnn.loss"] == round(figures["cnn.loss"], 4)


def test_nothing_predicted_gives_null_precision():
    low = np.full((80, 4), 0.01)
    assert evaluation.figures(LABELS, {"base_rate": low, "cnn": low}, 0.5)["cnn.precision"] is None


def test_per_genre_table_has_support_and_gaps():
    table = evaluation.per_genre(LABELS, {"cnn": PROBABILITIES}, list("ABCD"), 0.5)
    assert table["support"].tolist() == LABELS.sum(axis=0).tolist()
    assert np.isnan(table["cnn.recall"].iloc[3]) and not np.isnan(table["cnn.recall"].iloc[0])


def test_precision_recall_curves_never_rise_with_recall():
    curves = evaluation.precision_recall_curves(LABELS, {"cnn": PROBABILITIES, "base_rate": np.tile(BASE, (80, 1))})
    assert (curves[["cnn", "base_rate"]].diff().dropna() <= 1e-9).all().all()
    named = PROBABILITIES >= PROBABILITIES[LABELS > 0].min()  # as few as recall 1 allows
    assert curves["cnn"].iloc[-1] == pytest.approx(LABELS[named].mean(), abs=1e-4)
    assert curves["base_rate"].iloc[0] == pytest.approx(BASE.max(), abs=1e-4)


def test_top_genre_confusion_counts_each_genre_of_a_film():
    labels = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]])
    probabilities = np.array([[0.9, 0.2, 0.1], [0.1, 0.2, 0.3], [1, 0, 0]])
    assert evaluation.top_genre_confusion(labels, probabilities).tolist() == [[1, 0, 0], [1, 0, 1], [0, 0, 0]]
