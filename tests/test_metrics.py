import numpy as np
import pytest
from conftest import options_of
from sklearn.metrics import average_precision_score, f1_score, hamming_loss, log_loss

from movie_genres.evaluation import figures as evaluation
from movie_genres.evaluation import measures
from movie_genres.evaluation.report import EvaluateOptions
from movie_genres.models import metrics

RNG = np.random.default_rng(0)
LABELS = (RNG.random((80, 4)) < [0.5, 0.3, 0.1, 0]).astype(float)  # the last genre never occurs
PROBABILITIES = np.clip(0.5 * LABELS + 0.6 * RNG.random((80, 4)), 0, 1)
BASE = LABELS.mean(axis=0)


def test_agrees_with_scikit_learn():
    decisions = PROBABILITIES >= 0.5
    found = {**measures.of_probabilities(LABELS, PROBABILITIES, BASE, 0.61), **measures.of_decisions(LABELS, decisions)}
    assert found["loss"] == pytest.approx(np.mean([log_loss(LABELS[:, genre], PROBABILITIES[:, genre], labels=[0, 1])
                                                   for genre in range(4)]), rel=1e-4)
    assert found["f1"] == pytest.approx(f1_score(LABELS, decisions, average="micro"))
    assert found["macro_f1"] == pytest.approx(f1_score(LABELS[:, :3], decisions[:, :3], average="macro"))
    some = LABELS.any(axis=1) | decisions.any(axis=1)
    assert found["sample_f1"] == pytest.approx(f1_score(LABELS[some], decisions[some], average="samples"))
    assert found["hamming_loss"] == pytest.approx(hamming_loss(LABELS, decisions))
    assert found["map"] == pytest.approx(average_precision_score(LABELS[:, :3], PROBABILITIES[:, :3]))
    assert found["exact_match"] == np.mean((decisions == LABELS).all(axis=1))


def test_the_base_rates_have_no_skill_and_a_perfect_model_all():
    assert measures.of_probabilities(LABELS, np.tile(BASE, (80, 1)), BASE, 0.5)["skill"] == 0
    assert measures.of_probabilities(LABELS, LABELS, BASE, 0.5)["skill"] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("precision, expected", [(1.0, 1 / 3), (0.7, 1 / 3), (0.6, 1.0), (0.5, 1.0)])
def test_recall_at_precision(precision, expected):
    labels, probabilities = np.array([[1, 0, 0, 1, 1]]), np.array([[0.9, 0.8, 0.7, 0.6, 0.5]])
    assert measures.recall_at_precision(labels, probabilities, precision) == pytest.approx(expected)


def test_recall_at_a_precision_out_of_reach_is_0():
    assert measures.recall_at_precision(np.array([[0, 1]]), np.array([[0.9, 0.1]]), 0.6) == 0


@pytest.mark.parametrize("shift, expected", [(0.0, 0.0), (0.2, 0.2)])
def test_calibration_error_is_the_distance_from_the_truth(shift, expected):
    rng = np.random.default_rng(1)
    probabilities = rng.uniform(0, 0.8, (50_000, 1))
    labels = rng.random(probabilities.shape) < probabilities
    assert measures.expected_calibration_error(labels, probabilities + shift) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("true_positives, predicted, actual, expected", [
    (2, 4, 3, (0.5, 2 / 3, 4 / 7)),
    (0, 0, 3, (None, 0.0, 0.0)),
    (0, 2, 0, (0.0, None, 0.0)),
    (0, 0, 0, (None, None, None)),
])
def test_undefined_is_none(true_positives, predicted, actual, expected):
    assert metrics.precision_recall_f1(true_positives, predicted, actual) == pytest.approx(expected)


def answer(probabilities, thresholds=None):
    return evaluation.Predictions(probabilities, thresholds, probabilities)


def test_figures_are_flat_rounded_and_beside_the_base_rates():
    answers = {"base_rate": answer(np.tile(BASE, (80, 1))), "cnn": answer(PROBABILITIES, np.full(4, 0.7))}
    figures = evaluation.figures(LABELS, answers, BASE, options_of(EvaluateOptions))
    assert figures["base_rate.skill"] == 0 and figures["cnn.loss"] == round(figures["cnn.loss"], 4)
    assert figures["cnn.tuned_precision"] > figures["cnn.precision"] and "base_rate.tuned_f1" not in figures


def test_nothing_predicted_gives_null_precision():
    figures = evaluation.figures(LABELS, {"cnn": answer(np.full((80, 4), 0.01))}, BASE, options_of(EvaluateOptions))
    assert figures["cnn.precision"] is None


def test_intervals_hold_the_value_and_shrink_with_more_films():
    few = evaluation.intervals(LABELS, {"cnn": answer(PROBABILITIES)}, BASE, options_of(EvaluateOptions, resamples=50))
    many = evaluation.intervals(np.tile(LABELS, (9, 1)), {"cnn": answer(np.tile(PROBABILITIES, (9, 1)))}, BASE,
                                options_of(EvaluateOptions, resamples=50))
    row, other = (table[table["metric"] == "loss"].iloc[0] for table in (few, many))
    assert row["low"] < row["value"] < row["high"]
    assert 2 < (row["high"] - row["low"]) / (other["high"] - other["low"]) < 4.5


def test_complementarity_counts_whose_top_genre_is_right():
    labels = np.eye(2)[[0, 0, 0, 0]]
    first, second = np.eye(2)[[0, 0, 1, 1]], np.eye(2)[[0, 1, 0, 1]]
    assert evaluation.complementarity(labels, first, second) == {"both": 0.25, "only_first": 0.25, "only_second": 0.25,
                                                                 "neither": 0.25}


def test_per_genre_table_has_support_and_gaps():
    table = evaluation.per_genre(LABELS, {"cnn": answer(PROBABILITIES)}, list("ABCD"), 0.5)
    assert table["support"].tolist() == LABELS.sum(axis=0).tolist()
    assert np.isnan(table["cnn.recall"].iloc[3]) and not np.isnan(table["cnn.recall"].iloc[0])


def test_precision_recall_curves_never_rise_with_recall():
    curves = evaluation.precision_recall_curves(LABELS, {"cnn": answer(PROBABILITIES),
                                                         "base_rate": answer(np.tile(BASE, (80, 1)))})
    assert (curves[["cnn", "base_rate"]].diff().dropna() <= 1e-9).all().all()
    named = PROBABILITIES >= PROBABILITIES[LABELS > 0].min()  # as few as recall 1 allows
    assert curves["cnn"].iloc[-1] == pytest.approx(LABELS[named].mean(), abs=1e-4)
    assert curves["base_rate"].iloc[0] == pytest.approx(BASE.max(), abs=1e-4)


def test_top_genre_confusion_counts_each_genre_of_a_film():
    labels = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]])
    probabilities = np.array([[0.9, 0.2, 0.1], [0.1, 0.2, 0.3], [1, 0, 0]])
    assert evaluation.top_genre_confusion(labels, probabilities).tolist() == [[1, 0, 0], [1, 0, 1], [0, 0, 0]]
