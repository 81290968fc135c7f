import gzip
import io
import os
import tarfile
import zipfile

import fsspec
import pytest
from conftest import image_bytes

from movie_genres.base.errors import InputError
from movie_genres.data.reading import TableOptions
from movie_genres.inputs.posters import PosterError, decode_poster
from movie_genres.scoring.listing import list_posters

GOOD = image_bytes(size=(30, 40))
NAMES = ["b.jpg", "a.png", "sub/c.jpg", "sub/.hidden.jpg"]
IDS = ["a", "b", "sub/.hidden", "sub/c"]


def listed(where, max_bytes=10**6, **options):
    return list(list_posters(str(where), max_bytes, TableOptions(**options)))


def ids(where, **options):
    return [film_id for film_id, _ in listed(where, **options)]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "posters" / "sub").mkdir(parents=True)
    for name in (*NAMES, ".DS_Store"):
        (tmp_path / "posters" / name).write_bytes(GOOD)
    return tmp_path / "posters"


def archive_of(folder, path, mode):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in NAMES:
                archive.write(folder / name, name)
    else:
        with tarfile.open(path, mode) as archive:
            archive.add(folder, ".", recursive=False)
            for name in NAMES:
                archive.add(folder / name, name)


def test_a_folder_is_listed_by_name_with_its_subfolders(folder):
    assert ids(folder) == IDS


def test_links_to_files_count_and_links_to_folders_do_not(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.jpg").write_bytes(GOOD)
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "file.jpg").symlink_to(tmp_path / "elsewhere" / "x.jpg")
    assert ids(folder) == ["a", "b", "file", "sub/.hidden", "sub/c"]


@pytest.mark.parametrize("pattern, expected", [("*.jpg", ["b"]), ("**/*.jpg", ["b", "sub/c"]), ("s?b/[a-c].*", ["sub/c"])])
def test_a_glob_gives_ids_below_its_fixed_part(folder, pattern, expected):
    assert ids(f"{folder}/{pattern}") == expected


@pytest.mark.parametrize("name, mode", [("p.zip", None), ("p.tar", "w"), ("p.tar.gz", "w:gz"), ("p.tgz", "w:gz"),
                                        ("p.tar.bz2", "w:bz2"), ("p.tar.xz", "w:xz")])
def test_archives_are_read_without_unpacking(folder, tmp_path, name, mode):
    archive_of(folder, tmp_path / name, mode)
    found = listed(tmp_path / name)
    assert [film_id for film_id, _ in found] == ["b", "a", "sub/c", "sub/.hidden"]
    for _, poster in found:
        assert poster.read(10**6) == GOOD and poster.stamp()
        with pytest.raises(PosterError, match="at most 10 are read"):
            poster.read(10)


@pytest.mark.parametrize("name, mode", [("p.zip", None), ("p.tar", "w"), ("p.tar.gz", "w:gz")])
def test_a_damaged_archive_is_refused(folder, tmp_path, name, mode):
    archive_of(folder, tmp_path / name, mode)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:700])
    with pytest.raises(InputError, match="expected a whole archive"):
        listed(tmp_path / name)


def test_a_damaged_or_encrypted_member_fails_alone(folder, tmp_path):
    archive_of(folder, tmp_path / "p.zip", None)
    data = bytearray((tmp_path / "p.zip").read_bytes())
    data[60:80] = bytes(20)
    (tmp_path / "p.zip").write_bytes(data)
    (_, first), (_, second), *_ = listed(tmp_path / "p.zip")
    with pytest.raises(PosterError, match="in the archive"):
        first.read(10**6)
    assert second.read(10**6) == GOOD


def test_a_list_names_files_and_urls_one_a_line(folder, tmp_path):
    odd = os.path.join(os.fsencode(folder), b"caf\xe9.jpg")
    with open(odd, "wb") as file:
        file.write(GOOD)
    (tmp_path / "list.txt").write_bytes(os.fsencode(folder / "b.jpg") + b"\r\n\n" + odd + b"\nmemory://x/y.jpg\nnowhere.jpg")
    found = listed(tmp_path / "list.txt")
    assert [film_id for film_id, _ in found] == [f"{folder}/b", f"{folder}/caf\udce9", "memory://x/y", "nowhere"]
    assert [poster.read(10**6) for _, poster in found[:2]] == [GOOD, GOOD]
    for (_, poster), kind in zip(found[2:], ("not_allowed", "missing")):
        with pytest.raises(PosterError) as error:
            poster.read(10**6)
        assert error.value.kind == kind


def test_an_image_is_a_list_of_one(folder):
    assert ids(folder / "b.jpg") == ["b"]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".tsv"])
def test_a_table_gives_ids_and_paths(folder, tmp_path, suffix):
    separator = "\t" if suffix == ".tsv" else ","
    text = f"id{separator}image\n007{separator}{folder}/a.png\n"
    (tmp_path / f"t{suffix}").write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    (film_id, poster), = listed(tmp_path / f"t{suffix}")
    assert film_id == "007" and poster.read(10**6) == GOOD
    with pytest.raises(InputError, match="a column 'cover'; found the columns id, image") as error:
        ids(tmp_path / f"t{suffix}", poster_column="cover")
    assert error.value.setting == "poster_column"


def test_a_parquet_table_may_hold_the_posters_themselves(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"id": ["1", "2"], "poster": [GOOD, b"no"]}), tmp_path / "t.parquet")
    (_, good), (_, bad) = listed(tmp_path / "t.parquet")
    assert decode_poster(good.read(10**6), (4, 4)).shape == (4, 4, 3)
    assert bad.stamp() != good.stamp()


@pytest.mark.parametrize("where, expected", [("memory://films", ["a", "sub/b"]), ("memory://films/*.jpg", ["a"])])
def test_urls_are_listed_and_read(where, expected):
    store = fsspec.filesystem("memory")
    for name in ("a.jpg", "sub/b.jpg", ".DS_Store"):
        store.pipe(f"/films/{name}", GOOD)
    found = listed(where)
    assert [film_id for film_id, _ in found] == expected
    assert all(poster.read(10**6) == GOOD and poster.stamp() for _, poster in found)
    with pytest.raises(PosterError, match="at most 10"):
        found[0][1].read(10)


@pytest.mark.parametrize("where", ["nowhere", "none*.jpg", "nosuchstore://x"])
def test_what_is_not_there_is_refused(tmp_path, monkeypatch, where):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"^{where[:5]}"):
        listed(where)


def test_an_unreadable_folder_is_refused(folder):
    (folder / "sub").chmod(0)
    try:
        if os.access(folder / "sub", os.R_OK):
            pytest.skip("this user may read everything")
        with pytest.raises(InputError, match="a readable folder"):
            ids(folder)
    finally:
        (folder / "sub").chmod(0o755)


def test_a_large_member_of_a_compressed_archive_is_not_kept_in_memory(tmp_path):
    with tarfile.open(tmp_path / "p.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("large.jpg")
        member.size = 2000
        archive.addfile(member, io.BytesIO(bytes(2000)))
    (_, poster), = listed(tmp_path / "p.tar.gz", max_bytes=1000)
    assert poster.data == b""
    with pytest.raises(PosterError, match="2,000 bytes"):
        poster.read(1000)
