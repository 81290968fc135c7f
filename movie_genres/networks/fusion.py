"""The fusion of other models: a joint head over their features, blended with their own answers; some may be missing."""

import functools
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from pydantic import Field
from pydantic.dataclasses import dataclass
from scipy.optimize import minimize

from movie_genres.base.errors import UserError
from movie_genres.base.options import STRICT
from movie_genres.inputs.features import in_order
from movie_genres.inputs.modality import MODALITIES, POSTER
from movie_genres.models import checkpoints
from movie_genres.models.layers import AttentionFusion, Blend, GatedFusion, film_kind, log_odds, predictions
from movie_genres.models.metrics import binary_cross_entropy
from movie_genres.models.network import Network, answers_input, fusion_inputs, run_fusion
from movie_genres.training.answering import CHUNK, write_about
from movie_genres.training.batches import draw, shuffled
from movie_genres.training.loop import Data, TrainingOptions, train, validation_figures, write_summary
from movie_genres.training.state import held


@dataclass(config=STRICT, frozen=True, kw_only=True)
class FusionOptions(TrainingOptions):
    """The `fusion` section of `params.yaml`.

    Attributes:
        inputs: names of the models whose features are joined.
        architecture: `concat`, `gated` (see `layers.GatedFusion`) or `attention` (see `layers.AttentionFusion`).
        units: channels to which each model's features are projected.
        dropout: on the features and before the predictions.
        heads: attention heads of `attention`.
        modality_dropout: in training, the share of films with both modalities of which one is hidden at random.
    """

    inputs: tuple[str, ...]
    architecture: Literal["concat", "gated", "attention"]
    units: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    heads: int = Field(ge=1)
    modality_dropout: float = Field(ge=0, le=1)


def build_fusion(statistics, genres, options):
    """Builds the fusion head.

    Args:
        statistics: dict from the name of each input, such as `cnn`, to (mean, variance) of its features over the
            training films: float arrays of shape (channels,).
        genres: int, number of outputs.
        options: `FusionOptions`.

    Returns:
        `keras.Model` from {name: float32 (batch, channels), …, "present": float32 (batch, inputs), 1 where that input
        is there and 0 where not} to float32 (batch, genres), probabilities.
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


def _project(features, name, mean, variance, options):
    x = layers.Normalization(mean=mean, variance=variance, name=f"normalise_{name}")(features)
    x = layers.Dropout(options.dropout)(x)
    return layers.Dense(options.units, activation="relu", name=f"project_{name}")(x)


def hide_modality(present, modalities, rng, share):
    """Hides one modality, with all its inputs, of a share of the films that have both.

    Args:
        present: float32 array of shape (batch, inputs), 1 where there.
        modalities: list of the modality of each input.
        rng: `numpy.random.Generator`.
        share: of the films.

    Returns:
        float32 array like `present`.
    """
    posters = np.array([modality == POSTER for modality in modalities])
    has_both = present[:, posters].any(axis=1) & present[:, ~posters].any(axis=1)
    hidden = has_both & (rng.random(len(present)) < share)
    hide_posters = rng.random(len(present)) < 0.5
    return np.where(hidden[:, None] & (posters == hide_posters[:, None]), np.float32(0), present)


def train_fusion(prepared, answers, options, outputs):
    """Trains the joint head on the features that trained models give of the training films, blends it with their answers.

    The blend's few weights are fitted on validation films, of which the models below know nothing. Then writes what the
    blend says of all films.

    Args:
        prepared: `prepared.Prepared`.
        answers: dict from model name to `answers.Answers`, at least of the models that `options.inputs` names.
        options: `FusionOptions`.
        outputs: `loop.Outputs`.

    Returns:
        dict, see `loop.train`.

    Raises:
        UserError: an input that there is no model of.
    """
    missing = sorted(set(options.inputs) - set(answers))
    if missing:
        raise UserError(f"fusion.inputs: expected names among {', '.join(answers)}; found {', '.join(missing)}. "
                        "Pretrained encoders are named in the section encoders.")
    genres, base_rates = prepared.genres, prepared.base_rates()
    inputs = {name: answers[name] for name in options.inputs}
    channels = {name: of_model.features.shape[-1] for name, of_model in inputs.items()}
    modalities = [of_model.modality for of_model in inputs.values()]
    present = np.stack([of_model.present for of_model in inputs.values()], axis=1)
    rows, validation = (prepared.rows(split, present.any(axis=1)) for split in ("train", "validation"))

    def inputs_of(films, draws=None):
        """The model's inputs for some films; `draws` gives a draw for each film from a number of draws, None the first."""
        encoded = {}
        for name, of_model in inputs.items():
            lines = np.flatnonzero(of_model.present[films])
            chosen = draws(len(of_model.features))[lines] if draws else 0
            encoded[name] = lines, of_model.features[chosen, films[lines]], of_model.probabilities[films[lines]]
        return fusion_inputs(len(films), channels, len(genres), encoded)

    metadata = {"modality": None, "genres": genres, "base_rates": base_rates.tolist(), "channels": channels,
                "inputs": {name: of_model.digest for name, of_model in inputs.items()}}
    statistics = {name: _statistics(of_model.features[0, rows[of_model.present[rows]]].astype(np.float32))
                  for name, of_model in inputs.items()}
    features = {name: of_model.features for name, of_model in inputs.items()}
    data = _head_data(prepared, rows, validation, inputs_of, features, modalities, options)
    with held(outputs.state):
        summary = train(functools.partial(build_fusion, statistics, len(genres), options), data, options, metadata, outputs)
        head, _ = checkpoints.load(outputs.checkpoint)
        shown, labels = inputs_of(validation), prepared.labels[validation]
        model = build_blend(head, fit_trust(head, shown, labels, base_rates, modalities), base_rates, modalities)
        checkpoints.save(model, outputs.checkpoint, metadata)
        network = Network(outputs.checkpoint)
        _write_answers(network, inputs_of, len(present), modalities, outputs.answers)
        write_about(outputs.answers, outputs.checkpoint, None, MODALITIES)
    return write_summary(outputs.metrics, base_loss=summary["base_rate_loss"], epoch=summary["epoch"],
                         parameters=model.count_params(), **validation_figures(labels, run_fusion(network, shown)))


def _head_data(prepared, rows, validation, inputs_of, features, modalities, options):
    """What the head is trained on, a `Data`: features of distorted films, of some of which a modality is hidden."""
    def head_inputs(shown):
        return {name: shown[name] for name in (*features, "present")}

    def batches(rng):
        drawn = draw(rows, prepared.labels, options.oversample, rng)
        for batch in shuffled(drawn, options.batch_size, rng):
            # Draw 0 is the film as it is, which a model knows by heart: only where there is no other.
            shown = inputs_of(batch, lambda count: rng.integers(min(1, count - 1), count, len(batch)))
            hidden = hide_modality(shown["present"], modalities, rng, options.modality_dropout)
            yield head_inputs({**shown, "present": hidden}), prepared.labels[batch]

    sizes = {**{name: of_model.shape[-1] for name, of_model in features.items()}, "present": len(features)}
    return Data(
        batches=batches,
        steps=len(in_order(rows, options.batch_size)),
        validation=lambda: (head_inputs(inputs_of(batch)) for batch in in_order(validation, 128)),
        labels=prepared.labels[validation],
        signature=({name: tf.TensorSpec((None, size), tf.float32) for name, size in sizes.items()},
                   tf.TensorSpec((None, len(prepared.genres)), tf.float32)),
        base_rates=prepared.base_rates(),
        contents=(prepared.labels, rows, validation, features.values()),
    )


def build_blend(head, trust, base_rates, modalities):
    """A fusion head together with the models below it; see `layers.Blend`.

    Args:
        head: `keras.Model`, as of `build_fusion`.
        trust: float array of shape (3, 1 + models), as of `fit_trust`.
        base_rates: float array of shape (genres,).
        modalities: list of the modality of each model below.

    Returns:
        `keras.Model` from the inputs of the head and `NAME_answers`, float32 (batch, genres), for each of its inputs, to
        float32 (batch, genres), probabilities.
    """
    shown = {name: keras.Input(given.shape[1:], name=name) for name, given in head.input.items()}
    answers = {answers_input(name): keras.Input((len(base_rates),), name=answers_input(name))
               for name in shown if name != "present"}
    blend = Blend(base_rates.tolist(), [modality == POSTER for modality in modalities])
    probabilities = blend(shown["present"], head(shown), list(answers.values()))
    blend.trust.assign(trust)
    return keras.Model({**shown, **answers}, probabilities, name="fusion")


def fit_trust(head, inputs, labels, base_rates, modalities):
    """The weights of a blend that are best on validation films.

    Args:
        head: `keras.Model`, as of `build_fusion`.
        inputs: dict of arrays, the inputs of `build_blend`'s model for the films.
        labels: 0/1 array of shape (films, genres).
        base_rates: float array of shape (genres,).
        modalities: list of the modality of each model below.

    Returns:
        float array of shape (3, 1 + models); see `layers.Blend`. Each kind's are fitted on all films that can be shown
        so; the head alone is trusted where there is none.
    """
    posters = np.array([modality == POSTER for modality in modalities])
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


def _least_loss(evidence, base, labels):
    """The weights between 0 and 2 of some models' evidence, float (models, films, genres), with the least loss."""
    def loss(weights):
        return binary_cross_entropy(labels, 1 / (1 + np.exp(-base - np.tensordot(weights, evidence, 1))))

    start = np.full(len(evidence), 1 / len(evidence))
    return minimize(loss, start, method="L-BFGS-B", bounds=[(0, 2)] * len(evidence)).x


def _write_answers(network, inputs_of, count, modalities, folder):
    """Writes the model's answers for all films, also when it is shown one modality only; see `answers.Answers`."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {"probabilities": MODALITIES, **{f"{modality}_alone": [modality] for modality in MODALITIES}}
    answers = {name: [] for name in kinds}
    for part in in_order(np.arange(count), CHUNK):
        inputs = inputs_of(part)
        for name, shown in kinds.items():
            kept = np.isin(modalities, shown).astype(np.float32)
            answers[name].append(run_fusion(network, {**inputs, "present": inputs["present"] * kept}))
    for name, parts in answers.items():
        np.save(folder / f"{name}.npy", np.concatenate(parts))


def _statistics(features):
    """Mean and variance of each feature; one that never varies gets variance 1, so that it is not blown up."""
    variance = features.var(axis=0)
    return features.mean(axis=0), np.where(variance > 1e-8, variance, 1.0)
