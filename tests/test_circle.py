"""From scored films to a review in the browser, to labels, to a model that is trained on them."""

import csv
import json

import pytest
from conftest import options_of, outputs

from genre_cli.data import main as genre_data
from genre_cli.predict import main as genre_predict
from genre_cli.report import main as genre_report
from movie_genres.data.preparing import PrepareOptions, prepare
from movie_genres.data.vectorizing import write_posters
from movie_genres.inputs.features import load_posters
from movie_genres.inputs.prepared import load_prepared

pytestmark = pytest.mark.browser
REVIEWED = 40


@pytest.fixture
def films(small_data, tmp_path):
    """Films that nobody has labelled: a folder of posters, and a table of overviews."""
    with open(small_data / "films.csv", encoding="utf-8", newline="") as file:
        rows = [(film["id"], film["overview"]) for film in csv.DictReader(file)]
    with open(tmp_path / "overviews.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "overview"), *rows])
    return small_data / "posters", tmp_path / "overviews.csv"


def test_scores_are_reviewed_corrected_and_learned_from(films, tuned, tab, tmp_path, run):
    from movie_genres.networks.cnn import CnnOptions, train_cnn

    posters, overviews = films
    given = ("--posters", posters, "--overviews", overviews)
    scored = run(genre_predict, *given, "--models", tuned, "--out", tmp_path / "preds.csv")
    assert scored.exit_code in (0, 3), scored.output
    written = run(genre_report, tmp_path / "preds.csv", *given, "--out", tmp_path / "site")
    assert written.exit_code == 0, written.output

    shown = tab(tmp_path / "site", "review.html#sort=order")
    shown.locator("#marks button").nth(1).click()  # the first genre of the first film is wrong
    for _ in range(REVIEWED):
        shown.locator("#done").click()
    with shown.expect_download() as download:
        shown.locator("#export").click()
    download.value.save_as(tmp_path / "corrections.csv")
    with open(tmp_path / "corrections.csv", encoding="utf-8", newline="") as file:
        corrected = {film["id"]: film["genres"] for film in csv.DictReader(file)}
    with open(tmp_path / "preds.csv", encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    assert len(corrected) == REVIEWED and corrected[first["id"]] == "|".join(first["genres"].split("|")[1:])

    imported = run(genre_data, "import", overviews, "--posters", posters, "--corrections", tmp_path / "corrections.csv",
                   "--data", tmp_path / "data")
    assert imported.exit_code == 0, imported.output
    prepare(tmp_path / "data", tmp_path / "prepared", options_of(PrepareOptions, min_films=4, validation=0.2, test=0.2))
    prepared = load_prepared(tmp_path / "prepared")
    known = {film: set(genres.split("|")) & set(prepared.genres) for film, genres in corrected.items()}
    assert {film: set(genres.split("|")) for film, genres in zip(prepared.films["id"], prepared.films["genres"])} == {
        film: genres for film, genres in known.items() if genres}
    write_posters(prepared.films["poster"].tolist(), tmp_path / "posters", (16, 16))
    options = options_of(CnnOptions, width=4, epochs=1, batch_size=16, draws=1)
    train_cnn(prepared, load_posters(tmp_path / "posters"), options, outputs(tmp_path, "cnn"))
    assert json.loads((tmp_path / "metrics" / "cnn.json").read_text())["best_val_loss"] > 0
