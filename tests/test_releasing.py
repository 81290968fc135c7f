import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import image_bytes, options_of

from genre_cli.predict import main as genre_predict
from movie_genres.base.errors import SettingError
from movie_genres.ensemble.decisions import Decision, Decisions, choose_models, write_decisions
from movie_genres.ensemble.folder import find_models
from movie_genres.ensemble.scorer import Models
from movie_genres.evaluation.figures import EvaluateOptions
from movie_genres.evaluation.releasing import Facts, model_card, release
from movie_genres.evaluation.tuning import TuneOptions, tune
from movie_genres.inputs.prepared import Prepared
from movie_genres.models.network import Network
from stages.release import main


@pytest.fixture(scope="module")
def released(models, answers, small_arrays, tmp_path_factory):
    prepared, *_ = small_arrays
    folder = tmp_path_factory.mktemp("release")
    shutil.copytree(models, folder / "models")
    decisions = tune(answers, prepared.labels, prepared.rows("validation"), options_of(TuneOptions))
    write_decisions(decisions, {name: of_model.digest for name, of_model in answers.items()},
                    folder / "models" / "decisions.json", prepared.genres)
    release(folder / "models", folder / "released", folder / "packaged", "tiny", "1.2.3")
    return folder


def test_released_models_are_smaller_and_answer_alike(released, small_arrays):
    prepared, posters, overviews, _ = small_arrays
    films = {"cnn": posters, "lstm": overviews}

    def decided(folder, modalities):
        models = Models(*choose_models(released / folder, modalities))
        return models.decide(len(prepared.films), models.encode({name: films[name] for name in models.networks}))

    for modalities in (["poster", "overview"], ["poster"], ["overview"]):
        (expected, _), *given = (decided(folder, modalities) for folder in ("models", "released", "packaged"))
        assert all(np.allclose(probabilities, expected, atol=0.01, equal_nan=True) for probabilities, _ in given)
    for suffix, share in (("keras", 0.8), ("onnx", 0.95)):
        for path in (released / "models").glob(f"*.{suffix}"):
            assert (released / "released" / path.name).stat().st_size < share * path.stat().st_size


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def test_the_package_gets_what_scoring_needs_of_the_release_and_nothing_older(released, tmp_path):
    (tmp_path / "packaged" / "int8").mkdir(parents=True)
    (tmp_path / "packaged" / "int8" / "older.onnx").write_bytes(b"")
    release(released / "models", tmp_path / "out", tmp_path / "packaged", "tiny", "1.2.3")
    whole, packaged = files_of(tmp_path / "out"), files_of(tmp_path / "packaged")
    assert packaged == {name: content for name, content in whole.items() if not name.endswith(".keras")}
    assert {"cnn.keras", "cnn.onnx", "lstm.onnx", "fusion.onnx", "decisions.json", "release.json"} <= set(whole)
    assert whole == files_of(released / "released")
    (tmp_path / "usual").mkdir()
    assert len({(tmp_path / name).stat().st_mode for name in ("out", "packaged", "usual")}) == 1


def test_a_released_copy_in_8_bits_answers_as_the_trained_one_does(released, small_arrays):
    _, posters, _, _ = small_arrays
    files = {folder: find_models(released / folder, ["poster"])[0] for folder in ("models", "released")}
    if files["models"].run_path == files["models"].path:
        pytest.skip("in this training it would have lost too much skill")
    rows = np.flatnonzero(posters.present)
    trained, released_one = (Network(file.run_path).encode(rows, posters) for file in files.values())
    assert all(map(np.array_equal, trained, released_one))
    assert files["released"].run_path == released / "released" / "int8" / "cnn.onnx"


def test_a_folder_with_other_things_is_no_release_to_replace(released, tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "module.py").write_text("")
    for out, package in (("code", "new"), ("new", "code")):
        with pytest.raises(SettingError, match="expected no folder, or an older release, as .*code; found module.py in it"):
            release(released / "models", tmp_path / out, tmp_path / package, "tiny", "1.2.3")
    assert [path.name for path in tmp_path.rglob("*")] == ["code", "module.py"]


INTERVALS = "model,metric,value,low,high\nbase_rate,skill,0.0,0.0,0.0\nfusion,skill,0.25,0.2,0.3\nfusion,precision,,,\n"
DECISIONS = Decisions({"fusion": Decision(1.0, np.array([0.25, 0.5]))},
                      {"poster": [], "overview": ["lstm"], "both": ["fusion", "lstm"]})
CARD = """# tiny 1.2.3

Genres of a film from its poster, its overview or both: Drama, War.

## Data

Made-up films.
3 films for training, 1 for the choice of epochs, thresholds and weights, 2 for the figures \
below, which nothing else has seen.

## Figures on the test films, with 95 % bootstrap intervals

| model | skill | precision | recall | recall at precision 0.7 | macro F1 | mAP |
|---|---|---|---|---|---|---|
| base_rate | 0.000 (0.000 to 0.000) | – | – | – | – | – |
| fusion | 0.250 (0.200 to 0.300) | – | – | – | – | – |

Skill is 1 - loss / loss of the base rates: 0 for always answering how frequent each genre is. Precision and recall are \
over all films and genres, macro F1 is the mean over genres, all at the tuned thresholds (0.4 for base_rate).

## Thresholds

Of the model fusion; those of the others are in `decisions.json`. Films with an overview alone are left to lstm.

| genre | test films | threshold |
|---|---|---|
| Drama | 2 | 0.25 |
| War | 1 | 0.50 |

## Limits

- No series.
- Genres are what the data say, 1 to 2 a film; a genre not named there may still fit.
- Probabilities of rare genres rest on few films, those of War on 1 for training; see the intervals and the supports above.
- Weights are rounded to 16 bits, which changes probabilities a little; the figures are of the models before that.

## To make it again

`make card`
"""


def test_the_card_is_filled_with_facts_and_figures():
    films = pd.DataFrame({"split": ["train", "train", "train", "validation", "test", "test"]})
    prepared = Prepared(films, ["Drama", "War"], np.float32([[1, 0], [1, 0], [1, 1], [1, 0], [1, 0], [1, 1]]))
    card = model_card(Facts("tiny", "1.2.3", "Made-up films.", ["No series."], "make card"), prepared, DECISIONS,
                      pd.read_csv(io.StringIO(INTERVALS)), options_of(EvaluateOptions, precision=0.7, threshold=0.4))
    assert card == CARD


def test_the_released_decisions_are_those_of_the_models_bound_to_their_copies(released):
    before, after = (json.loads((released / folder / "decisions.json").read_text()) for folder in ("models", "released"))
    for name, decision in after["models"].items():
        assert decision.pop("sha256") != before["models"][name].pop("sha256")
    assert after == before


def test_a_release_without_a_name_is_refused(released, tmp_path):
    with pytest.raises(SettingError, match="release: expected a name and a version of 1 to 100 characters; found name"):
        release(released / "models", tmp_path / "out", tmp_path / "packaged", "", "1.2.3")
    assert not list(tmp_path.iterdir())


def test_the_stage_writes_models_and_card(released, arrays_folder, tmp_path, run):
    (tmp_path / "intervals.csv").write_text(INTERVALS)
    result = run(main, "--models", released / "models", "--prepared", arrays_folder / "prepared", "--intervals",
                 tmp_path / "intervals.csv", "--out", tmp_path / "out", "--package", tmp_path / "packaged", "--card",
                 tmp_path / "card.md", "--name", "tiny", "--version", "2", "--data", "Made-up films.", "--limit",
                 "No series.", "--limit", "No shorts.")
    assert result.exit_code == 0, result.output
    card = (tmp_path / "card.md").read_text()
    for part in ("# tiny 2\n", "recall at precision 0.61", "- No series.\n- No shorts.\n- Genres", "dvc repro"):
        assert part in card


def test_genre_predict_names_the_release(released, tmp_path, run):
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "a.png").write_bytes(image_bytes(format="PNG"))
    result = run(genre_predict, "--posters", tmp_path / "posters", "--models", released / "released", "--out",
                 tmp_path / "p.csv", "--model-column")
    assert result.exit_code == 0, result.stderr
    assert pd.read_csv(tmp_path / "p.csv")["model"].tolist() == ["tiny 1.2.3"]
    assert json.loads((released / "released" / "release.json").read_text()) == {"name": "tiny", "version": "1.2.3"}
