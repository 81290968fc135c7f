"""Second looks at labels and films, on films that are made so that the right answer is known."""

import io
import itertools
import json
import string
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY, noise_bytes, options_of
from PIL import Image

from benchmarks.planted_errors import flip, measure
from movie_genres.evaluation import likeness
from movie_genres.evaluation.auditing import AuditOptions, audit, find_suspects
from movie_genres.evaluation.cross_fitting import count_words, cross_fit, see_films
from movie_genres.evaluation.likeness import like_overviews, like_posters, strangeness
from movie_genres.inputs.features import Posters
from movie_genres.inputs.posters import decode_poster
from movie_genres.inputs.prepared import Prepared
from stages.audit import main as audit_stage

WORDS = {"Horror": "ghost curse blood scream nightmare corpse", "Romance": "kiss wedding bride summer heart poem",
         "Western": "sheriff saloon cattle outlaw ranch horse"}
COLUMNS = {"suspects": "rank id title split genre labelled probability score kind",
           "duplicates": "kind id other_id split other_split distance leak", "unusual": "rank id title split distance"}


def films(count, seed=0, overviews=None):
    """Films of one or two genres, whose overviews have four words of each."""
    rng, genres = np.random.default_rng(seed), list(WORDS)
    labels = np.zeros((count, len(genres)), dtype=np.float32)
    for row in labels:
        row[rng.choice(len(genres), rng.integers(1, 3), replace=False)] = 1
    written = [" ".join(word for genre in np.flatnonzero(row) for word in rng.choice(WORDS[genres[genre]].split(), 4))
               for row in labels]
    numbers = range(count)
    table = pd.DataFrame({"id": [f"f{number}" for number in numbers], "title": [f"Film {number}" for number in numbers],
                          "overview": written if overviews is None else overviews,
                          "split": [("train", "train", "validation", "test")[number % 4] for number in numbers]}, dtype=str)
    return Prepared(table, genres, labels)


def no_posters(count):
    return Posters(np.zeros((count, 64, 64, 3), dtype=np.uint8), np.zeros(count, dtype=bool))


def options(**changes):
    return options_of(AuditOptions, **changes)


@pytest.fixture(scope="module")
def planted():
    """Films with two genres too many and one missing, and these three."""
    prepared = films(120)
    wrong = [tuple(cell) for cell in np.argwhere(prepared.labels == 0)[[10, 90]]]
    missing = tuple(np.argwhere(prepared.labels == 1)[60])
    for film, genre in (*wrong, missing):
        prepared.labels[film, genre] = 1 - prepared.labels[film, genre]
    named = {(f"f{film}", prepared.genres[genre], kind) for kind, cells in (("wrong", wrong), ("missing", [missing]))
             for film, genre in cells}
    return prepared, named


def test_labels_that_contradict_overview_and_other_genres_come_first(planted):
    prepared, named = planted
    inputs = see_films(prepared.films["overview"].tolist(), no_posters(120))
    found = find_suspects(prepared, inputs, options(suspects=30))
    assert {(line.id, line.genre, line.kind) for line in found.head(3).itertuples()} == named
    assert len(found) == 30 and found["rank"].tolist() == list(range(1, 31)) and found["score"].is_monotonic_increasing
    assert found["score"].between(0, 1).all() and found["probability"].between(0, 1).all()
    assert (found["kind"] == np.where(found["labelled"] == 1, "wrong", "missing")).all()


def test_a_poster_speaks_where_there_is_no_overview():
    prepared = films(120, overviews=[""] * 120)
    pixels = (prepared.labels[:, None, None, :] * 200).astype(np.uint8) * np.ones((1, 64, 64, 1), dtype=np.uint8)
    film, genre = np.argwhere(prepared.labels == 0)[50]
    prepared.labels[film, genre] = 1
    inputs = see_films([""] * 120, Posters(pixels, np.ones(120, dtype=bool)))
    first = find_suspects(prepared, inputs, options()).iloc[0]
    assert (first["id"], first["genre"]) == (f"f{film}", prepared.genres[genre])


def test_no_model_that_judges_a_label_has_seen_it(planted):
    prepared, _ = planted
    inputs, genres = see_films(prepared.films["overview"].tolist(), no_posters(120)), np.arange(3)
    before = cross_fit(inputs, prepared.labels, genres, folds=4, repeats=2, seed=1)
    changed = prepared.labels.copy()
    changed[7] = 1 - changed[7]
    after = cross_fit(inputs, changed, genres, folds=4, repeats=2, seed=1)
    for genre in genres:
        alone = prepared.labels.copy()
        alone[7, genre] = 1 - alone[7, genre]
        same = cross_fit(inputs, alone, np.array([genre]), folds=4, repeats=2, seed=1)
        assert same[7, 0] == before[7, genre]
    assert (after != before).any(axis=1).sum() > 60, "others have learned from it"


def test_genres_of_few_films_or_of_nearly_all_are_left_out():
    prepared = films(60)
    prepared.labels[:, 0], prepared.labels[:, 1] = 1, 0
    prepared.labels[:5] = [0, 1, 0]
    found = audit(prepared, no_posters(60), options(min_films=6))
    assert set(found.suspects["genre"]) == {"Western"} and found.summary["genres_left_out"] == ["Horror", "Romance"]


@pytest.mark.parametrize("count, overviews", [(1, None), (2, None), (12, [""] * 12), (30, ["?!"] * 29 + ["ghost"]),
                                              (60, None)])
def test_few_films_and_films_without_anything_break_nothing(count, overviews):
    found = audit(films(count, overviews=overviews), no_posters(count), options(min_films=1))
    assert {name: " ".join(getattr(found, name)) for name in COLUMNS} == COLUMNS
    assert np.isfinite(found.suspects["score"]).all() and found.unusual["distance"].notna().all()


def recoded(data, scale, quality):
    image, file = Image.open(io.BytesIO(data)), io.BytesIO()
    image.resize((int(image.width * scale), int(image.height * scale))).save(file, "JPEG", quality=quality)
    return file.getvalue()


def test_a_poster_that_was_scaled_and_compressed_again_is_found_and_others_are_not():
    data = [noise_bytes(seed=seed) for seed in range(6)]
    data += [recoded(data[2], 0.6, 60), recoded(data[4], 1.3, 30)]
    pixels = np.stack([decode_poster(each, (64, 64)) for each in data])
    present = np.array([True] * 8)
    pairs = like_posters(Posters(pixels, present), options().poster_distance, 3)
    assert {(pair.film, pair.other) for pair in pairs} == {(6, 2), (7, 4)}
    present[2] = False
    assert {(pair.film, pair.other) for pair in like_posters(Posters(pixels, present), 0.1, 3)} == {(7, 4)}


def test_overviews_that_differ_in_a_word_are_found_and_a_placeholder_makes_a_pair_for_each_film():
    texts = ["A sheriff rides into a silent town and finds the ghost of his brother.", "Plot unknown.", "",
             "A sheriff rides into a silent town and finds the grave of his brother.", "A bride runs from her wedding.",
             *["Plot unknown!"] * 40]
    pairs = like_overviews(count_words(texts), options().overview_distance, 5)
    assert {(pair.film, pair.other) for pair in pairs} == {(3, 0), *((film, 1) for film in range(5, 45))}
    assert {pair.distance for pair in pairs if pair.other == 1} == {0} and 0 < pairs[-1].distance < 0.3


@pytest.mark.parametrize("most", [0.0, 0.2, 0.5, 0.9, 0.99])
def test_no_pair_of_overviews_within_the_distance_is_missed(most):
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("abcdefghijklmnopqrst"), rng.integers(1, 9), p=np.arange(1, 21) / 210))
             for _ in range(120)]
    words = count_words([" ".join(letter * 3 for letter in text.split()) for text in texts])
    distances = 1 - (words @ words.T).toarray()
    first = [int(np.flatnonzero(of_film < 1e-9)[0]) for of_film in distances]  # films that equal an earlier one
    expected = {(film, other) for film in range(120) for other in range(film) if distances[film, other] <= most
                and (first[film] == other or first[film] == film and first[other] == other)}
    assert {(pair.film, pair.other) for pair in like_overviews(words, most, 120)} == expected


def test_of_overviews_of_one_template_only_the_nearest_are_kept(monkeypatch):
    words = count_words(["sheriff rides into silent town " * 4 + "{}name {}name".format(*names)
                         for names in itertools.combinations(string.ascii_uppercase[:16], 2)])
    monkeypatch.setattr(likeness, "LINES", 50)
    monkeypatch.setattr(likeness, "PAIRS", 1_000)
    count, neighbours = words.shape[0], 3
    pairs = like_overviews(words, 0.9, count)
    nearest = {film: sorted((pair.distance, sum(pair[:2]) - film) for pair in pairs if film in pair[:2])[:neighbours]
               for film in range(count)}
    tracemalloc.start()
    kept = like_overviews(words, 0.9, neighbours)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert set(kept) == {pair for pair in pairs for film, other in (pair[:2], pair[1::-1])
                         if (pair.distance, other) in nearest[film]} and len(pairs) > 15 * len(kept)
    assert peak < 0.7e6  # with every pair it is 1.2 MB


def test_of_very_many_films_the_nearest_are_looked_for_among_some(monkeypatch):
    words = count_words(films(90).films["overview"].tolist())
    of_all = strangeness(words, 5, 0)
    monkeypatch.setattr("movie_genres.evaluation.likeness.COMPARED", 60)
    of_some = strangeness(words, 5, 0)
    assert (of_some >= of_all - 1e-9).all() and (of_some > of_all + 1e-9).any(), "there are fewer that may be near"
    assert np.corrcoef(of_some, of_all)[0, 1] > 0.8 and np.array_equal(of_some, strangeness(words, 5, 0))


def test_a_pair_across_splits_is_a_leak():
    prepared = films(40)
    prepared.films.loc[[4, 6], "overview"] = "an old lighthouse keeper counts the ships of a war that nobody remembers"
    prepared.films.loc[[8, 12], "overview"] = "a chess champion loses to the machine that she once taught herself"
    found = audit(prepared, no_posters(40), options(overview_distance=0.0)).duplicates
    splits = {line.id: (line.other_id, line.split, line.other_split, line.leak) for line in found.itertuples()}
    assert splits["f6"] == ("f4", "validation", "train", True) and splits["f12"] == ("f8", "train", "train", False)


def test_the_film_that_shares_no_word_is_the_most_unusual():
    prepared = films(60)
    prepared.films.loc[33, "overview"] = "quantum accountants audit photosynthesis near ghost"
    distances = strangeness(count_words(prepared.films["overview"].tolist()), 5, 0)
    assert np.nanargmax(distances) == 33
    assert audit(prepared, no_posters(60), options(unusual=4)).unusual["id"].tolist()[0] == "f33"


@pytest.mark.parametrize("kind", ["random", "halves"])
def test_planted_errors_of_training_films_are_found_far_more_often_than_at_random(kind):
    prepared = films(200, seed=3)
    changed, planted = flip(prepared, np.arange(3), 10, kind, seed=5)
    differ = np.argwhere(changed.labels != prepared.labels)
    assert {(f"f{film}", prepared.genres[genre]) for film, genre in differ} == planted and len(planted) == 10
    assert set(prepared.films["split"].iloc[differ[:, 0]]) == {"train"}
    if kind == "halves":
        assert changed.labels.sum() == prepared.labels.sum()
    inputs = see_films(prepared.films["overview"].tolist(), no_posters(200))
    (first, *_), = measure(prepared, inputs, options(suspects=20), kind, 10, range(5, 6))
    assert first >= 8, "a random order finds a third of a label among the first 20 of 600"


def test_the_stage_writes_the_same_tables_twice(arrays_folder, tmp_path, run):
    for out in ("a", "b"):
        result = run(audit_stage, "--prepared", arrays_folder / "prepared", "--posters", arrays_folder / "posters",
                     "--out", tmp_path / out, "--params", REPOSITORY / "params.yaml")
        assert result.exit_code == 0, result.output
    written = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    assert set(written) == {"summary.json", *(f"{name}.csv" for name in COLUMNS)}
    summary = json.loads(written["summary.json"])
    tables = {name: pd.read_csv(io.BytesIO(written[f"{name}.csv"])) for name in COLUMNS}
    assert {name: " ".join(table) for name, table in tables.items()} == COLUMNS
    assert summary["films"] == 120 and summary["suspects"] == len(tables["suspects"]) == 200
    assert set(tables["suspects"]["kind"]) <= {"wrong", "missing"} and summary["unusual"] == len(tables["unusual"]) == 50
    assert f"{len(tables['duplicates'])} pairs" in result.output
