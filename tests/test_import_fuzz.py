"""Damages sources of all layouts at random and imports them: `python tests/test_import_fuzz.py 10000`."""

import collections
import csv
import io
import json
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where it runs as a script

from click.testing import CliRunner  # noqa: E402
from conftest import image_bytes  # noqa: E402
from import_faults import content  # noqa: E402
from test_importing import mm_imdb, one_hot, plain, tmdb  # noqa: E402
from test_layouts import genre_folders, hugging_face, json_lines, movielens  # noqa: E402

from genre_cli.data import main as genre_data  # noqa: E402
from movie_genres.data.films import read_films  # noqa: E402
from movie_genres.data.importing import _marker_of, _read_marker, import_films  # noqa: E402

SECONDS = 10  # an import of a few films may take, on a busy machine
LAYOUTS = (one_hot, mm_imdb, tmdb, plain, json_lines, movielens, hugging_face, genre_folders)
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
NAMES = ("x1.jpg", "0001.jpeg", "0000.json", "0003.json", "films.csv", "posters", "Images", "IMDB_overview_genres.csv",
         "more.tsv", "x2.png", "tt1.jpg", "a.txt", "odd\x1b[2J\u202e.jpg", "\udcff.jpg", "[red].csv")
MEMBERS = ("posters/x1.jpg", "0001.jpeg", "films.csv", "//", "a//b.csv", "../x", "./y.json", "posters/", "posters",
           "Images/tt1.jpg/", "c:/x", "x.csv\0y", "0001.json")
CELLS = ("", "[", "[" * 300, "[28, 'x']", "28", "[{'name': None}]", "{'a'", '["\\ud800"]', "a|b;c,d", "\x1b[2J", "a/b", ".x",
         "1", "0", "\u2028", "9" * 5000, "x" * 300, '"', "N/A", "..", "[red]", "=1+1")
VALUES = (None, 1, 1.5, "x", "a|b", ["x"], [1], [[]], {"a": []}, True, "\ud800", "9" * 400, [], "", [None], 10 ** 400)
BLOCKS = (b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b",", b"\n", b"\r", b"PK\5\6", b"\xff" * 4, b"[" * 2000, b"{" * 2000)


def flip(path, rng):
    """Overwrites, inserts, removes or doubles bytes of a file."""
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 2, 8))):
        at, length = rng.randrange(len(data) + 1), rng.choice((1, 1, 4, 40))
        change = rng.randrange(5)
        if change == 0 and data:
            data[at % len(data)] = rng.randrange(256)
        elif change == 1:
            data[at:at] = rng.choice(BLOCKS)
        elif change == 2:
            del data[at:at + length]
        elif change == 3:
            data[at:at] = data[at:at + length]
        else:
            data[at:at + length] = rng.randbytes(length)
    path.write_bytes(data)


def change_cell(path, rng):
    """Changes a cell of a table, or a value of a JSON file."""
    if path.suffix == ".json":
        key = rng.choice(("title", "year", "plot", "plot outline", "genres"))
        path.write_text(json.dumps({"title": "x", "plot": "y", key: rng.choice(VALUES)}))
        return
    try:
        rows = list(csv.reader(io.StringIO(path.read_text())))
    except (ValueError, csv.Error):  # damaged already
        return
    header, *others = [row for row in rows if row] or [[""]]
    row = rng.choice([header, *others * 4])
    genres = header.index("genres") if "genres" in header else 0
    row[genres if genres < len(row) and rng.random() < 0.5 else rng.randrange(len(row))] = rng.choice(CELLS)
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    path.write_text(text.getvalue(), errors="surrogatepass")


def add_odd(path, rng, outside):
    """Puts something odd at a path, in place of what is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    targets = ("/dev/zero", path, outside, outside / "x.jpg", outside / "x.csv", path.parent / "x1.jpg")
    rng.choice((os.mkfifo, os.mkdir, Path.touch, *[lambda path, to=to: path.symlink_to(to) for to in targets]))(path)


def pack(folder, path, rng):
    """A zip archive of a folder, now and then with odd members."""
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "w", rng.choice(METHODS)) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not file.is_symlink():
                archive.write(file, os.fsencode(file.relative_to(folder)).decode(errors="replace"))
        for _ in range(rng.choice((0, 0, 1, 2))):
            member = zipfile.ZipInfo(rng.choice(MEMBERS))
            member.external_attr = rng.choice((0, 0o120777, 0o10644, 0o100644)) << 16
            archive.writestr(member, rng.choice((b"", b"/etc/passwd", b"id,overview,genres\n1,x,A\n", bytes(100_000))))


def make_source(folder, rng, outside):
    """A damaged source below a folder; returns its path."""
    source = folder / "source"
    inner = source / "inner" if rng.random() < 0.3 else source
    inner.mkdir(parents=True)
    rng.choice(LAYOUTS)(inner)
    if rng.random() < 0.1:
        rng.choice((mm_imdb, genre_folders))(inner)
    for _ in range(rng.randrange(4)):
        files = sorted(path for path in source.rglob("*") if path.is_file() and not path.is_symlink())
        tables = [path for path in files if path.suffix in (".csv", ".json")]
        choice = rng.random()
        if choice < 0.35 and tables:
            change_cell(rng.choice(tables), rng)
        elif choice < 0.65 and files:
            flip(rng.choice(files), rng)
        else:
            folders = (inner, inner, *(path.parent for path in files))
            add_odd(rng.choice([rng.choice(folders) / rng.choice(NAMES), *files[:4]]), rng, outside)
    if rng.random() < 0.4:
        pack(source, folder / "source.zip", rng)
        if rng.random() < 0.6:
            flip(folder / "source.zip", rng)
        return folder / "source.zip"
    tables = sorted(inner.glob("*.csv"))
    return rng.choice(tables) if tables and rng.random() < 0.2 else source


def stamps(folder):
    found = {}
    for path in sorted(folder.rglob("*")):
        info = path.lstat()
        found[str(path)] = (info.st_mode, info.st_mtime_ns, info.st_size)
    return found


def try_one(seed, folder, outside):
    """Imports one damaged source over good data; returns the exit code."""
    rng = random.Random(seed)
    source = make_source(folder, rng, outside)
    data = folder / "out" / "data"
    shutil.copytree(outside / "data", data)
    before, old, start = stamps(source), content(data), time.monotonic()
    result = CliRunner().invoke(genre_data, ["import", os.fspath(source), "--data", os.fspath(data)])
    took = time.monotonic() - start
    assert result.exit_code in (0, 2), (seed, result.exit_code, result.exception)
    assert isinstance(result.exception, (SystemExit, type(None))), (seed, result.exception)
    assert all(line.isprintable() for line in result.stderr.split("\n")), (seed, result.stderr)
    assert "Traceback" not in result.stderr and took < SECONDS, (seed, took)
    assert stamps(source) == before and os.listdir(data.parent) == ["data"], seed
    if result.exit_code:
        assert content(data) == old and len(result.stderr.splitlines()) == 1, (seed, result.stderr)
    else:
        assert _read_marker(data) == _marker_of(data) and read_films(data), seed
        named = source.is_symlink()  # by its user, and may lead anywhere
        assert named or not any(b"SECRET" in written for written in content(data).values()), seed
    return result.exit_code


def fuzz(count, seed=0):
    """Imports `count` damaged sources; returns a `Counter` of the exit codes."""
    codes = collections.Counter()
    with tempfile.TemporaryDirectory() as top:
        outside = Path(top) / "outside"
        outside.mkdir()
        (outside / "x.jpg").write_bytes(image_bytes() + b"SECRET")
        (outside / "x.csv").write_text("id,overview,genres\n1,SECRET,SECRET\n")
        plain(outside / "good")
        import_films(outside / "good", outside / "data")
        for number in range(seed, seed + count):
            folder = Path(top) / "one"
            folder.mkdir()
            codes[try_one(number, folder, outside)] += 1
            shutil.rmtree(folder)
    return codes


def test_damaged_sources_by_the_hundred():
    codes = fuzz(150)
    assert codes[0] > 30 and codes[2] > 15


if __name__ == "__main__":
    print(dict(fuzz(*map(int, sys.argv[1:]))))
