import os

import pytest

from movie_genres.base import files
from movie_genres.base.files import is_below, open_regular, read_capped


def test_is_below_follows_links(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    assert is_below(tmp_path / "in" / "x", tmp_path / "in") and is_below(tmp_path / "in", tmp_path / "in")
    assert not is_below(tmp_path / "in" / "link" / "x", tmp_path / "in")
    assert not is_below(tmp_path / "inside", tmp_path / "in")
    assert not is_below("a\0b", tmp_path)


@pytest.mark.parametrize("most, expected", [(0, b"a"), (2, b"abc"), (3, b"abcd"), (4, b"abcd"), (100, b"abcd")])
@pytest.mark.parametrize("grows", [False, True])
def test_a_file_is_read_to_a_byte_beyond_the_cap_also_while_it_grows(tmp_path, monkeypatch, most, expected, grows):
    (tmp_path / "x").write_bytes(b"abcd")
    with open_regular(tmp_path / "x") as file:
        if grows:  # it had a byte when it was looked at
            monkeypatch.setattr(files.os, "fstat", lambda _: os.stat_result((0,) * 6 + (1,) + (0,) * 3))
        assert read_capped(file, most) == expected
