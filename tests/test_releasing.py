import json
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import image_bytes, options_of

from genre_cli.predict import main as genre_predict
from movie_genres.ensemble.decisions import choose_models, write_decisions
from movie_genres.ensemble.scorer import Models
from movie_genres.evaluation.releasing import release
from movie_genres.evaluation.tuning import TuneOptions, tune


@pytest.fixture(scope="module")
def released(models, answers, small_arrays, tmp_path_factory):
    prepared, *_ = small_arrays
    folder = tmp_path_factory.mktemp("release")
    shutil.copytree(models, folder / "models")
    decisions = tune(answers, prepared.labels, prepared.rows("validation"), options_of(TuneOptions))
    write_decisions(decisions, {name: of_model.digest for name, of_model in answers.items()},
                    folder / "models" / "decisions.json", prepared.genres, options_of(TuneOptions))
    counts = {"train": 70, "validation": 25, "test": 25}
    summary = {"genres": prepared.genres, "films": counts, "films_by_genre": {genre: counts for genre in prepared.genres}}
    intervals = pd.DataFrame([{"model": "fusion", "metric": "skill", "value": 0.25, "low": 0.2, "high": 0.3}])
    release(folder / "models", folder / "released", folder / "card.md", "tiny", "1.2.3", "Made-up films.", summary,
            intervals)
    return folder


def test_released_models_are_smaller_and_answer_alike(released, small_arrays):
    prepared, posters, overviews, _ = small_arrays
    films = {"cnn": posters, "lstm": overviews}
    for modalities in (["poster", "overview"], ["poster"], ["overview"]):
        (expected, _), (given, _) = (Models(*choose_models(released / folder, modalities)).decide(len(prepared.films), {
            name: of_model for name, of_model in films.items()}) for folder in ("models", "released"))
        assert np.allclose(given, expected, atol=0.01, equal_nan=True)
    for path in (released / "models").glob("*.keras"):
        assert (released / "released" / path.name).stat().st_size < 0.8 * path.stat().st_size


def test_the_card_has_figures_thresholds_and_limits(released):
    card = (released / "card.md").read_text()
    for part in ("# tiny 1.2.3", "Made-up films.", "| fusion | 0.250 (0.200 to 0.300) |", "## Thresholds", "## Limits"):
        assert part in card


def test_genre_predict_names_the_release(released, tmp_path, run):
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "a.png").write_bytes(image_bytes(format="PNG"))
    result = run(genre_predict, "--posters", tmp_path / "posters", "--models", released / "released", "--out",
                 tmp_path / "p.csv", "--model-column")
    assert result.exit_code == 0, result.stderr
    assert pd.read_csv(tmp_path / "p.csv")["model"].tolist() == ["tiny 1.2.3"]
    assert json.loads((released / "released" / "release.json").read_text()) == {"name": "tiny", "version": "1.2.3"}
