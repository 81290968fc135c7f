"""Odd, huge and hostile inputs of posters and tables: each gets its row or is refused, within limits of memory and place."""

import bz2
import errno
import gzip
import io
import lzma
import os
import stat
import tarfile
import threading
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest
from conftest import image_bytes

from movie_genres.base.errors import InputError
from movie_genres.data.parquet import open_table
from movie_genres.data.reading import Access, TableOptions
from movie_genres.data.tables import MAX_CELL, MAX_COLUMNS, MAX_ROW, Table
from movie_genres.inputs.posters import PosterError, decode_poster, read_file
from movie_genres.scoring.archives import MAX_HEADERS
from movie_genres.scoring.catalogue import read_overviews
from movie_genres.scoring.listing import list_posters
from movie_genres.scoring.poster_sources import LocalPoster, RemotePoster

GOOD, OTHER = image_bytes(), image_bytes(color=(0, 0, 250))
MAX_BYTES = 10**6


def listed(where, access=Access(), **options):
    return list(list_posters(str(where), MAX_BYTES, TableOptions(**options), access))


def outcome(poster):
    """The bytes of a poster, or the kind of its error."""
    try:
        return poster.read(MAX_BYTES)
    except PosterError as error:
        return error.kind


def outcomes(where, access=Access(), **options):
    return [(film_id, outcome(poster)) for film_id, poster in listed(where, access, **options)]


@pytest.fixture
def folder(tmp_path):
    """`in` with a picture and links, and a picture outside of it."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "outside.jpg").write_bytes(GOOD)
    (tmp_path / "in" / "a.jpg").write_bytes(GOOD)
    (tmp_path / "in" / "link.jpg").symlink_to("../outside.jpg")
    (tmp_path / "in" / "sub" / "up.jpg").symlink_to("../a.jpg")
    return tmp_path / "in"


# --- Places ---------------------------------------------------------------------------------------------------------

def test_a_table_reads_below_its_own_folder_only(folder):
    names = ["a.jpg", "../outside.jpg", str(folder / "a.jpg"), "/etc/hostname", "link.jpg", "sub/up.jpg", "no.jpg", "",
             "file:///etc/hostname", f"file://{folder}/a.jpg", "memory://x", "a.jpg\0"]
    (folder / "t.csv").write_text("id,poster\n" + "".join(f"{number},{name}\n" for number, name in enumerate(names)))
    assert [found for _, found in outcomes(folder / "t.csv")] == [
        GOOD, "not_allowed", GOOD, "not_allowed", "not_allowed", GOOD, "missing", "missing", "not_allowed", "not_allowed",
        "not_allowed", "not_allowed"]


def test_a_root_widens_what_a_table_may_read(folder):
    (folder / "t.csv").write_text("id,poster\n1,in/a.jpg\n2,outside.jpg\n3,/etc/hostname\n4,in/link.jpg\n")
    assert [found for _, found in outcomes(folder / "t.csv", Access(root=str(folder.parent)))] == [
        GOOD, GOOD, "not_allowed", GOOD]


def test_a_list_is_confined_by_a_root_only(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "list").write_text("a.jpg\n../outside.jpg\nlink.jpg\nfile:///etc/hostname\n")
    assert [found for _, found in outcomes("list")] == [GOOD, GOOD, GOOD, "not_allowed"]
    assert [found for _, found in outcomes("list", Access(root="."))] == [GOOD, *["not_allowed"] * 3]


def test_what_is_outside_is_not_even_looked_at(folder, monkeypatch):
    (folder / "list").write_text(f"{folder}/a.jpg\n/elsewhere/secret.jpg\n")
    looked = []
    for name in ("stat", "lstat", "open", "readlink"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda path, *rest, original=original, **options: (
            looked.append(str(path)), original(path, *rest, **options))[1])
    for _, poster in listed(folder / "list", Access(root=str(folder))):
        assert poster.stamp() and outcome(poster)
    assert any("a.jpg" in path for path in looked) and not any("elsewhere" in path for path in looked)


def test_links_of_folders_and_globs_stay_inside_where_there_is_a_root(folder):
    expected = [("a", GOOD), ("link", "not_allowed"), ("sub/up", GOOD)]
    for where in (folder, f"{folder}/**/*.jpg"):
        assert outcomes(where, Access(root=str(folder))) == expected
        assert outcomes(where, Access(root="/nowhere")) == expected  # the user named the folder itself
        assert outcomes(where) == [("a", GOOD), ("link", GOOD), ("sub/up", GOOD)]
    _, (_, link), _ = listed(folder, Access(root=str(folder)))
    assert link.stamp() == "not allowed"


def test_a_file_url_of_the_user_is_a_path(folder):
    assert outcomes(f"file://{folder}/a.jpg") == [("a", GOOD)]


def test_posters_know_where_they_may_be_read_from():
    assert LocalPoster("x") == LocalPoster("x", None)
    assert RemotePoster("http://x/y").access == Access()


# --- What a file is -------------------------------------------------------------------------------------------------

def zipped(*members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings(action="ignore"):
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def tarred(*members, mode="w", **options):
    """A tar archive of (name or `TarInfo`, content)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, **options) as archive:
        for info, content in members:
            info = info if isinstance(info, tarfile.TarInfo) else tarfile.TarInfo(info)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def parquet_of(**columns):
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


@pytest.mark.parametrize("name", ["x", "x.txt", "x.csv", "x.jpg", "x.zip", "x.tar"])
@pytest.mark.parametrize("content", [zipped(("a.jpg", GOOD)), tarred(("a.jpg", GOOD)), tarred(("a.jpg", GOOD), mode="w:gz"),
                                     tarred(("a.jpg", GOOD), mode="w:bz2"), tarred(("a.jpg", GOOD), mode="w:xz")],
                         ids=["zip", "tar", "gz", "bz2", "xz"])
def test_archives_are_known_by_their_content(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert outcomes(tmp_path / name) == [("a", GOOD)]


def test_pictures_and_parquet_are_known_by_their_content(tmp_path):
    for format in ("JPEG", "PNG", "WEBP", "AVIF"):
        (tmp_path / "poster").write_bytes(image_bytes(format=format))
        assert [film_id for film_id, _ in listed(tmp_path / "poster")] == ["poster"]
    (tmp_path / "broken.jpg").write_bytes(b"none")
    assert outcomes(tmp_path / "broken.jpg") == [("broken", b"none")]
    (tmp_path / "table").write_bytes(parquet_of(id=["1"], poster=[GOOD]))
    assert outcomes(tmp_path / "table") == [("1", GOOD)]


@pytest.mark.parametrize("content, message", [
    (b"Rar!\x1a\x07\x01\0" + bytes(99), "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c" + bytes(99), "a 7-Zip archive"),
    (b"%PDF-1.7\n", "a PDF document"),
    (gzip.compress(b"a.jpg\n"), "a gzip file that is no tar archive"),
    (bz2.compress(b"a.jpg\n"), "a bzip2 file that is no tar archive"),
    (lzma.compress(b"a.jpg\n"), "an xz file that is no tar archive"),
    ("a.jpg\n".encode("utf-16"), "text in UTF-16"),
    ("a.jpg\n".encode("utf-16-le"), "NUL characters"),
    (b"a.jpg\0b.jpg\0", "a NUL-separated list"),
    (b"\x7fELF" + bytes(99), "NUL characters"),
    (b"# A title\n\nSome words, see https://x.y/z\n", "2 lines, 0 of them a file or URL"),
    (b"# A title\nhttps://x.y/z\nSome words\nand more\n", "4 lines, 1 of them a file or URL"),
    (b"", "at least one poster; found none"),
    (b"\n\n", "at least one poster; found none"),
    (b"x" * 70_000, "a line of more than 65,536 bytes"),
    (zipped(), "at least one poster; found none"),
    (zipped(("sub/", b""), (".hidden", b"")), "at least one poster; found none"),
    (tarred(), "at least one poster; found none"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_no_list_is_refused_by_what_it_is(tmp_path, content, message):
    (tmp_path / "x.tar" if content == tarred() else tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=message):
        listed(tmp_path / ("x.tar" if content == tarred() else "x"))


def test_empty_folders_and_pipes_are_refused_and_empty_tables_are_not(tmp_path):
    (tmp_path / "t.csv").write_text("id,poster\n")
    assert listed(tmp_path / "t.csv") == []
    (tmp_path / "empty" / "sub").mkdir(parents=True)
    for where in (tmp_path / "empty", f"{tmp_path}/empty/*.jpg"):
        with pytest.raises(InputError, match="at least one poster; found none"):
            listed(where)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file"):
        listed(tmp_path / "pipe")


def test_a_list_may_begin_with_a_mark_and_with_missing_files(folder, monkeypatch):
    monkeypatch.chdir(folder)
    Path("list").write_text("\ufeffno.jpg\r\na.jpg\r\n")
    assert outcomes("list") == [("no", "missing"), ("a", GOOD)]
    Path("list").write_text("\ufeffa.jpg")
    assert outcomes("list") == [("a", GOOD)]
    Path("list").write_text("a.jpg\n" + "x" * 70_000)
    with pytest.raises(InputError, match="a line of more than"):
        listed("list")


# --- Globs ----------------------------------------------------------------------------------------------------------

def test_globs_do_not_go_round_in_circles(folder):
    for name in ("loop", "other"):
        (folder / name).symlink_to(".")
    assert [film_id for film_id, _ in listed(f"{folder}/**/*.jpg")] == ["a", "link", "sub/up"]


def test_hidden_files_match_only_patterns_that_name_them(folder):
    (folder / ".h").mkdir()
    for name in (".h/b.jpg", ".c.jpg"):
        (folder / name).write_bytes(GOOD)
    assert [film_id for film_id, _ in listed(f"{folder}/**/*.jpg")] == ["a", "link", "sub/up"]
    assert [film_id for film_id, _ in listed(f"{folder}/.*.jpg")] == [".c"]
    assert [film_id for film_id, _ in listed(f"{folder}/.h/*.jpg")] == ["b"]
    with pytest.raises(InputError, match="found none"):
        listed(f"{folder}/*h/*.jpg")


@pytest.mark.parametrize("pattern", ["**.jpg", "a/**b/*"])
def test_patterns_that_are_none_are_refused(folder, pattern):
    with pytest.raises(InputError, match="expected a glob"):
        listed(f"{folder}/{pattern}")


# --- Archives -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_every_member_of_a_tar_gets_its_row(tmp_path, mode):
    members = [("a.jpg", GOOD), (special("link.jpg", tarfile.SYMTYPE, "/etc/passwd"), b""),
               (special("hard.jpg", tarfile.LNKTYPE, "a.jpg"), b""), (special("pipe", tarfile.FIFOTYPE), b""),
               (special("device", tarfile.CHRTYPE), b""), (special("sub", tarfile.DIRTYPE), b""), (".DS_Store", b""),
               ("a.jpg", OTHER), ("empty.jpg", b""), ("large.jpg", bytes(MAX_BYTES + 1)), ("full.jpg", GOOD + bytes(
                   -len(GOOD) % 512)), ("end.jpg", OTHER)]
    (tmp_path / "x").write_bytes(tarred(*members, mode=mode))
    assert outcomes(tmp_path / "x") == [
        ("a", GOOD), ("link", "not_a_file"), ("hard", "not_a_file"), ("pipe", "not_a_file"), ("device", "not_a_file"),
        ("a", OTHER), ("empty", b""), ("large", "too_large"), ("full", GOOD + bytes(-len(GOOD) % 512)), ("end", OTHER)]


def test_every_member_of_a_zip_gets_its_row(tmp_path):
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    packed = zipfile.ZipInfo("packed.jpg")
    packed.compress_type = zipfile.ZIP_BZIP2
    (tmp_path / "x").write_bytes(zipped(("a.jpg", GOOD), ("sub/", b""), (link, b"/etc/passwd"), ("a.jpg", OTHER),
                                        (packed, GOOD)))
    assert outcomes(tmp_path / "x") == [("a", GOOD), ("link", "not_a_file"), ("a", OTHER), ("packed", "unreadable")]


def test_an_encrypted_member_fails_alone(tmp_path):
    data = bytearray(zipped(("a.jpg", GOOD), ("b.jpg", GOOD)))
    data[6] |= 1  # in the first header, and in its copy at the end
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "x.zip").write_bytes(data)
    assert outcomes(tmp_path / "x.zip") == [("a", "unreadable"), ("b", GOOD)]


def test_an_archive_that_changes_is_not_read_at_the_old_places(tmp_path):
    for name, make in (("x.zip", zipped), ("x.tar", tarred)):
        (tmp_path / name).write_bytes(make(("a.jpg", GOOD), ("b.jpg", GOOD)))
        first = listed(tmp_path / name)
        assert outcome(first[0][1]) == GOOD
        stamps = [poster.stamp() for _, poster in first]
        (tmp_path / name).write_bytes(make(("c.jpg", OTHER), ("a.jpg", OTHER)))
        os.utime(tmp_path / name, (0, 0))
        second = listed(tmp_path / name)
        assert [outcome(poster) for _, poster in second] == [OTHER, OTHER]
        assert [poster.stamp() for _, poster in second] != stamps
        assert outcome(first[1][1]) in ("unreadable", GOOD)  # never the new bytes


def test_a_tar_that_is_cut_or_damaged_between_members_is_refused(tmp_path):
    whole = tarred(("a.jpg", GOOD), ("b.jpg", GOOD), ("c.jpg", GOOD))
    second = whole.index(b"b.jpg")
    for content in (whole[:second], whole[:second + 300], whole[:second + 600],
                    whole[:second] + b"x" + whole[second + 1:]):
        for data in (content, gzip.compress(content), lzma.compress(content)):
            (tmp_path / "x.tar").write_bytes(data)
            with pytest.raises(InputError, match="expected a whole archive"):
                listed(tmp_path / "x.tar")
    for data in (lzma.compress(whole)[:-30], gzip.compress(whole)[:-8] + bytes(8)):  # cut; another checksum
        (tmp_path / "x.tar.xz").write_bytes(data)
        with pytest.raises(InputError, match="expected a whole archive"):
            listed(tmp_path / "x.tar.xz")


def test_members_that_would_be_lost_are_refused(tmp_path):
    folder = special("d/", tarfile.AREGTYPE)  # with content, which the module takes for the end
    for content in (tarred(("a.jpg", GOOD)) * 2, tarred((folder, bytes(512)), ("a.jpg", GOOD))):
        (tmp_path / "x.tar").write_bytes(content)
        with pytest.raises(InputError, match="more after its end mark"):
            listed(tmp_path / "x.tar")


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_tar_with_huge_headers_is_refused_and_one_with_long_names_is_not(tmp_path, format):
    for length, message in ((1000, None), (MAX_HEADERS, "headers of more than")):
        (tmp_path / "x.tar.gz").write_bytes(gzip.compress(tarred(("n" * length + ".jpg", GOOD), format=format)))
        if message is None:
            assert outcomes(tmp_path / "x.tar.gz") == [("n" * length, GOOD)]
        else:
            with pytest.raises(InputError, match=message):
                listed(tmp_path / "x.tar.gz")


def test_a_sparse_member_of_a_tar_is_a_failed_row(tmp_path):
    info = tarfile.TarInfo("s.jpg")
    info.pax_headers = {"GNU.sparse.map": "0,4,5000,4", "GNU.sparse.size": "5004", "GNU.sparse.name": "s.jpg"}
    (tmp_path / "x.tar").write_bytes(tarred((info, b"12345678"), ("a.jpg", GOOD), format=tarfile.PAX_FORMAT))
    assert outcomes(tmp_path / "x.tar") == [("s", "unreadable"), ("a", GOOD)]


def test_a_size_that_leads_backwards_ends(tmp_path):
    data = bytearray(tarred(("a.jpg", GOOD), ("b.jpg", GOOD)))
    data[124:136] = (-2048).to_bytes(12, "big", signed=True)
    data[148:156] = b" " * 8
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(InputError, match="expected a whole archive"):
        listed(tmp_path / "x.tar")


def peak_of(action):
    """(what an action returns, the most bytes that Python held meanwhile)."""
    tracemalloc.start()
    try:
        return action(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("module", [gzip, bz2, lzma], ids=lambda module: module.__name__)
def test_compressed_bombs_of_tar_stay_small_in_memory(tmp_path, module):
    bomb = tarfile.TarInfo("bomb.jpg")
    bomb.size = 102_400_000
    with module.open(tmp_path / "x", "wb") as file:
        for block in (bomb.tobuf(), *[bytes(1_024_000)] * 100, bytes(1024)):
            file.write(block)
    found, peak = peak_of(lambda: outcomes(tmp_path / "x"))
    assert found == [("bomb", "too_large")] and peak < 10_000_000


def test_a_zip_is_read_by_many_threads(tmp_path):
    contents = [image_bytes(color=(number, 0, 0)) for number in range(50)]
    (tmp_path / "x.zip").write_bytes(zipped(*((f"{number}.jpg", content) for number, content in enumerate(contents))))
    found, wrong = listed(tmp_path / "x.zip"), []

    def read_all():
        wrong.extend(film_id for (film_id, poster), content in zip(found, contents) if poster.read(MAX_BYTES) != content)

    threads = [threading.Thread(target=read_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# --- Tables ---------------------------------------------------------------------------------------------------------

def test_a_line_without_end_is_refused_without_being_held(tmp_path):
    with gzip.open(tmp_path / "t.csv.gz", "wb", compresslevel=1) as file:
        file.write(b"id,overview\n1,")
        for _ in range(300):
            file.write(b"x" * 1_000_000)

    def read():
        with pytest.raises(InputError, match="rows of at most 10,000,000 characters"):
            list(read_overviews(tmp_path / "t.csv.gz", TableOptions()))

    assert peak_of(read)[1] < 100_000_000


@pytest.mark.parametrize("content", ["x" * (MAX_ROW + 1), 'id,overview\n1,"' + "abcdefghi\n" * (MAX_ROW // 10 + 1)])
def test_long_headers_and_rows_of_many_lines_are_refused(tmp_path, content):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(InputError, match="rows of at most"):
        list(Table(tmp_path / "t.csv"))


def test_a_long_cell_fails_alone(tmp_path):
    (tmp_path / "t.csv").write_text("id,overview\n1," + "x" * (MAX_CELL + 1) + "\n2," + "x" * MAX_CELL + "\n3\n4,b\n")
    items = list(read_overviews(tmp_path / "t.csv", TableOptions()))
    assert [(item.id, item.error and item.error[0]) for item in items] == [("1", "bad_row"), ("2", None), ("3", "bad_row"),
                                                                           ("4", None)]
    assert items[0].error[1] == "row 1 has a cell of more than 2,000,000 characters"
    assert items[2].error[1] == "row 3 has 1 cells; the header has 2"


def test_rows_of_a_table_of_posters_fail_alone(folder):
    (folder / "t.csv").write_text("id,poster\n1\n2,a.jpg\n")
    assert outcomes(folder / "t.csv") == [("1", "bad_row"), ("2", GOOD)]


def test_the_rows_of_many_lines_may_be_more_than_one_row(tmp_path):
    (tmp_path / "t.csv").write_text("id,overview\n" + "1,x\n" * (MAX_ROW // 4 + 10))
    assert sum(1 for _ in Table(tmp_path / "t.csv")) == MAX_ROW // 4 + 10


def test_many_columns_are_refused_and_never_all_named(tmp_path):
    (tmp_path / "t.csv").write_text(",".join(map(str, range(MAX_COLUMNS + 1))))
    with pytest.raises(InputError, match="at most 10,000 columns; found 10,001"):
        Table(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text(",".join([*map(str, range(MAX_COLUMNS - 1)), "x" * 1000]))
    with pytest.raises(InputError, match="18, 19 and 9,980 more") as error:
        Table(tmp_path / "t.csv").find("none")
    assert len(str(error.value)) < 500
    (tmp_path / "t.csv").write_text(",".join(["x" * 1000] * 2))
    with pytest.raises(InputError, match="more than once") as error:
        Table(tmp_path / "t.csv")
    assert len(str(error.value)) < 300


def test_a_row_of_both_kinds_of_table_looks_the_same(tmp_path):
    (tmp_path / "t.csv").write_text("id,x,overview\n1,y,a\n")
    (tmp_path / "t.parquet").write_bytes(parquet_of(id=["1"], x=["y"], overview=["a"]))
    for name in ("t.csv", "t.parquet"):
        assert list(open_table(tmp_path / name).rows((2, 0))) == [(1, ("a", "1"), None)]


def test_columns_that_are_not_needed_are_not_read(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    far = pyarrow.array([2**30], pyarrow.date32())
    (tmp_path / "t.parquet").write_bytes(parquet_of(id=["1"], overview=["a"], released=far, parts=[["x"]]))
    item, = read_overviews(tmp_path / "t.parquet", TableOptions())
    assert (item.id, item.overview, item.error) == ("1", "a", None)
    with pytest.raises(InputError, match="values that can be read in the column 'released'"):
        list(read_overviews(tmp_path / "t.parquet", TableOptions(text_column="released")))
    with pytest.raises(InputError, match="single values in the column 'parts'"):
        list(read_overviews(tmp_path / "t.parquet", TableOptions(text_column="parts")))


def test_a_few_kilobytes_of_parquet_do_not_unfold(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    texts = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 5000 + [1], pyarrow.int32()), ["x" * 1_000_000, "y"])
    parquet.write_table(pyarrow.table({"id": list(map(str, range(5001))), "overview": texts}), tmp_path / "t.parquet",
                        compression="zstd")
    assert (tmp_path / "t.parquet").stat().st_size < 100_000
    lengths, peak = peak_of(lambda: [len(item.overview) for item in read_overviews(tmp_path / "t.parquet", TableOptions())])
    assert lengths == [1_000_000] * 5000 + [1]
    assert peak < 20_000_000 and pyarrow.default_memory_pool().max_memory() < 200_000_000


def test_a_long_cell_of_parquet_fails_alone_and_a_poster_does_not(tmp_path):
    (tmp_path / "t.parquet").write_bytes(parquet_of(
        id=["1", "2", "3"], overview=["x" * (MAX_CELL + 1), "a", "b"], poster=[GOOD, bytes(MAX_CELL + 1), None]))
    items = list(read_overviews(tmp_path / "t.parquet", TableOptions()))
    assert [item.error and item.error[0] for item in items] == ["bad_row", None, None]
    assert outcomes(tmp_path / "t.parquet") == [("1", GOOD), ("2", "too_large"), ("3", "missing")]


def test_rows_of_hundreds_of_megabytes_are_refused_before_they_are_read(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(parquet_of(id=["1"], overview=["x" * 100_000]))
    monkeypatch.setattr("movie_genres.data.parquet.BLOCK_BYTES", 1000)
    with pytest.raises(InputError, match="rows of at most 4,000 bytes"):
        list(read_overviews(tmp_path / "t.parquet", TableOptions()))


# --- What is the machine's trouble, and what messages say -----------------------------------------------------------

def test_messages_quote_nothing_of_a_file(tmp_path):
    with pytest.raises(PosterError) as error:
        decode_poster(b"secret words", (4, 4))
    assert str(error.value) == "not an image in a known format"
    with pytest.raises(PosterError) as error:
        decode_poster(GOOD[:-50], (4, 4))
    assert str(error.value) == "damaged or cut short (OSError)"
    (tmp_path / "t.csv.gz").write_bytes(b"secret words")
    with pytest.raises(InputError) as error:
        Table(tmp_path / "t.csv.gz")
    assert "se" not in str(error.value).split("found")[1].split(".")[0]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_machine_without_resources_is_not_the_posters_trouble(folder, tmp_path, monkeypatch, number):
    (tmp_path / "x.zip").write_bytes(zipped(("a.jpg", GOOD)))
    (tmp_path / "x.tar").write_bytes(tarred(("a.jpg", GOOD)))
    posters = [listed(where)[0][1] for where in (folder, tmp_path / "x.tar")]

    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", fail)
    actions = [*(lambda poster=poster: poster.read(MAX_BYTES) for poster in posters), lambda: listed(tmp_path / "x.zip"),
               lambda: Table(tmp_path / "t.csv"), lambda: read_file("x", 1)]
    for action in actions:
        with pytest.raises(OSError) as error:
            action()
        assert error.value.errno == number


def test_a_machine_without_memory_is_not_the_posters_trouble(monkeypatch):
    def fail(*arguments, **options):
        raise MemoryError

    png = image_bytes(format="PNG")
    for name, data in (("simplejpeg.decode_jpeg", GOOD), ("PIL.Image.open", png), ("PIL.ImageOps.exif_transpose", png)):
        with monkeypatch.context() as patch, pytest.raises(MemoryError):
            patch.setattr(name, fail)
            decode_poster(data, (4, 4))
