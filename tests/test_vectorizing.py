import json
import time

import numpy as np
import pytest
from conftest import image_bytes

from movie_genres.base.errors import MissingPackageError
from movie_genres.base.threads import WORKERS
from movie_genres.data import vectorizing
from movie_genres.data.vectorizing import Block, write_overviews, write_posters
from movie_genres.inputs.features import load_overviews, load_posters
from movie_genres.inputs.posters import DECODER, read_poster
from movie_genres.inputs.vocabulary import Vocabulary


def test_unreadable_and_missing_posters_are_reported_and_marked(tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(image_bytes(format="PNG"))
    bad.write_bytes(b"")
    unreadable = write_posters([str(good), "", str(bad)], tmp_path / "out", (8, 6))
    posters = load_posters(tmp_path / "out")
    assert posters.present.tolist() == [True, False, False]
    assert posters.pixels.shape == (3, 8, 6, 3) and isinstance(posters.pixels, np.memmap)
    assert np.array_equal(posters.pixels[0], read_poster(good, (8, 6))) and not posters.pixels[1:].any()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert unreadable == {str(bad): "empty: the file is empty"} == report["unreadable"]
    assert report["decoder"] == DECODER


@pytest.mark.parametrize("texts", [[], [""], ["a b", "", "c unknown", "?", "b a a", "c"]])
def test_overviews_that_are_encoded_piece_by_piece_are_the_same(tmp_path, monkeypatch, texts):
    vocabulary = Vocabulary(["a", "b", "c"], 2)
    monkeypatch.setattr(vectorizing, "PIECE", 2)
    write_overviews(texts, vocabulary, tmp_path)
    for found, expected in zip(load_overviews(tmp_path), vocabulary.encode(texts)):
        assert found.dtype == expected.dtype and np.array_equal(found, expected)


def test_posters_keep_their_places_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(vectorizing, "BLOCK", 3)
    paths = [tmp_path / f"{number}.png" for number in range(8)]
    for number, path in enumerate(paths):
        path.write_bytes(image_bytes(format="PNG", color=(30 * number, 9, 9)))
    write_posters(list(map(str, paths)), tmp_path / "out", (4, 4))
    assert load_posters(tmp_path / "out").pixels[:, 2, 2, 0].tolist() == [30 * number for number in range(8)]


def test_few_blocks_wait_while_one_takes_long(tmp_path, monkeypatch):
    others, others_then, decode = [], [], vectorizing.decode_block

    def slow_at_first(start, *about):
        if start:
            others.append(start)
        else:
            time.sleep(0.3)
            others_then.append(len(others))
        return decode(start, *about)

    monkeypatch.setattr(vectorizing, "BLOCK", 1)
    monkeypatch.setattr(vectorizing, "decode_block", slow_at_first)
    write_posters([""] * 8 * WORKERS, tmp_path, (4, 4))
    assert len(others) == 8 * WORKERS - 1 and others_then[0] < WORKERS + 2


def test_a_cluster_is_left_at_once_where_blocks_cannot_be_written(tmp_path, monkeypatch):
    left = []

    def run(*about):
        try:
            yield Block(0, np.zeros((1, 9, 9, 3), np.uint8), np.ones(1, np.bool_), {})  # too large
        finally:
            left.append(True)

    monkeypatch.setattr(vectorizing.Cluster, "run", run)
    with pytest.raises(ValueError) as error:
        write_posters([""], tmp_path, (4, 4), "ray")
    assert left and error.tb  # the traceback would keep what is not closed


def test_ray_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="The engine ray needs the package ray"):
        write_posters([""], tmp_path, (4, 4), "ray")
