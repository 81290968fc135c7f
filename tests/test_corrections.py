import csv
import json

import pytest
from conftest import image_bytes

from genre_cli.data import main as genre_data
from genre_cli.predict import main as genre_predict
from movie_genres.base.names import escape_name
from movie_genres.data.films import poster_files, read_films

JPEG = image_bytes()


def write_table(path, *rows, bom="", newline="\r\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(bom)
        csv.writer(file, lineterminator=newline).writerows(rows)
    return path


@pytest.fixture
def source(tmp_path):
    """A table of four films, with genres."""
    return write_table(tmp_path / "source" / "films.csv", ["id", "overview", "genres"], ["1", "First.", "Drama"],
                       ["2", "Second.", "Drama|War"], ["007", "Third.", "War"], ["NA", "Fourth.", ""])


def labels(folder):
    return {film.id: film.genres for film in read_films(folder)}


@pytest.mark.parametrize("form", [{}, {"bom": "\ufeff"}, {"newline": "\n"}], ids=str)
def test_corrections_replace_the_labels_of_their_films(source, tmp_path, run, form):
    corrections = write_table(tmp_path / "corrections.csv", ["id", "genres"], ["2", "War|Comedy, black"], ["007", ""],
                              ["NA", "Drama"], ["8", "War"], ["=9", "War"], **form)
    result = run(genre_data, "import", source, "--corrections", corrections, "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    assert labels(tmp_path / "data") == {"1": ("Drama",), "2": ("War", "Comedy, black"), "007": (), "NA": ("Drama",)}
    for note in ("corrections.csv: the labels of 3 films are those of the corrections",
                 "corrections.csv: ids of no film in the source: 2 (8, =9)",
                 "corrections.csv: genres that no film had before: 1 (Comedy, black)",
                 "corrections.csv: films that are left without a genre: theirs are unknown: 1 (007)"):
        assert note in " ".join(result.stderr.split()), result.stderr


@pytest.mark.parametrize("rows, message", [
    ([["id", "genres"], ["x", "Drama"], ["y", ""]],
     "expected ids of films or posters in the source; found 2 other ids (x, y). Give what was scored"),
    ([["id", "genres"], ["1", "A"], ["2", "B"], ["1", "C"]],
     "expected an id in row 3 that is in no other; found the film '1' once more"),
    ([["id", "genres"]], "expected ids of films or posters in the source; found no row"),
    ([["id", "genres"], ["a/b", "A"], ["a%2Fb", "B"]], "expected an id in row 2 that is in no other"),
    ([["id", "genres"], ["1", "A"], ["  ", "B"]], "expected an id in row 2 that is in no other; found none"),
    ([["id", "genres", "note"], ["1", "A", ""]], "expected the columns id and genres and no others; found the columns id, "
                                                 "genres, note"),
    ([["id"], ["1"]], "expected the columns id and genres and no others; found the columns id"),
    ([["id", "genres"], ["1", "A"], ["2"]], "expected 2 cells in row 2; found 1"),
    ([["id", "genres"], ["1", "28"], ["2", "18"]], "expected names of genres; found numbers only"),
])
def test_corrections_that_cannot_be_meant_change_nothing(source, tmp_path, run, rows, message):
    corrections = write_table(tmp_path / "corrections.csv", *rows)
    result = run(genre_data, "import", source, "--corrections", corrections, "--data", tmp_path / "data")
    assert result.exit_code == 2 and f"{corrections}: {message}" in result.stderr, result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("where, message", [("data/c.csv", "expected a folder apart from what is imported"),
                                            ("missing.csv", "expected a table that can be read")])
def test_corrections_are_a_file_outside_the_data_folder(source, tmp_path, run, where, message):
    if "missing" not in where:
        write_table(tmp_path / where, ["id", "genres"], ["1", "A"])
    result = run(genre_data, "import", source, "--corrections", tmp_path / where, "--data", tmp_path / "data")
    assert result.exit_code == 2 and message in result.stderr


HOSTILE = ["plain", "sub/film", "sub/deep/film", "a,b", 'quo"te', "<b>", "ünï", "=1+1", "a%2Fb", "'x", "a b.c", "-5",
           "caf\udce9", "back\\xslash"]


@pytest.mark.parametrize("options", [(), ("--excel-safe",)], ids=str)
def test_ids_are_those_that_scoring_writes_whatever_is_in_them(tmp_path, run, monkeypatch, options):
    monkeypatch.setattr("movie_genres.scoring.predict._say_what_was_found", lambda *_: None)
    for name in HOSTILE:
        path = tmp_path / "posters" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(JPEG)
    overviews = write_table(tmp_path / "overviews.csv", ["id", "overview"], *([name, "A film."] for name in HOSTILE[:6]))
    result = run(genre_predict, "--posters", tmp_path / "posters", "--overviews", overviews, "--out", tmp_path / "preds.csv",
                 "--models", "movie_genres/released", *options)
    assert result.exit_code == 0, result.output
    with open(tmp_path / "preds.csv", newline="", encoding="utf-8") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    kept = {("'" if options and name[0] in "=-" else "") + escape_name(name): escape_name(name) for name in HOSTILE}
    assert set(ids) == set(kept)
    reviewed = {name: ("Drama", f"<i>{name[:3]}") for name in ids[:-1]}
    corrections = write_table(tmp_path / "c.csv", ["id", "genres"], *((name, "|".join(of)) for name, of in reviewed.items()))
    result = run(genre_data, "import", overviews, "--posters", tmp_path / "posters", "--corrections", corrections, "--data",
                 tmp_path / "data")
    assert result.exit_code == 0, result.output
    expected = {kept[name].replace("/", "%2F").replace("\\", "%5C"): genres for name, genres in reviewed.items()}
    assert labels(tmp_path / "data") == expected | ({name: () for name in HOSTILE[:6] if name not in reviewed})
    assert set(poster_files(tmp_path / "data")) == set(labels(tmp_path / "data"))
    again = run(genre_data, "import", overviews, "--posters", tmp_path / "posters", "--corrections", corrections, "--data",
                tmp_path / "data")
    assert again.exit_code == 0, again.output


def test_names_that_become_one_are_refused(tmp_path, run):
    for name in ("a/b.jpg", "a%2Fb.jpg"):
        (tmp_path / "posters" / "a").mkdir(parents=True, exist_ok=True)
        (tmp_path / "posters" / name).write_bytes(JPEG)
    corrections = write_table(tmp_path / "c.csv", ["id", "genres"], ["a/b", "War"])
    result = run(genre_data, "import", tmp_path / "posters", "--corrections", corrections, "--data", tmp_path / "data")
    assert result.exit_code == 2 and not (tmp_path / "data").exists()
    assert "a%2Fb: expected an id that is no other's where %2F and %5C stand for slashes; found also a/b." in result.stderr


def test_a_film_with_and_without_the_apostrophe_of_spreadsheets_is_there_twice(tmp_path, run):
    table = write_table(tmp_path / "t" / "o.csv", ["id", "overview"], ["-5", "First."])
    corrections = write_table(tmp_path / "c.csv", ["id", "genres"], ["-5", "War"], ["'-5", "Drama"])
    result = run(genre_data, "import", table, "--corrections", corrections, "--data", tmp_path / "data")
    assert result.exit_code == 2 and """expected each film once; found "'-5", and the same without""" in result.stderr


def test_posters_alone_can_be_imported_with_corrections_and_only_then(tmp_path, run):
    for name in ("a.jpg", "sub/b.png", "sub/c.jpg", "notes.md"):
        (tmp_path / "posters" / "sub").mkdir(parents=True, exist_ok=True)
        (tmp_path / "posters" / name).write_bytes(JPEG)
    (tmp_path / "posters" / "sub" / "out").symlink_to(tmp_path)
    corrections = write_table(tmp_path / "c.csv", ["id", "genres"], ["sub/b", "War"], ["a", ""])
    result = run(genre_data, "import", tmp_path / "posters", "--corrections", corrections, "--data", tmp_path / "data")
    assert result.exit_code == 0 and "(layout posters)" in result.stderr, result.output
    assert labels(tmp_path / "data") == {"sub%2Fb": ("War",), "a": ()}
    assert {film: path.name for film, path in poster_files(tmp_path / "data").items()} == {"sub%2Fb": "sub%2Fb.png",
                                                                                             "a": "a.jpg"}
    result = run(genre_data, "import", tmp_path / "posters", "--data", tmp_path / "other")
    assert result.exit_code == 2 and "with corrections, a folder of posters" in result.stderr


def test_a_table_without_genres_needs_corrections(tmp_path, run):
    table = write_table(tmp_path / "t" / "overviews.csv", ["id", "overview"], ["1", "First."], ["2", "Second."])
    corrections = write_table(tmp_path / "c.csv", ["id", "genres"], ["2", "War"])
    result = run(genre_data, "import", table, "--data", tmp_path / "data")
    assert result.exit_code == 2 and "expected a column named one of genres, genre, labels" in result.stderr
    result = run(genre_data, "import", table, "--corrections", corrections, "--data", tmp_path / "data")
    assert result.exit_code == 0 and labels(tmp_path / "data") == {"1": (), "2": ("War",)}
    assert "genres that no film had" not in result.stderr
    result = run(genre_data, "import", table, "--corrections", corrections, "--genres-column", "genres", "--data",
                 tmp_path / "data")
    assert result.exit_code == 2 and "expected a column 'genres'" in result.stderr


def test_corrections_work_with_each_layout(tmp_path, run):
    folder = tmp_path / "mm"
    folder.mkdir()
    for name in ("0001", "0002"):
        (folder / f"{name}.json").write_text(json.dumps({"plot": "A plot.", "genres": ["Drama"]}))
        (folder / f"{name}.jpeg").write_bytes(JPEG)
    corrections = write_table(tmp_path / "c.csv", ["id", "genres"], ["0002", "War"])
    result = run(genre_data, "import", folder, "--corrections", corrections, "--data", tmp_path / "data")
    assert result.exit_code == 0 and "layout mm-imdb" in result.stderr
    assert labels(tmp_path / "data") == {"0001": ("Drama",), "0002": ("War",)}
