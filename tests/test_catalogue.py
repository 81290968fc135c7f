import pytest

from movie_genres.data.reading import TableOptions
from movie_genres.scoring.catalogue import Catalogue, Entry, join, survey
from movie_genres.scoring.poster_sources import LocalPoster


@pytest.mark.parametrize("overviews, posters, expected", [
    (["a"], [], [("a", None)]),
    ([], ["a"], [("a", "a0")]),
    (["a", "b"], ["b", "a"], [("a", "a0"), ("b", "b0")]),
    (["a", "a"], ["a"], [("a", "a0"), ("a", "a0")]),
    (["a"], ["a", "a"], [("a", "a0"), ("a", "a1")]),
    (["a", "a"], ["a", "a"], [("a", "a0"), ("a", "a1")]),
    (["b"], ["c", "a"], [("b", None), ("a", "a0"), ("c", "c0")]),
    (["\udce9"], ["\udce9"], [("\udce9", "\udce90")]),
], ids=str)
def test_join_keeps_every_overview_and_every_poster(overviews, posters, expected):
    numbered = [(name, LocalPoster(f"{name}{posters[:index].count(name)}")) for index, name in enumerate(posters)]
    joined = list(join([Entry(name, overview=f"text of {ascii(name)}") for name in overviews], numbered))
    assert [(item.id, item.poster and item.poster.name) for item in joined] == expected
    assert all(item.overview for item in joined if item.id in overviews)


@pytest.fixture
def films(tmp_path):
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "1.jpg").write_bytes(b"x")
    (tmp_path / "films.csv").write_text("id,overview\n1,A ghost\n2,A sheriff\n")
    return Catalogue(str(tmp_path / "posters"), str(tmp_path / "films.csv"), 100, TableOptions())


def test_films_can_be_read_again_and_are_the_same(films):
    assert list(films) == list(films)
    assert survey(films) == survey(films) and survey(films)[:4] == (2, 1, 2, 1)


@pytest.mark.parametrize("change", [
    lambda folder: (folder / "films.csv").write_text("id,overview\n1,A ghost\n2,A sheriff.\n"),
    lambda folder: (folder / "films.csv").write_text("id,overview\n1,A ghost\n3,A sheriff\n"),
    lambda folder: (folder / "posters" / "1.jpg").write_bytes(b"xy"),
    lambda folder: (folder / "posters" / "2.jpg").write_bytes(b"x"),
])
def test_a_survey_notices_every_change(films, tmp_path, change):
    before = survey(films)
    change(tmp_path)
    assert survey(films).digest != before.digest
