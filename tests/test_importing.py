import csv
import json
import zipfile

import pytest
from conftest import image_bytes

from genre_cli.data import main as genre_data
from movie_genres.data import importing
from movie_genres.data.checking import check
from movie_genres.data.films import poster_files, read_films

JPEG = image_bytes()


def write_table(path, columns, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def one_hot(folder):
    write_table(folder / "IMDB_overview_genres.csv", ["Id", "Genre", "Comedy", "Drama", "N/A", "News", "Overview"],
                ["tt1", "['Comedy', 'Drama']", 1, 1, 0, 0, "A first, comma and all."],
                ["tt2", "['N/A']", 0, 0, 1, 0, "A second."])
    (folder / "Images").mkdir()
    for name in ("tt1.jpg", "tt9.jpg", "Thumbs.db"):
        (folder / "Images" / name).write_bytes(JPEG)


def mm_imdb(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "0001.json").write_text(json.dumps({"title": "One", "year": 1999, "genres": ["Comedy", "Drama"],
                                                  "plot": ["A first, comma and all.::Somebody", "Longer."]}))
    (folder / "0001.jpeg").write_bytes(JPEG)
    (folder / "0002.json").write_text(json.dumps({"plot outline": "A second.", "genres": []}))
    (folder / "0003.json").write_text("{broken")


def tmdb(folder):
    write_table(folder / "movies_metadata.csv",
                ["id", "imdb_id", "title", "overview", "release_date", "genres", "poster_path"],
                [1, "tt1", "One", "A first, comma and all.", "1999-05-01",
                 "[{'id': 35, 'name': 'Comedy'}, {'id': 18, 'name': 'Drama'}]", "/abc.jpg"],
                [2, "tt2", "Two", "A second.", "", "[]", ""], ["torn", "row"])
    (folder / "posters").mkdir()
    (folder / "posters" / "abc.jpg").write_bytes(JPEG)


def plain(folder):
    write_table(folder / "films.csv", ["id", "overview", "genres"],
                ["x1", "A first, comma and all.", "Comedy;Drama"], ["x2", "A second.", ""])
    (folder / "posters").mkdir()
    (folder / "posters" / "x1.jpg").write_bytes(JPEG)


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("build, layout", [(one_hot, "multimodal-imdb"), (mm_imdb, "mm-imdb"), (tmdb, "tmdb"),
                                           (plain, "table")])
def test_recognises_and_reads_each_layout(tmp_path, build, layout, zipped):
    source = tmp_path / "downloaded" / "inner"
    source.mkdir(parents=True)
    build(source)
    if zipped:
        with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
            for file in source.rglob("*"):
                archive.write(file, file.relative_to(source.parent))
        source = tmp_path / "films.zip"
    found, summary = importing.import_films(source, tmp_path / "data")
    first, second = read_films(tmp_path / "data")
    assert found == layout
    assert (first.overview, first.genres) == ("A first, comma and all.", ("Comedy", "Drama"))
    assert (second.overview, second.genres) == ("A second.", ())
    posters = poster_files(tmp_path / "data")
    assert list(posters) == [first.id] and posters[first.id].read_bytes() == JPEG
    assert summary.posters_missing == [second.id] and summary.without_genres == [second.id]


def test_one_hot_reports_unknown_genres_empty_columns_and_unused_posters(tmp_path, run):
    one_hot(tmp_path)
    result = run(genre_data, "import", tmp_path, "--data", tmp_path / "data")
    assert result.exit_code == 0
    text = " ".join(result.stderr.split())
    for part in ("films 2", "Comedy 1, Drama 1", "1 posters belong to no row", "without a single film, left out: News",
                 "1 films have N/A", "Next: dvc add"):
        assert part in text


@pytest.mark.parametrize("columns, arguments, genres", [
    (["nr", "story", "kind"], ["--id-column", "nr", "--text-column", "story", "--genres-column", "kind"], ("A", "B")),
    (["ID", "Plot", "Genre"], [], ("A", "B")),
    (["id", "text", "genres"], ["--genre-separator", "+"], ("A|B".replace("|", "/"),)),
])
def test_tables_with_other_columns(tmp_path, run, columns, arguments, genres):
    write_table(tmp_path / "t.csv", columns, ["007", "NA", "A|B"])
    result = run(genre_data, "import", tmp_path / "t.csv", "--data", tmp_path / "data", *arguments)
    assert result.exit_code == 0, result.output
    film, = read_films(tmp_path / "data")
    assert (film.id, film.overview, film.genres) == ("007", "NA", genres)


def zip_with(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "id,overview,genres\n1,x,A\n")


@pytest.mark.parametrize("prepare, source, message", [
    (lambda folder: None, "nothing", "expected a folder, a zip archive or a table; found nothing"),
    (lambda folder: (folder / "x").mkdir(), "x", "found nothing in it. Name it with --format."),
    (lambda folder: (folder / "x.bin").write_bytes(b"?"), "x.bin", "found a file that is none of these"),
    (lambda folder: zip_with(folder / "x.zip", "../evil.csv"), "x.zip", "found the member '../evil.csv'"),
    (lambda folder: zip_with(folder / "x.zip", "/etc/evil.csv"), "x.zip", "found the member '/etc/evil.csv'"),
    (lambda folder: zip_with(folder / "x.zip", "a\\..\\..\\evil.csv"), "x.zip", "expected members inside the archive"),
    (lambda folder: write_table(folder / "x.csv", ["id", "genres"], [1, "A"]), "x.csv",
     "Name it with --text-column"),
    (lambda folder: write_table(folder / "x.csv", ["id", "overview", "genres"]), "x.csv", "at least one film"),
    (lambda folder: write_table(folder / "x.csv", ["id", "overview", "genres"], ["a/b", "x", "A"]), "x.csv",
     "found the id 'a/b'. Change it, or choose another column. Name it with --id-column."),
    (lambda folder: (folder / "x.csv").write_text('id,overview,genres\n1,"open,A\n'), "x.csv", "near line 2"),
])
def test_a_bad_source_is_refused_and_changes_nothing(tmp_path, run, prepare, source, message):
    plain(tmp_path / "good")
    importing.import_films(tmp_path / "good", tmp_path / "data")
    prepare(tmp_path)
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    result = run(genre_data, "import", tmp_path / source, "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert message in result.stderr and source in result.stderr
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_track_outside_a_dvc_repository_says_so(tmp_path, run, monkeypatch):
    plain(tmp_path / "good")
    monkeypatch.chdir(tmp_path)
    result = run(genre_data, "import", "good", "--track")
    assert result.exit_code == 1 and "`dvc add data` failed" in result.stderr
    assert len(read_films("data")) == 2


def test_a_failure_half_way_leaves_the_old_data(tmp_path, monkeypatch):
    plain(tmp_path / "good")
    importing.import_films(tmp_path / "good", tmp_path / "data")

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(importing, "_copy_poster", fail)
    with pytest.raises(OSError):
        importing.import_films(tmp_path / "good", tmp_path / "data")
    assert len(read_films(tmp_path / "data")) == 2 and poster_files(tmp_path / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "good"]


def test_an_import_replaces_the_old_data_whole(tmp_path):
    plain(tmp_path / "one")
    mm_imdb(tmp_path / "two")
    importing.import_films(tmp_path / "one", tmp_path / "data")
    importing.import_films(tmp_path / "two", tmp_path / "data")
    assert list(poster_files(tmp_path / "data")) == ["0001"]


def test_format_overrides_recognition(tmp_path, run):
    one_hot(tmp_path)
    result = run(genre_data, "import", tmp_path, "--data", tmp_path / "data", "--format", "mm-imdb")
    assert result.exit_code == 2 and "expected <id>.json files" in result.stderr


def test_check_reports_what_is_wrong(tmp_path, run):
    write_table(tmp_path / "films.csv", ["id", "title", "year", "overview", "genres"], ["a", "", "", "Same text", "A"],
                ["a", "", "", "same  TEXT!", "B"], ["b", "", "", "", ""])
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "a.jpg").write_bytes(b"<html>")
    (tmp_path / "posters" / "z.jpg").write_bytes(JPEG)
    summary = check(tmp_path)
    assert (summary.duplicate_ids, summary.repeated_overviews) == (["a"], ["a", "a"])
    assert (summary.posters_missing, summary.posters_of_no_film) == (["b"], ["z"])
    assert (summary.without_overview, summary.without_genres) == (["b"], ["b"])
    assert list(summary.posters_unreadable) == ["a"] and "not_an_image" in summary.posters_unreadable["a"]
    result = run(genre_data, "check", "--data", tmp_path)
    assert result.exit_code == 0 and "not_an_image" in result.stderr


def test_check_of_no_data_says_how_to_get_them(tmp_path, run):
    result = run(genre_data, "check", "--data", tmp_path)
    assert result.exit_code == 2 and "no such file. Build it with: genre-data import SOURCE" in result.stderr
