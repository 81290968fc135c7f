"""Shared fixtures: a small data folder of synthetic films, and models trained on it for a moment."""

import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image
from pydantic import TypeAdapter

from demo.generate import SHARED, write_demo
from movie_genres.data.preparing import PrepareOptions, prepare
from movie_genres.data.vectorizing import write_overviews, write_posters
from movie_genres.inputs.features import load_overviews, load_posters
from movie_genres.inputs.prepared import load_prepared
from movie_genres.inputs.vocabulary import Vocabulary, load_vocabulary
from movie_genres.models.answers import load_answers

REPOSITORY = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REAL_DATA = REPOSITORY.parent / "shared" / "data" / "Multimodal_IMDB_dataset"


def image_bytes(mode="RGB", size=(40, 60), format="JPEG", color=None, **options):
    """The bytes of an image file of one colour (by default a reddish one)."""
    color = color if color is not None else {"L": 120, "1": 1, "P": 3, "I;16": 30000}.get(mode, (200, 40, 40, 255)[:len(
        Image.new(mode, (1, 1)).getbands())])
    file = io.BytesIO()
    Image.new(mode, size, color).save(file, format, **options)
    return file.getvalue()


def noise_bytes(size=(150, 300), format="JPEG", seed=0):
    """The bytes of an image file of smooth noise, so that half of the file is not the whole image."""
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1] // 10, size[0] // 10, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(file, format)
    return file.getvalue()


def mutated(data, generator, least=1):
    """Data with some bytes flipped, cut out, put in, repeated or missing at the end, in `least` to 4 places."""
    data = bytearray(data)
    for _ in range(generator.integers(least, 5)):
        at, length = int(generator.integers(len(data) + 1)), int(generator.integers(1, 9))
        kind = generator.integers(7)
        if kind < 2:
            data[at:at + length] = generator.bytes(len(data[at:at + length]))
        elif kind == 2:
            del data[at:at + length]
        elif kind == 3:
            data[at:at] = generator.bytes(length)
        elif kind == 4:
            data[at:at + length] = bytes([generator.choice([0, 0x7F, 0x80, 0xFF])]) * len(data[at:at + length])
        elif kind == 5:
            data[at:at] = data[at:at + 600]
        else:
            del data[at:]
    return bytes(data)


SECTIONS = {"TrainingOptions": "cnn", "ReadPostersOptions": "read_posters", "PosterEncoder": "encoder_defaults.poster",
            "OverviewEncoder": "encoder_defaults.overview"}


def options_of(kind, **changes):
    """The options of a class as the committed `params.yaml` has them, but of one seed, and with changes."""
    content = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    for key in SECTIONS.get(kind.__name__, kind.__name__.removesuffix("Options").lower()).split("."):
        content = content[key]
    fields = {field.name for field in dataclasses.fields(kind)}
    one = {"seeds": 1} if "seeds" in fields else {}
    return TypeAdapter(kind).validate_python({**{key: content[key] for key in fields & set(content)}, **one, **changes})


def splits_of(prepared):
    """The rows of the films of each split, as tuning takes them."""
    return {split: prepared.rows(split) for split in ("train", "validation")}


def outputs(folder, name="m"):
    """Where a training of a model writes, below a folder, as the stages have it."""
    from movie_genres.training.outputs import Outputs

    return Outputs(folder / "models" / f"{name}.keras", folder / f"{name}.csv", folder / "metrics" / f"{name}.json",
                   folder / "answers" / name, folder / "state" / name, folder / "live" / name)


def encoder_options(presets, modality, **settings):
    """The options of an encoder of a tiny preset."""
    from movie_genres.networks.encoders import OverviewEncoder, PosterEncoder

    kind, about = {"poster": (PosterEncoder, {"pixels": [127, 128], "image_size": [32, 24]}),
                   "overview": (OverviewEncoder, {"max_length": 30})}[modality]
    content = {"modality": modality, "preset": presets[modality], "epochs": 2, "batch_size": 16, "draws": 1,
               "learning_rate": 0.01, **about, **settings}
    return options_of(kind, **content)


def rewrite(path, change):
    """Writes an ONNX file again, with its metadata as `change` leaves them, or returns them."""
    import onnx

    from movie_genres.models.metadata import KEY

    model = onnx.load(path)
    prop, = (prop for prop in model.metadata_props if prop.key == KEY)
    content = json.loads(prop.value)
    prop.value = json.dumps(change(content) or content)
    path.write_bytes(model.SerializeToString())


@pytest.fixture
def run():
    """Runs a click command in-process: `run(main, "--option", value)` gives click's result."""
    return lambda command, *arguments: CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """A canonical data folder of 120 synthetic films."""
    folder = tmp_path_factory.mktemp("small") / "data"
    write_demo(folder, count=120, seed=1)
    return folder


@pytest.fixture(scope="session")
def arrays_folder(small_data, tmp_path_factory):
    """What the stages before training make of `small_data`: `prepared`, `posters` of 16x16 pixels, `overviews`."""
    folder = tmp_path_factory.mktemp("arrays")
    prepare(small_data, folder / "prepared", options_of(PrepareOptions, min_films=10, validation=0.2, test=0.2))
    prepared = load_prepared(folder / "prepared")
    write_posters(prepared.films["poster"].tolist(), folder / "posters", (16, 16))
    vocabulary = Vocabulary.fit(prepared.films["overview"].iloc[prepared.rows("train")], 200, 64)
    write_overviews(prepared.films["overview"].tolist(), vocabulary, folder / "overviews")
    return folder


@pytest.fixture(scope="session")
def small_arrays(arrays_folder):
    """(prepared, posters, overviews, vocabulary) of `arrays_folder`."""
    return (load_prepared(arrays_folder / "prepared"), load_posters(arrays_folder / "posters"),
            load_overviews(arrays_folder / "overviews"), load_vocabulary(arrays_folder / "overviews"))


@pytest.fixture(scope="session")
def models(small_arrays, tmp_path_factory):
    """A models folder with a cnn, an lstm and a fusion model trained for an epoch or two."""
    from movie_genres.networks.cnn import CnnOptions, train_cnn
    from movie_genres.networks.fusion import FusionOptions, train_fusion
    from movie_genres.networks.lstm import LstmOptions, train_lstm

    prepared, posters, overviews, vocabulary = small_arrays
    folder = tmp_path_factory.mktemp("trained")
    train_cnn(prepared, posters, options_of(CnnOptions, width=4, epochs=2, batch_size=16, draws=2), outputs(folder, "cnn"))
    train_lstm(prepared, overviews, vocabulary,
               options_of(LstmOptions, embedding=8, units=4, epochs=2, batch_size=16, draws=2), outputs(folder, "lstm"))
    train_fusion(prepared, load_answers(folder / "answers"), options_of(FusionOptions, units=8, epochs=2, batch_size=16),
                 outputs(folder, "fusion"))
    return folder / "models"


@pytest.fixture(scope="session")
def presets(tmp_path_factory):
    """Folders of a tiny text and a tiny image preset, by modality."""
    keras_hub = pytest.importorskip("keras_hub", reason="the extra `encoders` is not installed")
    folder = tmp_path_factory.mktemp("presets")
    vocabulary = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "of", "##s", *SHARED]))
    keras_hub.models.BertBackbone(len(vocabulary), 1, 2, 8, 16, max_sequence_length=40).save_to_preset(folder / "text")
    keras_hub.models.BertTokenizer(vocabulary, lowercase=True).save_to_preset(folder / "text")
    keras_hub.models.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0], stackwise_depth_coefficients=[1.0], stackwise_kernel_sizes=[3],
        stackwise_num_repeats=[1], stackwise_input_filters=[8], stackwise_output_filters=[8],
        stackwise_expansion_ratios=[1], stackwise_squeeze_and_excite_ratios=[0], stackwise_strides=[2],
        stackwise_block_types=["v1"], image_shape=(None, None, 3)).save_to_preset(folder / "image")
    return {"overview": str(folder / "text"), "poster": str(folder / "image")}


@pytest.fixture(scope="session")
def answers(models):
    """What `models` say of all films of `small_arrays`, as of `load_answers`."""
    return load_answers(models.parent / "answers")


@pytest.fixture
def tuned(models, small_arrays, answers, tmp_path):
    """A copy of the folder `models`, with decisions."""
    from movie_genres.ensemble.decisions import write_decisions
    from movie_genres.evaluation.tuning import TuneOptions, tune

    prepared, *_ = small_arrays
    folder = tmp_path / "tuned"
    shutil.copytree(models, folder)
    decisions = tune(answers, prepared.labels, splits_of(prepared), prepared.genres, options_of(TuneOptions))
    write_decisions(decisions, {name: of_model.digest for name, of_model in answers.items()}, folder / "decisions.json",
                    prepared.genres)
    return folder


@pytest.fixture(scope="module")  # no longer: while it is there, nothing else can run an event loop
def browser():
    """Chromium, by Playwright; tests with it are marked `browser`."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra test")
    if CHROMIUM is None:
        pytest.skip("needs Chromium: make test-browser")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser):
    """Opens a page of a site in a new window; at the end, nothing was complained of and nothing but files was asked for."""
    opened, problems, requests = [], [], []

    def open_page(site, page="gallery.html", **settings):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        shown = context.new_page()
        opened.append(context)
        shown.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
        shown.on("pageerror", lambda error: problems.append(str(error)))
        shown.on("dialog", lambda dialog: (problems.append(f"dialog {dialog.message}"), dialog.dismiss()))
        shown.on("request", lambda request: requests.append(request.url))
        shown.goto(f"file://{site}/{page}")
        if page.startswith("gallery"):
            shown.wait_for_selector(".card, #nothing:not([hidden])")
        elif page.startswith("review"):
            shown.wait_for_selector("#marks li")
        return shown

    yield open_page
    for context in opened:
        context.close()
    assert problems == []
    assert [url for url in requests if not url.startswith(("file://", "data:image/", "blob:"))] == []
