import numpy as np
import pandas as pd
from conftest import options_of, splits_of
from PIL import Image

from movie_genres.evaluation.figures import EvaluateOptions, compare, headlines, measure_all
from movie_genres.evaluation.report import write_report
from movie_genres.evaluation.tuning import TuneOptions, tune


def test_writes_figures_tables_and_pictures(models, answers, small_arrays, tmp_path):
    prepared, *_ = small_arrays
    histories = {name: pd.read_csv(models.parent / f"{name}.csv") for name in ("cnn", "lstm", "fusion")}
    for copy in "ab":
        decisions = tune(answers, prepared.labels, splits_of(prepared), prepared.genres, options_of(TuneOptions))
        baseline = np.tile(prepared.base_rates(), (len(prepared.films), 1))
        options = options_of(EvaluateOptions, sheet_films=14, resamples=20)
        comparison = compare(prepared, answers, decisions, {"tfidf": baseline}, options.min_films)
        write_report(prepared, comparison, histories, tmp_path / copy / "plots", options)
    figures = measure_all(comparison, options)
    assert figures["films"] == len(prepared.rows("test"))
    assert {name.split(".")[0] for name in figures} == {"films", "base_rate", "tfidf", "cnn", "lstm", "fusion",
                                                         "top_genre_right", "genres_per_film", "answers_to_poster",
                                                         "answers_to_overview", "answers_to_both"}
    compared = headlines(figures)
    assert list(compared) == ["base_rate", "tfidf", "cnn", "lstm", "fusion"]
    assert compared["cnn"]["skill"] == figures["cnn.skill"] and all(len(few) <= 12 for few in compared.values())
    names = sorted(path.name for path in (tmp_path / "a" / "plots").iterdir())
    assert names == ["confusion_cnn.png", "confusion_fusion.png", "confusion_lstm.png", "confusion_tfidf.png", "films_1.png",
                     "films_2.png", "intervals.csv", "intervals.png", "operating_points.csv", "per_genre.csv",
                     "per_genre.png", "pr_curves.csv", "pr_curves.png", "reliability.png", "training_curves.png"]
    for name in names:
        first, second = (tmp_path / copy / "plots" / name for copy in "ab")
        assert first.read_bytes() == second.read_bytes(), f"{name} differs from run to run"
        if name.endswith(".png"):
            with Image.open(first) as image:
                assert np.asarray(image.convert("L")).std() > 5, f"{name} is blank"
    assert pd.read_csv(tmp_path / "a" / "plots" / "per_genre.csv")["genre"].tolist() == prepared.genres
