"""The fusion of other models: a joint head over their features, blended with their own answers; some may be missing."""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass
from scipy.optimize import minimize

from movie_genres.base.errors import UserError
from movie_genres.base.options import STRICT
from movie_genres.checkpoints import keras_files
from movie_genres.checkpoints.average import average_heads
from movie_genres.checkpoints.export import export
from movie_genres.checkpoints.layers import AttentionFusion, Blend, GatedFusion, film_kind, log_odds, predictions
from movie_genres.inputs.features import in_order
from movie_genres.inputs.modality import MODALITIES, POSTER
from movie_genres.inputs.prepared import Prepared
from movie_genres.models.answers import Answers, Floats, Rows, save_answers
from movie_genres.models.metrics import binary_cross_entropy
from movie_genres.models.network import Arrays, Network, fusion_inputs, run_fusion
from movie_genres.models.onnx_files import answers_input
from movie_genres.training.batches import Batch, draw, shuffled
from movie_genres.training.loop import Data, train_seeds
from movie_genres.training.options import TrainingOptions
from movie_genres.training.outputs import Outputs, metadata_of, validation_figures, write_summary
from movie_genres.training.state import best_of, held
from movie_genres.training.trainer import CHUNK

Statistics = Mapping[str, tuple[Floats, Floats]]
Flags = NDArray[np.bool_]


@dataclass(config=STRICT, frozen=True, kw_only=True)
class FusionOptions(TrainingOptions):
    """The `fusion` section of `params.yaml`."""

    inputs: tuple[str, ...]  # names of the models whose features are joined
    architecture: Literal["concat", "gated", "attention"]  # see `layers.GatedFusion` and `layers.AttentionFusion`
    units: int = Field(ge=1)  # channels to which each model's features are projected
    dropout: float = Field(ge=0, lt=1)  # on the features and before the predictions
    heads: int = Field(ge=1)  # of `attention`
    modality_dropout: float = Field(ge=0, le=1)  # share of films with both of which one is hidden at random in training


def build_fusion(statistics: Statistics, genres: int, options: FusionOptions) -> keras.Model:
    """Builds the fusion head.

    From {name: float32 (batch, channels), …, "present": float32 (batch, inputs), 1 where that input is there and 0 where
    not} to float32 (batch, genres), probabilities. The statistics are, by the name of each input, such as `cnn`, mean and
    variance of its features over the training films, of shape (channels,).
    """
    present = keras.Input((len(statistics),), name="present")
    features = {name: keras.Input((len(mean),), name=name) for name, (mean, _) in statistics.items()}
    vectors = ops.stack([_project(features[name], name, *statistics[name], options) for name in features], axis=1)
    if options.architecture == "gated":
        x = GatedFusion(options.units)(vectors, present)
    elif options.architecture == "attention":
        x = AttentionFusion(options.heads)(vectors, present)
    else:
        x = layers.Flatten()(vectors * ops.expand_dims(present, -1))
        x = layers.Dense(options.units, activation="relu")(layers.Concatenate()([x, present]))
    x = layers.Dropout(options.dropout)(x)
    return keras.Model({**features, "present": present}, predictions(genres)(x), name=f"{options.architecture}_fusion")


def _project(features: Any, name: str, mean: Floats, variance: Floats, options: FusionOptions) -> Any:
    x = layers.Normalization(mean=mean, variance=variance, name=f"normalise_{name}")(features)
    x = layers.Dropout(options.dropout)(x)
    return layers.Dense(options.units, activation="relu", name=f"project_{name}")(x)


def hide_modality(present: Floats, posters: Flags, rng: np.random.Generator, share: float) -> Floats:
    """Hides one modality, with all its inputs, of a share of the films that have both.

    `present` and the result are of shape (batch, inputs), 1 where an input is there; `posters` are the inputs of posters.
    """
    has_both = present[:, posters].any(axis=1) & present[:, ~posters].any(axis=1)
    hidden = has_both & (rng.random(len(present)) < share)
    hide_posters = rng.random(len(present)) < 0.5
    return np.where(hidden[:, None] & (posters == hide_posters[:, None]), np.float32(0), present)


class Below:
    """What the models below a fusion say of all films, by the names of the models."""

    def __init__(self, answers: Mapping[str, Answers]):
        self._answers = answers
        self.features = {name: of_model.features for name, of_model in answers.items() if of_model.features is not None}
        self.channels = {name: features.shape[-1] for name, features in self.features.items()}  # how many
        self.posters: Flags = np.array([of_model.modality == POSTER for of_model in answers.values()])
        self.present = np.stack([of_model.present for of_model in answers.values()], axis=1)  # of shape (films, models)

    def inputs(self, films: Rows, draws: Callable[[int], Rows] | None = None) -> Arrays:
        """The inputs of a fusion for some films.

        `draws` gives a draw of the features for each film from a number of draws; without it, it is the first.
        """
        encoded = {}
        for name, of_model in self._answers.items():
            lines, features = np.flatnonzero(of_model.present[films]), self.features[name]
            chosen = draws(len(features))[lines] if draws else 0
            encoded[name] = lines, features[chosen, films[lines]], of_model.probabilities[films[lines]]
        genres = next(iter(self._answers.values())).probabilities.shape[1]
        return fusion_inputs(len(films), self.channels, genres, encoded)

    def statistics(self, rows: Rows) -> Statistics:
        """Mean and variance of the features of films as they are; 1 for one that never varies, not to blow it up."""
        found = {}
        for name, of_model in self._answers.items():
            features = self.features[name][0, rows[of_model.present[rows]]].astype(np.float32)
            variance = features.var(axis=0)
            found[name] = features.mean(axis=0), np.where(variance > 1e-8, variance, np.float32(1))
        return found


def train_fusion(prepared: Prepared, answers: Mapping[str, Answers], options: FusionOptions, outputs: Outputs
                 ) -> dict[str, Any]:
    """Trains the joint head on the features that trained models give of the training films, blends it with their answers.

    The blend's few weights are fitted on validation films, of which the models below know nothing. Then writes what the
    blend says of all films. Returns what is in the metrics file.

    Raises:
        UserError: an input that there is no model of a single modality of; and as `loop.train`.
    """
    usable = [name for name, of_model in answers.items() if of_model.modality]
    if missing := sorted(set(options.inputs) - set(usable)):
        raise UserError(f"fusion.inputs: expected names among {', '.join(usable)}; found {', '.join(missing)}. "
                        "Pretrained encoders are named in the section encoders.")
    below, base_rates = Below({name: answers[name] for name in options.inputs}), prepared.base_rates()
    rows, validation = (prepared.rows(split, np.asarray(below.present.any(axis=1))) for split in ("train", "validation"))
    digests = {name: answers[name].digest for name in options.inputs}
    metadata = metadata_of(None, prepared, channels=below.channels, inputs=digests)
    build = functools.partial(build_fusion, below.statistics(rows), len(prepared.genres), options)
    with held(outputs.state):
        trained = train_seeds(build, _head_data(prepared, rows, validation, below, options), options, metadata, outputs)
        head = average_heads([keras_files.load(each.checkpoint)[0] for each in trained])
        shown, labels = below.inputs(validation), prepared.labels[validation]
        trust = fit_trust(head, shown, labels, base_rates, below.posters)
        model = build_blend(head, trust, base_rates, below.posters)
        keras_files.save(model, outputs.model, metadata)
        export(model, outputs.onnx, metadata)
        network = Network(outputs.onnx)
        probabilities, *alone = _answers(network, below)
        save_answers(outputs.out, None, outputs.onnx, probabilities, dict(zip(MODALITIES, alone)))
        base_loss = binary_cross_entropy(labels, base_rates)
        epoch = {"epoch": best_of(trained[0].rows)["epoch"]} if len(trained) == 1 else {}
        return write_summary(outputs, base_loss=base_loss, **epoch, parameters=model.count_params(),
                             **validation_figures(labels, run_fusion(network, shown)))


def _head_data(prepared: Prepared, rows: Rows, validation: Rows, below: Below, options: FusionOptions) -> Data:
    """What the head is trained on: features of distorted films, of some of which a modality is hidden."""
    def head_inputs(shown: Arrays) -> Arrays:
        return {name: shown[name] for name in (*below.features, "present")}

    def batches(rng: np.random.Generator) -> Iterator[Batch]:
        drawn = draw(rows, prepared.labels, options.oversample, rng)
        for batch in shuffled(drawn, options.batch_size, rng):
            # Draw 0 is the film as it is, which a model knows by heart: only where there is no other.
            shown = below.inputs(batch, lambda count: rng.integers(min(1, count - 1), count, len(batch)))
            hidden = hide_modality(shown["present"], below.posters, rng, options.modality_dropout)
            yield head_inputs({**shown, "present": hidden}), prepared.labels[batch]

    sizes = {**below.channels, "present": len(below.channels)}
    return Data(
        batches=batches,
        steps=len(in_order(rows, options.batch_size)),
        validation=lambda: (head_inputs(below.inputs(batch)) for batch in in_order(validation, options.batch_size)),
        labels=prepared.labels[validation],
        signature=({name: tf.TensorSpec((None, size), tf.float32) for name, size in sizes.items()},
                   tf.TensorSpec((None, len(prepared.genres)), tf.float32)),
        base_rates=prepared.base_rates(),
        contents=(prepared.labels, rows, validation, below.features.values()),
    )


def build_blend(head: keras.Model, trust: NDArray[np.float64], base_rates: NDArray[np.float64], posters: Flags
                ) -> keras.Model:
    """A fusion head together with the models below it, with trust as of `fit_trust`; see `layers.Blend`.

    From the inputs of the head, as of `build_fusion`, and for each of them `NAME_answers`, float32 (batch, genres), to
    float32 (batch, genres), probabilities.
    """
    shown = {name: keras.Input(given.shape[1:], name=name) for name, given in head.input.items()}
    answers = {answers_input(name): keras.Input((len(base_rates),), name=answers_input(name))
               for name in shown if name != "present"}
    blend = Blend(base_rates.tolist(), posters.tolist())
    probabilities = blend(shown["present"], head(shown), list(answers.values()))
    blend.trust.assign(trust)
    return keras.Model({**shown, **answers}, probabilities, name="fusion")


def fit_trust(head: keras.Model, inputs: Arrays, labels: Floats, base_rates: NDArray[np.float64], posters: Flags
              ) -> NDArray[np.float64]:
    """The weights of a blend, of shape (3, 1 + models), that are best on validation films; see `layers.Blend`.

    Each kind's are fitted on all films that can be shown so; the head alone is trusted where there is none. The inputs are
    those of `build_blend`'s model.
    """
    trust = np.eye(1, 1 + len(posters)).repeat(3, axis=0)
    base = np.asarray(log_odds(base_rates))
    for kind, kept in enumerate((posters, ~posters, np.full(len(posters), True))):
        present = inputs["present"] * kept
        rows = np.flatnonzero(present.any(axis=1) & (np.asarray(film_kind(present, posters)) == kind))
        if len(rows):
            shown = {name: given[rows] for name, given in {**inputs, "present": present}.items()}
            joint = head.predict_on_batch({name: shown[name] for name in head.input})
            answers = [joint, *(given for name, given in shown.items() if name.endswith("_answers"))]
            evidence = np.stack([np.asarray(log_odds(given)) - base for given in answers])
            evidence[1:] *= shown["present"].T[..., None]
            trust[kind] = _least_loss(evidence, base, labels[rows])
    return trust


def _least_loss(evidence: NDArray[np.float64], base: NDArray, labels: Floats) -> NDArray[np.float64]:
    """The weights between 0 and 2 of some models' evidence, of shape (models, films, genres), with the least loss."""
    def loss(weights: NDArray[np.float64]) -> float:
        return binary_cross_entropy(labels, 1 / (1 + np.exp(-base - np.tensordot(weights, evidence, 1))))

    start = np.full(len(evidence), 1 / len(evidence))
    return minimize(loss, start, method="L-BFGS-B", bounds=[(0, 2)] * len(evidence)).x


def _answers(network: Network, below: Below) -> list[Floats]:
    """The model's probabilities of all films, then those when it is shown one modality only, as `MODALITIES` has them."""
    parts = []
    for part in in_order(np.arange(len(below.present)), CHUNK):
        inputs = below.inputs(part)
        parts.append([run_fusion(network, {**inputs, "present": inputs["present"] * kept})
                      for kept in (True, below.posters, ~below.posters)])
    return [np.concatenate(of_kind) for of_kind in zip(*parts)]
