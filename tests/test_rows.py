import csv
import gzip
import json

import numpy as np
import pytest

from movie_genres.base.errors import InputError, SettingError
from movie_genres.base.names import escape_name, restore_name
from movie_genres.scoring.rows import FORMATS, Row, RowFormat, format_of, merge_parts, read_rows, write_part

GENRES = ("Drama", "Sci-Fi")
ROWS = [Row("007", "both", "ok", "", "p/007.jpg", np.array([0.25004, 0.9]), 1),
        Row("NA", "poster", "corrupt", "cut\nshort", "p/NA.jpg"),
        Row('=1+1,"\n', "overview", "ok", "", "", np.array([0.1, 0.2]), 2)]


def written(tmp_path, rows=ROWS, **options):
    layout = RowFormat(GENRES, **options)
    write_part(map(layout.cells, rows), tmp_path / "part", layout)
    return (tmp_path / "part").read_bytes()


def test_csv_has_the_promised_columns_and_values(tmp_path):
    assert written(tmp_path).decode() == (
        "id,source,status,error,genres,top,p_Drama,p_Sci-Fi\n"
        "007,both,ok,,Sci-Fi,Sci-Fi:0.900|Drama:0.250,0.2500,0.9000\n"
        "NA,poster,corrupt,cut short,,,,\n"
        '"=1+1,""\n",overview,ok,,Sci-Fi|Drama,Sci-Fi:0.200|Drama:0.100,0.1000,0.2000\n')


def test_json_lines_keep_lists_and_numbers(tmp_path):
    first, second, _ = map(json.loads, written(tmp_path, format="jsonl").splitlines())
    assert first == {"id": "007", "source": "both", "status": "ok", "error": "", "genres": ["Sci-Fi"],
                     "top": ["Sci-Fi:0.900", "Drama:0.250"], "p_Drama": 0.25, "p_Sci-Fi": 0.9}
    assert second["genres"] is None and second["p_Drama"] is None


def test_parquet_keeps_lists_and_numbers(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    written(tmp_path, format="parquet")
    table = parquet.read_table(tmp_path / "part").to_pydict()
    assert table["id"] == [row.id for row in ROWS] and table["genres"] == [["Sci-Fi"], None, ["Sci-Fi", "Drama"]]
    assert table["p_Sci-Fi"] == [0.9, None, 0.2]
    written(tmp_path, format="parquet", columns=("id", "expected_precision"))
    assert parquet.read_table(tmp_path / "part").to_pydict()["expected_precision"] == [0.9, None, 0.15]


@pytest.mark.parametrize("options, header, first", [
    ({"columns": ("id", "genres")}, ["id", "genres"], ["007", "Sci-Fi"]),
    ({"columns": ("file", "id", "model"), "model": "m 1.0"}, ["file", "id", "model"], ["p/007.jpg", "007", "m 1.0"]),
    ({"columns": ("genres", "top"), "top": 1}, ["genres", "top"], ["Sci-Fi", "Sci-Fi:0.900"]),
    ({"columns": ("expected_precision", "id")}, ["expected_precision", "id"], ["0.9000", "007"]),
])
def test_columns_and_top_are_as_asked(tmp_path, options, header, first):
    rows = list(csv.reader(written(tmp_path, **options).decode().splitlines()))
    assert rows[:2] == [header, first]


def test_formulas_are_defused_on_request(tmp_path):
    rows = [Row(name, "poster", "ok") for name in ("=1", "+1", "-1", "@x", "\tx", "x=1", "1")]
    found = list(csv.reader(written(tmp_path, rows, columns=("id",), excel_safe=True).decode().splitlines()))
    assert [cells[0] for cells in found[1:]] == ["'=1", "'+1", "'-1", "'@x", "'\tx", "x=1", "1"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("cuts", [[], [3], [1, 2], [1, 1, 1]], ids=str)
def test_parts_join_to_what_one_part_would_hold(tmp_path, format, cuts):
    pytest.importorskip("pyarrow", reason="needs the extra parquet")
    layout, parts, start = RowFormat(GENRES, format=format), [], 0
    for size in cuts:
        parts.append(tmp_path / f"part-{start}")
        write_part(map(layout.cells, ROWS[start:start + size]), parts[-1], layout)
        start += size
    merge_parts(parts, tmp_path / "merged", layout)
    write_part(map(layout.cells, ROWS[:start]), tmp_path / "whole", layout)
    assert list(read_rows([tmp_path / "merged"], layout)) == list(read_rows([tmp_path / "whole"], layout))
    if format.endswith(".gz"):
        assert gzip.decompress((tmp_path / "merged").read_bytes()) == gzip.decompress((tmp_path / "whole").read_bytes())


@pytest.mark.parametrize("format", FORMATS)
def test_rows_that_are_kept_are_written_as_they_were(tmp_path, format):
    pytest.importorskip("pyarrow", reason="needs the extra parquet")
    before, layout = written(tmp_path, format=format, excel_safe=True), RowFormat(GENRES, format=format, excel_safe=True)
    write_part(read_rows([tmp_path / "part"], layout), tmp_path / "again", layout)
    assert (tmp_path / "again").read_bytes() == before


def test_an_output_of_other_columns_or_a_damaged_one_is_not_read(tmp_path):
    written(tmp_path, columns=("id", "status"))
    with pytest.raises(InputError, match="expected the columns id, source.*found id, status"):
        list(read_rows([tmp_path / "part"], RowFormat(GENRES)))
    with pytest.raises(InputError, match="expected jsonl as it was written"):
        list(read_rows([tmp_path / "part"], RowFormat(GENRES, format="jsonl")))


@pytest.mark.parametrize("name, written", [
    ("plain", "plain"), ("café", "café"), ("a\nb", "a\nb"), ("a\\b", "a\\b"), ("caf\udce9", "caf\\xe9"),
    ("caf\\xe9", "caf\\\\xe9"), ("a\\b\udcff", "a\\\\b\\xff"), ("\\\\x", "\\\\\\\\x"), ("é\udce9", "é\\xe9"),
])
def test_names_that_are_not_utf_8_are_escaped_and_restored(name, written):
    assert escape_name(name) == written
    assert restore_name(written) == name


@pytest.mark.parametrize("path, given, expected", [
    ("p.csv", None, "csv"), ("P.CSV.GZ", None, "csv.gz"), ("p.jsonl", None, "jsonl"), ("p.parquet", None, "parquet"),
    ("p.txt", "jsonl", "jsonl")])
def test_the_format_goes_by_the_suffix(path, given, expected):
    assert format_of(path, given) == expected


@pytest.mark.parametrize("path, given", [("p.txt", None), ("p", None), ("p.csv", "xml")])
def test_an_unknown_format_is_refused(path, given):
    with pytest.raises((InputError, SettingError)) as error:
        format_of(path, given)
    assert error.value.setting == "format"
