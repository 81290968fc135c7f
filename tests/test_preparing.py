import json

import pytest
from conftest import REAL_DATA, image_bytes, options_of
from pydantic import ValidationError

from movie_genres.base.errors import SettingError, UserError
from movie_genres.base.files import file_digest
from movie_genres.data.films import Film, poster_files, read_films, write_films
from movie_genres.data.importing import import_films
from movie_genres.data.preparing import PrepareOptions, prepare
from movie_genres.inputs.prepared import load_prepared
from movie_genres.inputs.text import normalise


def assert_no_leaks(prepared):
    """No id, normalised overview or poster stands in two splits."""
    films = prepared.films
    assert films["id"].is_unique
    for key in (films["overview"].map(normalise), films["poster"].map(lambda path: path and file_digest(path))):
        splits = films["split"].groupby(key).nunique()
        assert splits[splits.index != ""].max() == 1


@pytest.fixture
def folder(tmp_path):
    """A data folder of 40 films of two genres, with the peculiarities that `prepare` must handle."""
    films = [Film(f"f{index}", year=str(1980 + index), overview=f"word{index} here", genres=("A", "B")[index % 2:][:1])
             for index in range(36)]
    films += [Film("f0", overview="again", genres=("B",)), Film("nothing", genres=("A",)),
              Film("unknown", overview="text"), Film("other", overview="something", genres=("Rare",))]
    (tmp_path / "posters").mkdir()
    for number in range(10):
        (tmp_path / "posters" / f"f{number}.png").write_bytes(image_bytes(format="PNG", color=(number, 0, 0)))
    write_films(tmp_path / "films.csv", films)
    return tmp_path


def test_counts_what_is_left_out_and_what_stays(folder, tmp_path):
    summary = prepare(folder, tmp_path / "out", options_of(PrepareOptions, min_films=3))
    assert summary["left_out"] == {"repeated_id": 1, "neither_poster_nor_overview": 1, "genres_unknown": 1}
    assert summary["genres"] == ["A", "B"]
    assert sum(summary["films"].values()) == 37 and summary["without_poster"] == 27
    assert summary["without_chosen_genre"] == 1
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary


def test_keeps_only_the_years_asked_for(folder, tmp_path):
    prepare(folder, tmp_path / "out", options_of(PrepareOptions, min_films=3, periods=[[1990, 2009]]))
    years = load_prepared(tmp_path / "out").films["year"].astype(int)
    assert years.min() == 1990 and years.max() == 2009


@pytest.mark.parametrize("periods, expected", [
    ([[1980, 1997], [1998, 2015]], {"1980-1997": 8, "1998-2015": 7}),
    ([[1998, 2015], [1980, 1989]], {"1998-2015": 8, "1980-1989": 7}),
])
def test_draws_films_in_equal_parts_from_each_period(folder, tmp_path, periods, expected):
    summary = prepare(folder, tmp_path / "out", options_of(PrepareOptions, min_films=1, periods=periods, films=15))
    films = load_prepared(tmp_path / "out").films
    assert summary["films_by_period"] == expected and len(films) == 15 == sum(summary["films"].values())
    assert summary["left_out"]["not_drawn"] + summary["left_out"].get("outside_periods", 0) == 37 - 15
    counts = films["genres"].value_counts()
    assert counts.max() - counts.min() <= 1


def test_the_number_of_films_counts_those_of_the_chosen_genres(folder, tmp_path):
    summary = prepare(folder, tmp_path / "out", options_of(PrepareOptions, min_films=3, films=30))
    assert sum(summary["films"].values()) == 30 and summary["without_chosen_genre"] == 0 and "films_by_period" not in summary


def test_a_period_of_too_few_films_is_refused_with_what_there_is(folder, tmp_path):
    options = options_of(PrepareOptions, min_films=1, periods=[[1980, 1989], [1990, 2015]], films=30)
    with pytest.raises(SettingError, match="at most 20, as there are 10 from 1980 to 1989, 26 from 1990 to 2015 with a "
                                           "chosen genre; found 30"):
        prepare(folder, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("periods", [[[2000, 1990]], [[1990, 2000], [2000, 2010]], [[1990, 2010], [1995, 1996]]])
def test_periods_that_overlap_or_end_before_they_begin_are_refused(periods):
    with pytest.raises(ValidationError, match="no two share a year"):
        options_of(PrepareOptions, periods=periods)


@pytest.mark.parametrize("year, counts", [("1990", True), ("19900", False), ("²", False), ("", False), ("1990.0", False)])
def test_a_year_that_is_none_is_outside_all_periods(tmp_path, year, counts):
    films = [Film(f"f{number}", year="1995", overview=f"word{number}", genres=("A", "B")) for number in range(20)]
    write_films(tmp_path / "films.csv", [*films, Film("odd", year=year, overview="odd", genres=("A",))])
    summary = prepare(tmp_path, tmp_path / "out", options_of(PrepareOptions, min_films=1, periods=[[1900, 2000]]))
    assert sum(summary["films"].values()) == 20 + counts


def test_is_the_same_for_the_same_seed(folder, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        prepare(folder, tmp_path / name, options_of(PrepareOptions, min_films=3, seed=seed))
    first, same, other = ((tmp_path / name / "films.csv").read_bytes() for name in "abc")
    assert first == same != other


def test_too_few_films_are_refused(folder, tmp_path):
    write_films(folder / "films.csv", read_films(folder)[:2])
    with pytest.raises(UserError, match="expected films enough for a"):
        prepare(folder, tmp_path / "out", options_of(PrepareOptions, min_films=1))


def test_labels_follow_the_genre_list(small_arrays):
    prepared = small_arrays[0]
    for genres, labels in zip(prepared.films["genres"], prepared.labels):
        assert [genre for genre, label in zip(prepared.genres, labels) if label] == [g for g in genres.split("|") if g]


def test_demo_does_not_leak(small_arrays):
    assert_no_leaks(small_arrays[0])


@pytest.mark.skipif(not REAL_DATA.exists(), reason="the real films are not part of the repository")
def test_real_films_do_not_leak(tmp_path):
    layout, summary = import_films(REAL_DATA, tmp_path / "data")
    assert (layout, summary.films, summary.posters, len(summary.genres)) == ("multimodal-imdb", 5060, 5060, 20)
    assert "150 posters belong to no row and are not imported" in summary.notes
    prepare(tmp_path / "data", tmp_path / "prepared", options_of(PrepareOptions))
    prepared = load_prepared(tmp_path / "prepared")
    assert_no_leaks(prepared)
    for split in ("train", "validation", "test"):
        assert (prepared.labels[prepared.rows(split)].sum(axis=0) >= 3).all()
    assert len(poster_files(tmp_path / "data")) == 5060
