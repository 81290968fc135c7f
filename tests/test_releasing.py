import io
import json
import shutil

import numpy as np
import onnx
import onnx_models
import pandas as pd
import pytest
from conftest import image_bytes, options_of, splits_of
from onnx import numpy_helper

from genre_cli.predict import main as genre_predict
from movie_genres.base.errors import SettingError
from movie_genres.base.files import file_digest
from movie_genres.ensemble.decisions import Decisions, choose_models, write_decisions
from movie_genres.ensemble.folder import find_models
from movie_genres.ensemble.scorer import Models
from movie_genres.evaluation.figures import EvaluateOptions
from movie_genres.evaluation.releasing import Facts, model_card, release
from movie_genres.evaluation.tuning import TuneOptions, tune
from movie_genres.inputs.prepared import Prepared
from movie_genres.models import onnx_files
from movie_genres.models.network import Network
from stages.release import main

ABOUT = {"name": "tiny", "version": "1.2.3", "data": "Made-up films.", "licences": ["MIT"]}


@pytest.fixture(scope="module")
def released(models, answers, small_arrays, tmp_path_factory):
    """A folder with `models`, and releases of them with weights of `16` and of `8` bits."""
    prepared, *_ = small_arrays
    folder = tmp_path_factory.mktemp("release")
    shutil.copytree(models, folder / "models")
    decisions = tune(answers, prepared.labels, splits_of(prepared), prepared.genres, options_of(TuneOptions))
    decisions = decisions._replace(ranking={"poster": ["cnn"], "overview": ["lstm"], "both": ["fusion"]})
    write_decisions(decisions, {name: of_model.digest for name, of_model in answers.items()},
                    folder / "models" / "decisions.json", prepared.genres)
    for bits in (16, 8):
        release(folder / "models", folder / str(bits), bits, **ABOUT)
    return folder


@pytest.mark.parametrize("bits, off, share", [(16, 0.01, 0.95), (8, 0.05, 0.95)])
@pytest.mark.parametrize("modalities", [["poster", "overview"], ["poster"], ["overview"]], ids=str)
def test_released_models_are_smaller_and_answer_alike(released, small_arrays, bits, off, share, modalities):
    prepared, posters, overviews, _ = small_arrays
    films = {"cnn": posters, "lstm": overviews}

    def decided(folder):
        models = Models(*choose_models(released / folder, modalities))
        return models.decide(len(prepared.films), models.encode({name: films[name] for name in models.networks}))

    (expected, _), (given, _) = decided("models"), decided(str(bits))
    assert np.allclose(given, expected, atol=off, equal_nan=True)
    for name in ("cnn", "lstm", "fusion"):
        sizes = [(released / folder / f"{name}.onnx").stat().st_size for folder in (str(bits), "models")]
        assert sizes[0] < share * sizes[1]


@pytest.mark.parametrize("kind, shape, axes, about", [
    ("MatMul", (40, 4), (1,), {}), ("Gemm", (40, 4), (1,), {}), ("Gemm", (4, 40), (0,), {"transB": 1}),
    ("Conv", (4, 3, 3, 3), (0,), {}), ("Gather", (40, 4), (0,), {}),
    ("LSTM", (2, 16, 5), (0, 1), {"hidden_size": 4}), ("Einsum", (20, 3, 5), (1, 2), {"equation": "ab,bcd->acd"}),
    ("Einsum", (3, 20, 5), (0, 2), {"equation": "abc, bcd -> abd"})])
def test_each_channel_has_a_scale_of_its_own_in_8_bits(kind, shape, axes, about, tmp_path):
    rng = np.random.default_rng(0)
    scales = 10 ** rng.uniform(-3, 3, [size if axis in axes else 1 for axis, size in enumerate(shape)])
    weight = (rng.normal(size=shape) * scales).astype(np.float32)
    node = onnx.helper.make_node(kind, ["w", "x"] if kind == "Gather" else ["x", "w"], ["y"], **about)
    graph = onnx.helper.make_graph([node], "g", [], [], [numpy_helper.from_array(weight, "w")])
    metadata = onnx_models.metadata_of(onnx_models.overview_network())
    onnx_files.write(onnx.helper.make_model(graph), tmp_path / "a.onnx", metadata)
    onnx_files.write_small(tmp_path / "a.onnx", tmp_path / "b.onnx", 8)
    small = onnx_files.read(tmp_path / "b.onnx").model
    arrays = {array.name: numpy_helper.to_array(array) for array in small.graph.initializer}
    assert arrays["w_8"].dtype == np.int8 and [node.op_type for node in small.graph.node] == ["Cast", "Mul", kind]
    others = tuple(axis for axis in range(len(shape)) if axis not in axes)
    largest = np.abs(weight).max(axis=others, keepdims=True)
    assert (np.abs(arrays["w_8"] * arrays["w_scale"] - weight) <= largest / 127 / 2 * 1.001).all()


def test_a_release_replaces_an_older_one_and_is_the_same_each_time(released, tmp_path):
    (tmp_path / "out" / "int8").mkdir(parents=True)
    (tmp_path / "out" / "int8" / "older.onnx").write_bytes(b"")
    release(released / "models", tmp_path / "out", 16, **ABOUT)
    content, first = ({path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
                      for folder in (tmp_path / "out", released / "16"))
    assert content == first
    assert {"cnn.onnx", "lstm.onnx", "fusion.onnx", "decisions.json", "release.json"} <= set(content)
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_models_that_answer_nothing_are_left_out(released, tmp_path):
    shutil.copytree(released / "models", tmp_path / "models")
    content = json.loads((tmp_path / "models" / "decisions.json").read_text())
    content["ranking"] = {"poster": ["cnn", "fusion"], "overview": ["lstm"], "both": ["lstm", "fusion"]}
    (tmp_path / "models" / "decisions.json").write_text(json.dumps(content))
    release(tmp_path / "models", tmp_path / "out", 16, **ABOUT)
    assert {path.stem for path in (tmp_path / "out").glob("*.onnx")} == {"cnn", "lstm"}
    assert choose_models(tmp_path / "out")[1].ranking == {"poster": ["cnn"], "overview": ["lstm"], "both": ["lstm"]}


def test_a_released_copy_in_8_bits_answers_as_the_trained_one_does(released, small_arrays):
    _, posters, _, _ = small_arrays
    files = {folder: find_models(released / folder, ["poster"])[0] for folder in ("models", "16", "8")}
    if files["models"].run_path == files["models"].path:
        pytest.skip("in this training it would have lost too much skill")
    rows = np.flatnonzero(posters.present)
    trained, *others = (Network(file.run_path).encode(rows, posters) for file in files.values())
    assert all(np.array_equal(first, second) for other in others for first, second in zip(trained, other))
    assert files["8"].run_path == released / "8" / "int8" / "cnn.onnx"


def test_a_folder_with_other_things_is_no_release_to_replace(released, tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "module.py").write_text("")
    with pytest.raises(SettingError, match="expected no folder, or an older release, as .*code; found module.py in it"):
        release(released / "models", tmp_path / "code", 16, **ABOUT)
    assert [path.name for path in tmp_path.rglob("*")] == ["code", "module.py"]


INTERVALS = "model,metric,value,low,high\nbase_rate,skill,0.0,0.0,0.0\nfusion,skill,0.25,0.2,0.3\nfusion,precision,,,\n"
POINTS = """kind,model,asked,reached,precision,recall,genres_per_film,f1_per_film
both,fusion,default,True,0.6,0.5,2.4,0.55
both,fusion,precision 0.9,False,0.7,0.3,1.0,0.4
both,fusion,single threshold,True,0.6,0.5,2.4,0.55
any,base_rate,always,True,0.4,0.3,2.0,0.35
"""
CARD = """# tiny 1.2.3

Genres of a film from its poster, its overview or both: Drama, War.

## Data

Made-up films.
3 films for training, 1 for the choice of epochs, operating points and weights, 2 for the figures below, which \
nothing else has seen.

## Figures on the test films, with 95 % bootstrap intervals

| model | skill | precision | recall | recall at precision 0.7 | macro F1 | mAP |
|---|---|---|---|---|---|---|
| base_rate | 0.000 (0.000 to 0.000) | – | – | – | – | – |
| fusion | 0.250 (0.200 to 0.300) | – | – | – | – | – |

Skill is 1 - loss / loss of the base rates: 0 for always answering how frequent each genre is. Precision and recall are \
over all films and genres, macro F1 is the mean over genres, all at thresholds of each genre that have the best F1 on \
validation films. These figures are of the models as they were trained; the released files, with weights of 8 bits, have a \
skill of 0.249 on films with both.

## What is named

By default, the likeliest genre, and others down to a probability that gives the best F1 of a film at about as many \
genres as films have, 1.5 on the test films; or as many as hold a precision or a recall that is asked for. Who answers: \
lstm films with an overview alone, fusion films with both. On the test films:

| films with | asked for | precision | recall | genres a film | F1 of a film |
|---|---|---|---|---|---|
| both | default | 0.600 | 0.500 | 2.40 | 0.550 |
| both | precision 0.9, out of reach | 0.700 | 0.300 | 1.00 | 0.400 |
| anything | always | 0.400 | 0.300 | 2.00 | 0.350 |

The last row is what naming the most frequent genres of every film comes to.

## Limits

- No series.
- Genres are what the data say, 1 to 2 a film; a genre not named there may still fit.
- Probabilities of rare genres rest on few films, those of War on 1 for training. Test films of each genre: Drama 2, War 1.

## Licences

- MIT

## Changes

- The first one.

## Files

| file | bytes | SHA-256 |
|---|---|---|
"""


def test_the_card_is_filled_with_facts_and_figures(released):
    films = pd.DataFrame({"split": ["train", "train", "train", "validation", "test", "test"]})
    prepared = Prepared(films, ["Drama", "War"], np.float32([[1, 0], [1, 0], [1, 1], [1, 0], [1, 0], [1, 1]]))
    decisions = Decisions({}, {"poster": [], "overview": ["lstm"], "both": ["fusion", "lstm"]})
    card = model_card(released / "8", Facts(["No series."], ["The first one."], 8, "make card"), prepared, decisions,
                      pd.read_csv(io.StringIO(INTERVALS)), pd.read_csv(io.StringIO(POINTS)), {"both": 0.249},
                      options_of(EvaluateOptions, precision=0.7))
    assert card.startswith(CARD) and card.endswith("\n## To make it again\n\n`make card`\n")
    fusion = released / "8" / "fusion.onnx"
    assert f"| fusion.onnx | {fusion.stat().st_size:,} | `{file_digest(fusion)}` |\n" in card


def test_the_released_decisions_are_those_of_the_models_bound_to_their_copies(released):
    before, after = (json.loads((released / folder / "decisions.json").read_text()) for folder in ("models", "8"))
    for name, decision in after["models"].items():
        assert decision.pop("sha256") != before["models"][name].pop("sha256")
    assert after == before


def test_a_release_without_a_name_is_refused(released, tmp_path):
    with pytest.raises(SettingError, match="release: expected a name and a version of 1 to 100 characters; found name"):
        release(released / "models", tmp_path / "out", 16, name="", version="1.2.3")
    assert not list(tmp_path.iterdir())


def test_the_stage_writes_models_and_card(released, arrays_folder, tmp_path, run):
    (tmp_path / "intervals.csv").write_text(INTERVALS)
    (tmp_path / "operating_points.csv").write_text(POINTS)
    result = run(main, "--models", released / "models", "--prepared", arrays_folder / "prepared", "--plots", tmp_path,
                 "--out", tmp_path / "out", "--card", tmp_path / "card.md", "--bits", 8, "--name", "tiny", "--version", "2",
                 "--data", "Made-up films.", "--limit", "No series.", "--limit", "No shorts.", "--licence", "MIT")
    assert result.exit_code == 0, result.output
    assert "tiny 2, 0.1 MB; skill on test films: poster " in result.stdout
    card = (tmp_path / "card.md").read_text()
    for part in ("# tiny 2\n", "recall at precision 0.61", "- No series.\n- No shorts.\n- Genres", "dvc repro"):
        assert part in card


def test_genre_predict_names_the_release(released, tmp_path, run):
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "a.png").write_bytes(image_bytes(format="PNG"))
    result = run(genre_predict, "--posters", tmp_path / "posters", "--models", released / "16", "--out",
                 tmp_path / "p.csv", "--model-column")
    assert result.exit_code == 0, result.stderr
    assert pd.read_csv(tmp_path / "p.csv")["model"].tolist() == ["tiny 1.2.3"]
    assert json.loads((released / "16" / "release.json").read_text()) == ABOUT
