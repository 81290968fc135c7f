"""Saves and loads models: `.keras` files that are byte-stable and carry all that scoring needs."""

import importlib.metadata
import json
import re
import tempfile
import zipfile
from pathlib import Path

from movie_genres.errors import InputError
from movie_genres.files import replacing

METADATA = "movie_genres.json"  # a member of the .keras archive beside Keras's own
FORMAT = 1
_SHARED_OBJECT = re.compile(rb'(?<="shared_object_id": )\d+')
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can hold


def versions():
    """The versions of the libraries that decide what a model computes, as a dict."""
    return {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy", "pillow")}


def save(model, path, metadata):
    """Writes a model and its metadata to one `.keras` file; the same weights and metadata give the same bytes.

    The file is written under another name and renamed, so that a failure leaves an older one in place.

    Args:
        model: `keras.Model`.
        path: where to; the folder is made.
        metadata: dict that JSON can hold: what scoring needs beside the network.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial, tempfile.TemporaryDirectory(dir=path.parent) as folder:
        raw = Path(folder) / "raw.keras"
        model.save(raw)
        _rewrite(raw, partial, {"format": FORMAT, **metadata, "versions": versions()})


def _rewrite(source, target, metadata):
    """Copies a `.keras` archive without the dates and memory addresses that Keras puts inside, and adds the metadata."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in sorted(old.namelist()):
            content = old.read(name)
            if name == "metadata.json":
                content = json.dumps({**json.loads(content), "date_saved": ""}).encode()
            elif name == "config.json":
                addresses = list(dict.fromkeys(_SHARED_OBJECT.findall(content)))
                content = _SHARED_OBJECT.sub(lambda match: b"%d" % addresses.index(match[0]), content)
            new.writestr(zipfile.ZipInfo(name, _EPOCH), content)
        new.writestr(zipfile.ZipInfo(METADATA, _EPOCH), json.dumps(metadata, ensure_ascii=False))


def read_metadata(path):
    """Reads the metadata of a model file, without TensorFlow.

    Raises:
        InputError: no such file, or not a model file of this toolkit.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = json.loads(archive.read(METADATA))
    except FileNotFoundError:
        raise InputError(path, "a model file", "no such file", "Train one with: dvc repro") from None
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise InputError(path, "a model file (.keras) that this toolkit wrote", str(error),
                         "Train it again, or fetch it again.") from None
    if metadata.get("format") != FORMAT:
        raise InputError(path, f"model format {FORMAT}", f"{metadata.get('format')}", "Train it again.")
    return metadata


def load(path):
    """Loads a model file.

    Returns:
        (`keras.Model`, metadata dict).

    Raises:
        InputError: as `read_metadata`, or Keras cannot build the model.
    """
    metadata = read_metadata(path)
    import keras

    from movie_genres import layers  # noqa: F401  registers our layers with Keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True), metadata
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise InputError(path, "a loadable Keras model", str(error).splitlines()[0], "Train it again.") from None
