import numpy as np
import pytest
from conftest import options_of
from sklearn.metrics import average_precision_score, f1_score, hamming_loss, log_loss

from movie_genres.evaluation import figures, measures
from movie_genres.evaluation.figures import Candidate, Comparison, EvaluateOptions
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


def candidate(probabilities, thresholds=0.5, **alone):
    return Candidate(probabilities, probabilities, np.full(4, thresholds), alone)


def comparison(labels=LABELS, specialists=None, believed=None, **probabilities):
    candidates = {name: given if isinstance(given, Candidate) else candidate(given) for name, given in probabilities.items()}
    return Comparison(np.arange(len(labels)), labels, BASE, candidates, specialists or {}, believed or {}, {})


def test_figures_are_flat_rounded_and_beside_the_base_rates():
    constant = np.tile(BASE, (80, 1))
    fusion = candidate(PROBABILITIES, 0.7, poster=constant, overview=PROBABILITIES)
    found = figures.measure_all(comparison(base_rate=constant, fusion=fusion), options_of(EvaluateOptions))
    assert found["films"] == 80 and found["base_rate.skill"] == 0
    assert found["fusion.loss"] == round(found["fusion.loss"], 4)
    assert found["fusion.tuned_precision"] > found["fusion.precision"] and found["base_rate.tuned_recall"] < 1
    assert found["fusion.skill_posters_only"] == 0 and found["fusion.skill_overviews_only"] == found["fusion.skill"]


def test_nothing_predicted_gives_null_precision():
    found = figures.measure_all(comparison(cnn=np.full((80, 4), 0.01)), options_of(EvaluateOptions))
    assert found["cnn.precision"] is None


def test_intervals_hold_the_value_and_shrink_with_more_films():
    options = options_of(EvaluateOptions, resamples=50)
    few = figures.intervals(comparison(cnn=PROBABILITIES), options)
    many = figures.intervals(comparison(np.tile(LABELS, (9, 1)), cnn=np.tile(PROBABILITIES, (9, 1))), options)
    row, other = (table[table["metric"] == "loss"].iloc[0] for table in (few, many))
    assert row["low"] < row["value"] < row["high"]
    assert 2 < (row["high"] - row["low"]) / (other["high"] - other["low"]) < 4.5


def test_complementarity_counts_whose_top_genre_is_right():
    labels = np.eye(2)[[0, 0, 0, 0]]
    first, second = np.eye(2)[[0, 0, 1, 1]], np.eye(2)[[0, 1, 0, 1]]
    compared = comparison(labels, {"poster": "cnn", "overview": "lstm"}, cnn=first, lstm=second)
    assert figures.complementarity(compared) == {f"top_genre_right.{who}": 0.25
                                                 for who in ("both", "only_cnn", "only_lstm", "neither")}
    assert figures.complementarity(comparison(labels, {"poster": "cnn"}, cnn=first)) == {}


def test_per_genre_table_has_support_and_gaps():
    table = figures.per_genre(comparison(cnn=PROBABILITIES), list("ABCD"))
    assert table["support"].tolist() == LABELS.sum(axis=0).tolist()
    assert np.isnan(table["cnn.recall"].iloc[3]) and not np.isnan(table["cnn.recall"].iloc[0])


def test_precision_recall_curves_never_rise_with_recall():
    curves = figures.precision_recall_curves(comparison(cnn=PROBABILITIES, base_rate=np.tile(BASE, (80, 1))))
    assert (curves[["cnn", "base_rate"]].diff().dropna() <= 1e-9).all().all()
    named = PROBABILITIES >= PROBABILITIES[LABELS > 0].min()  # as few as recall 1 allows
    assert curves["cnn"].iloc[-1] == pytest.approx(LABELS[named].mean(), abs=1e-4)
    assert curves["base_rate"].iloc[0] == pytest.approx(BASE.max(), abs=1e-4)


def test_top_genre_confusion_counts_each_genre_of_a_film():
    labels = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]])
    probabilities = np.array([[0.9, 0.2, 0.1], [0.1, 0.2, 0.3], [1, 0, 0]])
    assert figures.top_genre_confusion(labels, probabilities).tolist() == [[1, 0, 0], [1, 0, 1], [0, 0, 0]]
