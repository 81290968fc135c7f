"""A teacher for small networks: what large ones say of training films that they have not seen."""

import dataclasses
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from pydantic.dataclasses import dataclass

from movie_genres.base.errors import UserError
from movie_genres.base.files import file_digest, replacing
from movie_genres.base.options import STRICT
from movie_genres.data.embeddings import find_embeddings
from movie_genres.inputs.prepared import Prepared
from movie_genres.models.answers import Floats, Rows, load_answers, save_teacher
from movie_genres.networks import probing
from movie_genres.networks.embeddings import EmbeddingsEncoder
from movie_genres.networks.encoders import OverviewEncoder, PosterEncoder, train_encoder
from movie_genres.networks.fusion import FusionOptions, train_fusion
from movie_genres.training.outputs import Outputs
from movie_genres.training.state import fingerprint

logger = logging.getLogger(__name__)

FUSION = "fusion"


@dataclass(config=STRICT, frozen=True, kw_only=True)
class TeachOptions:
    """The `teach` section of `params.yaml`."""

    folds: int = Field(ge=0)  # in how many parts the training films are cut, at least 2; 0: there is no teacher
    seed: int  # decides which films are in which

    @field_validator("folds")
    @classmethod
    def _not_one(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("0 or at least 2")
        return folds


def teach(prepared: Prepared, readable: NDArray[np.bool_], texts: Sequence[str] | None,
          encoders: Mapping[str, PosterEncoder | OverviewEncoder | EmbeddingsEncoder], fusion: FusionOptions,
          options: TeachOptions, out: Path, state: Path) -> Floats:
    """What a fusion of all encoders says of each training film, trained on the other folds of these films.

    Answers of a model to films that it was trained on tell little more than their labels do; those out of fold tell what
    the film looks like to one that knows more (Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network",
    2015). Folds that are done are kept in the folder `state`, by all that they depend on, until all are.

    Returns probabilities of shape (films, genres), NaN for all but training films, as `answers.save_teacher` wrote to `out`.

    Raises:
        UserError: there are no encoders; and as `find_embeddings`, `train_encoder` and `train_fusion`.
    """
    if not encoders:
        raise UserError("teach: expected encoders, which a teacher is made of; found none in the section encoders.")
    train = prepared.rows("train")
    key = fingerprint(options, *(fingerprint(each) for each in (*encoders.values(), fusion)), *encoders, *(texts or ()),
                      file_digest(probing.__file__),
                      *(file.digest for file in find_embeddings({name: each.file for name, each in encoders.items()
                                                                 if isinstance(each, EmbeddingsEncoder)}).values()),
                      *(text for column in ("poster", "overview", "split") for text in prepared.films[column]),
                      prepared.labels, readable)
    kept = state / key
    fold_of = np.random.default_rng(options.seed).permutation(len(train)) % options.folds
    probabilities = np.full(prepared.labels.shape, np.nan, np.float32)
    for fold in range(options.folds):
        held, done = train[fold_of == fold], kept / f"fold-{fold}.npy"
        if not done.exists():
            said = _without(held, prepared, readable, texts, encoders, fusion, kept / f"fold-{fold}")
            with replacing(done) as partial, open(partial, "wb") as file:
                np.save(file, said[held])
            shutil.rmtree(kept / f"fold-{fold}")
        probabilities[held] = np.load(done)
    save_teacher(out, probabilities)
    shutil.rmtree(state)
    return probabilities


def _without(held: Rows, prepared: Prepared, readable: NDArray[np.bool_], texts: Sequence[str] | None,
             encoders: Mapping[str, PosterEncoder | OverviewEncoder | EmbeddingsEncoder], fusion: FusionOptions,
             folder: Path) -> Floats:
    """What a fusion says of all films that was trained on the training films but those held back."""
    films = prepared.films.copy()
    films.loc[films.index[held], "split"] = "held"
    others = prepared._replace(films=films)

    def outputs(name: str) -> Outputs:
        return Outputs(folder / "models" / f"{name}.keras", folder / f"{name}.csv", folder / "metrics" / f"{name}.json",
                       folder / "answers" / name, folder / "state" / name, folder / "live" / name)

    for name, options in encoders.items():
        if name not in load_answers(folder / "answers"):  # an interruption may have come after it was done
            logger.info("teacher: %s, without %d films", name, len(held))
            train_encoder(others, readable, options, outputs(name), texts)
    train_fusion(others, load_answers(folder / "answers"), dataclasses.replace(fusion, inputs=tuple(encoders)),
                 outputs(FUSION))
    return load_answers(folder / "answers")[FUSION].probabilities
