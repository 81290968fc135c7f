"""Hostile input: odd images, file names and tables, and damaged images by the thousand, made by the tests themselves."""

import csv
import gzip
import io
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import image_bytes, mutated, noise_bytes
from PIL import Image

from genre_cli.predict import main as genre_predict
from movie_genres.base.names import restore_name
from movie_genres.data.reading import TableOptions
from movie_genres.inputs.posters import PosterError, decode_poster
from movie_genres.scoring.catalogue import read_overviews

JPEG, PNG, GIF, BMP = (image_bytes(format=name) for name in ("JPEG", "PNG", "GIF", "BMP"))
TIFF, WEBP, AVIF = (image_bytes(format=name) for name in ("TIFF", "WEBP", "AVIF"))
NOISE = noise_bytes()
MAX_BYTES = 200_000


def chunk(kind, data, crc=None):
    crc = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png(width, height, depth, colour, pixels, interlace=0, before=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(pixels))
            + chunk(b"IEND", b""))


def interlaced():
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    return b"".join((b"\0" + b"\xc8\x28\x28" * -(-(8 - x) // across)) * -(-(8 - y) // down) for x, y, across, down in passes)


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def frames(format):
    file = io.BytesIO()
    Image.new("RGB", (20, 30), "red").save(file, format, save_all=True, append_images=[Image.new("RGB", (20, 30), "blue")])
    return file.getvalue()


def without_segment(jpeg, marker):
    at = jpeg.index(marker)
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2:at + 4]):]


def without_end(data, count):
    return data[:-count]


def replaced(data, at, new):
    return data[:at] + new + data[at + len(new):]


def cyclic_tiff():
    offset, = struct.unpack("<I", TIFF[4:8])
    entries, = struct.unpack("<H", TIFF[offset:offset + 2])
    return replaced(TIFF, offset + 2 + 12 * entries, struct.pack("<I", offset))


def image_cases():
    """(name, content, expected status) of each file."""
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(20_000_000)))
    scan = NOISE.index(b"\xff\xda") + 14
    garbage = np.random.default_rng(0).integers(0, 255, 5000, dtype=np.uint8).tobytes()
    icon = io.BytesIO()
    Image.new("RGB", (16, 16)).save(icon, "ICO")
    return [
        ("baseline.jpg", JPEG, "ok"),
        ("progressive.jpg", image_bytes(progressive=True), "ok"),
        ("grey.jpg", image_bytes("L"), "ok"),
        ("cmyk-adobe.jpg", image_bytes("CMYK"), "ok"),
        ("cmyk-plain.jpg", without_segment(image_bytes("CMYK"), b"\xff\xee"), "ok"),
        ("quality-1.jpg", image_bytes(quality=1), "ok"),
        ("444.jpg", image_bytes(subsampling=0), "ok"),
        ("420.jpg", image_bytes(subsampling=2), "ok"),
        ("restarts.jpg", image_bytes(restart_marker_rows=1), "ok"),
        ("arithmetic.jpg", NOISE.replace(b"\xff\xc0", b"\xff\xc9", 1), "ok"),
        ("garbage-scan.jpg", NOISE[:scan] + garbage, "corrupt"),
        ("cut-at-2.jpg", NOISE[:2], "not_an_image"),
        ("cut-in-header.jpg", NOISE[:100], "corrupt"),
        ("cut-at-half.jpg", NOISE[:len(NOISE) // 2], "corrupt"),
        ("cut-end-marker.jpg", without_end(NOISE, 2), "corrupt"),
        ("cut-last-100.jpg", without_end(NOISE, 100), "corrupt"),
        ("trailing.jpg", JPEG + garbage, "ok"),
        ("leading.jpg", garbage[:50] + JPEG, "not_an_image"),
        ("leading-newline.jpg", b"\n" + JPEG, "not_an_image"),
        *((f"exif-{turn}.jpg", image_bytes(exif=exif(turn)), "ok") for turn in range(1, 9)),
        ("exif-99.jpg", image_bytes(exif=exif(99)), "ok"),
        ("exif-broken.jpg", image_bytes(exif=b"Exif\0\0" + garbage[:200]), "ok"),
        ("exif-cyclic.jpg", image_bytes(exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\x08\0\0\0"), "ok"),
        ("exif-bad-offset.jpg", image_bytes(exif=b"Exif\0\0II*\0\xff\xff\xff\x7f"), "ok"),
        ("exif-huge.jpg", image_bytes(exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + bytes(60_000)), "ok"),
        ("icc-broken.jpg", image_bytes(icc_profile=garbage[:1000]), "ok"),
        ("icc-broken.png", image_bytes(format="PNG", icc_profile=garbage[:1000]), "ok"),
        ("plain.png", PNG, "ok"),
        ("palette.png", image_bytes("P", format="PNG"), "ok"),
        ("palette-transparent.png", image_bytes("P", format="PNG", transparency=0), "ok"),
        ("palette-bytes-transparent.png", image_bytes("P", format="PNG", transparency=bytes(range(256))), "ok"),
        ("palette-missing.png", png(4, 4, 8, 3, b"\0\1\2\3\4" * 4), "ok"),
        ("alpha.png", image_bytes("RGBA", format="PNG"), "ok"),
        ("grey-alpha.png", image_bytes("LA", format="PNG"), "ok"),
        ("1-bit.png", image_bytes("1", format="PNG"), "ok"),
        ("16-bit-grey.png", image_bytes("I;16", format="PNG"), "ok"),
        ("16-bit-rgb.png", png(4, 4, 16, 2, (b"\0" + bytes(24)) * 4), "ok"),
        ("16-bit-rgba.png", png(4, 4, 16, 6, (b"\0" + bytes(32)) * 4), "ok"),
        ("interlaced.png", png(8, 8, 8, 2, interlaced(), interlace=1), "ok"),
        ("header-crc.png", replaced(PNG, 29, b"\0\0\0\0"), "not_an_image"),
        ("data-crc.png", replaced(PNG, len(PNG) - 16, b"\0\0\0\0"), "ok"),
        ("cut-data.png", without_end(PNG, 30), "corrupt"),
        ("too-little-data.png", png(40, 40, 8, 2, bytes(50)), "corrupt"),
        ("no-end.png", without_end(PNG, 12), "ok"),
        ("zero-width.png", png(0, 4, 8, 2, b""), "not_an_image"),
        ("bomb.png", png(60_000, 60_000, 1, 0, b""), "too_large"),
        ("huge.png", png(2**31 - 1, 2**31 - 1, 8, 2, b""), "too_large"),
        ("text-bomb.png", png(4, 4, 8, 0, bytes(20), before=bomb), "corrupt"),
        ("animated.png", frames("PNG"), "ok"),
        ("lossy.webp", WEBP, "ok"),
        ("lossless.webp", image_bytes(format="WEBP", lossless=True), "ok"),
        ("alpha.webp", image_bytes("RGBA", format="WEBP"), "ok"),
        ("animated.webp", frames("WEBP"), "ok"),
        ("cut.webp", noise_bytes(format="WEBP")[:400], "corrupt"),
        ("cut-header.webp", WEBP[:14], "not_an_image"),
        ("plain.gif", GIF, "ok"),
        ("animated.gif", frames("GIF"), "ok"),
        ("1x1.gif", image_bytes(size=(1, 1), format="GIF"), "ok"),
        ("cut.gif", noise_bytes(format="GIF")[:2000], "corrupt"),
        ("header-only.gif", GIF[:13], "not_an_image"),
        ("zero.gif", replaced(GIF, 6, bytes(4)), "ok"),
        ("plain.bmp", BMP, "ok"),
        ("too-high.bmp", replaced(BMP, 22, struct.pack("<i", 4000)), "corrupt"),
        ("wrong-file-size.bmp", replaced(BMP, 2, bytes(4)), "ok"),
        ("bomb.bmp", replaced(BMP, 18, struct.pack("<ii", 40_000, 40_000)), "too_large"),
        ("plain.tif", TIFF, "ok"),
        ("lzw.tif", image_bytes(format="TIFF", compression="tiff_lzw"), "ok"),
        ("pages.tif", frames("TIFF"), "ok"),
        ("16-bit.tif", image_bytes("I;16", format="TIFF"), "ok"),
        ("float.tif", image_bytes("F", format="TIFF", color=0.5), "ok"),
        ("nan.tif", image_bytes("F", format="TIFF", color=float("nan")), "ok"),
        ("32-bit.tif", image_bytes("I", format="TIFF", color=70_000), "ok"),
        ("cmyk.tif", image_bytes("CMYK", format="TIFF"), "ok"),
        ("lab.tif", image_bytes("LAB", format="TIFF"), "ok"),
        ("cut.tif", TIFF[:200], "corrupt"),
        ("cyclic.tif", cyclic_tiff(), "ok"),
        ("plain.avif", AVIF, "ok"),
        ("cut.avif", without_end(AVIF, 20), "corrupt"),
        ("heic.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "not_an_image"),
        ("icon.ico", icon.getvalue(), "not_an_image"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_an_image"),
        ("document.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "not_an_image"),
        ("page.jpg", b"<!DOCTYPE html><title>404</title>", "not_an_image"),
        ("archive.jpg", b"PK\x03\x04" + bytes(100), "not_an_image"),
        ("film.jpg", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(100), "not_an_image"),
        ("text.jpg", b"no picture\x1b[31m\n", "not_an_image"),
        ("empty.jpg", b"", "empty"),
        ("one-byte.jpg", b"\xff", "not_an_image"),
        ("nuls.jpg", bytes(10_000), "not_an_image"),
        ("png-inside.jpg", PNG, "ok"),
        ("jpeg-inside.png", JPEG, "ok"),
        ("gif-inside.webp", GIF, "ok"),
        ("no-suffix", JPEG, "ok"),
        ("1x1.png", image_bytes(size=(1, 1), format="PNG"), "ok"),
        ("1x9999.png", image_bytes(size=(1, 9999), format="PNG"), "ok"),
        ("9999x1.png", image_bytes(size=(9999, 1), format="PNG"), "ok"),
        ("1x9999.jpg", image_bytes(size=(1, 9999)), "ok"),
        ("many-bytes.jpg", JPEG + bytes(MAX_BYTES), "too_large"),
    ]


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def assert_printable(text):
    assert all(character.isprintable() or character == "\n" for character in text), ascii(text)


def test_every_image_file_gets_its_row_in_order_with_the_right_status(models, tmp_path, run):
    folder = tmp_path / "posters"
    folder.mkdir()
    expected = {}
    for name, content, status in image_cases():
        (folder / name).write_bytes(content)
        expected[name] = status
    os.mkfifo(folder / "pipe.jpg")
    (folder / "broken-link.jpg").symlink_to("nowhere.jpg")
    (folder / "good-link.jpg").symlink_to("baseline.jpg")
    expected |= {"pipe.jpg": "not_a_file", "broken-link.jpg": "missing", "good-link.jpg": "ok"}
    if os.geteuid():
        (folder / "secret.jpg").write_bytes(JPEG)
        (folder / "secret.jpg").chmod(0)
        expected["secret.jpg"] = "unreadable"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "socket.jpg"))
        expected["socket.jpg"] = "unreadable"
        result = run(genre_predict, "--posters", folder, "--models", models, "--out", tmp_path / "p.csv",
                     "--max-bytes", MAX_BYTES, "--columns", "id,status,error,top,file")
    assert result.exit_code == 3, result.stderr
    rows = rows_of(tmp_path / "p.csv")
    assert [(os.path.basename(row["file"]), row["status"]) for row in rows] == sorted(expected.items())
    assert all(bool(row["top"]) == (row["status"] == "ok") == (not row["error"]) for row in rows)
    assert_printable(result.stderr + "".join(row["error"] for row in rows))


def test_a_link_to_itself_is_one_failed_row(models, tmp_path, run):
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "loop.jpg").symlink_to("loop.jpg")
    result = run(genre_predict, "--posters", tmp_path / "posters", "--models", models, "--out", tmp_path / "p.csv")
    assert result.exit_code == 3, result.stderr
    assert [(row["id"], row["status"]) for row in rows_of(tmp_path / "p.csv")] == [("loop", "unreadable")]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("damaged", [b"garbage garbage", b"Exif\0\0garbage", b"II*\0"], ids=ascii)
def test_a_whole_picture_with_damaged_exif_is_decoded(format, damaged):
    plain, spoilt = image_bytes(format=format), image_bytes(format=format, exif=damaged)
    assert np.array_equal(decode_poster(spoilt, (16, 16)), decode_poster(plain, (16, 16)))


NAMES = [
    b"two\nlines.jpg", b"carriage\rreturn.jpg", b"both\r\n.jpg", b"tab\t.jpg", b"\tleading tab.jpg",
    b'double"quote.jpg', b'"quoted".jpg', b"single'quote.jpg", b"comma,.jpg", b"semi;colon.jpg", b"bar|.jpg",
    b"=1+1.jpg", b"+1.jpg", b"-1.jpg", b"@sum.jpg", b"'=1.jpg", b"...jpg", b"....png", b"..jpg", b" .jpg",
    b" leading.jpg", b"trailing .jpg", b"trailing.jpg ", b"end.", "🎬🍿.jpg".encode(), "שלום.jpg".encode(),
    "\u202egpj.exe.jpg".encode(), "zero\u200bwidth.jpg".encode(), "\ufeffmark.jpg".encode(),
    "line\u2028separator\x85\x0b\x0c.jpg".encode(), unicodedata.normalize("NFC", "Amélie.jpg").encode(),
    unicodedata.normalize("NFD", "Amélie.jpg").encode(), b"n" * 246 + b".jpg", "長".encode() * 80 + b".jpg",
    b"latin\xe9.jpg", b"\xff\xfe\xfd.jpg", b"cut\xf0\x9f\x8e.jpg", b"surrogate\xed\xa0\x80.jpg", b"\\\xe9.jpg",
    b"\\xe9.jpg", b"\\\\xe9.jpg", b"\\x\xe9.jpg", b"back\\slash.jpg", b"\\.jpg", b"100%.jpg", b"%s%d%n.jpg",
    b"%e9.jpg", b"{0}.jpg", b"\x1b[31mred\x1b[0m.jpg", b"bell\x07\x08\x7f.jpg", b"no suffix", b"two.tar.jpg",
    b"same.jpg", b"same.png", b".hidden.jpg", b"con.jpg", b"-rf.jpg", b"$(x).jpg", b"`x`.jpg", b"*.jpg", b"?[a].jpg",
    b"~.jpg", b"a:b.jpg", b"http:.jpg", b"null.jpg", b"NaN.jpg", b"007.jpg", b"1e5.jpg", b"posters.csv",
    b"archive.zip", b"UPPER.JPG", b"upper.jpg", b"su\nb/=1.jpg", b"s\xe9b/=1.jpg",
]
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A folder with a failed picture of each of `NAMES`, and one that is ok."""
    folder = tmp_path_factory.mktemp("named")
    for name in NAMES:
        path = os.path.join(os.fsencode(folder), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(JPEG if name == b"same.png" else b"")
    (folder / ".DS_Store").write_bytes(b"")
    return folder


def listed(folder):
    """The ids of the pictures in the order of the output."""
    paths = [os.fsdecode(name) for name in NAMES]
    return [os.path.splitext(path)[0] for path in sorted(paths, key=lambda path: path.split("/"))]


def assert_ids_restore(ids, folder):
    expected = listed(folder)
    assert [restore_name(name) for name in ids] == expected
    assert len(set(ids)) == len(set(expected)) == len(NAMES) - 1  # `same` is there twice


@pytest.mark.parametrize("options", [[], ["--log-format", "json"], ["--strict"]], ids=" ".join)
def test_no_file_name_puts_control_characters_on_the_screen(named, models, tmp_path, run, options):
    result = run(genre_predict, "--posters", named, "--models", models, "--out", tmp_path / "p.csv", *options)
    assert result.exit_code == (1 if options == ["--strict"] else 3), result.output
    assert_printable(result.stderr)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_every_file_name_comes_back_from_its_id(named, models, tmp_path, run, suffix):
    out = tmp_path / f"p.{suffix}"
    assert run(genre_predict, "--posters", named, "--models", models, "--out", out).exit_code == 3
    if suffix == "csv":
        ids = [row["id"] for row in rows_of(out)]
    elif suffix == "jsonl":
        ids = [json.loads(line)["id"] for line in out.read_bytes().decode().rstrip("\n").split("\n")]
    else:
        ids = pytest.importorskip("pyarrow.parquet").read_table(out)["id"].to_pylist()
    assert_ids_restore(ids, named)


def test_excel_safe_ids_begin_no_formula_and_come_back_without_the_apostrophe(named, models, tmp_path, run):
    out = tmp_path / "p.csv"
    assert run(genre_predict, "--posters", named, "--models", models, "--out", out, "--excel-safe").exit_code == 3
    rows = rows_of(out)
    assert not [cell for row in rows for cell in row.values() if cell.startswith(FORMULA_STARTS)]
    assert_ids_restore([re.sub(r"^'(?=[=+\-@\t\r])", "", row["id"]) if row["id"] != "'=1" else "'=1" for row in rows], named)


def test_failed_rows_of_odd_names_can_be_tried_again(named, models, tmp_path, run):
    arguments = "--posters", named, "--models", models, "--out", tmp_path / "p.csv"
    assert run(genre_predict, *arguments).exit_code == 3
    before = (tmp_path / "p.csv").read_bytes()
    result = run(genre_predict, *arguments, "--retry-failed")
    assert result.exit_code == 3, result.stderr
    assert (tmp_path / "p.csv").read_bytes() == before


def parquet(**columns):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


HEAD = "id,overview\n"
ONE = HEAD + "1,a detective\n"
LONG = "a murder\n" * 22_223
OK_1 = [("1", "ok")]
ODD_IDS = ("007", "NA", "null", "None", "1e5", " 1 ", "", "1", "1")
MANY = ["id", "overview", *(f"c{number}" for number in range(998))]

# (name of the case, file name, content, options, expected (id, status) of each row or the refusal)
TABLES = [
    ("open quote at the end", "o.csv", ONE + '2,"open\n', {}, "unexpected end of data near line"),
    ("open quote in the middle", "o.csv", HEAD + '1,"open\n2,b\n3,c\n', {}, "unexpected end of data near line"),
    ("open quote in the header", "o.csv", 'id,"overview\n1,x\n', {}, "unexpected end of data near line"),
    ("text after a quote", "o.csv", HEAD + '1,"a"b\n', {}, "expected a well-formed table"),
    ("short row", "o.csv", HEAD + "1\n2,b\n", {}, [("1", "bad_row"), ("2", "ok")]),
    ("long row", "o.csv", HEAD + "1,a,b\n2,b\n", {}, [("1", "bad_row"), ("2", "ok")]),
    ("short row without id", "o.csv", "overview,id\na\n", {}, [("", "bad_row")]),
    ("row of blanks", "o.csv", HEAD + "  \n1,b\n", {}, [("  ", "bad_row"), ("1", "ok")]),
    ("no id column", "o.csv", "nr,overview\n1,a\n", {}, "Name it with --id-column"),
    ("no overview column", "o.csv", "id,words\n1,a\n", {}, "Name it with --text-column"),
    ("columns twice", "o.csv", "id,overview,overview\n1,a,b\n", {}, "'overview' more than once"),
    ("empty", "o.csv", "", {}, "expected a header line"),
    ("blank lines only", "o.csv", "\n\r\n\n", {}, "expected a header line"),
    ("header only", "o.csv", HEAD, {}, []),
    ("header without line end", "o.csv", "id,overview", {}, []),
    ("UTF-8 mark", "o.csv", ONE.encode("utf-8-sig"), {}, OK_1),
    ("UTF-16 LE", "o.csv", ("\ufeff" + ONE).encode("utf-16-le"), {}, OK_1),
    ("UTF-16 BE", "o.csv", ("\ufeff" + ONE).encode("utf-16-be"), {}, OK_1),
    ("UTF-16 cut in a character", "o.csv", ("\ufeff" + ONE).encode("utf-16-le")[:-1], {}, "expected text in UTF-16"),
    ("UTF-16 without mark", "o.csv", ONE.encode("utf-16-le"), {}, "expected"),
    ("UTF-16 without mark, named", "o.csv", ONE.encode("utf-16-le"), {"encoding": "utf-16-le"}, OK_1),
    ("UTF-32", "o.csv", ONE.encode("utf-32"), {}, OK_1),
    ("latin-1", "o.csv", (HEAD + "1,café\n").encode("latin-1"), {}, "text in UTF-8; found byte 0xe9"),
    ("latin-1, named", "o.csv", (HEAD + "1,café\n").encode("latin-1"), {"encoding": "latin-1"}, OK_1),
    ("latin-1 in the header", "o.csv", "id,overview,caf\xe9\n1,a,b\n".encode("latin-1"), {}, "text in UTF-8; found byte"),
    ("unknown encoding", "o.csv", ONE, {"encoding": "klingon"}, "the name of an encoding"),
    ("no text encoding", "o.csv", ONE, {"encoding": "hex"}, "the name of an encoding"),
    ("encoding that refuses", "o.csv", ONE, {"encoding": "undefined"}, "expected text in UNDEFINED"),
    ("encoding with NUL", "o.csv", ONE, {"encoding": "utf-8\0"}, "expected"),
    ("surrogates by escapes", "o.csv", HEAD + r"\ud800,a" + "\n", {"encoding": "unicode_escape"}, [("\ud800", "ok")]),
    ("NUL bytes", "o.csv", HEAD + "1,a\0b\n", {}, OK_1),
    ("one megabyte", "o.csv", HEAD + "1," + "murder " * 150_000 + "\n2,b\n", {}, [("1", "ok"), ("2", "ok")]),
    ("long quoted cell with newlines", "o.csv", HEAD + f'1,"{LONG}"\n2,b\n', {}, [("1", "ok"), ("2", "ok")]),
    ("CR line ends", "o.csv", HEAD.replace("\n", "\r") + "1,a\r2,b\r", {}, [("1", "ok"), ("2", "ok")]),
    ("mixed line ends", "o.csv", "id,overview\r\n1,a\n2,b\r3,c", {}, [("1", "ok"), ("2", "ok"), ("3", "ok")]),
    ("odd ids", "o.csv", HEAD + "".join(f"{odd},a\n" for odd in ODD_IDS), {}, [(odd, "ok") for odd in ODD_IDS]),
    ("formula ids", "o.csv", HEAD + "=1+1,a\n@x,a\n-1,a\n", {}, [("=1+1", "ok"), ("@x", "ok"), ("-1", "ok")]),
    ("control characters in ids", "o.csv", HEAD + '"a\nb",x\n"c\rd",x\n"\x1b[31m",x\n', {},
     [("a\nb", "ok"), ("c\rd", "ok"), ("\x1b[31m", "ok")]),
    ("tabs", "o.csv", ONE.replace(",", "\t"), {}, OK_1),
    ("semicolons", "o.csv", ONE.replace(",", ";"), {}, OK_1),
    ("bars", "o.csv", ONE.replace(",", "|"), {}, OK_1),
    ("named delimiter", "o.csv", ONE.replace(",", ":"), {"delimiter": ":"}, OK_1),
    ("tab by escape", "o.csv", ONE.replace(",", "\t"), {"delimiter": "\t"}, OK_1),
    ("wrong delimiter", "o.csv", ONE, {"delimiter": ";"}, "expected a column named one of"),
    ("long delimiter", "o.csv", ONE, {"delimiter": "::"}, "delimiter"),
    ("line end as delimiter", "o.csv", ONE, {"delimiter": "\n"}, "expected"),
    ("quote as delimiter", "o.csv", ONE, {"delimiter": '"'}, "expected"),
    ("quote inside a plain cell", "o.csv", HEAD + '1,5" of rain\n', {}, OK_1),
    ("doubled quotes", "o.csv", HEAD + '1,"the ""best"" film"\n', {}, OK_1),
    ("quoted header", "o.csv", '"id","overview"\n"1","a"\n', {}, OK_1),
    ("quoted header with newline", "o.csv", '"id","overview","x\ny"\n1,a,b\n', {}, OK_1),
    ("header with spaces and capitals", "o.csv", " IMDB-Id , Plot Outline \n1,a\n", {}, OK_1),
    ("a thousand columns", "o.csv", ",".join(MANY) + "\n" + ",".join(map(str, range(1, 1001))) + "\n", {}, OK_1),
    ("delimiter at the end of rows", "o.csv", HEAD + "1,a,\n", {}, [("1", "bad_row")]),
    ("delimiter at the end of all lines", "o.csv", "id,overview,\n1,a,\n", {}, OK_1),
    ("two delimiters at the end of all lines", "o.csv", "id,overview,,\n1,a,,\n", {}, "'' more than once"),
    ("long cell", "o.csv", HEAD + "1," + "x" * 2_000_001 + "\n2,b\n", {}, [("1", "bad_row"), ("2", "ok")]),
    ("long id", "o.csv", HEAD + "x" * 2_000_001 + ",a\n2,b\n", {}, [("", "bad_row"), ("2", "ok")]),
    ("long row", "o.csv", HEAD + "1," + "x" * 10_000_000 + "\n2,b\n", {}, "rows of at most 10,000,000 characters"),
    ("many columns", "o.csv", ",".join(map(str, range(10_001))) + "\n", {}, "at most 10,000 columns"),
    ("gzip", "o.csv.gz", gzip.compress(ONE.encode()), {}, OK_1),
    ("gzip, capitals", "O.CSV.GZ", gzip.compress(ONE.encode()), {}, OK_1),
    ("gzip cut short", "o.csv.gz", without_end(gzip.compress(ONE.encode()), 10), {}, "expected a whole gzip file"),
    ("gzip damaged", "o.csv.gz", replaced(gzip.compress(ONE.encode()), 15, b"\xff" * 3), {}, "expected a whole gzip file"),
    ("gzip empty", "o.csv.gz", b"", {}, "expected"),
    ("plain as gzip", "o.csv.gz", ONE, {}, "expected a whole gzip file"),
    ("gzip as plain", "o.csv", gzip.compress(ONE.encode(), mtime=0), {}, "text in UTF-8; found byte 0x8b"),
    ("folder", "o.csv", None, {}, "found not a regular file"),
    ("missing", "", None, {}, "found No such file"),
    ("picture", "o.csv", JPEG, {}, "text in UTF-8; found byte 0xff"),
    ("Parquet", "o.parquet", lambda: parquet(id=["1"], overview=["a"]), {}, OK_1),
    ("Parquet nulls", "o.parquet", lambda: parquet(id=["1", None], overview=[None, "b"]), {}, [("1", "ok"), ("", "ok")]),
    ("Parquet numbers", "o.parquet", lambda: parquet(id=[7, 8], overview=["a", "b"]), {}, [("7", "ok"), ("8", "ok")]),
    ("Parquet bytes", "o.parquet", lambda: parquet(id=[b"\xe9"], overview=[b"caf\xe9"]), {}, [("\ufffd", "ok")]),
    ("Parquet lists", "o.parquet", lambda: parquet(id=["1"], overview=[["a", "b"]]), {}, "single values in the column"),
    ("Parquet lists elsewhere", "o.parquet", lambda: parquet(id=["1"], overview=["a"], x=[["a", "b"]]), {}, OK_1),
    ("Parquet text that is none", "o.parquet", lambda: parquet(id=["1"], overview=["caf\xe9"]).replace(
        b"caf\xc3", b"caf\xff"), {}, "values that can be read in the column 'overview'"),
    ("Parquet dates no calendar has", "o.parquet", lambda: parquet(id=np.array([2**61], "datetime64[us]"), overview=["a"]),
     {}, "values that can be read in the column 'id'"),
    ("Parquet without rows", "o.parquet", lambda: parquet(id=[], overview=[]), {}, []),
    ("Parquet without columns", "o.parquet", lambda: parquet(), {}, "expected a column"),
    ("Parquet cut short", "o.parquet", lambda: without_end(parquet(id=["1"]), 20), {}, "expected a Parquet file"),
    ("Parquet empty", "o.parquet", b"", {}, "expected a Parquet file"),
    ("text as Parquet", "o.parquet", ONE, {}, "expected a Parquet file"),
    ("Parquet as text", "o.csv", lambda: parquet(id=["1"], overview=["a"]), {}, "expected"),
]
REFUSED = [case for case in TABLES if isinstance(case[-1], str)]
READ = [case for case in TABLES if not isinstance(case[-1], str)]
SCORED = [
    ("overviews without words", HEAD + "1,\n2,?!…\n3,🎬🍿\n4,\u200b\n", ["empty_text"] * 4),
    ("overviews of unknown words", HEAD + "1,qwxz zzyx\n2,電影偵探謀殺\n", ["unknown_text"] * 2),
    ("an overview of an accent alone", HEAD + "1,\u0301\n", ["empty_text"]),
    ("a NUL beside a word", HEAD + "1,a murder\0detective\n", ["ok"]),
    ("a long overview", HEAD + f'1,"{LONG}"\n', ["ok"]),
]


def write_table(folder, name, content):
    content = content() if callable(content) else content
    path = folder / (name or "nowhere.csv")
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    elif name:
        path.mkdir()
    return path


def by_name(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case[0])


@by_name(READ)
def test_reads_every_row_of_an_odd_table(tmp_path, case):
    _, name, content, options, expected = case
    items = list(read_overviews(write_table(tmp_path, name, content), TableOptions(**options)))
    assert [(item.id, item.error[0] if item.error else "ok") for item in items] == expected


def score_table(models, tmp_path, run, case):
    """Runs the command on the table of a case: (its path, the result)."""
    _, name, content, options, _ = case
    path = write_table(tmp_path, name, content)
    arguments = [part for option, value in options.items() for part in (f"--{option}", value)]
    return path, run(genre_predict, "--overviews", path, "--models", models, "--out", tmp_path / "p.csv", *arguments)


@by_name(REFUSED)
def test_a_table_that_cannot_be_read_whole_is_refused_and_leaves_nothing(models, tmp_path, run, case):
    path, result = score_table(models, tmp_path, run, case)
    assert result.exit_code == 2, (result.stderr, result.exception)
    assert path.name in result.stderr and case[-1] in result.stderr
    assert_printable(result.stderr)
    assert not list(tmp_path.glob("p.csv*")) and not list(tmp_path.glob(".*"))


ODD = [case for case in READ if case[0] in ("short row", "odd ids", "formula ids", "control characters in ids", "NUL bytes",
                                           "UTF-16 LE", "Parquet nulls", "header only")]


@by_name(ODD)
def test_the_output_names_the_rows_of_an_odd_table(models, tmp_path, run, case):
    _, result = score_table(models, tmp_path, run, case)
    assert result.exit_code in (0, 3), (result.stderr, result.exception)
    assert [restore_name(row["id"]) for row in rows_of(tmp_path / "p.csv")] == [film_id for film_id, _ in case[-1]]


def test_an_id_that_is_no_unicode_gets_its_row(models, tmp_path, run):
    path = write_table(tmp_path, "o.csv", HEAD + r"\ud800,a" + "\n")
    result = run(genre_predict, "--overviews", path, "--models", models, "--out", tmp_path / "p.csv",
                 "--encoding", "unicode_escape")
    assert result.exit_code in (0, 3), (result.stderr, result.exception)
    assert len(rows_of(tmp_path / "p.csv")) == 1


@by_name(SCORED)
def test_an_overview_is_scored_by_its_known_words_only(models, tmp_path, run, case):
    _, content, statuses = case
    path = write_table(tmp_path, "o.csv", content)
    result = run(genre_predict, "--overviews", path, "--models", models, "--out", tmp_path / "p.csv")
    assert result.exit_code == (0 if set(statuses) == {"ok"} else 3), result.stderr
    assert [row["status"] for row in rows_of(tmp_path / "p.csv")] == statuses


def test_bad_image_files_are_not_decoded_slowly():
    for name, content, _ in image_cases():
        started = time.monotonic()
        try:
            decode_poster(content, (16, 16))
        except PosterError:
            pass
        assert time.monotonic() - started < 2, name


def decode_mutations(count):
    """Decodes damaged pictures of all formats; run in a process of its own, which a decoder may end."""
    small = (30, 45)
    sources = [noise_bytes(small), image_bytes(size=small, progressive=True), image_bytes("CMYK", small, exif=exif(6)),
               noise_bytes(small, "PNG"), image_bytes("P", small, "PNG", transparency=0), image_bytes("I;16", small, "PNG"),
               noise_bytes(small, "WEBP"), frames("WEBP"), noise_bytes(small, "GIF"), frames("GIF"),
               noise_bytes(small, "BMP"), noise_bytes(small, "TIFF"),
               image_bytes(size=small, format="TIFF", compression="tiff_lzw"),
               image_bytes("F", small, "TIFF", color=0.5), noise_bytes(small, "AVIF")]
    generator = np.random.default_rng(0)
    for number in range(count):
        data = mutated(sources[number % len(sources)], generator)
        started = time.monotonic()
        try:
            pixels = decode_poster(data, (16, 16))
            assert pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8, number
        except PosterError:
            pass
        assert time.monotonic() - started < 2, number


def test_no_damaged_picture_hangs_or_ends_the_process():
    code = "import faulthandler; faulthandler.enable(); from test_hostile import decode_mutations; decode_mutations(10_000)"
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=Path(__file__).parent, capture_output=True,
                            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, text=True, timeout=600)
    assert result.returncode == 0, result.stderr[-5000:]
