import numpy as np
import pytest

from movie_genres.decisions import Decision, TuneOptions, fit_decision, fit_thresholds, read_decisions, tune, write_decisions
from movie_genres.errors import InputError
from movie_genres.inference import Models
from movie_genres.metrics import binary_cross_entropy
from movie_genres.models import find_models

RNG = np.random.default_rng(0)
TRUE = 1 / (1 + np.exp(-RNG.normal(-0.5, 1.5, (3000, 3))))
LABELS = (RNG.random(TRUE.shape) < TRUE).astype(float)


def sharpened(probabilities, factor):
    return 1 / (1 + np.exp(-factor * np.log(probabilities / (1 - probabilities))))


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_the_temperature_undoes_over_and_underconfidence(factor):
    decision = fit_decision(LABELS, sharpened(TRUE, factor), TuneOptions())
    assert decision.temperature == pytest.approx(factor, rel=0.1)
    assert binary_cross_entropy(LABELS, decision.calibrate(sharpened(TRUE, factor))) == pytest.approx(
        binary_cross_entropy(LABELS, TRUE), abs=1e-3)


def test_calibration_keeps_the_order_and_nan():
    calibrated = Decision(2.0, np.full(3, 0.5)).calibrate(np.array([np.nan, 0.0, 0.2, 0.9, 1.0]))
    assert np.isnan(calibrated[0]) and (np.diff(calibrated[1:]) > 0).all() and calibrated[1] > 0


def test_thresholds_for_f1_are_the_best_of_all():
    thresholds = fit_thresholds(LABELS, TRUE, TuneOptions())

    def f1(genre, threshold):
        named = TRUE[:, genre] >= threshold
        return 2 * (named & (LABELS[:, genre] > 0)).sum() / (named.sum() + LABELS[:, genre].sum())

    for genre, threshold in enumerate(thresholds):
        assert f1(genre, threshold) == pytest.approx(max(f1(genre, other) for other in np.unique(TRUE[:, genre])))


def test_thresholds_for_recall_hold_the_precision():
    options = TuneOptions(aim="recall", precision=0.7)
    for genre, threshold in enumerate(fit_thresholds(LABELS, TRUE, options)):
        named = TRUE[:, genre] >= threshold
        assert LABELS[named, genre].mean() >= 0.7 and named.sum() > 300


def test_rare_and_empty_genres_share_a_threshold():
    labels = LABELS.copy()
    labels[:, 1] = 0
    labels[5:, 2] = 0
    thresholds = fit_thresholds(labels, TRUE, TuneOptions(min_films=10))
    assert thresholds[1] == thresholds[2] != thresholds[0]


def test_an_aim_out_of_reach_leaves_one_half():
    assert fit_thresholds(np.zeros((20, 2)), TRUE[:20, :2], TuneOptions(aim="recall")).tolist() == [0.5, 0.5]


@pytest.fixture
def tuned(models, small_arrays, tmp_path):
    """A copy of the models folder with decisions."""
    prepared, posters, overviews, _ = small_arrays
    folder = tmp_path / "models"
    folder.mkdir()
    for path in models.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    decisions = tune(Models(find_models(folder)), prepared, posters, overviews, TuneOptions())
    write_decisions(decisions, folder, folder / "decisions.json", prepared.genres, TuneOptions())
    return folder


def test_decisions_are_read_back_for_their_models(tuned):
    paths = find_models(tuned)
    decisions = read_decisions(paths)
    assert set(decisions) == {"cnn", "lstm", "fusion"}
    assert len(decisions["cnn"].thresholds) == len(Models(paths).genres)


def test_decisions_of_another_model_are_refused(tuned):
    with open(tuned / "cnn.keras", "ab") as file:
        file.write(b"\0")
    with pytest.raises(InputError, match="values for cnn.keras as it is"):
        read_decisions([tuned / "cnn.keras"])


@pytest.mark.parametrize("content", ["", "{}", '{"models": []}', '{"models": {"cnn": {"temperature": "x"}}}'])
def test_damaged_decisions_are_refused(tuned, content):
    (tuned / "decisions.json").write_text(content)
    with pytest.raises(InputError, match="decisions.json: expected temperatures and thresholds"):
        read_decisions([tuned / "cnn.keras"])


def test_models_answer_with_calibrated_probabilities_and_their_thresholds(tuned, small_arrays):
    prepared, posters, overviews, _ = small_arrays
    paths = find_models(tuned)
    decisions, rows = read_decisions(paths), np.arange(len(prepared.films))
    raw = Models(paths).predict(rows, posters, overviews)
    loaded = Models(paths, decisions=decisions)
    answers = loaded.predict(rows, posters, overviews)
    assert np.allclose(answers["fusion"], decisions["fusion"].calibrate(raw["fusion"]), atol=1e-6)
    probabilities, thresholds = loaded.best(answers)
    only_overview = np.flatnonzero(~posters.present & overviews.present)[0]
    both = np.flatnonzero(posters.present & overviews.present)[0]
    assert thresholds[only_overview].tolist() == decisions["lstm"].thresholds.tolist()
    assert thresholds[both].tolist() == decisions["fusion"].thresholds.tolist()
    assert np.allclose(probabilities[only_overview], answers["lstm"][only_overview])
