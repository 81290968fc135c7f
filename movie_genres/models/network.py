"""Answers of trained models: the one way from decoded posters and token ids to probabilities. It runs in ONNX Runtime."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from movie_genres.base.errors import InputError, MissingPackageError, one_line
from movie_genres.base.files import is_of_machine
from movie_genres.inputs.features import in_order
from movie_genres.inputs.modality import FilmArrays, Modality, Tokenizer
from movie_genres.inputs.poster_text import READER, SIZE
from movie_genres.inputs.posters import DECODER
from movie_genres.inputs.vocabulary import Vocabulary
from movie_genres.models import onnx_files
from movie_genres.models.answers import Floats, Rows
from movie_genres.models.metadata import AGAIN, takes_tokens
from movie_genres.models.onnx_checks import SHOWN, check
from movie_genres.models.onnx_files import FEATURES, PROBABILITIES, answers_input
from movie_genres.models.run_options import RunOptions

# They decide what scoring computes.
PACKAGES = ("onnxruntime", "onnxruntime-gpu", "numpy", "pillow", "simplejpeg", "tokenizers", "rapidocr",
            "opencv-python-headless", "opencv-python", "pyclipper")
FUSION_BATCH = 1024  # films a step of a fusion model, which is small
Arrays = dict[str, Floats]


def resolve_device(device: str) -> str:
    """`cpu` or `cuda`, where `auto` is the latter if ONNX Runtime can use it here; `MissingPackageError` if it cannot."""
    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if device == "cuda" and not has_cuda:
        raise MissingPackageError("The device cuda", "onnxruntime-gpu, in place of onnxruntime,", "gpu")
    return "cuda" if has_cuda and device != "cpu" else "cpu"


class Network:
    """One trained model, ready to run, from several threads at once if need be.

    A step computes in the thread that asks for it: whoever has many films gives them to as many threads as there are cores.

    Attributes:
        metadata: as of `metadata.Metadata`.
        image_size: (height, width) of posters; vocabulary: of overviews, or of the text on posters. None where there are no
            such.
        reads: whether it looks at the text on posters.
        embedding: how many numbers of a film it takes that were computed elsewhere, in place of all these; or None.

    Raises:
        InputError: as `onnx_files.read` and `onnx_checks.check`; the model was made for another decoder; or its file is not
            the one whose SHA-256 is `digest`.
    """

    def __init__(self, path: Path, digest: str | None = None, device: str = "cpu", batch_size: int = RunOptions.batch_size):
        file = onnx_files.read(path)
        if digest and file.digest != digest:
            raise InputError(path, "the model file that was there at the start", "another one", "Start again.")
        self.metadata, self.batch_size = file.metadata, batch_size
        self.modality: Modality | None = self.metadata["modality"] and Modality(self.metadata["modality"])
        if self.metadata.get("decoder", DECODER) != DECODER:
            raise InputError(path, f"a model for the poster decoder {DECODER}", self.metadata["decoder"], "Train it again.")
        self.reads = self.metadata.get("reader") is not None
        if self.reads and self.metadata["reader"] != READER:
            raise InputError(path, f"a model for text as {READER} reads it", self.metadata["reader"], "Train it again.")
        if self.reads and tuple(self.metadata["image_size"]) != SIZE:
            raise InputError(path, f"posters of {SIZE} to read", f"{self.metadata['image_size']}", AGAIN)
        check(path, file.model, self.metadata)
        self.image_size: tuple[int, int] | None = None
        self.vocabulary: Tokenizer | None = None
        self.embedding: int | None = self.metadata.get("embedding")
        if self.modality is Modality.POSTER and self.embedding is None:
            self.image_size = cast(tuple[int, int], tuple(self.metadata["image_size"]))
        if self.modality and takes_tokens(self.metadata):
            self.vocabulary = restore_vocabulary(path, self.metadata.get("vocabulary") or {})
        self._path, self._session = path, _session(path, file.data, device)
        self._outputs = [FEATURES] * (self.modality is not None) + [PROBABILITIES]
        self._try(largest_token=0 if self.vocabulary is None else self.vocabulary.largest)

    def _try(self, largest_token: int) -> None:
        """Runs the network on a film of nothing, or of the last word: damage that no check sees comes out here."""
        shapes = {given.name: [size if isinstance(size, int) else 1 for size in given.shape]
                  for given in self._session.get_inputs()}
        kind = np.float32 if self.modality is None or self.embedding else np.uint8 if self.vocabulary is None else np.int32
        self({name: np.full(shape, largest_token, kind) for name, shape in shapes.items()})

    def __call__(self, inputs: Mapping[str, NDArray]) -> Arrays:
        """Runs one batch, a line for each film: float32 arrays by name, `features` and `probabilities`.

        Raises:
            MemoryError: the machine has not enough of it for this many films.
        """
        try:
            return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs))))
        except Exception as error:
            if "Failed to allocate memory" in str(error):
                raise MemoryError(f"{len(next(iter(inputs.values())))} films at once need too much of it") from None
            raise InputError(self._path, "a network that can be run", _reason(error), AGAIN) from None

    @property
    def channels(self) -> int:
        """How many features a film has."""
        return self._session.get_outputs()[self._outputs.index(FEATURES)].shape[1]

    def encode(self, rows: Rows, films: FilmArrays) -> tuple[Floats, Floats]:
        """Features and probabilities of any number of films that have this network's modality, a line for each of `rows`."""
        features = np.empty((len(rows), self.channels), np.float32)
        probabilities = np.empty((len(rows), len(self.metadata["genres"])), np.float32)
        for lines in in_order(films.order(rows), self.batch_size):
            answer = self({self._session.get_inputs()[0].name: films.batch(rows[lines])})
            features[lines], probabilities[lines] = answer[FEATURES], answer[PROBABILITIES]
        return features, probabilities


def _session(path: Path, data: bytes, device: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it has to say, it also raises
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    providers = ["CUDAExecutionProvider"] * (device == "cuda") + ["CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(data, options, providers=providers, enable_fallback=0)  # it prints
    except Exception as error:  # of a network that fits together and yet cannot be run; it has a dozen kinds of errors
        if is_of_machine(error):
            raise
        raise InputError(path, "a network that ONNX Runtime can run", _reason(error), AGAIN) from None
    if device == "cuda" and session.get_providers()[0] != providers[0]:
        raise MissingPackageError("The device cuda", "onnxruntime-gpu with a driver and CUDA that fit", "gpu")
    return session


def _reason(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {str(error).strip()}")[:SHOWN]


def fusion_inputs(count: int, channels: Mapping[str, int], genres: int,
                  encoded: Mapping[str, tuple[Rows, NDArray, Floats]]) -> Arrays:
    """The inputs of a fusion model for `count` films, from what the models below it give.

    By the names of these, `channels` has the number of features, in the order of the fusion model, and `encoded` the films
    that there is something to go by, their features and their probabilities.

    Returns:
        arrays, 0 where absent: NAME of shape (count, channels) and `NAME_answers` of shape (count, genres) for each model,
        and `present` of shape (count, models), 1 where it has something to go by.
    """
    inputs = {"present": np.zeros((count, len(channels)), np.float32)}
    for column, (name, size) in enumerate(channels.items()):
        inputs[name] = np.zeros((count, size), np.float32)
        inputs[answers_input(name)] = np.zeros((count, genres), np.float32)
        if name in encoded:
            rows, inputs[name][rows], inputs[answers_input(name)][rows] = encoded[name]
            inputs["present"][rows, column] = 1
    return inputs


def run_fusion(network: Network, inputs: Arrays) -> Floats:
    """Probabilities by a fusion model of any number of films, from `fusion_inputs`; NaN where no input is there."""
    answers = np.full((len(inputs["present"]), len(network.metadata["genres"])), np.nan, np.float32)
    for rows in in_order(np.flatnonzero(inputs["present"].any(axis=1)), FUSION_BATCH):
        answers[rows] = network({name: array[rows] for name, array in inputs.items()})[PROBABILITIES]
    return answers


def restore_vocabulary(path: Path, content: dict[str, Any]) -> Tokenizer:
    """The vocabulary of a model from its metadata: of whole words, or the subwords of a pretrained encoder.

    Raises:
        InputError: `path`, the model's, holds none that can be used.
        MissingPackageError: of subwords, without the package for these.
    """
    kind: Any = Vocabulary
    if "tokenizer" in content:
        try:
            from movie_genres.inputs.subwords import Subwords as kind
        except ImportError:
            raise MissingPackageError(f"{path}: a vocabulary of subwords", "tokenizers", "subwords") from None
    try:
        return kind(**content)
    except Exception as error:  # of tokenizers: a bare Exception
        if is_of_machine(error):
            raise
        raise InputError(path, "a vocabulary", f"{type(error).__name__}: {error}", AGAIN) from None
