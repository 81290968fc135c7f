"""Model files that are cut, altered or made to do harm are refused by name, and nothing of them runs."""

import io
import json
import pickle
import zipfile

import h5py
import keras
import numpy as np
import pytest
from conftest import options_of

from movie_genres.base.errors import InputError
from movie_genres.checkpoints import keras_files
from movie_genres.models.metadata import KEY
from movie_genres.networks.cnn import CnnOptions, build_cnn

EVIL = "import pathlib; pathlib.Path('evil').touch()"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "m.keras"
    network = build_cnn((16, 16), 3, options_of(CnnOptions, width=4))
    keras_files.save(network, path, {"modality": "poster", "genres": ["A", "B", "C"]})
    return path.read_bytes()


def altered(data, change):
    """The archive with `change` applied to the dict of its members."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def without(member):
    return lambda members: members.pop(member)


def with_member(member, content):
    return lambda members: members.update({member: content})


def with_config(edit):
    def change(members):
        config = json.loads(members["config.json"])
        edit(config["config"]["layers"][1])
        members["config.json"] = json.dumps(config).encode()

    return change


def with_weights(edit):
    def change(members):
        file = io.BytesIO(members["model.weights.h5"])
        with h5py.File(file, "r+") as weights:
            found = []
            weights.visititems(lambda name, entry: found.append(name) if isinstance(entry, h5py.Dataset) else None)
            edit(weights, found[0])
        members["model.weights.h5"] = file.getvalue()

    return change


def fill(value):
    def edit(weights, name):
        weights[name][...] = value

    return edit


def reshape(weights, name):
    del weights[name]
    weights[name] = np.zeros((1, 2, 3), np.float32)


def remove(weights, name):
    del weights[name]


def as_lambda(members):
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs))
    config = json.loads(model.to_json())
    members["config.json"] = json.dumps(config).encode()


class Harmful:
    def __reduce__(self):
        return exec, (EVIL,)


CASES = {
    "empty": lambda data: b"",
    "half": lambda data: data[:len(data) // 2],
    "last byte missing": lambda data: data[:-1],
    "first bytes missing": lambda data: data[100:],
    "a byte of the weights flipped": lambda data: data.replace(b"\x89HDF", b"\x89HDX", 1),
    "text": lambda data: b"not a model",
    "a pickle": lambda data: pickle.dumps(Harmful()),
    "HDF5, as of old Keras": lambda data: altered(data, lambda members: None) and zipfile.ZipFile(io.BytesIO(data)).read(
        "model.weights.h5"),
    "no metadata": lambda data: altered(data, without(KEY)),
    "metadata that is no JSON": lambda data: altered(data, with_member(KEY, b"{")),
    "metadata of another format": lambda data: altered(data, with_member(KEY, b'{"format": 99}')),
    "no configuration": lambda data: altered(data, without("config.json")),
    "a configuration that is no JSON": lambda data: altered(data, with_member("config.json", b"\0\1")),
    "no weights": lambda data: altered(data, without("model.weights.h5")),
    "weights cut short": lambda data: altered(data, lambda members: members.update(
        {"model.weights.h5": members["model.weights.h5"][:5000]})),
    "weights of another shape": lambda data: altered(data, with_weights(reshape)),
    "a weight missing": lambda data: altered(data, with_weights(remove)),
    "NaN weights": lambda data: altered(data, with_weights(fill(np.nan))),
    "infinite weights": lambda data: altered(data, with_weights(fill(np.inf))),
    "a Lambda": lambda data: altered(data, as_lambda),
    "an unknown layer": lambda data: altered(data, with_config(lambda layer: layer.update(class_name="New", module="x"))),
    "a function of the system": lambda data: altered(data, with_config(lambda layer: layer.update(
        class_name="system", module="os", registered_name="system", config={"command": "touch evil"}))),
    "a function of Keras that loads files": lambda data: altered(data, with_config(lambda layer: layer.update(
        class_name="get_file", module="keras.utils", registered_name="get_file", config={"origin": "file:///etc/passwd"}))),
}


@pytest.mark.parametrize("case", CASES)
def test_is_refused_by_name_and_without_side_effect(good, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.keras").write_bytes(CASES[case](good))
    with pytest.raises(InputError, match=r"m\.keras: expected .*; found "):
        keras_files.load(tmp_path / "m.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]


def test_an_undamaged_one_is_loaded(good, tmp_path):
    (tmp_path / "m.keras").write_bytes(altered(good, lambda members: None))
    assert keras_files.load(tmp_path / "m.keras")[0].count_params()


def test_a_member_outside_the_archive_is_not_written(good, tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "m.keras").write_bytes(altered(good, with_member("../../evil", b"x")))
    keras_files.load(tmp_path / "inside" / "m.keras")
    assert not list(tmp_path.rglob("evil"))
