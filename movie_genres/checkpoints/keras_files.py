"""Saves and loads models as Keras has them: `.keras` files that are byte-stable, with the metadata inside."""

import json
import lzma
import math
import os
import re
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movie_genres.base.errors import InputError, MissingPackageError, Remedy
from movie_genres.base.files import SMALL, open_regular, reason_of, replacing
from movie_genres.models.metadata import AGAIN, FORMAT, KEY, LARGEST_INPUT, check_metadata, versions

if TYPE_CHECKING:
    import keras

LARGEST_FILE = 4_000_000_000  # bytes of a model file when unpacked
EXPECTED = "a model file (.keras) that this toolkit wrote"
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, KeyError, ValueError)
_SHARED_OBJECT = re.compile(rb'(?<="shared_object_id": )\d+')
PACKAGES = "tensorflow", "keras", "numpy", "pillow", "simplejpeg"  # they decide what is trained
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can hold


def environment() -> dict[str, int | bool]:
    """What else decides the last bits of what is trained here: threads an operation, and oneDNN's kernels."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = int(os.environ.get("TF_NUM_INTRAOP_THREADS") or cores or 1)
    return {"threads": threads, "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1") != "0"}


def save(model: "keras.Model", path: Path, metadata: dict[str, Any]) -> None:
    """Writes a built model, and what scoring needs beside it, to one `.keras` file.

    The same weights and metadata give the same bytes. A failure leaves an older file in place.
    """
    with tempfile.TemporaryDirectory(prefix="movie-genres-") as folder:
        raw = Path(folder) / "raw.keras"
        model.save(raw)
        _rewrite(raw, path, {"format": FORMAT, **metadata, "versions": versions(*PACKAGES), "environment": environment()})


def _rewrite(source: Path, target: Path, metadata: dict[str, Any]) -> None:
    """Copies a `.keras` archive without the dates and memory addresses that Keras puts inside, and adds the metadata."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as partial, zipfile.ZipFile(source) as old, zipfile.ZipFile(partial, "w") as new:
        for name in sorted(set(old.namelist()) - {KEY}):
            content = old.read(name)
            if name == "metadata.json":
                content = json.dumps({**json.loads(content), "date_saved": ""}).encode()
            elif name == "config.json":
                addresses = list(dict.fromkeys(_SHARED_OBJECT.findall(content)))
                content = _SHARED_OBJECT.sub(lambda match: b"%d" % addresses.index(match[0]), content)
            new.writestr(zipfile.ZipInfo(name, _EPOCH), content)
        new.writestr(zipfile.ZipInfo(KEY, _EPOCH), json.dumps(metadata, ensure_ascii=False))


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Reads the metadata of a model file, without TensorFlow.

    Raises:
        InputError: no such file, or not a model file of this toolkit.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST_FILE:
                raise InputError(path, f"a model file of at most {LARGEST_FILE:,} bytes when unpacked", "more", AGAIN)
            metadata = check_metadata(path, _member(archive, KEY), EXPECTED)
            _check_inputs(path, _member(archive, "config.json"))
    except FileNotFoundError:
        raise InputError(path, "a model file", "no such file", remedy=Remedy.TRAIN) from None
    except OSError as error:
        raise InputError(path, EXPECTED, reason_of(error), AGAIN) from None
    except _DAMAGED as error:
        raise InputError(path, EXPECTED, str(error), AGAIN) from None
    return metadata


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    with archive.open(name) as member:
        data = member.read(SMALL + 1)
    if len(data) > SMALL:
        raise ValueError(f"{name} has more than {SMALL:,} bytes")
    return json.loads(data)


def _check_inputs(path: str | Path, config: Any) -> None:
    """Refuses a network that takes more than any of ours, before Keras makes room for it."""
    if isinstance(config, dict):
        shape = config.get("batch_shape")
        if isinstance(shape, list) and math.prod(size for size in shape if isinstance(size, int)) > LARGEST_INPUT:
            raise InputError(path, f"a network that takes at most {LARGEST_INPUT:,} numbers a film", f"the input {shape}",
                             AGAIN)
    for part in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        _check_inputs(path, part)


def load(path: str | Path) -> tuple["keras.Model", dict[str, Any]]:
    """Loads a model file and its metadata.

    Raises:
        InputError: as `read_metadata`; or Keras cannot build the model, or refuses to since it holds code (a `Lambda`); or
            a weight is not finite.
        MissingPackageError: it is a pretrained encoder, and KerasHub is not installed.
    """
    metadata = read_metadata(path)
    import keras
    import numpy as np

    from movie_genres.checkpoints import layers  # noqa: F401  registers our layers with Keras

    if "preset" in metadata:
        try:
            import keras_hub  # noqa: F401  registers its layers
        except ImportError:
            raise MissingPackageError(f"{path}: a pretrained encoder", "keras-hub", "encoders") from None
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged or hostile file makes Keras, HDF5 and zipfile raise nearly anything
        found = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
        raise InputError(path, "a loadable Keras model", found, AGAIN) from None
    broken = [weight.path for weight in model.weights if not np.isfinite(weight.numpy()).all()]
    if broken:
        raise InputError(path, "finite weights", f"NaN or infinity in {broken[0]}", AGAIN)
    return model, metadata
