import sys

import pytest

from movie_genres.base.errors import InputError, MissingPackageError
from movie_genres.data.parquet import open_table
from movie_genres.data.tables import ID_COLUMNS, Table


def table(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Table(path)


@pytest.mark.parametrize("content, rows", [
    ("id,text\n007,NA\n", [["007", "NA"]]),
    ("\ufeffid,text\n1,null\n", [["1", "null"]]),
    ("id;text\n1;a, b\n", [["1", "a, b"]]),
    ("id\ttext\n1\tx\n", [["1", "x"]]),
    ('id,text\r\n1,"two\nlines ""quoted"""\r\n', [["1", 'two\nlines "quoted"']]),
    ("id,text\n\n1,a\n\n2,b", [["1", "a"], ["2", "b"]]),
    ("id,text\n1,a,b\n2\n", [["1", "a", "b"], ["2"]]),
    ("id,text\n1," + "x" * 200_000 + "\n", [["1", "x" * 200_000]]),
])
def test_rows_are_text_as_they_stand(tmp_path, content, rows):
    assert [cells for _, cells in table(tmp_path, content)] == rows


@pytest.mark.parametrize("content, message", [
    ("", "expected a header line"),
    ("id,id\n1,2\n", "the column 'id' more than once"),
    ('id,text\n1,"open\n2,b\n', "unexpected end of data near line 3"),
    (b"id,text\n1,caf\xe9\n", "expected text in UTF-8; found byte 0xe9"),
])
def test_refuses_what_it_cannot_read_whole(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        list(table(tmp_path, content))


def test_finds_usual_and_named_columns(tmp_path):
    found = table(tmp_path, "Plot,IMDB Id\nx,1\n")
    assert found.find(None, ID_COLUMNS) == 1
    assert found.find("Plot", ID_COLUMNS) == 0


def test_a_missing_column_says_which_there_are(tmp_path):
    with pytest.raises(InputError, match=r"a column 'x'; found the columns Plot, Nr\.$") as error:
        table(tmp_path, "Plot,Nr\n").find("x", setting="id_column")
    assert error.value.setting == "id_column"


def test_a_parquet_table_without_its_package_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match="^t.parquet: Parquet needs the package pyarrow"):
        open_table("t.parquet")
