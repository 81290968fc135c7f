"""Data that make trainings stumble: each either completes, with counts of what is wrong, or is refused clearly."""

import json
import logging

import numpy as np
import pytest
from conftest import options_of, outputs

from demo.generate import write_demo
from movie_genres.base.errors import UserError
from movie_genres.data.films import Film, read_films, write_films
from movie_genres.data.preparing import PrepareOptions, prepare
from movie_genres.data.vectorizing import write_overviews, write_posters
from movie_genres.inputs.features import load_overviews, load_posters
from movie_genres.inputs.prepared import load_prepared
from movie_genres.inputs.vocabulary import Vocabulary
from movie_genres.models.answers import load_answers
from movie_genres.networks.cnn import CnnOptions, train_cnn
from movie_genres.networks.fusion import FusionOptions, train_fusion
from movie_genres.networks.lstm import LstmOptions, train_lstm


@pytest.fixture
def data(tmp_path):
    write_demo(tmp_path / "data", count=60, seed=2)
    return tmp_path / "data"


def pipeline(data, folder, **options):
    """Runs all trainings for an epoch; returns (summary of prepare, unreadable posters, metrics by model)."""
    summary = prepare(data, folder / "prepared", options_of(PrepareOptions, validation=0.2, test=0.2, **options))
    prepared = load_prepared(folder / "prepared")
    unreadable = write_posters(prepared.films["poster"].tolist(), folder / "posters", (16, 16))
    vocabulary = Vocabulary.fit(prepared.films["overview"].iloc[prepared.rows("train")], 200, 64)
    write_overviews(prepared.films["overview"].tolist(), vocabulary, folder / "overviews")

    short = {"epochs": 1, "batch_size": 16, "draws": 1}
    metrics = {
        "cnn": train_cnn(prepared, load_posters(folder / "posters"), options_of(CnnOptions, width=4, **short),
                         outputs(folder, "cnn")),
        "lstm": train_lstm(prepared, load_overviews(folder / "overviews"), vocabulary,
                           options_of(LstmOptions, embedding=8, units=4, **short), outputs(folder, "lstm")),
        "fusion": train_fusion(prepared, load_answers(folder / "answers"), options_of(FusionOptions, units=8, epochs=1),
                               outputs(folder, "fusion"))}
    return summary, unreadable, metrics


def relabel(data, genres_of):
    """Rewrites the films with the genres that `genres_of(number, film)` gives."""
    write_films(data / "films.csv", [Film(film.id, film.title, film.year, film.overview, tuple(genres_of(number, film)))
                                     for number, film in enumerate(read_films(data))])


def assert_complete(metrics):
    for name, of_model in metrics.items():
        assert np.isfinite(of_model["best_val_loss"]) and of_model["base_rate_loss"] > 0, name


def test_a_genre_of_one_film_completes(data, tmp_path):
    relabel(data, lambda number, film: (*film.genres, "Rare") if number == 7 else film.genres)
    summary, _, metrics = pipeline(data, tmp_path, min_films=1)
    assert sum(summary["films_by_genre"]["Rare"].values()) == 1
    assert_complete(metrics)


def test_a_genre_that_no_film_has_is_refused(data, tmp_path):
    with pytest.raises(UserError, match="Unheard"):
        pipeline(data, tmp_path, genres=("Drama", "Unheard"))


def test_genres_that_are_on_every_film_or_on_none_of_the_validation_films_complete(data, tmp_path):
    relabel(data, lambda number, film: ("Film", "Odd") if number in (3, 8) else ("Film",))
    summary, _, metrics = pipeline(data, tmp_path, min_films=1)
    assert summary["films_by_genre"]["Odd"]["validation"] in (0, 1)
    assert summary["films_by_genre"]["Film"] == summary["films"]
    assert_complete(metrics)


def test_missing_and_corrupt_posters_are_counted_and_the_rest_is_used(data, tmp_path, caplog):
    posters = sorted((data / "posters").iterdir())
    for path in posters[::5]:
        path.unlink()
    for path in posters[1::20]:
        path.write_bytes(path.read_bytes()[:50])
    with caplog.at_level(logging.WARNING):
        summary, unreadable, metrics = pipeline(data, tmp_path)
    assert summary["without_poster"] >= len(posters[::5]) - 1 and len(unreadable) >= len(posters[1::20])
    assert "posters are unreadable" in caplog.text
    assert json.loads((tmp_path / "posters" / "report.json").read_text())["unreadable"] == unreadable
    assert_complete(metrics)


def test_labels_outside_the_list_are_counted_and_dropped(data, tmp_path):
    summary, _, metrics = pipeline(data, tmp_path, genres=("Comedy", "Drama"))
    assert summary["genres"] == ["Comedy", "Drama"] and summary["without_chosen_genre"] > 0
    assert_complete(metrics)


def test_a_third_without_overviews_is_counted_and_completes(data, tmp_path):
    films = read_films(data)
    write_films(data / "films.csv", [film if number % 3 else Film(film.id, film.title, film.year, " ", film.genres)
                                     for number, film in enumerate(films)])
    summary, _, metrics = pipeline(data, tmp_path)
    assert summary["without_overview"] + summary["left_out"].get("neither_poster_nor_overview", 0) >= 20
    assert_complete(metrics)


def test_no_overview_at_all_is_refused_with_advice(data, tmp_path):
    write_films(data / "films.csv", [Film(film.id, genres=film.genres) for film in read_films(data)])
    with pytest.raises(UserError, match="overview"):
        pipeline(data, tmp_path)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_handful_of_films_is_refused(data, tmp_path, count):
    write_films(data / "films.csv", read_films(data)[:count])
    with pytest.raises(UserError, match="expected|films"):
        pipeline(data, tmp_path, min_films=1)
