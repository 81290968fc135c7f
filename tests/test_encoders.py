"""Pretrained encoders, with presets of a few hundred random weights in place of real ones."""

import shutil

import numpy as np
import pytest
from conftest import REPOSITORY, encoder_options, options_of, outputs
from pydantic import TypeAdapter, ValidationError

from movie_genres.base.errors import InputError, UserError
from movie_genres.checkpoints import keras_files
from movie_genres.ensemble.decisions import choose_models
from movie_genres.ensemble.scorer import Models
from movie_genres.inputs.features import Posters
from movie_genres.inputs.posters import LazyPixels, read_poster
from movie_genres.models.answers import load_answers
from movie_genres.models.network import Network, restore_vocabulary
from movie_genres.networks.fusion import FusionOptions, train_fusion
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.chunks import score
from movie_genres.scoring.poster_sources import LocalPoster
from stages.train_encoders import main as stage

keras_hub = pytest.importorskip("keras_hub", reason="the extra `encoders` is not installed")
from movie_genres.checkpoints.tokenizers import subwords_of  # noqa: E402
from movie_genres.networks.encoders import Encoder, PosterEncoder, train_encoder  # noqa: E402
from movie_genres.networks.probing import linear_probe  # noqa: E402


@pytest.mark.parametrize("fine_tune", [False, True])
@pytest.mark.parametrize("modality", ["poster", "overview"])
def test_an_encoder_becomes_a_model_that_scores_as_its_answers_say(presets, small_arrays, tmp_path, modality, fine_tune):
    prepared, posters, overviews, _ = small_arrays
    given = outputs(tmp_path, "encoders/pretrained")
    summary = train_encoder(prepared, posters.present, encoder_options(presets, modality, fine_tune=fine_tune), given)
    answers = load_answers(tmp_path / "answers")["pretrained"]
    present = {"poster": posters, "overview": overviews}[modality].present
    assert answers.present.tolist() == present.tolist() and answers.modality == modality
    assert len(answers.features) == 1 + fine_tune == 1 + given.history.exists()
    assert summary["best_val_loss"] < summary["base_rate_loss"] * 1.2
    network = Network(given.runs)
    assert network.metadata["preset"] == presets[modality].rsplit("/", 1)[1]
    if modality == "poster":
        films = Posters(LazyPixels(prepared.films["poster"].tolist(), network.image_size), present)
    else:
        films = network.vocabulary.encode(prepared.films["overview"].tolist())
    _, probabilities = network.encode(np.flatnonzero(present), films)
    assert np.allclose(probabilities, answers.probabilities[present], atol=1e-6)


def test_encoders_join_the_fusion_and_the_scoring(presets, small_arrays, models, tmp_path, run):
    prepared, posters, overviews, _ = small_arrays
    shutil.copytree(models, tmp_path / "models")
    shutil.copytree(models.parent / "answers", tmp_path / "answers")
    shutil.rmtree(tmp_path / "answers" / "fusion")
    for modality in presets:
        train_encoder(prepared, posters.present, encoder_options(presets, modality),
                      outputs(tmp_path, f"encoders/{modality}_encoder"))
    answers = load_answers(tmp_path / "answers")
    assert list(answers) == ["cnn", "poster_encoder", "overview_encoder", "lstm"]
    train_fusion(prepared, answers, options_of(FusionOptions, inputs=tuple(answers), units=8, epochs=1),
                 outputs(tmp_path, "fusion"))
    rows = prepared.rows("test", posters.present & overviews.present)
    items = [Entry(film.id, LocalPoster(film.poster), film.overview) for film in prepared.films.iloc[rows].itertuples()]
    files, decisions = choose_models(tmp_path / "models")
    assert {file.name for file in files} == {*answers, "fusion"}
    (_, rows_of_films), = score([(0, items)], Models(files, decisions))
    scored = np.stack([row.probabilities for row in rows_of_films])
    expected = load_answers(tmp_path / "answers")["fusion"].probabilities[rows]
    assert np.allclose(scored, expected, atol=2e-3)


def test_fine_tuned_encoders_are_averaged_at_the_size_of_one(presets, small_arrays, tmp_path):
    prepared, posters, _, _ = small_arrays
    for name, settings in {"one": {"seed": 0}, "other": {"seed": 1}, "average": {"seed": 0, "seeds": 2}}.items():
        options = encoder_options(presets, "overview", fine_tune=True, average="weights", **settings)
        train_encoder(prepared, posters.present, options, outputs(tmp_path, name))
    one, other, average = (keras_files.load(tmp_path / "models" / f"{name}.keras")[0].get_weights()
                           for name in ("one", "other", "average"))
    assert any(not np.array_equal(*pair) for pair in zip(one, other))
    for first, second, mean in zip(one, other, average, strict=True):
        assert mean == pytest.approx((first + second) / 2, abs=1e-6)


def test_subwords_survive_saving(presets):
    subwords = subwords_of(keras_hub.models.TextClassifierPreprocessor.from_preset(presets["overview"]), 8)
    texts = ["The house of a brother", "", "?!", "☃ ☂", "house " * 20]
    encoded, restored = subwords.encode(texts), restore_vocabulary("m.onnx", subwords.content()).encode(texts)
    assert np.array_equal(encoded.ids, restored.ids) and np.array_equal(encoded.starts, restored.starts)
    assert encoded.present.tolist() == [True, False, False, False, True] and encoded.lengths.max() == 8
    assert encoded.ids[0] == 3 and encoded.ids.min() > 0  # [CLS] is 2 there: ids are shifted by 1


def test_the_linear_probe_finds_what_is_linear():
    rng = np.random.default_rng(0)
    features = rng.normal(3, [1, 5, 0], (2000, 3)).astype(np.float32)
    labels = np.stack([features[:, 0] > 3, features[:, 1] > 8, np.zeros(2000)], axis=1).astype(np.float32)
    kernel, bias = linear_probe(features, labels, 1.0)
    assert kernel.shape == (3, 3) and bias.shape == (3,)
    named = features @ kernel + bias > 0
    assert (named == labels).mean() > 0.97 and not kernel[:, 2].any()


@pytest.mark.parametrize("content, message", [
    ({"modality": "sound", "preset": "x"}, "does not match any of the expected tags"),
    ({"modality": "poster"}, "preset"),
    ({"modality": "poster", "preset": "x", "max_length": 3}, "max_length"),
    ({"modality": "overview", "preset": "x", "image_size": [64, 64]}, "image_size"),
])
def test_bad_settings_are_refused(content, message):
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Encoder).validate_python(content)


def test_a_preset_that_is_none_is_named(small_arrays, tmp_path):
    prepared, posters, *_ = small_arrays
    settings = options_of(PosterEncoder, modality="poster", preset=str(tmp_path))
    with pytest.raises(UserError, match=f"{tmp_path}.* to be a KerasHub preset"):
        train_encoder(prepared, posters.present, settings, outputs(tmp_path, "x"))


def test_an_image_preset_must_say_how_it_wants_pixels(presets, small_arrays, tmp_path):
    prepared, posters, *_ = small_arrays
    with pytest.raises(UserError, match="give pixels: "):
        train_encoder(prepared, posters.present, encoder_options(presets, "poster", pixels=None), outputs(tmp_path, "x"))


DEFAULTS = (REPOSITORY / "params.yaml").read_text().partition("encoders: {}")[2].partition("\nfusion:")[0]


@pytest.mark.parametrize("section, code, message", [
    ("{}", 0, "no encoders are named"),
    ("{cnn: {modality: poster, preset: x}}", 2, "expected other names in the section encoders; found cnn"),
    ("{x: {modality: poster}}", 2, "encoders.x.poster.preset: Field required"),
    ("{x: {modality: [poster], preset: x}}", 2, "encoders.x: Input tag"),
])
def test_the_stage_checks_its_section(tmp_path, run, small_data, section, code, message):
    (tmp_path / "params.yaml").write_text(f"encoders: {section}\n" + DEFAULTS)
    folders = [part for option in ("models", "history", "metrics", "out") for part in (f"--{option}", tmp_path / option)]
    result = run(stage, "--params", tmp_path / "params.yaml", "--prepared", small_data, "--posters", small_data, "--texts",
                 small_data, *folders)
    assert result.exit_code == code and message in " ".join(result.output.split())


def test_lazy_pixels_decode_what_is_asked_for(small_arrays, tmp_path):
    prepared, posters, *_ = small_arrays
    paths = prepared.films["poster"].tolist()
    rows = np.flatnonzero(posters.present)[[3, 0, 3]]
    pixels = LazyPixels(paths, (20, 10))[rows]
    assert pixels.shape == (3, 20, 10, 3) and np.array_equal(pixels[0], read_poster(paths[rows[0]], (20, 10)))
    with pytest.raises(InputError, match="a poster that decodes as it did"):
        LazyPixels([str(tmp_path / "gone.jpg")], (20, 10))[np.array([0])]
