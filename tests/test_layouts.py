"""Files as people have them, each imported, and shown before by `--preview`, which writes nothing."""

import csv
import gzip
import json
import sys
import zipfile

import pytest
from conftest import image_bytes
from import_faults import content
from test_importing import JPEG, mm_imdb, one_hot, plain, tmdb, write_table

from genre_cli.data import main as genre_data
from movie_genres.base.errors import InputError, MissingPackageError
from movie_genres.data import places, sources
from movie_genres.data.films import Film, poster_files, read_films
from movie_genres.data.genres import TMDB_GENRES
from movie_genres.data.importing import import_films
from movie_genres.data.json_tables import JsonTable
from movie_genres.data.layouts import read_source
from movie_genres.data.previewing import preview
from movie_genres.data.sources import ImportOptions

pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
parquet = pytest.importorskip("pyarrow.parquet")

PNG = image_bytes(format="PNG")
COLUMNS = ["id", "overview", "genres"]


def write_posters(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(JPEG + name.encode())


def plain_table(path):
    write_table(path, COLUMNS, ["1", "x", "A"])
    return path


def movielens(folder, posters=("tt0113228.jpg",)):
    write_table(folder / "movies.csv", ["movieId", "title", "genres"],
                [1, "Toy Story (1995)", "Adventure|Animation"], [3, "Grumpier Old Men (1995)", "Comedy|Romance"],
                [862, "Nameless", "(no genres listed)"])
    write_table(folder / "links.csv", ["movieId", "imdbId", "tmdbId"], [1, "0114709", 862], [3, "0113228", "15602"],
                [862, "", ""])
    write_table(folder / "ratings.csv", ["userId", "movieId", "rating"], [1, 1, 4.5])
    write_posters(folder / "posters", *posters)


def movielens_1m(folder):
    folder.mkdir()
    (folder / "movies.dat").write_bytes('1::"Toy" Story (1995)::Animation|Children\'s\n'
                                        "2::Les Misérables (1995)::Drama\r\n3::Odd\n".encode("latin-1"))
    (folder / "ratings.dat").write_text("1::1193::5::978300760\n")
    write_posters(folder / "posters", "2.jpg")


def movielens_100k(folder):
    folder.mkdir()
    rows = [("1", "Toy Story (1995)", 3, 5), ("2", "unknown", 0, 0)]
    (folder / "u.item").write_text("".join(
        f"{film_id}|{title}|01-Jan-1995||http://x|" + "|".join(str(int(flag in flags)) for flag in range(19)) + "\n"
        for film_id, title, *flags in rows), encoding="latin-1")
    write_posters(folder, "posters/1.jpg")


def numbered(folder):
    write_table(folder / "discover.csv", ["id", "title", "overview", "release_date", "genre_ids"],
                [550, "Fight Club", "An insomniac.", "1999-10-15", "[18, 53]"], [2, "", "A second.", "", "[]"])
    write_posters(folder / "posters", "550.jpg")


def flags(folder):
    write_table(folder / "films.csv", ["imdb_id", "title", "plot", "Released", "adult", "Drama", "Comedy"],
                ["tt1", "One", "A first.", "25 Dec 1995", "False", "1", "0"],
                ["tt2", "Two", "A second.", "N/A", "False", 0, 0])
    write_posters(folder / "posters", "tt1.jpg")


def several(folder):
    write_table(folder / "films.csv", ["id", "overview", "release_year", "genre_1", "genre_2"],
                ["a", "A first.", "1999.0", "Drama", "War"], ["b", "A second.", "", "", ""])
    write_posters(folder / "images", "a.jpg")


def json_lines(folder):
    films = [{"id": 1, "title": "One", "overview": "A first.\nAnd more.", "year": 1999,
              "genres": ["Drama", "Sci-Fi, Fantasy"], "poster": "images/abc.jpg"},
             {"id": 2, "overview": "A second.", "genres": None}]
    folder.mkdir(exist_ok=True)
    (folder / "films.jsonl").write_text("\n".join([*map(json.dumps, films), "", "{broken", "[1]"]) + "\n")
    write_posters(folder / "images", "abc.jpg")


def json_list(folder):
    films = [{"id": "1", "title": "One", "plot": ["A first."], "released": "1999", "genres": [{"id": 18, "name": "Drama"}]},
             {"id": "2", "plot": [], "genres": []}]
    folder.mkdir(exist_ok=True)
    (folder / "films.json").write_text(" " + json.dumps(films))
    write_posters(folder / "posters", "1.jpg")


def table_of(*rows):
    """Rows (id, overview, numbers of genres, picture) as Hugging Face's `datasets` writes them."""
    label = {"names": ["Drama", "War"], "_type": "ClassLabel"}
    about = {"info": {"features": {"genres": {"feature": label, "_type": "List"}, "image": {"_type": "Image"}}}}
    schema = pyarrow.schema([
        ("id", pyarrow.int64()), ("overview", pyarrow.string()), ("genres", pyarrow.list_(pyarrow.int64())),
        ("image", pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())]))],
        metadata={"huggingface": json.dumps(about)})
    names = COLUMNS + ["image"]
    return pyarrow.Table.from_pylist([dict(zip(names, row)) for row in rows], schema)


def hugging_face(folder):
    data = folder / "data"
    data.mkdir(parents=True)
    (folder / "README.md").write_text("---\n---\n")
    for number, row in enumerate([(7, "A first.", [0, 1], {"bytes": PNG, "path": None}), (8, "A second.", [], None)]):
        parquet.write_table(table_of(row), data / f"train-0000{number}-of-00002.parquet")


def parts(folder):
    for part, rows in {"train": [("a.jpg", "x", "A"), ("b.jpg", "y", "B")], "test": [("a.jpg", "z", "A")]}.items():
        write_table(folder / part / "metadata.csv", ["file_name", "text", "label"], *rows)
        write_posters(folder / part, *(row[0] for row in rows))
    write_posters(folder / "test", "spare.jpg")


def packed(folder):
    folder.mkdir()
    with gzip.open(folder / "films.csv.gz", "wt") as file:
        file.write("id,overview,genres\n1,x,A|B\n2,y,\n")
    write_posters(folder / "posters", "1.jpg")


def genre_folders(folder):
    write_posters(folder, "Comedy/tt1.jpg", "Drama/tt2.jpg")
    (folder / "Drama" / "tt1.jpg").write_bytes((folder / "Comedy" / "tt1.jpg").read_bytes())


LAYOUTS = {  # how to build it, its layout, the films, the ids with posters, what the preview tells
    "MovieLens": (movielens, "movielens", [
        Film("1", "Toy Story", "1995", "", ("Adventure", "Animation")), Film("3", "Grumpier Old Men", "1995", "", (
            "Comedy", "Romance")), Film("862", "Nameless")], ["3"],
        ["id movieId", "year at the end of the title", "split at '|' (2)", "files named by the imdbId with tt"]),
    "MovieLens of 1 million": (movielens_1m, "movielens", [
        Film("1", '"Toy" Story', "1995", "", ("Animation", "Children's")),
        Film("2", "Les Misérables", "1995", "", ("Drama",))], ["2"],
        ["table movies.dat", "skipped 1 rows whose number of cells differs"]),
    "MovieLens of 100,000": (movielens_100k, "movielens", [
        Film("1", "Toy Story", "1995", "", ("Animation", "Comedy")), Film("2", "unknown")], ["1"],
        ["table u.item", "1 films have unknown, which says that the genre is unknown"]),
    "parts": (parts, "table", [
        Film("test-a.jpg", overview="z", genres=("A",)), Film("train-a.jpg", overview="x", genres=("A",)),
        Film("b.jpg", overview="y", genres=("B",))], ["b.jpg", "test-a.jpg", "train-a.jpg"],
        ["parts test, train", "1 ids stand in several of test, train", "1 posters belong to no row"]),
    "packed by gzip": (packed, "table", [
        Film("1", overview="x", genres=("A", "B")), Film("2", overview="y")], ["1"], ["table films.csv.gz"]),
    "TMDB's numbers": (numbered, "table", [
        Film("550", "Fight Club", "1999", "An insomniac.", ("Drama", "Thriller")), Film("2", overview="A second.")], ["550"],
        ["genres genre_ids: lists (2)", "year release_date"]),
    "columns of 0 and 1": (flags, "table", [
        Film("tt1", "One", "1995", "A first.", ("Drama",)), Film("tt2", "Two", "", "A second.")], ["tt1"],
        ["genres 2 columns of 0 and 1: Drama, Comedy", "without a single film, left out: Comedy", "were taken as genres"]),
    "several columns": (several, "table", [
        Film("a", "", "1999", "A first.", ("Drama", "War")), Film("b", overview="A second.")], ["a"],
        ["genres genre_1, genre_2: one a cell (2)"]),
    "JSON Lines": (json_lines, "table", [
        Film("1", "One", "1999", "A first.\nAnd more.", ("Drama", "Sci-Fi, Fantasy")),
        Film("2", overview="A second.")], ["1"],
        ["table films.jsonl", "genres genres: lists (1)", "skipped 2 lines that are no JSON object (first: 4)",
         "poster poster or else files named by the id"]),
    "JSON list": (json_list, "table", [Film("1", "One", "1999", "A first.", ("Drama",)), Film("2")], ["1"],
                  ["table films.json", "overview plot"]),
    "Hugging Face": (hugging_face, "table", [
        Film("7", overview="A first.", genres=("Drama", "War")), Film("8", overview="A second.")], ["7"],
        ["table train-00000-of-00002.parquet", "poster image"]),
    "a folder per genre": (genre_folders, "genre-folders", [Film("tt1", genres=("Comedy", "Drama")),
                                                            Film("tt2", genres=("Drama",))], ["tt1", "tt2"],
                           ["names of folders: Comedy, Drama"]),
}


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path


@pytest.mark.parametrize("in_zip", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("build, layout, films, posters, told", LAYOUTS.values(), ids=LAYOUTS)
def test_files_as_people_have_them(tmp_path, run, build, layout, films, posters, told, in_zip):
    build(tmp_path / "source")
    source = zipped(tmp_path / "source", tmp_path / "source.zip") if in_zip else tmp_path / "source"
    before = content(tmp_path)
    shown = run(genre_data, "import", source, "--data", tmp_path / "data", "--preview")
    text = " ".join(shown.stderr.split())
    assert shown.exit_code == 0 and content(tmp_path) == before and not (tmp_path / "data").exists(), shown.output
    missing = len(films) - len(posters)
    wanted = [f"layout {layout}", f"films {len(films)}", f"posters {len(posters)} found, {missing} missing"]
    assert [part for part in (*wanted, *told) if part not in text] == [], text
    result = run(genre_data, "import", source, "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    assert read_films(tmp_path / "data") == films and sorted(poster_files(tmp_path / "data")) == posters


@pytest.mark.parametrize("build, films, posters", [(one_hot, 2, 1), (mm_imdb, 2, 1), (tmdb, 2, 1), (plain, 2, 1)])
def test_the_preview_tells_of_older_layouts_too(tmp_path, run, build, films, posters):
    (tmp_path / "source").mkdir()
    build(tmp_path / "source")
    before = content(tmp_path)
    found = preview(tmp_path / "source")
    assert (found.films, found.posters, found.genres) == (films, posters, {"Comedy": 1, "Drama": 1})
    assert [(film.overview, has) for film, has in found.first] == [("A first, comma and all.", True), ("A second.", False)]
    assert content(tmp_path) == before
    result = run(genre_data, "import", tmp_path / "source", "--preview", "--track")
    assert result.exit_code == 2 and "--preview writes nothing" in result.stderr


def test_a_preview_shows_hostile_text_as_it_is_and_is_refused_as_an_import_is(tmp_path, run):
    write_table(tmp_path / "t.csv", COLUMNS, ["[red]a\x1b[2J", "x" * 500, "[bold]B"])
    result = run(genre_data, "import", tmp_path / "t.csv", "--preview")
    assert result.exit_code == 0 and "[red]a [2J" in result.stderr and "\x1b" not in result.stderr
    write_table(tmp_path / "t.csv", COLUMNS, ["../a", "x", "B"])
    assert "found the id '../a'" in run(genre_data, "import", tmp_path / "t.csv", "--preview").stderr


@pytest.mark.parametrize("columns, row, arguments, genres", [
    (["id", "text", "a", "b"], ["1", "x", "Drama", "War|Comedy"], ["a", "b"], ("Drama", "War", "Comedy")),
    (["id", "text", "A", "B", "genres"], ["1", "x", 1, 0, "Z"], ["A", "B"], ("A",)),
    (["id", "text", "genre_A", "genre_B", "is_new"], ["1", "x", "true", "false", 1], [], ("A",)),
    (["id", "text", "genre_A"], ["1", "x", "1.0"], [], ("A",)),
    (["id", "text", "genre_ids"], ["1", "x", "28|10751"], [], ("Action", "Family")),
    (["id", "text", "Genre 1", "Genre 2"], ["1", "x", "Drama", ""], [], ("Drama",))])
def test_where_genres_stand(tmp_path, run, columns, row, arguments, genres):
    write_table(tmp_path / "t.csv", columns, row)
    options = [part for name in arguments for part in ("--genres-column", name)]
    result = run(genre_data, "import", tmp_path / "t.csv", "--data", tmp_path / "data", *options)
    assert result.exit_code == 0, result.output
    assert read_films(tmp_path / "data")[0].genres == genres


@pytest.mark.parametrize("columns, row, named, message", [
    (["adult", "video", "Unnamed: 0", "seen", "train", "is_test"], [0, 1, 0, 1, 0, 1], (), "a column named one of genres"),
    (["Drama", "bought", "lent"], [0, 1, 0], (), "columns of 0 and 1 with other names: Drama, bought, lent"),
    (["Drama", "Comedy"], [1, ""], (), "0 or 1 in the genre column 'Comedy'; found an empty cell in row 2"),
    (["genre_A", "genre_B"], [1, ""], (), "0 or 1 in the genre column 'genre_B'; found an empty cell in row 2"),
    (["genre_A", "genre_B"], [1, "maybe"], (), "'genre_B'; found something else in row 2"),
    (["A", "B"], [1, ""], ("A", "B"), "'B'; found an empty cell in row 2"),
    (["genre_id"], [18], (), "a column named one of genres"), (["genre_id"], [1], (), "a column named one of genres")])
def test_columns_that_are_no_genres_or_not_whole_are_told(tmp_path, columns, row, named, message):
    write_table(tmp_path / "t.csv", ["id", "text", *columns], ["1", "x", *(1 for _ in row)], ["2", "x", *row])
    with pytest.raises(InputError, match=message) as error:
        read_source(tmp_path / "t.csv", options=ImportOptions(genres_column=named))
    assert error.value.setting == "genres_column"


def test_columns_of_0_and_1_are_not_guessed_where_corrections_give_the_labels(tmp_path):
    write_table(tmp_path / "t.csv", ["id", "text", "Drama", "Comedy"], ["1", "x", 0, 1])
    write_table(tmp_path / "corrections.csv", ["id", "genres"], ["1", "War"])
    options = ImportOptions(corrections=tmp_path / "corrections.csv")
    assert read_source(tmp_path / "t.csv", options=options)[1].films[0].genres == ()


@pytest.mark.parametrize("numbers, message", [("[18, 3]", "found 3"), ("[3, 10765]", "found 3, besides those of its genres"),
                                              ("[10765]", "found those of its genres of series only")])
def test_numbers_that_are_not_tmdbs_are_refused(tmp_path, numbers, message):
    write_table(tmp_path / "t.csv", ["id", "text", "genre_ids"], ["1", "x", numbers])
    with pytest.raises(InputError, match=f"numbers that TMDB gives genres of films; {message}"):
        read_source(tmp_path / "t.csv")


def test_numbers_of_series_are_left_out_with_a_note(tmp_path):
    write_table(tmp_path / "t.csv", ["id", "text", "Genre Ids"], ["1", "x", "[18, 10765]"])
    _, source = read_source(tmp_path / "t.csv")
    assert source.films[0].genres == ("Drama",)
    assert "numbers of TMDB's genres of series were left out: 1" in source.notes


@pytest.mark.parametrize("value, year", [("1995-12-25", "1995"), ("25 Dec 1995", "1995"), ("12/25/2031", "2031"), ("", ""),
                                         ("soon", ""), ("31995", "")])
def test_years_of_dates(tmp_path, value, year):
    write_table(tmp_path / "t.csv", ["id", "text", "genres", "Release Date"], ["1", "x", "A", value])
    assert read_source(tmp_path / "t.csv")[1].films[0].year == year


def test_all_of_tmdbs_genres_have_their_names():
    assert len(TMDB_GENRES) == len(set(TMDB_GENRES.values())) == 19


@pytest.mark.parametrize("posters, found", [(["862.jpg", "15602.jpg"], {"1": "862.jpg", "3": "15602.jpg"}),
                                            (["1.jpg", "862.jpg"], {"1": "1.jpg", "862": "862.jpg"}),
                                            (["0114709.jpg"], {"1": "0114709.jpg"}), ([], {})])
def test_posters_of_movielens_are_named_by_one_kind_of_id(tmp_path, posters, found):
    movielens(tmp_path, posters)
    _, source = read_source(tmp_path)
    assert {film_id: poster.name for film_id, poster in source.posters.items()} == found


@pytest.mark.parametrize("column, cells, posters, found", [
    ("poster", ["0.jpg", "1.jpg", "2.jpg"], ["0.jpg", "1.jpg", "2.jpg"], {"1": "0.jpg", "2": "1.jpg", "3": "2.jpg"}),
    ("poster", ["2.jpg", "", "b.jpg"], ["2.jpg", "3.jpg"], {"1": "2.jpg", "3": "3.jpg"}),  # 2.jpg is the first film's
    ("tmdb_id", ["2", "3.0", "4"], ["2.jpg", "3.jpg", "4.jpg"], {"1": "2.jpg", "2": "3.jpg", "3": "4.jpg"}),
    ("tmdb_id", ["2", "7", "8"], ["2.jpg"], {"2": "2.jpg"}), ("tmdb_id", ["2", "7", "8"], [], {})])
def test_posters_are_those_that_the_table_names_or_else_named_by_one_kind_of_id(tmp_path, column, cells, posters, found):
    write_table(tmp_path / "t.csv", [*COLUMNS, column], *([number, "x", "A", cell] for number, cell in enumerate(cells, 1)))
    write_posters(tmp_path / "posters", *posters)
    _, source = read_source(tmp_path)
    assert {film_id: poster.name for film_id, poster in source.posters.items()} == found
    assert sorted(f"{name}.jpg" for name in source.spare) == sorted({*posters} - {*found.values()})


@pytest.mark.parametrize("folder, name", [("images/", "films.csv"), ("", "metadata.csv"), ("", "metadata.jsonl")])
def test_names_of_files_as_ids(tmp_path, folder, name):
    rows = [("a.jpg", "x", "A"), ("b.PNG", "y", "A"), ("b", "z", "A")]
    if name.endswith("csv"):
        write_table(tmp_path / name, ["file_name", "text", "label"], *rows)
    else:
        (tmp_path / name).write_text("\n".join(json.dumps(dict(zip(("file_name", "text", "label"), row))) for row in rows))
    write_posters(tmp_path, f"{folder}a.jpg", f"{folder}b.PNG")
    assert {film_id: poster.name for film_id, poster in read_source(tmp_path)[1].posters.items()} == {
        "a.jpg": "a.jpg", "b": "b.PNG"}


@pytest.mark.parametrize("name, text", [("t.jsonl.gz", '{"id": 1, "text": "x", "genres": ["A"]}\n'),
                                        ("t.json.gz", '[{"id": 1, "text": "x", "genres": ["A"]}]'),
                                        ("t.tsv.gz", "id\ttext\tgenres\n1\tx\tA\n")])
def test_packed_tables_alone_and_in_a_folder(tmp_path, name, text):
    (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    for path in (tmp_path, tmp_path / name):
        assert read_source(path)[1].films == [Film("1", overview="x", genres=("A",))]


@pytest.mark.parametrize("packed, message", [
    (b"id,text,genres\n", "expected a whole gzip file; found Not a gzipped file"),
    (gzip.compress(b"id,text,genres\n" * 1000, mtime=0)[:-20], "expected a whole gzip file")], ids=["plain", "cut short"])
def test_what_is_not_packed_by_gzip_is_told(tmp_path, packed, message):
    (tmp_path / "t.csv.gz").write_bytes(packed)
    with pytest.raises(InputError, match=message):
        read_source(tmp_path / "t.csv.gz")


def test_of_a_packed_table_no_more_is_read_than_of_one_in_an_archive(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("t.csv.gz", gzip.compress(b"id,text,genres\n" + b"1,x,A\n" * 1000))
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"id,text,genres\n" + b"1,x,A\n" * 1000))
    assert len(read_source(tmp_path / "t.zip")[1].films) == 1000
    monkeypatch.setattr(places, "MAX_TABLE", 2000)
    for name in ("t.zip", "t.csv.gz"):
        with pytest.raises(InputError, match="more than 2,000 bytes"):
            read_source(tmp_path / name)


def test_parts_share_the_posters_of_a_folder_that_is_named(tmp_path):
    for part, film_id in {"train": "1", "valid": "2"}.items():
        write_table(tmp_path / "source" / part / "films.csv", COLUMNS, [film_id, "x", "A"])
    write_posters(tmp_path / "all", "1.jpg", "2.jpg", "3.jpg")
    _, source = read_source(tmp_path / "source", options=ImportOptions(posters=tmp_path / "all"))
    assert [film.id for film in source.films] == ["1", "2"] and source.origins == (
        tmp_path / "source" / "train", tmp_path / "source" / "valid")
    assert ({film_id: file.name for film_id, file in source.posters.items()}, list(source.spare)) == (
        {"1": "1.jpg", "2": "2.jpg"}, ["3"])


def test_ids_with_the_name_of_a_part_before_them_are_still_of_one_film_each(tmp_path):
    write_table(tmp_path / "train" / "f.csv", COLUMNS, ["x", "1", "A"], ["test-x", "2", "A"])
    write_table(tmp_path / "test" / "f.csv", COLUMNS, ["x", "3", "A"])
    write_posters(tmp_path, "train/posters/x.jpg", "train/posters/test-x.jpg", "test/posters/x.jpg")
    _, source = read_source(tmp_path)
    assert {film.id: film.overview for film in source.films} == {"train-x": "1", "test-x": "2", "test-test-x": "3"}
    assert {film_id: file.path.parts[-3:] for film_id, file in source.posters.items()} == {
        "train-x": ("train", "posters", "x.jpg"), "test-x": ("train", "posters", "test-x.jpg"),
        "test-test-x": ("test", "posters", "x.jpg")}


@pytest.mark.parametrize("film_id", ["", ".x"])
def test_what_is_no_id_does_not_become_one_in_parts(tmp_path, film_id):
    for part in ("train", "test"):
        write_table(tmp_path / part / "f.csv", COLUMNS, [film_id, "x", "A"], [f"{part}1", "x", "A"])
    with pytest.raises(InputError, match=f"found the id '{film_id}'"):
        import_films(tmp_path, tmp_path / "out" / "data")


def test_no_part_that_was_read_is_replaced(tmp_path):
    import_films(plain_table(tmp_path / "t.csv"), tmp_path / "source" / "test")
    write_table(tmp_path / "source" / "train" / "f.csv", COLUMNS, ["2", "x", "A"])
    with pytest.raises(InputError, match="a folder apart from what is imported"):
        import_films(tmp_path / "source", tmp_path / "source" / "test")


def test_parts_that_are_not_read_are_told_and_what_differs_is_shown(tmp_path):
    write_table(tmp_path / "test" / "f.csv", COLUMNS, ["1", "x", "A"])
    write_table(tmp_path / "train" / "f.csv", ["id", "plot", "genre"], ["2", "x", "A;B"])
    (tmp_path / "dev").mkdir()
    for name in ("a.csv", "b.csv"):
        write_table(tmp_path / "val" / name, COLUMNS, ["3", "x", "A"])
    found = preview(tmp_path)
    assert (found.films, "val: not read: it is no table" in found.notes, any("dev" in note for note in found.notes)) == (
        2, True, False)
    assert (found.understood["overview"], found.understood["id"]) == ("test: overview; train: plot", "id")


def test_posters_of_parts_are_called_alike_in_a_folder_and_in_an_archive(tmp_path):
    write_posters(tmp_path / "source", "train/a.jpg", "test/a.jpg")
    write_table(tmp_path / "corrections.csv", ["id", "genres"], ["test%2Fa", "Drama"])
    options = ImportOptions(corrections=tmp_path / "corrections.csv")
    for source in (tmp_path / "source", zipped(tmp_path / "source", tmp_path / "source.zip")):
        import_films(source, tmp_path / "data", options=options)
        poster, = poster_files(tmp_path / "data").values()
        assert poster.read_bytes().endswith(b"test/a.jpg") and read_films(tmp_path / "data")[0].genres == ("Drama",)


@pytest.mark.parametrize("name, content", [("movies.dat", b"\0\1"), ("movies.dat", b"id\ttitle\n1\tx\n"), ("u.item", b""),
                                           ("u.item", b"|".join([b"x"] * 24)), ("movies.dat", None)])
def test_what_only_has_the_name_of_an_older_movielens_is_none(tmp_path, name, content):
    plain_table(tmp_path / "films.csv")
    if content is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(content)
    layout, source = read_source(tmp_path)
    assert layout == "table" and len(source.films) == 1


def test_an_older_movielens_with_a_mark_of_its_encoding_and_a_blank_line(tmp_path):
    (tmp_path / "movies.dat").write_bytes(b"\xef\xbb\xbf1::Toy Story (1995)::Comedy\n\n")
    _, source = read_source(tmp_path)
    assert (source.films, source.notes) == ([Film("1", "Toy Story", "1995", "", ("Comedy",))], [])


def test_a_packed_copy_beside_its_table_is_no_other_table(tmp_path):
    plain_table(tmp_path / "films.csv")
    (tmp_path / "films.csv.gz").write_bytes(gzip.compress(b"broken"))
    assert len(read_source(tmp_path)[1].films) == 1


@pytest.mark.parametrize("files, films", [
    (["train/Comedy/1.jpg", "train/Drama/2.jpg", "test/Comedy/3.jpg"], {"1": "Comedy", "2": "Drama", "3": "Comedy"}),
    (["Comedy/1.jpg", "Drama/2.jpg", "train/War/3.jpg", "test/4.jpg"], {"1": "Comedy", "2": "Drama", "3": "War"}),
    (["train/1.jpg", "test/2.jpg"], None), (["train.csv", "test.csv", "Comedy/1.jpg", "Drama/2.jpg"], None)])
def test_parts_of_a_data_set_are_no_genres(tmp_path, files, films):
    write_posters(tmp_path, *files)
    for table in tmp_path.glob("*.csv"):
        write_table(table, COLUMNS, ["1", "x", "A"])
    if films is None:
        with pytest.raises(InputError, match="expected a known layout"):
            read_source(tmp_path)
    else:
        assert {film.id: film.genres for film in read_source(tmp_path)[1].films} == {
            film_id: (genre,) for film_id, genre in films.items()}


def test_a_folder_per_genre_beside_a_table_is_read_by_its_name(tmp_path):
    write_posters(tmp_path, "Comedy/1.jpg", "Drama/2.jpg")
    for name in ("a.csv", "b.csv"):
        write_table(tmp_path / name, COLUMNS, ["1", "x", "A"])
    assert len(read_source(tmp_path, "genre-folders")[1].films) == 2


@pytest.mark.parametrize("text", ["", "Comedy\nDrama\n", "Posters of films.\n\nSee above, and below.\n"])
def test_a_text_beside_folders_is_no_table(tmp_path, text):
    genre_folders(tmp_path)
    (tmp_path / "README.txt").write_text(text)
    assert read_source(tmp_path)[0] == "genre-folders"


def test_a_picture_under_several_names_is_left_out(tmp_path):
    write_posters(tmp_path, "Comedy/1.jpg", "Comedy/2.jpg", "Drama/3.jpg", "Drama/4.jpg")
    for name in ("Comedy/2.jpg", "Drama/3.jpg"):
        (tmp_path / name).write_bytes(JPEG + b"no poster")
    _, source = read_source(tmp_path)
    assert [(film.id, film.genres) for film in source.films] == [("1", ("Comedy",)), ("4", ("Drama",))]
    assert "left out 2 posters: the same picture under several names (first: 2.jpg)" in source.notes


def test_different_posters_with_one_name_are_films_of_their_own(tmp_path):
    write_posters(tmp_path, "train/Comedy/1.jpg", "train/Drama/1.jpg", "test/Drama/2.jpg")
    _, source = read_source(tmp_path)
    assert [(film.id, film.genres) for film in source.films] == [
        ("2", ("Drama",)), ("train-Comedy-1", ("Comedy",)), ("train-Drama-1", ("Drama",))]
    assert any("2 different posters have a name that another one has too" in note for note in source.notes)


def test_folders_of_pictures_that_lead_out_are_not_read(tmp_path):
    write_posters(tmp_path / "elsewhere", "Secret/1.jpg")
    write_posters(tmp_path / "source", "Comedy/2.jpg", "Drama/3.jpg")
    (tmp_path / "source" / "War").symlink_to(tmp_path / "elsewhere" / "Secret")
    assert [film.id for film in read_source(tmp_path / "source")[1].films] == ["2", "3"]


# --- JSON and Parquet, neither of which is trusted -------------------------------------------------------------------

@pytest.mark.parametrize("text, message", [
    ("", "found no object"), ("[1]\n", "found no object"), ("{}\n", "found no object"), ("[" * 100_000, "found no object"),
    (json.dumps({str(number): 1 for number in range(10_001)}), "at most 10,000 columns"),
    ("\xff", "expected text in UTF-8")])
def test_json_lines_that_are_none(tmp_path, text, message):
    (tmp_path / "t.jsonl").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        read_source(tmp_path / "t.jsonl")


@pytest.mark.parametrize("text, message", [("{}", "found no object"), ("{\n}", "found no object"), ("[1", "a JSON list"),
                                           ("[]", "no object")])
def test_json_lists_that_are_none(tmp_path, text, message):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_source(tmp_path / "t.json")


def test_a_json_list_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("movie_genres.data.json_tables.MAX_LIST_FILE", 1)
    (tmp_path / "t.json").write_text("[]")
    with pytest.raises(InputError, match="at most 1 characters"):
        JsonTable(tmp_path / "t.json")


def test_a_json_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("movie_genres.data.tables.MAX_ROW", 1000)
    (tmp_path / "t.jsonl").write_text('{"id": "' + "x" * 2000)
    with pytest.raises(InputError, match="rows of at most 1,000 characters"):
        read_source(tmp_path / "t.jsonl")


@pytest.mark.parametrize("value", [None, 1, 1.5, float("nan"), True, [], [[]], {}, "", [None], 10 ** 4000, "\ud800",
                                   "9" * 400])
@pytest.mark.parametrize("key", ["id", "title", "overview", "year", "genres", "poster"])
def test_odd_values_end_no_import(tmp_path, key, value):
    films = [{"id": "1", "title": "t", "overview": "o", "year": 1, "genres": "A", "poster": "p.jpg"}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, [*films, {**films[0], "id": "2", key: value}])))
    try:
        import_films(tmp_path / "t.jsonl", tmp_path / "data")
    except InputError as error:
        assert key == "id" and "found the id " in str(error), error
    else:
        assert read_films(tmp_path / "data")[0].id == "1"


def test_pictures_in_cells_without_ids_or_overviews(tmp_path):
    rows = [{"image": {"bytes": data, "path": path}, "label": label} for data, path, label in [
        (JPEG, "a/x.PNG", "Drama"), (None, "posters/y.jpg", "War"), (PNG, None, "War"), (b"", None, "War")]]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "t.parquet")
    write_posters(tmp_path / "posters", "y.jpg")
    _, source = read_source(tmp_path)
    assert [(film.id, film.genres) for film in source.films] == [
        ("0000001", ("Drama",)), ("0000002", ("War",)), ("0000003", ("War",)), ("0000004", ("War",))]
    import_films(tmp_path, tmp_path / "out" / "data")
    posters = {path.name: path.read_bytes() for path in poster_files(tmp_path / "out" / "data").values()}
    assert posters == {"0000001.png": JPEG, "0000002.jpg": JPEG + b"y.jpg", "0000003.png": PNG}


def test_pictures_in_cells_are_read_in_any_order(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "HELD", 3)
    rows = [(number, "x", [0], {"bytes": JPEG + bytes([number]), "path": None}) for number in range(20)]
    parquet.write_table(table_of(*rows), tmp_path / "t.parquet", row_group_size=4)
    _, source = read_source(tmp_path / "t.parquet")
    for number in (5, 4, 19, 0, 7, 6, 1):
        assert source.posters[str(number)].read(10_000) == JPEG + bytes([number])
    with pytest.raises(OSError, match="more than 10 bytes"):
        source.posters["3"].read(10)


def test_lists_that_stand_for_too_much_are_refused(tmp_path):
    parquet.write_table(table_of((1, "x", [0] * 5_000_000, None)), tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").stat().st_size < 200_000
    with pytest.raises(InputError, match="lists of at most 1,000 entries"):
        read_source(tmp_path / "t.parquet")


def test_long_lists_of_another_column_are_not_read_in_search_of_genres(tmp_path):
    row = {"id": "1", "overview": "x", "Drama": 1, "Comedy": 0, "embedding": [1.0] * 1280, "thumb": b"1"}
    parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "t.parquet")
    assert read_source(tmp_path / "t.parquet")[1].films[0].genres == ("Drama",)
    with pytest.raises(InputError, match="in the column 'embedding'; found 1,280 a row"):
        read_source(tmp_path / "t.parquet", options=ImportOptions(genres_column=("embedding",)))


def test_files_with_their_columns_in_another_order_are_one_table(tmp_path):
    row = {"id": "1", "overview": "x", "genres": "Drama"}
    for number, names in enumerate([COLUMNS, COLUMNS[::-1]]):
        film = {name: row[name] for name in names} | {"id": str(number)}
        parquet.write_table(pyarrow.Table.from_pylist([film]), tmp_path / f"{number}.parquet")
    assert read_source(tmp_path)[1].films == [Film(str(number), overview="x", genres=("Drama",)) for number in range(2)]


def test_lines_of_json_whatever_the_files_suffix(tmp_path):
    films = [{"id": str(number), "overview": "x", "genres": ["A"]} for number in range(2)]
    (tmp_path / "films.json").write_text("\n".join(map(json.dumps, films)))
    (tmp_path / "about.json").write_text('{"version": 1}\n')
    for source in (tmp_path, tmp_path / "films.json"):
        assert [film.id for film in read_source(source)[1].films] == ["0", "1"]


def test_shards_that_are_missing_are_told(tmp_path):
    hugging_face(tmp_path)
    (tmp_path / "data" / "train-00001-of-00002.parquet").unlink()
    assert "train: only 1 of 2 files are there" in read_source(tmp_path)[1].notes


def test_a_parquet_file_that_is_none_or_has_no_reader(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(InputError, match="a Parquet file"):
        read_source(tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match="Parquet needs the package pyarrow"):
        read_source(tmp_path / "t.parquet")


def test_options_name_what_is_unusual(tmp_path):
    (tmp_path / "t.jsonl").write_text(json.dumps({"nr": 1, "story": "x", "kinds": ["A"]}))
    options = ImportOptions(id_column="nr", text_column="story", genres_column=("kinds",))
    assert read_source(tmp_path / "t.jsonl", options=options)[1].films == [Film("1", overview="x", genres=("A",))]


def test_a_header_in_quotes_tells_the_delimiter(tmp_path):
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["id", "overview", "genre_a;b;c;d;e;f"], ["1", "x", "1"]])
    assert read_source(tmp_path / "t.csv")[1].films[0].genres == ("a;b;c;d;e;f",)
