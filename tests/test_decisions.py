from pathlib import Path

import numpy as np
import pytest
from conftest import options_of, rewrite

from movie_genres.base.errors import InputError, Remedy
from movie_genres.ensemble.decisions import Calibration, choose_models, read_decisions, write_decisions
from movie_genres.ensemble.folder import ModelFile, find_models, needed_models
from movie_genres.ensemble.naming import Naming
from movie_genres.ensemble.operating_points import OperatingPoint
from movie_genres.ensemble.scorer import Models
from movie_genres.evaluation.tuning import (
    THRESHOLDS,
    TuneOptions,
    fit_calibration,
    fit_choice,
    fit_thresholds,
    measure,
    tune,
)
from movie_genres.models.answers import Answers
from movie_genres.models.metrics import binary_cross_entropy

RNG = np.random.default_rng(0)
TRUE = 1 / (1 + np.exp(-RNG.normal(-0.5, 1.5, (3000, 3))))
LABELS = (RNG.random(TRUE.shape) < TRUE).astype(float)


def sharpened(probabilities, factor):
    return 1 / (1 + np.exp(-factor * np.log(probabilities / (1 - probabilities))))


@pytest.mark.parametrize("calibration", ["temperature", "platt"])
@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_calibration_undoes_over_and_underconfidence(factor, calibration):
    fitted = fit_calibration(LABELS, sharpened(TRUE, factor), options_of(TuneOptions, calibration=calibration))
    assert fitted.scale == pytest.approx(1 / factor, rel=0.15)
    assert binary_cross_entropy(LABELS, fitted(sharpened(TRUE, factor))) == pytest.approx(
        binary_cross_entropy(LABELS, TRUE), abs=1e-3)


def test_platt_scaling_undoes_what_is_wrong_with_one_genre():
    shifted = TRUE.copy()
    shifted[:, 1] = 1 / (1 + np.exp(1 - np.log(TRUE[:, 1] / (1 - TRUE[:, 1]))))
    options = [options_of(TuneOptions, calibration=kind) for kind in ("platt", "temperature")]
    losses = [binary_cross_entropy(LABELS, fit_calibration(LABELS, shifted, each)(shifted)) for each in options]
    assert losses[0] == pytest.approx(binary_cross_entropy(LABELS, TRUE), abs=2e-3) and losses[1] > losses[0] + 0.01


def test_platt_scaling_leaves_rare_genres_to_the_temperature():
    labels = LABELS.copy()
    labels[5:, 2] = 0
    fitted = fit_calibration(labels, TRUE, options_of(TuneOptions, calibration="platt", min_films=10))
    temperature = fit_calibration(labels, TRUE, options_of(TuneOptions, calibration="temperature"))
    assert (fitted.scale[2], fitted.shift[2]) == (temperature.scale[2], 0) and fitted.shift[0] != 0


def test_calibration_keeps_the_order_and_nan():
    calibrated = Calibration(np.full(5, 0.5), np.zeros(5))(np.array([np.nan, 0.0, 0.2, 0.9, 1.0]))
    assert np.isnan(calibrated[0]) and (np.diff(calibrated[1:]) > 0).all() and calibrated[1] > 0


def test_thresholds_for_f1_are_the_best_of_all():
    thresholds = fit_thresholds(LABELS, TRUE, 10)

    def f1(genre, threshold):
        named = TRUE[:, genre] >= threshold
        return 2 * (named & (LABELS[:, genre] > 0)).sum() / (named.sum() + LABELS[:, genre].sum())

    for genre, threshold in enumerate(thresholds):
        assert f1(genre, threshold) == pytest.approx(max(f1(genre, other) for other in np.unique(TRUE[:, genre])))


def test_rare_and_empty_genres_share_a_threshold():
    labels = LABELS.copy()
    labels[:, 1] = 0
    labels[5:, 2] = 0
    thresholds = fit_thresholds(labels, TRUE, min_films=10)
    assert thresholds[1] == thresholds[2] != thresholds[0]


def test_genres_without_any_film_have_a_threshold_of_one_half():
    assert fit_thresholds(np.zeros((20, 2)), TRUE[:20, :2], 10).tolist() == [0.5, 0.5]


def test_the_default_names_about_as_many_genres_as_films_have():
    options = options_of(TuneOptions, most_off=0.1)
    choice = fit_choice(LABELS, TRUE, LABELS.sum(axis=1).mean(), options)
    named = choice.default.number(TRUE)
    assert abs(named.mean() - LABELS.sum(axis=1).mean()) <= 0.1 and named.min() == 1
    assert choice.measured == measure(LABELS, TRUE, named)
    near = [measure(LABELS, TRUE, OperatingPoint(each, options.power).number(TRUE)) for each in THRESHOLDS]
    assert choice.measured.f1_per_film == max(each.f1_per_film for each in near
                                              if abs(each.genres_per_film - LABELS.sum(axis=1).mean()) <= 0.1)


def test_where_no_point_names_as_many_the_nearest_is_taken():
    options = options_of(TuneOptions, most_off=0.1)
    assert fit_choice(LABELS, TRUE, 0.2, options).measured.genres_per_film == 1
    assert fit_choice(LABELS, TRUE, 9.0, options).measured.genres_per_film == 3


def test_what_a_point_comes_to_is_measured():
    labels, probabilities = np.array([[1, 1, 0], [0, 0, 1]]), np.array([[0.9, 0.2, 0.6], [0.3, 0.1, 0.2]])
    assert measure(labels, probabilities, np.array([2, 1])) == pytest.approx((1 / 3, 1 / 3, 1.5, (0.5 + 0) / 2))


def test_decisions_are_read_back_for_their_models(tuned, small_arrays):
    files, decisions = choose_models(tuned)
    assert {file.name for file in files} >= {decisions.ranking[kind][0] for kind in ("poster", "overview", "both")}
    assert set(decisions.models) == {"cnn", "lstm", "fusion", "fusion:poster", "fusion:overview"}
    assert decisions.models["cnn"].calibration.scale.shape == (len(small_arrays[0].genres),)
    assert decisions.films == len(small_arrays[0].rows("validation"))
    assert len(decisions.always[0]) == round(small_arrays[0].labels.sum(axis=1).mean())


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
    with pytest.raises(InputError, match="decisions.json: expected calibrations, operating points and a ranking"):
        choose_models(tuned)


def test_films_are_answered_by_the_best_model_for_what_they_have(tuned, small_arrays):
    prepared, posters, overviews, _ = small_arrays
    _, decisions = choose_models(tuned)
    ranking = {"poster": ["fusion"], "overview": ["lstm", "fusion"], "both": ["fusion", "lstm"]}
    decisions = decisions._replace(ranking=ranking)
    models = Models(find_models(tuned), decisions).naming(Naming(max_genres=2))
    encoded = models.encode({"cnn": posters, "lstm": overviews})
    raw = models.answers(len(prepared.films), encoded)
    probabilities, named = models.decide(len(prepared.films), encoded)
    for rows, key in ((posters.present & overviews.present, "fusion"), (~posters.present & overviews.present, "lstm"),
                      (posters.present & ~overviews.present, "fusion:poster")):
        assert rows.any()
        calibration, choice = decisions.models[key]
        expected = calibration(raw[key.partition(":")[0]][rows])
        assert np.allclose(probabilities[rows], expected, atol=1e-6)
        assert (named[rows] == np.minimum(choice.default.number(expected), 2)).all()


def made_up(modality, probabilities, **alone):
    return Answers(modality, "", probabilities, None, alone)


def test_models_are_ranked_by_validation_loss_for_each_kind_of_film():
    nothing = np.full_like(TRUE, LABELS.mean())
    answers = {"weak": made_up("poster", (TRUE + 2 * nothing) / 3), "text": made_up("overview", (TRUE + nothing) / 2),
               "fusion": made_up(None, TRUE, poster=nothing, overview=TRUE)}
    ranking = tune(answers, LABELS, dict.fromkeys(("train", "validation"), np.arange(len(LABELS))), list("ABC"),
                   options_of(TuneOptions)).ranking
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


@pytest.mark.parametrize("ranking, expected", [
    (["titles", "cnn", "fusion"], {"titles", "cnn"}),
    (["cnn", "titles"], {"cnn"}),
    (["titles"], {"titles"}),
])
def test_posters_without_text_have_a_model_too(ranking, expected):
    files = [ModelFile(name, Path(name), modality, {}, "", ("Drama",), Path(name), "", name == "titles")
             for name, modality in (("cnn", "poster"), ("titles", "poster"), ("fusion", None))]
    assert {file.name for file in needed_models(files, {"poster": ranking}, ["poster"])} == expected


@pytest.mark.parametrize("there, ranking, expected", [
    ("cnn seen lstm fusion", {"poster": ["fusion", "cnn"]}, "cnn seen lstm fusion"),
    ("cnn lstm fusion", {"poster": ["fusion", "cnn"]}, "cnn"),
    ("cnn seen fusion", {"poster": ["fusion", "seen", "cnn"]}, "cnn seen fusion"),
    ("seen lstm fusion", {"poster": ["fusion", "seen"]}, "seen lstm fusion"),
    ("cnn lstm fusion", {"overview": ["fusion", "cnn"]}, "lstm fusion"),
    ("cnn seen lstm fusion", {"both": ["fusion", "lstm", "cnn"]}, "seen lstm fusion"),
    ("cnn fusion", {"both": ["fusion", "cnn"]}, "cnn"),
])
def test_a_fusion_answers_films_that_its_inputs_look_at(there, ranking, expected):
    # The posters' input of the fusion takes embeddings, which films may be without.
    files = [ModelFile(name, Path(name), modality, dict.fromkeys(inputs, ""), "", ("Drama",), Path(name), "", False, numbers)
             for name, modality, inputs, numbers in (
                 ("cnn", "poster", (), None), ("seen", "poster", (), 3), ("lstm", "overview", (), None),
                 ("fusion", None, ("seen", "lstm"), None)) if name in there.split()]
    found = needed_models(files, ranking, list(ranking))
    assert {file.name for file in found} == set(expected.split())


def test_a_missing_model_has_its_remedy(models, tmp_path):
    with pytest.raises(InputError, match="a model for posters; found no model") as caught:
        find_models(tmp_path)
    assert caught.value.remedy == Remedy.TRAIN
    with pytest.raises(InputError, match="a model for poster among those ranked; found gone") as caught:
        needed_models(find_models(models), {"poster": ["gone"]}, ["poster"])
    assert caught.value.remedy == Remedy.TUNE
