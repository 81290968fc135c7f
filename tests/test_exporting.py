"""What is exported is imported again as it was: films, genres and posters."""

import os
import tempfile
from pathlib import Path

import pytest
from conftest import image_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from import_faults import content

from genre_cli.data import main as genre_data
from movie_genres.base.errors import InputError
from movie_genres.data import exporting
from movie_genres.data.exporting import FORMATS, export_films
from movie_genres.data.films import Film, poster_files, read_films, write_films
from movie_genres.data.genres import Genres
from movie_genres.data.importing import import_films

JPEG, PNG = image_bytes(), image_bytes(format="PNG")
WHOLE = [name for name, format in FORMATS.items() if format.choose is None]
ODD = ["=1+1", '"', "a\nb", "a\r\nb", "a\rb", "a,b;c\td", "x, y; z", "[red]", "é\u202e\U0001f3ac", "a::b", "Heat (1995)",
       "[1, 2]", "'", "tt1"]

text = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"]), max_size=12)).map(str.strip)
GENRES = ["Drama", "Sci-Fi/Fantasy", "a,b", "a;b", "genre_x", "ids", "[x", 'A"B', "x\ny", "x\ry"]
genre = st.one_of(st.sampled_from(GENRES), text).filter(lambda name: Genres().known([name]) == (name,))  # as imported
film_id = st.one_of(st.sampled_from(["tt1", "007", "1.0", "a.jpg", "=x", "é"]),
                    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="/\\\0\r\n"),
                            min_size=1, max_size=8)).map(str.strip).filter(lambda name: name and name[0] != ".")
genres = st.lists(genre.filter(bool), unique=True, max_size=4).map(tuple)
films = st.lists(st.builds(Film, film_id, text, text, text, genres), min_size=1, max_size=5, unique_by=lambda film: film.id)


def build(data, films, posters=()):
    (data / "posters").mkdir(parents=True)
    write_films(data / "films.csv", films)
    for name in posters:
        (data / "posters" / name).write_bytes(PNG if name.endswith("png") else JPEG + name.encode())


def as_read(folder):
    """The films of a data folder, genres in the order of the alphabet, and its posters."""
    found = sorted((film.id, film.title, film.year, film.overview, sorted(film.genres)) for film in read_films(folder))
    return found, {path.name: path.read_bytes() for path in poster_files(folder).values()}


@pytest.mark.parametrize("format", WHOLE)
@settings(max_examples=25, deadline=None)
@given(films=films)
def test_an_export_is_imported_as_it_was(format, films):
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        build(top / "data", films, [f"{films[0].id}.jpg"])
        if format == "one-hot" and not any(film.genres for film in films):
            with pytest.raises(InputError, match="Choose another format"):
                export_films(top / "data", top / "out", format)
            return
        export_films(top / "data", top / "out", format)
        import_films(top / "out", top / "again")
        assert as_read(top / "again") == as_read(top / "data")


ORDINARY = [Film("tt1", "One, \"two\"", "1999", "A first,\ncomma and =all::.", ("Sci-Fi, Fantasy",)),
            Film("tt2", "", "", "", ()), Film("007", "=1+1", "1950", "é; |x|", ("Drama", "[A]", "B/C"))]


@pytest.mark.parametrize("format", WHOLE)
def test_odd_text_is_held_by_every_format(tmp_path, run, format):
    build(tmp_path / "data", ORDINARY, ["tt1.jpg", "007.png", "other.jpg"])
    result = run(genre_data, "export", tmp_path / "out", "--data", tmp_path / "data", "--format", format)
    assert result.exit_code == 0, result.output
    import_films(tmp_path / "out", tmp_path / "again")
    films, posters = as_read(tmp_path / "data")
    assert as_read(tmp_path / "again") == (films, {name: posters[name] for name in ("tt1.jpg", "007.png")})
    assert sorted(os.listdir(tmp_path)) == ["again", "data", "out"]


def test_folders_of_genres_hold_what_has_a_poster_and_a_genre(tmp_path):
    build(tmp_path / "data", [Film("a", genres=("Drama", "War")), Film("b", genres=("War",)), Film("c"), Film("d"),
                              Film("e", genres=("War",))], ["a.jpg", "b.png", "c.jpg", "e.png"])
    notes = export_films(tmp_path / "data", tmp_path / "out", "genre-folders")
    assert "left out 1 films: no genre (first: c)" in notes and "left out 1 films: no poster (first: d)" in notes
    assert "left out 1 films: the same poster as another film (first: e)" in notes
    import_films(tmp_path / "out", tmp_path / "again")
    films, posters = as_read(tmp_path / "again")
    assert films == [("a", "", "", "", ["Drama", "War"]), ("b", "", "", "", ["War"])]
    assert posters["a.jpg"] == JPEG + b"a.jpg"


@pytest.mark.parametrize("format, film, message", [
    ("csv", Film("a", genres=("18",)), "numbers only"), ("one-hot", Film("a"), "the columns id, title, year, overview"),
    ("genre-folders", Film("a", genres=("x/y",)), "a genre that can be the name of a folder"),
    ("jsonl", Film("a", genres=("Unknown", "Drama")), "the film 'a', which would be read back otherwise: its genres"),
    ("genre-folders", Film("a", genres=("Drama", "Test", "War")), "would be read back otherwise: its genres"),
    ("genre-folders", Film("a", genres=("Drama",)), "Choose another format")])
def test_what_a_format_cannot_hold_is_refused(tmp_path, run, format, film, message):
    build(tmp_path / "data", [film], ["a.jpg"])
    result = run(genre_data, "export", tmp_path / "out", "--data", tmp_path / "data", "--format", format)
    assert result.exit_code == 2 and message in result.stderr, result.stderr
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.parametrize("format", FORMATS)
def test_years_with_a_point_are_exported_without(tmp_path, format):
    build(tmp_path / "data", [Film("a", "One", "1999.0", "A first.", ("Drama", "War"))], ["a.jpg"])
    export_films(tmp_path / "data", tmp_path / "out", format)
    import_films(tmp_path / "out", tmp_path / "again")
    year = "" if format == "genre-folders" else "1999"
    assert f",{year}," in (tmp_path / "again" / "films.csv").read_text() and read_films(tmp_path / "again")[0].year == year


@pytest.mark.parametrize("prepare, out", [
    (lambda top: (top / "out").mkdir() or (top / "out" / "mine").write_text("x"), "out"),
    (lambda top: (top / "out").write_text("mine"), "out"), (lambda top: (top / "out").symlink_to(top), "out"),
    (lambda top: None, "data"), (lambda top: None, "data/out"),
    (lambda top: (top / ".out-export").mkdir() or (top / ".out-export" / "mine").write_text("x"), "out")])
def test_what_is_there_is_not_touched(tmp_path, run, prepare, out):
    build(tmp_path / "data", ORDINARY)
    prepare(tmp_path)
    before = content(tmp_path)
    result = run(genre_data, "export", tmp_path / out, "--data", tmp_path / "data")
    assert result.exit_code == 2 and content(tmp_path) == before, result.stderr


@pytest.mark.parametrize("format", FORMATS)
def test_a_failure_half_way_leaves_nothing(tmp_path, monkeypatch, format):
    build(tmp_path / "data", ORDINARY[:2], ["tt1.jpg", "tt2.png"])

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "_embedded" if format == "parquet" else "copy_posters", fail)
    with pytest.raises(OSError):
        export_films(tmp_path / "data", tmp_path / "out", format)
    assert os.listdir(tmp_path) == ["data"]


def test_an_export_goes_on_over_what_a_killed_one_left(tmp_path):
    build(tmp_path / "data", ORDINARY)
    (tmp_path / ".out-export" / "new").mkdir(parents=True)
    (tmp_path / ".out-export" / "new" / "films.csv").write_text("half")
    (tmp_path / "out").mkdir()  # empty, and so taken
    export_films(tmp_path / "data", tmp_path / "out", "csv")
    assert sorted(os.listdir(tmp_path)) == ["data", "out"]
    assert sorted(os.listdir(tmp_path / "out")) == ["films.csv", "posters"]
