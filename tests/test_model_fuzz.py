"""Damaged files beside models and outputs, by the thousand: `python test_model_fuzz.py 10000`."""

import io
import json
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from engines import RowEngine

from movie_genres.base.errors import UserError, one_line
from movie_genres.base.files import file_digest
from movie_genres.ensemble.decisions import FILE_NAME, choose_models
from movie_genres.ensemble.folder import model_name
from movie_genres.checkpoints import keras_files
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.engine import Tolerance, run
from movie_genres.scoring.job import open_job
from movie_genres.scoring.job_files import JobFiles
from movie_genres.scoring.rows import Row, RowFormat
from movie_genres.scoring.slots import Slot

ODD = [None, True, -1, 0, 1e308, float("nan"), float("inf"), 10**30, "", "x", "\x1b[31m", "0.5", "A" * 500, [], {}, [[]],
       {"a": []}]
FILMS = [Entry(str(number), identity=bytes([number])) for number in range(5)]


engine = RowEngine(lambda item: Row(item.id, "poster", "ok" if item.id != "3" else "corrupt"))


def write_model(folder):
    """A models folder as far as it is looked at before TensorFlow is loaded."""
    about = {"format": 1, "modality": "overview", "genres": ["A", "B"], "base_rates": [0.5, 0.5],
             "vocabulary": {"tokens": ["a"], "max_length": 9}}
    with zipfile.ZipFile(folder / "lstm.keras", "w") as archive:
        archive.writestr(KEY, json.dumps(about))
        archive.writestr("config.json", json.dumps({"config": {"layers": [{"batch_shape": [None, None]}]}}))
    decision = {"sha256": file_digest(folder / "lstm.keras"), "temperature": 1.0, "thresholds": {"A": 0.5, "B": 0.5}}
    ranking = {"poster": [], "overview": ["lstm"], "both": ["lstm"]}
    content = {"aim": "f1", "precision": None, "ranking": ranking, "models": {"lstm": decision}}
    (folder / FILE_NAME).write_text(json.dumps(content))
    (folder / "release.json").write_text('{"name": "a", "version": "1"}')


def opened(folder, settings, **options):
    return open_job(JobFiles(folder / "p.csv", RowFormat(("A", "B")), 2), FILMS, settings, **options)


def use_models(folder):
    files, decisions = choose_models(folder, ["overview"])
    thresholds = decisions.of("lstm", 2).thresholds
    assert np.isfinite(thresholds).all() and decisions.of("lstm", 2).temperature > 0
    model_name(folder, files)


def go_on(folder):
    before = (folder / "p.csv").read_bytes()
    with opened(folder, {"anew": True}) as job:
        run(job, engine, Tolerance())
    assert (folder / "p.csv").read_bytes() == before  # the same films and the same scores


def retry(folder):
    with opened(folder, {"first": True}, retry=True) as job:
        assert len(list(job.slots())) == len(FILMS)


def write_output(folder):
    with opened(folder, {"first": True}) as job:
        run(job, engine, Tolerance())


def write_begun(folder):
    """An output, and a job that was begun to replace it."""
    write_output(folder)
    with opened(folder, {"anew": True}, overwrite=True) as job:
        for _ in engine(job.files, [(0, map(Slot, FILMS[:2]))], 0, Tolerance()):
            pass


CASES = [(write_model, "lstm.keras", use_models), (write_model, FILE_NAME, use_models),
         (write_model, "release.json", use_models),
         (write_begun, "p.csv.job/job.json", go_on), (write_begun, "p.csv.job/00000.done", go_on),
         (write_output, ".p.csv.success", retry)]


def changed_value(content, random):
    """JSON with one value, somewhere in it, replaced or left out."""
    if not isinstance(content, (dict, list)) or not content or random.random() < 0.1:
        return ODD[random.integers(len(ODD))]
    key = list(content)[random.integers(len(content))] if isinstance(content, dict) else int(random.integers(len(content)))
    if random.random() < 0.15:
        del content[key]
    else:
        content[key] = changed_value(content[key], random)
    return content


def mutated(path, random):
    data = path.read_bytes()
    if random.random() < 0.5:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                members = {name: json.loads(archive.read(name)) for name in archive.namelist()}
            name = list(members)[random.integers(2)]
            members[name] = changed_value(members[name], random)
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w") as archive:
                for name, content in members.items():
                    archive.writestr(name, json.dumps(content))
            return file.getvalue()
        return json.dumps(changed_value(json.loads(data), random)).encode()
    data = bytearray(data)
    for _ in range(random.integers(1, 4)):
        at, length = int(random.integers(len(data) + 1)), int(random.integers(1, 6))
        data[at:at + length] = random.bytes(int(random.integers(0, 6)))
    return bytes(data)


def fuzz(count):
    """Damages each of the files `count` times in all; returns how many were refused."""
    random, refused = np.random.default_rng(0), 0
    with tempfile.TemporaryDirectory() as root:
        for write, _, _ in CASES:
            folder = Path(root, write.__name__)
            if not folder.exists():
                folder.mkdir()
                write(folder)
        for number in range(count):
            write, name, use = CASES[number % len(CASES)]
            folder = Path(root, "case")
            shutil.copytree(Path(root, write.__name__), folder)
            data = mutated(folder / name, random)
            (folder / name).write_bytes(data)
            try:
                use(folder)
            except UserError as error:
                refused += 1
                assert one_line(str(error)).isprintable()
            except Exception as error:
                raise AssertionError(f"case {number}, {name}: {data!r}") from error
            shutil.rmtree(folder)
    return refused


def test_damaged_files_beside_models_and_outputs_are_refused_or_harmless():
    assert fuzz(300) > 150


if __name__ == "__main__":
    print(fuzz(int(sys.argv[1])), "refused")
