"""The text on posters: read, kept, learned from and scored."""

import json
import types

import numpy as np
import pytest
from conftest import encoder_options, image_bytes, options_of, outputs
from PIL import Image, ImageDraw, ImageFont

from demo.generate import SHARED
from movie_genres.base.errors import InputError, MissingPackageError, UserError
from movie_genres.data import poster_texts
from movie_genres.data.poster_texts import ReadPostersOptions, write_texts
from movie_genres.inputs import poster_text
from movie_genres.inputs.poster_text import READER, SIZE, PosterReader, load_texts

WORDS = list(dict.fromkeys(SHARED))[:4]
DARK, RED, GREEN = (" ".join(WORDS[shade] for shade in shades) for shades in ((0, 0, 0), (3, 0, 0), (0, 3, 0)))
READ = options_of(ReadPostersOptions, read=True)


class FakeReader:
    """Reads words that stand for a poster's mean colour, and counts."""

    def __init__(self):
        self.count = 0

    def read(self, pixels):
        self.count += 1
        return " ".join(WORDS[value // 64] for value in pixels.reshape(-1, 3).mean(axis=0).astype(int))


@pytest.fixture
def reader(monkeypatch):
    fake = FakeReader()
    monkeypatch.setattr(poster_texts, "PosterReader", lambda: fake)
    return fake


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "posters").mkdir()
    for name, color in {"a": (10, 10, 10), "b": (200, 10, 10), "c": (10, 200, 10)}.items():
        (tmp_path / "posters" / f"{name}.png").write_bytes(image_bytes(format="PNG", color=color))
    (tmp_path / "posters" / "d.jpg").write_bytes(b"no picture")
    return tmp_path


def test_reads_words_the_largest_first():
    pytest.importorskip("rapidocr", reason="the extra `ocr` is not installed")
    poster = Image.new("RGB", SIZE[::-1], (20, 30, 60))
    draw = ImageDraw.Draw(poster)
    draw.text((20, 60), "starring JANE SMITH", fill="white", font=ImageFont.load_default(22))
    draw.text((20, 300), "MIDNIGHT", fill="yellow", font=ImageFont.load_default(56))
    assert PosterReader().read(np.asarray(poster)).split()[0] == "MIDNIGHT"
    assert "JANE" in PosterReader().read(np.asarray(poster))
    assert PosterReader().read(np.zeros((*SIZE, 3), np.uint8)) == ""


@pytest.mark.parametrize("engine", [
    lambda *_, **__: 1 / 0, lambda *_, **__: types.SimpleNamespace(boxes=np.zeros((1, 4, 2))),
    lambda *_, **__: types.SimpleNamespace(boxes=None, txts=None, scores=None)])
def test_an_engine_that_fails_reads_nothing(engine, monkeypatch):
    pytest.importorskip("rapidocr", reason="the extra `ocr` is not installed")
    monkeypatch.setattr("rapidocr.RapidOCR", lambda params: engine)
    assert PosterReader().read(np.zeros((*SIZE, 3), np.uint8)) == ""


def test_an_engine_is_made_once_for_one_poster_after_another(monkeypatch):
    pytest.importorskip("rapidocr", reason="the extra `ocr` is not installed")
    made = []
    monkeypatch.setattr("rapidocr.RapidOCR", lambda params: made.append(1) or (lambda *_, **__: types.SimpleNamespace()))
    reader = PosterReader()
    for _ in range(3):
        reader.read(np.zeros((*SIZE, 3), np.uint8))
    assert len(made) == 1


def test_without_the_package_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rapidocr", None)
    with pytest.raises(MissingPackageError, match="Reading the text on posters needs the package rapidocr"):
        PosterReader()


def test_texts_are_written_by_path_and_loaded_for_films(folder, reader):
    found = write_texts(folder / "posters", folder / "out", folder / "kept", READ)
    names = {name: str(folder / "posters" / name) for name in ("a.png", "b.png", "c.png", "d.jpg")}
    assert found == {names["a.png"]: DARK, names["b.png"]: RED,
                     names["c.png"]: GREEN, names["d.jpg"]: ""}
    assert load_texts(folder / "out", [names["b.png"], "", names["d.jpg"]]) == [RED, "", ""]
    with pytest.raises(InputError, match="texts.json: expected the text on gone.png; found none. Read the posters again."):
        load_texts(folder / "out", ["gone.png"])


def test_without_being_asked_nothing_is_read(folder, reader):
    assert write_texts(folder / "posters", folder / "out", folder / "kept", options_of(ReadPostersOptions)) is None
    assert load_texts(folder / "out", ["a.png"]) is None and reader.count == 0


def test_no_poster_is_read_twice(folder, reader):
    first = write_texts(folder / "posters", folder / "out", folder / "kept", READ)
    (folder / "posters" / "e.png").write_bytes((folder / "posters" / "a.png").read_bytes())
    again = write_texts(folder / "posters", folder / "out", folder / "kept", READ)
    assert reader.count == 3 and again == first | {str(folder / "posters" / "e.png"): DARK}


@pytest.mark.parametrize("cut", [1, 30, 100])
def test_a_killed_run_goes_on_with_what_it_has_read(folder, reader, cut):
    first = write_texts(folder / "posters", folder / "out", folder / "kept", READ)
    kept, = (folder / "kept").iterdir()
    assert READER in kept.name
    kept.write_bytes(kept.read_bytes()[:-cut])
    assert write_texts(folder / "posters", folder / "out", folder / "kept", READ) == first
    assert 3 < reader.count < 6
    assert write_texts(folder / "posters", folder / "out", folder / "kept", READ) == first and reader.count < 6


@pytest.fixture
def trained(presets, small_arrays, tmp_path):
    """A models folder with an encoder that looks at the text on posters, which is as `FakeReader` reads it."""
    from movie_genres.inputs.posters import read_poster
    from movie_genres.networks.encoders import train_encoder

    prepared, posters, _, _ = small_arrays
    texts = [FakeReader().read(read_poster(path, SIZE)) if there else ""
             for path, there in zip(prepared.films["poster"], posters.present)]
    options = encoder_options(presets, "overview", fine_tune=True, reads="poster")
    with pytest.raises(UserError, match="expected the text on posters, .* found none. Set the parameter read_posters.read"):
        train_encoder(prepared, posters.present, options, outputs(tmp_path, "encoders/text"))
    train_encoder(prepared, posters.present, options, outputs(tmp_path, "encoders/text"), texts)
    return tmp_path / "models"


def test_an_encoder_of_text_on_posters_scores_posters(trained, small_arrays, tmp_path, monkeypatch):
    from movie_genres import Predictor
    from movie_genres.ensemble import scorer
    from movie_genres.models.answers import load_answers

    monkeypatch.setattr(scorer, "PosterReader", FakeReader)
    prepared, posters, _, _ = small_arrays
    answers = load_answers(tmp_path / "answers")["text"]
    assert answers.modality == "poster" and answers.present.tolist() == posters.present.tolist()
    rows = np.flatnonzero(posters.present)[:20]
    predictor = Predictor.load(trained)
    found = predictor.predict(prepared.films["poster"].iloc[rows])
    assert {film.status for film in found} == {"ok"} and not predictor.looks_at("overview")
    said = [[film.probabilities[genre] for genre in prepared.genres] for film in found]
    assert np.allclose(said, answers.probabilities[rows], atol=1e-5)


def test_a_poster_without_text_says_so_where_nothing_else_is_looked_at(trained, small_arrays, monkeypatch):
    from movie_genres import Predictor
    from movie_genres.ensemble import scorer

    monkeypatch.setattr(scorer, "PosterReader", lambda: FakeReader())
    monkeypatch.setattr(FakeReader, "read", lambda *_: "")
    film, = Predictor.load(trained).predict([image_bytes()])
    assert (film.status, film.genres) == ("no_text", {}) and "nothing was read on it" in film.error


def test_models_for_another_reader_are_refused(trained, monkeypatch):
    from movie_genres.models import network

    monkeypatch.setattr(network, "READER", "rapidocr-2")
    with pytest.raises(InputError, match="expected a model for text as rapidocr-2 reads it; found rapidocr-1"):
        network.Network(trained / "encoders" / "text.onnx")


def test_a_reader_in_a_model_of_overviews_is_refused(models, tmp_path):
    from conftest import rewrite

    from movie_genres.models.onnx_files import read

    path = tmp_path / "lstm.onnx"
    path.write_bytes((models / "lstm.onnx").read_bytes())
    rewrite(path, lambda about: about.update(reader=poster_text.READER))
    with pytest.raises(InputError, match="a reader of posters in a model of something else"):
        read(path)


def test_the_stage_writes_what_it_is_asked_for(folder, reader, run):
    from stages.read_posters import main

    for asked, message in (("true", "text on 3 of 4 posters"), ("false", "posters are not read")):
        (folder / "params.yaml").write_text(f"read_posters: {{read: {asked}}}\n")
        result = run(main, "--posters", folder / "posters", "--out", folder / "out", "--kept", folder / "kept", "--params",
                     folder / "params.yaml")
        assert result.exit_code == 0 and message in result.output
    assert json.loads((folder / "out" / "texts.json").read_text()) is None
