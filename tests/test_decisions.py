import shutil

import numpy as np
import pytest
from conftest import options_of, rewrite

from movie_genres.base.errors import InputError, Remedy
from movie_genres.ensemble.decisions import Decision, choose_models, read_decisions, write_decisions
from movie_genres.ensemble.folder import find_models, needed_models
from movie_genres.ensemble.scorer import Models
from movie_genres.evaluation.tuning import TuneOptions, fit_decision, fit_thresholds, tune
from movie_genres.models.answers import Answers
from movie_genres.models.metrics import binary_cross_entropy

RNG = np.random.default_rng(0)
TRUE = 1 / (1 + np.exp(-RNG.normal(-0.5, 1.5, (3000, 3))))
LABELS = (RNG.random(TRUE.shape) < TRUE).astype(float)


def sharpened(probabilities, factor):
    return 1 / (1 + np.exp(-factor * np.log(probabilities / (1 - probabilities))))


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_the_temperature_undoes_over_and_underconfidence(factor):
    decision = fit_decision(LABELS, sharpened(TRUE, factor), options_of(TuneOptions))
    assert decision.temperature == pytest.approx(factor, rel=0.1)
    assert binary_cross_entropy(LABELS, decision.calibrate(sharpened(TRUE, factor))) == pytest.approx(
        binary_cross_entropy(LABELS, TRUE), abs=1e-3)


def test_calibration_keeps_the_order_and_nan():
    calibrated = Decision(2.0, np.full(3, 0.5)).calibrate(np.array([np.nan, 0.0, 0.2, 0.9, 1.0]))
    assert np.isnan(calibrated[0]) and (np.diff(calibrated[1:]) > 0).all() and calibrated[1] > 0


def test_thresholds_for_f1_are_the_best_of_all():
    thresholds = fit_thresholds(LABELS, TRUE, options_of(TuneOptions))

    def f1(genre, threshold):
        named = TRUE[:, genre] >= threshold
        return 2 * (named & (LABELS[:, genre] > 0)).sum() / (named.sum() + LABELS[:, genre].sum())

    for genre, threshold in enumerate(thresholds):
        assert f1(genre, threshold) == pytest.approx(max(f1(genre, other) for other in np.unique(TRUE[:, genre])))


def test_thresholds_for_recall_hold_the_precision():
    options = options_of(TuneOptions, aim="recall", precision=0.7)
    for genre, threshold in enumerate(fit_thresholds(LABELS, TRUE, options)):
        named = TRUE[:, genre] >= threshold
        assert LABELS[named, genre].mean() >= 0.7 and named.sum() > 300


def test_rare_and_empty_genres_share_a_threshold():
    labels = LABELS.copy()
    labels[:, 1] = 0
    labels[5:, 2] = 0
    thresholds = fit_thresholds(labels, TRUE, options_of(TuneOptions, min_films=10))
    assert thresholds[1] == thresholds[2] != thresholds[0]


def test_an_aim_out_of_reach_leaves_one_half():
    assert fit_thresholds(np.zeros((20, 2)), TRUE[:20, :2], options_of(TuneOptions, aim="recall")).tolist() == [0.5, 0.5]


@pytest.fixture
def tuned(models, small_arrays, answers, tmp_path):
    """A copy of the models folder with decisions."""
    prepared, *_ = small_arrays
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    decisions = tune(answers, prepared.labels, prepared.rows("validation"), options_of(TuneOptions))
    digests = {name: of_model.digest for name, of_model in answers.items()}
    write_decisions(decisions, digests, folder / "decisions.json", prepared.genres)
    return folder


def test_decisions_are_read_back_for_their_models(tuned, small_arrays):
    files, decisions = choose_models(tuned)
    assert {file.name for file in files} >= {decisions.ranking[kind][0] for kind in ("poster", "overview", "both")}
    assert set(decisions.models) == {"cnn", "lstm", "fusion", "fusion:poster", "fusion:overview"}
    assert len(decisions.models["cnn"].thresholds) == len(small_arrays[0].genres)
    assert (decisions.aim, decisions.precision) == ("f1", None)


def test_decisions_that_are_written_again_are_the_same_bytes(tuned, small_arrays):
    digests, genres = {file.name: file.digest for file in find_models(tuned)}, small_arrays[0].genres
    path, again = tuned / "decisions.json", tuned / "again.json"
    write_decisions(read_decisions(path, digests, genres), digests, again, genres)
    assert again.read_bytes() == path.read_bytes()


def test_decisions_of_another_model_are_refused(tuned):
    (tuned / "fusion.onnx").unlink()
    rewrite(tuned / "cnn.onnx", lambda about: about.update(note="another one"))
    with pytest.raises(InputError, match="values for cnn's file as it is; found those of another version") as caught:
        choose_models(tuned, ["poster"], "float32")
    assert caught.value.remedy == Remedy.TUNE


@pytest.mark.parametrize("content", ["", "{}", '{"models": []}', '{"models": {"cnn": {"temperature": "x"}}}'])
def test_damaged_decisions_are_refused(tuned, content):
    (tuned / "decisions.json").write_text(content)
    with pytest.raises(InputError, match="decisions.json: expected temperatures, thresholds and a ranking"):
        choose_models(tuned)


def test_films_are_answered_by_the_best_model_for_what_they_have(tuned, small_arrays):
    prepared, posters, overviews, _ = small_arrays
    _, decisions = choose_models(tuned)
    ranking = {"poster": ["fusion"], "overview": ["lstm", "fusion"], "both": ["fusion", "lstm"]}
    decisions = decisions._replace(ranking=ranking)
    models = Models(find_models(tuned), decisions)
    encoded = models.encode({"cnn": posters, "lstm": overviews})
    raw = models.answers(len(prepared.films), encoded)
    probabilities, thresholds = models.decide(len(prepared.films), encoded)
    for rows, key in ((posters.present & overviews.present, "fusion"), (~posters.present & overviews.present, "lstm"),
                      (posters.present & ~overviews.present, "fusion:poster")):
        assert rows.any()
        expected = decisions.models[key].calibrate(raw[key.partition(":")[0]][rows])
        assert np.allclose(probabilities[rows], expected, atol=1e-6)
        assert (thresholds[rows] == decisions.models[key].thresholds).all()


def made_up(modality, probabilities, **alone):
    return Answers(modality, "", probabilities, None, alone)


def test_models_are_ranked_by_validation_loss_for_each_kind_of_film():
    nothing = np.full_like(TRUE, LABELS.mean())
    answers = {"weak": made_up("poster", (TRUE + 2 * nothing) / 3), "text": made_up("overview", (TRUE + nothing) / 2),
               "fusion": made_up(None, TRUE, poster=nothing, overview=TRUE)}
    ranking = tune(answers, LABELS, np.arange(len(LABELS)), options_of(TuneOptions)).ranking
    assert ranking == {"poster": ["weak", "fusion"], "overview": ["fusion", "text"], "both": ["fusion", "text", "weak"]}


@pytest.mark.parametrize("modalities, ranking, expected", [
    (["poster"], {"poster": ["cnn", "fusion"]}, {"cnn"}),
    (["poster"], {"poster": ["fusion", "cnn"]}, {"cnn", "fusion"}),
    (["overview"], {"overview": ["gone", "lstm"]}, {"lstm"}),
    (["poster", "overview"], {"poster": ["cnn"], "overview": ["lstm"], "both": ["lstm"]}, {"cnn", "lstm"}),
    (["poster", "overview"], {"poster": ["cnn"], "overview": ["lstm"], "both": ["fusion"]}, {"cnn", "lstm", "fusion"}),
])
def test_only_the_models_that_are_believed_are_loaded(models, modalities, ranking, expected):
    assert {file.name for file in needed_models(find_models(models, modalities), ranking, modalities)} == expected


def test_a_missing_model_has_its_remedy(models, tmp_path):
    with pytest.raises(InputError, match="a model for posters; found no model") as caught:
        find_models(tmp_path)
    assert caught.value.remedy == Remedy.TRAIN
    with pytest.raises(InputError, match="a model for poster among those ranked; found gone") as caught:
        needed_models(find_models(models), {"poster": ["gone"]}, ["poster"])
    assert caught.value.remedy == Remedy.TUNE
