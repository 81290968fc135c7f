"""Damaged and odd lists, tables and archives by the thousand. By hand: `python tests/test_listing_fuzz.py zip 10000`."""

import bz2
import csv
import faulthandler
import gzip
import io
import lzma
import os
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import image_bytes, mutated
from hypothesis import given, settings
from hypothesis import strategies as st

from movie_genres.base.errors import InputError, one_line
from movie_genres.data.reading import TableOptions
from movie_genres.data.tables import Table
from movie_genres.inputs.posters import PosterError
from movie_genres.scoring.archives import may_be_poster
from movie_genres.scoring.catalogue import read_overviews
from movie_genres.scoring.listing import list_posters

GOOD = image_bytes(size=(8, 8))
MAX_BYTES = 1_000_000
NAMES = ["a.jpg", "b/c.png", ".hidden", ".h.jpg", "d/", "e", "", "/", ".", "..", "../x.jpg", "/etc/passwd", "x\ny.jpg",
         "a.jpg", "\x1b[31m.jpg", "n" * 300, "é.jpg", "a\\b.jpg", "café" * 30, "'", '"', ",", "=1+1.jpg", "C:x", "a//b.jpg",
         "c/./d.jpg"]
PLACES = [*NAMES, "there.jpg", "link.jpg", "pipe", "sub", "no.jpg", "file:///etc/passwd", "http://127.0.0.1:9/x", "s3://b/x",
          "http://[::1]:9/x", "http://", "://", "x\0y", "simplecache::file:///etc/passwd", "http://[",
          "http://1.1.1.1:99999/",
          "data:,x", "memory://x", "  ", "\ufeffthere.jpg"]
WORDS = ["", "a", "1", "x" * 3000, '"', '""', "\n", "\r", ",", ";", "\t", "\0", "é", "\ufeff", "\u2028", "'", "=1", "a,b",
         '"x']


def some(generator, choices, most=12):
    return [choices[generator.integers(len(choices))] for _ in range(generator.integers(most + 1))]


def make_list(generator):
    ends = ["\n", "\r\n", "\n\n", "\n"][generator.integers(4)]
    lines = [line for line in some(generator, PLACES) if line and "\n" not in line and not line.startswith("\ufeff")]
    text = "".join(line + ends for line in ["there.jpg", *lines])
    return text.encode("utf-8-sig" if generator.integers(2) else "utf-8"), 1 + len(lines)


def make_csv(generator):
    file = io.StringIO()
    writer = csv.writer(file, delimiter=",;\t|"[generator.integers(4)], lineterminator="\r\n")
    writer.writerow(["id", "poster", "overview"])
    rows = [[*some(generator, WORDS, 1), *some(generator, PLACES, 1), *some(generator, WORDS, 3)] for _ in range(4)]
    rows += [[generator.choice(WORDS), generator.choice(PLACES), generator.choice(WORDS)] for _ in range(4)]
    rows = [row for row in rows if row]
    writer.writerows(rows)
    data = file.getvalue().encode(["utf-8", "utf-8-sig", "utf-16", "utf-32"][generator.integers(4)])
    return gzip.compress(data) if generator.integers(3) == 0 else data, len(rows)


def make_parquet(generator):
    import pyarrow
    from pyarrow import parquet

    count = int(generator.integers(0, 30))
    kinds = [lambda: [str(number) for number in range(count)], lambda: [None, *["é"] * count][:count],
             lambda: list(range(count)), lambda: [GOOD] * count,
             lambda: [b"\xff"] * count, lambda: pyarrow.array([2**30] * count, pyarrow.date32()),
             lambda: [1.5] * count, lambda: [[1, 2]] * count, lambda: [{"x": 1}] * count, lambda: ["there.jpg"] * count,
             lambda: pyarrow.array(["y" * 5000] * count).dictionary_encode(), lambda: [True] * count,
             lambda: pyarrow.array([2**62] * count, pyarrow.timestamp("ns"))]
    columns = {name: kinds[generator.integers(len(kinds))]() for name in ("id", "poster", "overview", "a.b", "rest")}
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file, compression=["none", "snappy", "zstd", "gzip"][generator.integers(4)],
                        row_group_size=int(generator.integers(1, 40)), use_dictionary=bool(generator.integers(2)),
                        data_page_version=["1.0", "2.0"][generator.integers(2)])
    return file.getvalue(), count


def make_zip(generator):
    file, names = io.BytesIO(), some(generator, NAMES)
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings(action="ignore"):
        for name in names:
            info = zipfile.ZipInfo(name)
            info.compress_type = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)[generator.integers(3)]
            info.external_attr = (0, stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO)[generator.integers(4)] << 16
            archive.writestr(info, (GOOD, b"", bytes(2000))[generator.integers(3)])
    return file.getvalue(), sum(not name.endswith("/") and may_be_poster(name) for name in names)


def make_tar(generator):
    file, rows = io.BytesIO(), 0
    format = (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)[generator.integers(2)]
    with tarfile.open(fileobj=file, mode="w", format=format) as archive:
        for name in some(generator, NAMES):
            info = tarfile.TarInfo(name)
            info.type = b"0001234567SAL\0Vz"[(at := generator.integers(16)):at + 1]
            if info.type in b"LKS":
                continue  # headers of another kind of member, which the mutations make
            content = (GOOD, b"", bytes(1024))[generator.integers(3)] if info.isreg() or info.type in b"7Vz" else b""
            info.size = len(content)
            if info.size or info.type not in b"Vz":
                archive.addfile(info, io.BytesIO(content))
                is_folder = info.isdir() or (info.type == b"\0" and name.endswith("/"))
                rows += may_be_poster(name.rstrip("/")) and not is_folder
    compress = (bytes, gzip.compress, bz2.compress, lzma.compress)[generator.integers(4)]
    return file.getvalue() if compress is bytes else compress(file.getvalue()), rows


MAKERS = {"list": make_list, "csv": make_csv, "parquet": make_parquet, "zip": make_zip, "tar": make_tar}
SUFFIXES = {"list": [""], "csv": [".csv"], "parquet": [".parquet"], "zip": [".zip", ""], "tar": [".tar", ".tgz", ""]}


def read_all(path):
    """(number of rows, or None if the place is refused; what happened) of posters and, in tables, overviews."""
    happened, rows = Counter(), None
    try:
        for rows, (film_id, poster) in enumerate(list_posters(str(path), MAX_BYTES), start=1):
            assert isinstance(film_id, str) and isinstance(poster.name, str) and isinstance(poster.stamp(), str)
            try:
                assert isinstance(poster.read(MAX_BYTES), bytes)
                happened["read"] += 1
            except PosterError as error:
                assert one_line(str(error)).isprintable()
                happened[error.kind] += 1
        rows = rows or 0
    except InputError as error:
        assert one_line(str(error)).isprintable() and len(str(error)) < 3000
        happened["refused"] += 1
        rows = None
    if path.name.endswith((".csv", ".gz", ".parquet")):
        try:
            for item in read_overviews(path, TableOptions()):
                happened[item.error[0] if item.error else "overview"] += 1
        except InputError as error:
            assert one_line(str(error)).isprintable()
            happened["refused table"] += 1
    return rows, happened


def fuzz(kind, count):
    """Reads `count` inputs of a kind, half of them whole; run in a process of its own, which a decoder may end."""
    generator, happened = np.random.default_rng(0), Counter()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("there.jpg").write_bytes(GOOD)
        Path("link.jpg").symlink_to("/etc/passwd")
        Path("sub").mkdir()
        os.mkfifo("pipe")
        for number in range(count):
            data, expected = MAKERS[kind](generator)
            changed = data if number % 2 else mutated(data, generator, least=0)
            suffix = SUFFIXES[kind][int(generator.integers(len(SUFFIXES[kind])))]
            path = Path("input" + (".csv.gz" if kind == "csv" and data.startswith(b"\x1f\x8b") else suffix))
            path.write_bytes(changed)
            started = time.monotonic()
            rows, found = read_all(path)
            assert time.monotonic() - started < 5, (kind, number)
            assert changed != data or rows is None or rows == expected, (kind, number, rows, expected)
            happened += found
            path.unlink()
        os.chdir("/")
    # Not `getrusage`: that counts the memory of the process that started this one as well.
    peak = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    assert peak < 1_500_000, f"{peak} kilobytes of memory"
    return happened


@pytest.mark.parametrize("kind", MAKERS)
def test_odd_inputs_are_read_or_refused(kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="needs the extra parquet")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, __file__, kind, "150"], capture_output=True, env=environment, text=True,
                            timeout=300)
    assert result.returncode == 0, result.stderr[-5000:]


@settings(database=None, deadline=None)
@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2)))
def test_tables_come_back_as_they_were_written(rows):
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["id", "overview"], *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(file.getvalue().encode())
        assert [cells for _, cells in Table(path)] == rows
        assert [(item.id, item.overview) for item in read_overviews(path, TableOptions())] == [tuple(row) for row in rows]


FILE_NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/\n\r"), min_size=1, max_size=40)


@settings(database=None, deadline=None)
@given(st.lists(FILE_NAMES.map(lambda name: f"x{name}.jpg")))
def test_lists_keep_every_line(names):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "there.jpg").write_bytes(GOOD)
        path = Path(folder) / "list"
        path.write_text("\n".join([f"{folder}/there.jpg", *names]), encoding="utf-8")
        assert [poster.name for _, poster in list_posters(str(path), MAX_BYTES)] == [f"{folder}/there.jpg", *names]


if __name__ == "__main__":
    faulthandler.enable()
    print(dict(fuzz(sys.argv[1], int(sys.argv[2]))))
