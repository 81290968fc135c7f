import json

import numpy as np
from conftest import image_bytes

from movie_genres.data.vectorizing import write_posters
from movie_genres.inputs.features import load_posters
from movie_genres.inputs.posters import DECODER, read_poster


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
