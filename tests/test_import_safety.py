"""What an import must never do: lose data, read what it was not given, wait for ever, or end in a traceback."""

import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import filelock
import pytest
from conftest import image_bytes
from import_faults import content
from test_importing import mm_imdb, one_hot, plain, tmdb, write_table

from demo.generate import write_demo
from genre_cli import common
from genre_cli.data import main as genre_data
from movie_genres.base.errors import InputError, LockedError
from movie_genres.data import importing, places
from movie_genres.data.films import poster_files, read_films
from movie_genres.data.importing import MARKER, import_films, recover
from movie_genres.data.layouts import ImportOptions, read_source
from movie_genres.inputs.caps import Caps

JPEG = image_bytes()
COLUMNS = ["id", "overview", "genres"]


@pytest.fixture
def source(tmp_path):
    plain(tmp_path / "source")
    return tmp_path / "source"


@pytest.fixture
def data(tmp_path, source):
    import_films(source, tmp_path / "data")
    return tmp_path / "data"


def add_git(data):
    (data / ".git").mkdir()


def remove_poster(data):
    (data / "posters" / "x1.jpg").unlink()


def grow_poster(data):
    (data / "posters" / "x1.jpg").write_bytes(JPEG + b"!")


def move_posters(data):
    (data / "posters").rename(data.parent / "elsewhere")
    (data / "posters").symlink_to(data.parent / "elsewhere")


@pytest.mark.parametrize("change", [
    add_git, remove_poster, grow_poster, move_posters,
    lambda data: (data / "notes.txt").write_text("mine"),
    lambda data: (data / "films.csv").write_text((data / "films.csv").read_text() + "x3,,,mine,Drama\n"),
    lambda data: (data / "posters" / "x3.jpg").write_bytes(JPEG),
    lambda data: (data / "posters" / "sub").mkdir(),
    lambda data: (data / "films.csv").unlink(),
    lambda data: (data / MARKER).unlink(),
    lambda data: (data / MARKER).write_text("{}"),
    lambda data: (data / MARKER).write_text("[" * 100_000),
    lambda data: ((data / MARKER).unlink(), os.mkfifo(data / MARKER)),
    lambda data: (data / MARKER).write_text((data / MARKER).read_text().replace("1", "2", 1)),
])
def test_a_users_own_work_is_not_replaced(data, source, run, change):
    change(data)
    before = content(data)
    result = run(genre_data, "import", source, "--data", data)
    assert result.exit_code == 2 and "Move it away, or give another" in result.stderr, result.stderr
    assert content(data) == before and not (data.parent / ".data-import").exists()


def test_the_folder_of_a_user_is_not_replaced(tmp_path, source):
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "diary.txt").write_text("mine")
    with pytest.raises(InputError, match="found one without the mark of an import: diary.txt"):
        import_films(source, tmp_path / "films")
    assert (tmp_path / "films" / "diary.txt").read_text() == "mine"


def test_work_done_during_an_import_is_not_replaced(data, source, monkeypatch):
    real = importing._build

    def build(*arguments):
        (data / "notes.txt").write_text("mine")
        return real(*arguments)

    monkeypatch.setattr(importing, "_build", build)
    with pytest.raises(InputError, match="found also notes.txt"):
        import_films(source, data)
    assert (data / "notes.txt").read_text() == "mine" and sorted(os.listdir(data.parent)) == ["data", "source"]


def test_an_empty_folder_and_the_demo_may_be_replaced(tmp_path, source):
    (tmp_path / "empty").mkdir()
    write_demo(tmp_path / "demo", count=13)
    for name in ("empty", "demo", "deep/down/new"):
        import_films(source, tmp_path / name)
        assert len(read_films(tmp_path / name)) == 2


def test_a_link_stays_and_the_folder_behind_it_is_replaced(tmp_path, source, data):
    mm_imdb(tmp_path / "other")
    (tmp_path / "link").symlink_to(data)
    import_films(tmp_path / "other", tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and list(poster_files(data)) == ["0001"]


def test_a_target_that_can_be_no_folder_is_refused(tmp_path, source, run):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone" / "data")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "fifo")
    for target in ("file", "nowhere", "loop", "fifo", "file/data", "/", "/dev/null"):
        result = run(genre_data, "import", source, "--data", tmp_path / target)
        assert result.exit_code == 2 and "Traceback" not in result.stderr, (target, result.stderr)
    assert not (tmp_path / "gone").exists() and (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("where", ["data", "data/posters", "data/films.csv"])
def test_the_target_must_not_hold_the_source(tmp_path, data, run, where):
    before = content(data)
    result = run(genre_data, "import", tmp_path / where, "--data", data)
    assert result.exit_code == 2 and "a folder apart from what is imported" in result.stderr
    result = run(genre_data, "import", tmp_path, "--data", data)  # which finds its table
    (tmp_path / "link").symlink_to(tmp_path / where)
    linked = run(genre_data, "import", tmp_path / "link", "--data", data)
    assert linked.exit_code == 2 and content(data) == before


def test_the_target_must_not_hold_the_table_or_the_posters(tmp_path, data, source, run):
    shutil.rmtree(source)
    before = content(data)
    result = run(genre_data, "import", tmp_path, "--data", data)  # it finds the table in data/
    assert result.exit_code == 2 and "a folder apart from" in result.stderr
    write_table(tmp_path / "t" / "t.csv", COLUMNS, ["x1", "A", "B"])
    result = run(genre_data, "import", tmp_path / "t", "--data", data, "--posters", data / "posters")
    assert result.exit_code == 2 and "a folder apart from" in result.stderr and content(data) == before


def test_a_second_import_exits_with_75(data, source, run):
    staging = data.parent / ".data-import"
    staging.mkdir()
    before = content(data)
    with filelock.FileLock(staging / "lock"):
        result = run(genre_data, "import", source, "--data", data)
        assert result.exit_code == 75 and "another import into this folder is running" in result.stderr
        assert run(genre_data, "check", "--data", data).exit_code == 0 and staging.exists()
    assert content(data) == before
    import_films(source, data)
    assert not staging.exists()


def test_the_lock_is_held_until_the_swap_is_done(data, source, monkeypatch):
    real = importing._swap

    def swap(*arguments):
        with pytest.raises(LockedError):
            import_films(source, data)
        real(*arguments)

    monkeypatch.setattr(importing, "_swap", swap)
    import_films(source, data)
    assert sorted(os.listdir(data.parent)) == ["data", "source"]


@pytest.mark.parametrize("failing", [1, 2])
def test_a_swap_that_fails_is_undone(data, source, monkeypatch, failing):
    before, real, count = content(data), os.rename, 0

    def rename(*arguments):
        nonlocal count
        count += 1
        if count == failing:
            raise OSError(5, "Input/output error")
        real(*arguments)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OSError):
        import_films(source, data)
    assert content(data) == before and sorted(os.listdir(data.parent)) == ["data", "source"]


def test_an_import_killed_at_any_write_loses_nothing(tmp_path):
    script = Path(__file__).parent / "import_faults.py"
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) > 50


def test_check_puts_back_what_an_import_had_moved_away(data, run):
    before = content(data)
    staging = data.parent / ".data-import"
    (staging / "fresh").mkdir(parents=True)
    (staging / "lock").touch()
    data.rename(staging / "old")
    result = run(genre_data, "check", "--data", data)
    assert result.exit_code == 0 and content(data) == before and not staging.exists()
    recover(data)  # nothing to do


@pytest.mark.parametrize("names", [["fresh/w", "old/w"], ["lock", "notes"], ["lock/x"], ["lock", "old"]], ids=" ".join)
def test_a_staging_folder_of_somebody_else_is_left_alone(source, tmp_path, run, names):
    target = tmp_path / "mine"
    for name in names:
        (tmp_path / ".mine-import" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".mine-import" / name).write_text("mine")
    before = content(tmp_path / ".mine-import")
    assert run(genre_data, "import", source, "--data", target).exit_code == 2
    run(genre_data, "check", "--data", target)
    assert content(tmp_path / ".mine-import") == before and not target.exists()


def test_former_data_are_kept_where_somebody_filled_their_place(data, tmp_path, run):
    staging = data.parent / ".data-import"
    (staging / "fresh").mkdir(parents=True)
    (staging / "lock").touch()
    before = content(data)
    shutil.copytree(data, staging / "old")
    result = run(genre_data, "check", "--data", data)
    assert result.exit_code == 2 and "Move one of the two" in result.stderr
    assert content(staging / "old") == content(data) == before


def test_a_poster_that_changed_and_kept_its_size_is_somebodys_work(source, data, run):
    poster = next((data / "posters").iterdir())
    poster.write_bytes(poster.read_bytes()[:-4] + b"mine")
    assert run(genre_data, "import", source, "--data", data).exit_code == 2
    assert poster.read_bytes().endswith(b"mine")


# --- Sources that are not to be trusted -----------------------------------------------------------------------------

@pytest.fixture
def secret(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "x.jpg").write_bytes(JPEG)
    (tmp_path / "secret" / "x.csv").write_text("id,overview,genres\ns,secret,Drama\n")
    (tmp_path / "secret" / "x.json").write_text(json.dumps({"plot": ["secret"], "genres": ["Drama"]}))
    return tmp_path / "secret"


def open_socket(path):
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))


ODD = {"link out": lambda path: path.symlink_to(path.parents[2] / "secret" / "x.jpg"), "fifo": os.mkfifo,
       "device": lambda path: path.symlink_to("/dev/zero"), "socket": open_socket, "folder": os.mkdir,
       "dangling": lambda path: path.symlink_to("nothing"), "loop": lambda path: path.symlink_to(path.name),
       "large": lambda path: (path.touch(), os.truncate(path, Caps().bytes + 1))}


@pytest.mark.parametrize("odd", ODD)
def test_odd_posters_are_left_out_with_a_note(tmp_path, source, secret, odd, monkeypatch):
    monkeypatch.chdir(source / "posters")  # the path of a socket must be short
    ODD[odd](Path("x2.jpg") if odd == "socket" else source / "posters" / "x2.jpg")
    _, read = read_source(source)
    assert list(read.posters) == ["x1"]
    assert any("left out 1 posters" in note and "x2.jpg" in note for note in read.notes)
    import_films(source, tmp_path / "data")
    assert list(poster_files(tmp_path / "data")) == ["x1"]


def test_links_inside_the_source_are_followed(tmp_path, source):
    (source / "posters" / "x2.jpg").symlink_to("x1.jpg")
    import_films(source, tmp_path / "data")
    assert list(poster_files(tmp_path / "data")) == ["x1", "x2"]


@pytest.mark.parametrize("odd", ["link out", "fifo", "device", "large"])
def test_odd_json_files_are_left_out_with_a_note(tmp_path, secret, odd):
    mm_imdb(tmp_path / "mm" / "inner")
    ODD[odd](tmp_path / "mm" / "inner" / "0000.json")
    _, read = read_source(tmp_path / "mm")
    assert len(read.films) == 2 and any("JSON files" in note and "0000.json" in note for note in read.notes)


@pytest.mark.parametrize("odd", ["link out", "fifo", "device", "socket", "dangling"])
@pytest.mark.parametrize("build, name", [(one_hot, "IMDB_overview_genres.csv"), (tmdb, "movies_metadata.csv"),
                                         (plain, "films.csv")])
def test_odd_tables_are_refused(tmp_path, secret, run, odd, build, name, monkeypatch):
    inner = tmp_path / "s" / "inner"
    inner.mkdir(parents=True)
    build(inner)
    (inner / name).unlink()
    monkeypatch.chdir(inner)
    ODD[odd](Path(name) if odd == "socket" else inner / name)
    for source in (inner, tmp_path / "s"):
        result = run(genre_data, "import", source, "--data", tmp_path / "data")
        assert result.exit_code == 2 and name in result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("odd", ["fifo", "device", "socket", "dangling", "loop"])
def test_an_odd_source_is_refused_at_once(tmp_path, run, odd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ODD[odd](Path("x.csv"))
    result = run(genre_data, "import", "x.csv", "--data", tmp_path / "data")
    assert result.exit_code == 2 and "x.csv: expected a folder, a zip archive or a table" in result.stderr


@pytest.mark.parametrize("build, images", [(one_hot, "Images"), (tmdb, "posters"), (plain, "posters")])
def test_a_poster_folder_that_leads_out_must_be_named(tmp_path, secret, run, build, images):
    inner = tmp_path / "s"
    inner.mkdir()
    build(inner)
    shutil.move(inner / images, tmp_path / "elsewhere")
    (inner / images).symlink_to(tmp_path / "elsewhere")
    command = genre_data, "import", inner, "--data", tmp_path / "data"
    assert "Name it with --posters" in run(*command).stderr
    wrong = run(*command, "--posters", "nowhere").stderr
    assert "--posters: expected a folder with posters; found no folder nowhere" in wrong
    assert run(*command, "--posters", tmp_path / "elsewhere").exit_code == 0
    assert len(poster_files(tmp_path / "data")) == 1


def test_all_layouts_take_posters_from_where_the_user_says(tmp_path):
    mm_imdb(tmp_path / "mm")
    shutil.move(tmp_path / "mm" / "0001.jpeg", tmp_path / "0001.jpeg")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "0002.png").write_bytes(JPEG)
    import_films(tmp_path / "mm", tmp_path / "data", options=ImportOptions(posters=tmp_path / "p"))
    assert list(poster_files(tmp_path / "data")) == ["0002"]


@pytest.mark.parametrize("zip_it", [False, True])
def test_a_file_in_place_of_the_poster_folder(tmp_path, source, zip_it):
    shutil.rmtree(source / "posters")
    (source / "posters").write_text("a file")
    path = zipped(tmp_path / "x.zip", [("posters", "a file")]) if zip_it else source
    _, summary = import_films(path, tmp_path / "data")
    assert summary.posters == 0


def test_a_folder_that_leads_out_is_not_searched(tmp_path, secret, run):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "inner").symlink_to(secret)
    result = run(genre_data, "import", tmp_path / "s", "--data", tmp_path / "data")
    assert result.exit_code == 2 and not (tmp_path / "data").exists()


def zipped(path, members, **options):
    """A zip archive of (name or `ZipInfo`, bytes); a table of three films is in it already."""
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("films.csv", "id,overview,genres\n1,one,Drama\n2,two,Comedy\n3,three,Drama\n")
        for name, data in members:
            archive.writestr(name, data)
    return path


def changed(path, old, new):
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_members_are_left_out_with_a_note(tmp_path, method):
    path = zipped(tmp_path / "x.zip", [("posters/1.jpg", JPEG), ("posters/2.jpg", JPEG)])
    with zipfile.ZipFile(path, "a", compression=method) as archive:
        archive.writestr("posters/3.jpg", os.urandom(3000))
        start = archive.getinfo("posters/3.jpg").header_offset
    data = bytearray(path.read_bytes())
    data[start + 50:start + 300] = bytes(250)
    path.write_bytes(data)
    _, summary = import_films(path, tmp_path / "data")
    assert list(poster_files(tmp_path / "data")) == ["1", "2"]
    assert any("left out 1 posters" in note and "3.jpg" in note for note in summary.notes)


def encrypt(path, name):
    """Sets the flag of encryption of a member, in both of its headers."""
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(name).header_offset
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\1\2")
    while data[central + 46:central + 46 + len(name)] != name.encode():
        central = data.index(b"PK\1\2", central + 1)
    data[start + 6] |= 1
    data[central + 8] |= 1
    path.write_bytes(data)


def test_encrypted_members(tmp_path):
    path = zipped(tmp_path / "x.zip", [("posters/1.jpg", JPEG), ("posters/2.jpg", JPEG)])
    encrypt(path, "posters/2.jpg")
    _, summary = import_films(path, tmp_path / "data")
    assert list(poster_files(tmp_path / "data")) == ["1"] and any("encrypted" in note for note in summary.notes)
    encrypt(path, "films.csv")
    with pytest.raises(InputError, match="films.csv: expected a readable table; found damaged, encrypted"):
        import_films(path, tmp_path / "data")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_large_members_are_not_unpacked(tmp_path, method, monkeypatch):
    bomb = bytes(Caps().bytes + 1)
    path = zipped(tmp_path / "x.zip", [("posters/1.jpg", JPEG), ("posters/2.jpg", bomb)], compression=method)
    assert path.stat().st_size < 100_000
    _, summary = import_films(path, tmp_path / "data")
    assert list(poster_files(tmp_path / "data")) == ["1"]
    assert any("more than 50,000,000 bytes (first: 2.jpg)" in note for note in summary.notes)
    monkeypatch.setattr(places, "MAX_TABLE", 40)
    with pytest.raises(InputError, match="more than 40 bytes"):
        import_films(path, tmp_path / "data")


def test_what_a_header_says_of_a_members_size_is_not_believed(tmp_path, monkeypatch):
    path = zipped(tmp_path / "x.zip", [("posters/1.jpg", JPEG)])
    member, = (file for file in read_source(path)[1].posters.values())
    monkeypatch.setattr(places.Place, "check", lambda self, most=None: None)
    with pytest.raises(OSError, match="more than 100 bytes"):
        member.read(100)


def test_members_that_repeat_or_are_links(tmp_path):
    link = zipfile.ZipInfo("posters/2.jpg")
    link.external_attr = 0o120777 << 16
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(tmp_path / "x.zip", [("posters/1.jpg", b"old"), ("posters/1.jpg", JPEG), (link, "/etc/passwd")])
    _, summary = import_films(path, tmp_path / "data")
    assert poster_files(tmp_path / "data")["1"].read_bytes() == JPEG and len(poster_files(tmp_path / "data")) == 1
    notes = "; ".join(summary.notes)
    assert "1 members stand in the archive more than once" in notes and "a link or no regular file (first: 2.jpg)" in notes


@pytest.mark.parametrize("name", ["//a.csv", "//", "a//../b.csv"])
def test_names_that_trip_zipfile_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="members inside the archive"):
        import_films(zipped(tmp_path / "x.zip", [(name, "x")]), tmp_path / "data")


# --- Cells and JSON files -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("cell", ["[" * 5_000, "[" + "-" * 20_000 + "1]",
                                  "[" + "9" * 6_000 + "]", "[{[]: 1}]", "['a'", "[1 +", "[\0]", "[" + "{'a':" * 3_000,
                                  "['" + "a" * 200_000 + "']", "[null, 'x'"])
def test_lists_that_cannot_be_read_are_no_genres(tmp_path, cell):
    write_table(tmp_path / "t.csv", COLUMNS, ["1", "x", "['Drama']"], ["2", "y", cell])
    _, summary = import_films(tmp_path / "t.csv", tmp_path / "data")
    assert [film.genres for film in read_films(tmp_path / "data")] == [("Drama",), ()]
    assert any("genres that cannot be read: 1" in note or "given as numbers" in note for note in summary.notes)


def test_a_cell_that_is_not_0_or_1_is_not_quoted(tmp_path):
    write_table(tmp_path / "IMDB_overview_genres.csv", ["Id", "Drama", "Overview"], ["a", "private", "x"])
    with pytest.raises(InputError, match="found something else in row 1") as error:
        import_films(tmp_path, tmp_path / "data")
    assert "private" not in str(error.value)


@pytest.mark.parametrize("genres, names", [
    ("Drama", ("Drama",)), ("Drama|Comedy", ("Drama", "Comedy")), ("Drama, Comedy", ("Drama", "Comedy")),
    (["Drama", "28"], ("Drama",)), (None, ()), ("['Drama']", ("Drama",))])
def test_mm_imdb_genres(tmp_path, genres, names):
    mm_imdb(tmp_path / "mm")
    (tmp_path / "mm" / "0002.json").write_text(json.dumps({"plot": "Text.", "genres": genres}))
    import_films(tmp_path / "mm", tmp_path / "data")
    film = read_films(tmp_path / "data")[1]
    assert (film.overview, film.genres) == ("Text.", names)


@pytest.mark.parametrize("text", [
    '{"plot": 1}', '{"plot": [1]}', '{"plot": {"a": "b"}}', '{"plot": "x", "genres": {"a": 1}}', "[" * 100_000,
    '{"plot": "x", "genres": [28]}', '{"plot": ' + "9" * 5_000 + "}", "[]", "\xff", '{"a":' * 50_000])
def test_mm_imdb_files_of_another_form_are_left_out(tmp_path, text):
    mm_imdb(tmp_path / "mm")
    (tmp_path / "mm" / "0000.json").write_text(text, encoding="latin-1")
    _, read = read_source(tmp_path / "mm")
    assert [film.id for film in read.films] == ["0001", "0002"]
    assert any("JSON object" in note and "0000.json" in note for note in read.notes)


def test_numbers_are_not_genres(tmp_path):
    write_table(tmp_path / "t.csv", COLUMNS, ["1", "x", "[28, '12']"], ["2", "y", "18|Drama"], ["3", "y", "[{'name': 5}]"])
    _, summary = import_films(tmp_path / "t.csv", tmp_path / "data")
    assert [film.genres for film in read_films(tmp_path / "data")] == [(), ("Drama",), ()]
    assert any("genres given as numbers, which are not names, were left out: 4" in note for note in summary.notes)
    write_table(tmp_path / "t.csv", COLUMNS, ["1", "x", "[28, 12]"], ["2", "y", "18"])
    with pytest.raises(InputError, match="expected names of genres; found numbers only"):
        import_films(tmp_path / "t.csv", tmp_path / "data")


def test_half_characters_become_question_marks(tmp_path):
    write_table(tmp_path / "t.csv", COLUMNS, ["1", "x", '["Dra\\ud800ma"]'])
    import_films(tmp_path / "t.csv", tmp_path / "data")
    assert read_films(tmp_path / "data")[0].genres == ("Dra?ma",)


# --- The command ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("error, code", [(OSError(28, "No space left on device"), 1), (MemoryError(), 1),
                                         (KeyboardInterrupt(), 130), (InputError("a\nb", "c", "\x1b\u202ed"), 2),
                                         (LockedError("x"), 75)])
def test_errors_are_one_line_and_have_their_code(data, source, run, monkeypatch, error, code):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(importing, "_copy_poster", fail)
    before = content(data)
    result = run(genre_data, "import", source, "--data", data)
    line, = result.stderr.strip().splitlines()
    assert result.exit_code == code and line.isprintable() and content(data) == before


def command(*arguments, **options):
    code = "from genre_cli.data import main; main()"
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], text=True, timeout=60, **options)


def test_closed_streams(tmp_path, source):
    def close():
        for number in (0, 1, 2):
            os.close(number)

    for arguments, code in [(["import", source], 0), (["check"], 0), (["import", "nothing"], 2), (["--nothing"], 2)]:
        assert command(*arguments, cwd=tmp_path, preexec_fn=close).returncode == code, arguments
    assert len(read_films(tmp_path / "data")) == 2


@pytest.mark.parametrize("stderr", ["full", "pipe"])
def test_a_stderr_that_takes_nothing_ends_no_work(tmp_path, source, stderr):
    for arguments, code in [(["import", source], 0), (["check"], 0), (["import", "nothing"], 2), (["--nothing"], 2)]:
        if stderr == "full":
            target = open("/dev/full", "w")
        else:
            read_end, target = os.pipe()
            os.close(read_end)
        assert command(*arguments, cwd=tmp_path, stderr=target).returncode == code, arguments
        os.close(target) if stderr == "pipe" else target.close()
    assert len(read_films(tmp_path / "data")) == 2


def test_a_stdout_that_takes_nothing_is_one_line():
    with open("/dev/full", "w") as full:
        done = command("--help", stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, "Error: [Errno 28] No space left on device\n")


def test_ids_and_names_are_shown_as_they_are(tmp_path, run):
    write_table(tmp_path / "t.csv", COLUMNS, ["[red]a\x1b[2J", "x", "[bold]B"], ["[b]", "y", "C\u202e"])
    for arguments in (["import", tmp_path / "t.csv"], ["check"]):
        result = run(genre_data, *arguments, "--data", tmp_path / "[red]data")
        assert result.exit_code == 0 and "[red]a [2J, [b]" in result.stderr and "C  1" in result.stderr
        assert all(line.isprintable() for line in result.stderr.splitlines())


def test_say_writes_one_line(capsys):
    common.say("a\nb\x1b[2J\udcff\u2066")
    assert capsys.readouterr().err == "a b [2J  \n"
