"""Damaged files beside models and outputs, by the thousand: `python test_model_fuzz.py 10000`."""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx_models
from engines import RowEngine
from onnx_models import GENRES

from movie_genres.base.errors import UserError, one_line
from movie_genres.base.files import file_digest
from movie_genres.ensemble.decisions import FILE_NAME, choose_models
from movie_genres.ensemble.folder import model_name
from movie_genres.ensemble.scorer import Models
from movie_genres.scoring.catalogue import Entry
from movie_genres.scoring.engine import Tolerance, run
from movie_genres.scoring.job import open_job
from movie_genres.scoring.job_files import JobFiles
from movie_genres.scoring.rows import Row, RowFormat
from movie_genres.scoring.slots import Slot

ODD = [None, True, -1, 0, 1e308, float("nan"), float("inf"), 10**30, "", "x", "\x1b[31m", "0.5", "A" * 500, [], {}, [[]],
       {"a": []}]
TEXTS = ["word0 word1 word17", "word5", "nothing", ""]
FILMS = [Entry(str(number), identity=bytes([number])) for number in range(5)]


engine = RowEngine(lambda item: Row(item.id, "poster", "ok" if item.id != "3" else "corrupt"))


def write_model(folder):
    """A models folder with a model of overviews and its copy."""
    model, copy = folder / "lstm.onnx", folder / "int8" / "lstm.onnx"
    copy.parent.mkdir()
    network = onnx_models.overview_network()
    model.write_bytes(network.SerializeToString())
    onnx_models.set_metadata(network, {**onnx_models.metadata_of(network), "copy_of": file_digest(model)})
    copy.write_bytes(network.SerializeToString())
    reached = {"precision": 0.5, "recall": 0.5, "genres_per_film": 2.0, "f1_per_film": 0.5}
    decision = {"sha256": file_digest(model), "scale": dict.fromkeys(GENRES, 1.0), "shift": dict.fromkeys(GENRES, 0.0),
                "default": {"threshold": 0.5, "power": 0.5, **reached},
                "curve": {"threshold": [0.0, 0.5], **{name: [value, value] for name, value in reached.items()}}}
    ranking = {"poster": [], "overview": ["lstm"], "both": ["lstm"]}
    content = {"films": 7, "always": None, "ranking": ranking, "models": {"lstm": decision}}
    (folder / FILE_NAME).write_text(json.dumps(content))
    (folder / "release.json").write_text('{"name": "a", "version": "1"}')


def opened(folder, settings, **options):
    return open_job(JobFiles(folder / "p.csv", RowFormat(tuple(GENRES)), 2), FILMS, settings, **options)


def use_models(folder):
    for dtype in ("int8", "float32"):
        files, decisions = choose_models(folder, ["overview"], dtype)
        models = Models(files, decisions)
        network, = models.networks.values()
        encoded = models.encode({"lstm": network.vocabulary.encode(TEXTS)})
        probabilities, named = models.decide(len(TEXTS), encoded)
        assert probabilities.shape == (len(TEXTS), len(models.genres))
        assert ((named > 0) == ~np.isnan(probabilities[:, 0])).all()
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


CASES = [(write_model, "lstm.onnx", use_models), (write_model, "int8/lstm.onnx", use_models),
         (write_model, FILE_NAME, use_models), (write_model, "release.json", use_models),
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
        if path.suffix == ".onnx":
            model = onnx_models.parsed(data)
            onnx_models.set_metadata(model, changed_value(onnx_models.metadata_of(model), random))
            return model.SerializeToString()
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
    assert fuzz(2000) > 1000


if __name__ == "__main__":
    print(fuzz(int(sys.argv[1])), "refused")
