"""Trains any of the models: one loop over epochs, reproducible by seed, that keeps the best checkpoint."""

import contextlib
import functools
import json
import logging
import math
import shutil
import time
from pathlib import Path
from typing import Literal, NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from pydantic import Field
from pydantic.dataclasses import dataclass

from movie_genres.base.errors import UserError
from movie_genres.base.files import replacing
from movie_genres.base.options import STRICT
from movie_genres.models import checkpoints
from movie_genres.models.layers import PREDICTIONS, log_odds, reseed
from movie_genres.models.metrics import binary_cross_entropy, counts, precision_recall_f1, rounded, skill
from movie_genres.training.display import LiveLog, TrainingDisplay
from movie_genres.training.losses import build_loss
from movie_genres.training.state import TrainingState, best_of, fingerprint

logger = logging.getLogger(__name__)


@dataclass(config=STRICT, frozen=True, kw_only=True)
class TrainingOptions:
    """What the three trainings have in common.

    Attributes:
        epochs: at most this many passes over the training films.
        batch_size: films a step.
        optimizer: `adam`, or `adamw` with decoupled weight decay (Loshchilov and Hutter, 2019).
        learning_rate: at the start.
        schedule: `constant`; `cosine`, down to 0 at the last epoch; or `published`, constant for 10 epochs, then
            multiplied by exp(-0.01) each epoch.
        warmup: share of the steps over which the learning rate rises from 0.
        weight_decay: of `adamw`.
        loss: what is minimised; see `losses.build_loss`. The best epoch is chosen by plain cross-entropy all the same.
        focus: exponent of the losses `focal` and `asymmetric`.
        oversample: how strongly films of rare genres are drawn more often; see `batches.draw`. 0 is off.
        patience: stop after this many epochs without a better validation loss.
        seed: decides initial weights, the order of films, dropout and augmentation.
        mixed_precision: compute in bfloat16 and keep the weights in float32; for GPUs and processors that have it.
        devices: how many GPUs share each batch (`tf.distribute.MirroredStrategy`); without a GPU, logical CPUs.
        dvclive: hand each epoch's figures to DVCLive as well, for `dvc exp show` and editors to follow.
    """

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    optimizer: Literal["adam", "adamw"]
    learning_rate: float = Field(gt=0)
    schedule: Literal["constant", "cosine", "published"]
    warmup: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    loss: Literal["crossentropy", "weighted", "focal", "asymmetric"]
    focus: float = Field(ge=0)
    oversample: float = Field(ge=0, le=1)
    patience: int = Field(ge=1)
    seed: int
    mixed_precision: bool
    devices: int = Field(ge=1)
    dvclive: bool


class Data(NamedTuple):
    """What a model is trained on.

    Attributes:
        batches: function of a `numpy.random.Generator` that returns the training batches of an epoch: an iterable of
            (inputs, float32 labels).
        steps: number of batches an epoch.
        validation: function that returns an iterable of inputs, the same each time.
        labels: float32 array of shape (validation films, genres), in the order of `validation`.
        signature: `tf.TypeSpec` structure of (inputs, labels).
        base_rates: share of training films of each genre, shape (genres,).
        contents: texts and arrays that the batches are made of; see `state.fingerprint`.
    """

    batches: object
    steps: int
    validation: object
    labels: np.ndarray
    signature: tuple
    base_rates: np.ndarray
    contents: tuple


def learning_rate(options, position):
    """The learning rate under `TrainingOptions` at a position in epochs, such as 1.5 in the middle of the second."""
    warmup = options.warmup * options.epochs
    rate = options.learning_rate * min(1.0, position / warmup if warmup else 1.0)
    if options.schedule == "cosine":
        return rate * 0.5 * (1 + math.cos(math.pi * position / options.epochs))
    if options.schedule == "published":
        return rate * math.exp(-0.01 * max(0, math.floor(position) - 9))
    return rate


def start(seed):
    """Makes what follows depend on the seed alone: initial weights, dropout, and the layer names in the checkpoint."""
    keras.backend.clear_session()  # Keras numbers layers on through a process
    keras.utils.set_random_seed(seed)


@contextlib.contextmanager
def _computing(options):
    """What is built inside computes in the precision and on the devices that the options ask for."""
    scope = _strategy(options.devices).scope() if options.devices > 1 else contextlib.nullcontext()
    keras.config.set_dtype_policy("mixed_bfloat16" if options.mixed_precision else "float32")
    try:
        with scope:
            yield
    finally:
        keras.config.set_dtype_policy("float32")


@functools.cache  # a second one in a process would get in the way of the first
def _strategy(devices):
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    if devices > len(found):
        raise UserError(f"devices: expected at most {len(found)}, the number of {kind}s here; found {devices}")
    return tf.distribute.MirroredStrategy(found[:devices])


class Outputs(NamedTuple):
    """Where a training writes.

    Attributes:
        checkpoint: path of the `.keras` file: the epoch with the lowest validation loss.
        history: path of a CSV with a row for each epoch.
        metrics: path of a JSON file with the best epoch's validation figures, beside those of the base rates.
        answers: folder for what the trained model says of all films; see `answers.Answers`.
        state: folder for what a training that is interrupted goes on from; see `state.TrainingState`.
        live: folder for DVCLive.
    """

    checkpoint: Path
    history: Path
    metrics: Path
    answers: Path
    state: Path
    live: Path


def train(build, data, options, metadata, outputs):
    """Trains a model and writes its best checkpoint, its history and its metrics, to be called in `state.held`.

    What is trained is a copy, made for the devices and the precision that the options ask for; what is validated and
    saved is the model itself, a plain one. After each epoch the state is kept; a training of the same model, data, options
    and code goes on from there, and ends with the same bytes as one that was never interrupted.

    Args:
        build: function that returns a new `keras.Model` that gives probabilities.
        data: `Data`.
        options: `TrainingOptions`.
        metadata: dict to store in the checkpoint; see `checkpoints.save`.
        outputs: `Outputs`.

    Returns:
        dict, the content of the metrics file.

    Raises:
        UserError: no film to train on or to validate with; or the loss became NaN or infinite (an older checkpoint is
            not replaced); or there are fewer devices, or no DVCLive.
    """
    if not data.steps or not len(data.labels):
        raise UserError(f"{outputs.checkpoint}: no training film or no validation film has what this model looks at "
                        "(a readable poster, an overview). Add them, or run only the stages of the other model, such as: "
                        "dvc repro train_lstm")
    base_loss = binary_cross_entropy(data.labels, data.base_rates)
    start(options.seed)
    model = build()
    model.jit_compile = False  # XLA, the default on a GPU, would compile anew for each length of a batch
    model.get_layer(PREDICTIONS).bias.assign(log_odds(data.base_rates, least=1e-4))  # answers the base rates untrained
    with _computing(options):
        trained = build()
        trained.set_weights(model.get_weights())
        trained.compile(_optimizer(options), build_loss(options.loss, options.focus, data.base_rates), jit_compile=False)
        trained.optimizer.build(trained.trainable_variables)
    variables = [*trained.variables, *trained.optimizer.variables]
    state = TrainingState(outputs.state, fingerprint(
        repr(options), json.dumps([metadata, checkpoints.versions(), checkpoints.environment()]), data.contents, data.labels,
        [variable.numpy() for variable in variables]))
    rows = _go_on(state, variables, outputs.checkpoint.stem)
    live = LiveLog(outputs.live, rows) if options.dvclive else None
    with TrainingDisplay(outputs.checkpoint.stem, options.epochs, data.steps, base_loss, len(rows)) as display:
        while len(rows) < options.epochs and not (rows and len(rows) - best_of(rows)["epoch"] >= options.patience):
            started, epoch = time.monotonic(), len(rows)
            loss, input_seconds = _run_epoch(trained, data, options, epoch, display)
            model.set_weights(trained.get_weights())
            rows.append({"epoch": epoch + 1, "loss": loss, **_validate(model, data), "base_rate_loss": base_loss,
                         "learning_rate": learning_rate(options, epoch + 0.5)})
            _check_finite(rows[-1]["val_loss"], "validation", epoch, options)
            if best_of(rows) is rows[-1]:
                checkpoints.save(model, state.best(rows), metadata)
            state.save(rows, [variable.numpy() for variable in variables])
            display.epoch_done(rows[-1], best_of(rows), time.monotonic() - started, input_seconds)
            if live:
                live.epoch_done(rows[-1])
    best = best_of(rows)
    for path in outputs.checkpoint, outputs.history:
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(outputs.checkpoint) as partial:
        shutil.copyfile(state.best(rows), partial)
    pd.DataFrame(rows).round(5).to_csv(outputs.history, index=False, lineterminator="\n")
    return write_summary(outputs.metrics, best["val_loss"], base_loss, best["val_precision"], best["val_recall"],
                         epoch=best["epoch"], parameters=model.count_params())


def write_summary(path, loss, base_loss, precision, recall, **more):
    """Writes the validation figures of a trained model beside those of the base rates, and returns them as a dict."""
    summary = {"best_val_loss": rounded(loss), "base_rate_loss": rounded(base_loss),
               "skill": rounded(skill(loss, base_loss)), "precision": rounded(precision), "recall": rounded(recall), **more}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(summary, indent=2) + "\n")
    return summary


def _go_on(state, variables, name):
    """Puts the variables where an interrupted training had them; returns the rows of its epochs, none without one."""
    reached = state.load()
    if reached is None:
        return []
    rows, arrays = reached
    for variable, value in zip(variables, arrays, strict=True):
        variable.assign(value)
    logger.info("%s: going on after epoch %d of an interrupted training", name, len(rows))
    return rows


def _optimizer(options):
    if options.optimizer == "adam":
        return keras.optimizers.Adam(options.learning_rate)
    return keras.optimizers.AdamW(options.learning_rate, weight_decay=options.weight_decay)


def _run_epoch(model, data, options, epoch, display):
    """One pass over the training films; all that is random in it follows from seed and epoch.

    Returns:
        (training loss, seconds that it took to make the batches; beside the training, so that it seldom waits for them).
    """
    reseed(model, np.random.default_rng([options.seed, epoch, 1]))
    input_seconds = 0.0

    def batches():
        nonlocal input_seconds
        started = time.monotonic()
        for batch in data.batches(np.random.default_rng([options.seed, epoch, 0])):
            batch = _divisible(batch, options.devices)
            input_seconds += time.monotonic() - started
            yield batch
            started = time.monotonic()

    def set_rate(step, logs=None):
        model.optimizer.learning_rate.assign(learning_rate(options, epoch + (step + 0.5) / data.steps))

    history = model.fit(stream(batches, data.signature), steps_per_epoch=data.steps, shuffle=False, verbose=0,
                        callbacks=[display.callback(), keras.callbacks.LambdaCallback(on_train_batch_begin=set_rate)])
    loss = history.history["loss"][0]
    _check_finite(loss, "training", epoch, options)
    return loss, input_seconds


def stream(batches, signature):
    """A `tf.data.Dataset` of what a generator function yields, a few batches ahead of the training.

    Args:
        batches: function that returns an iterable of (inputs, labels).
        signature: `tf.TypeSpec` structure of these.
    """
    options = tf.data.Options()
    options.autotune.enabled = False  # nothing to tune; and its thread may hold up the end of an epoch by half of its time
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(4).with_options(options)


def _divisible(batch, devices):
    """A batch of which each device gets an equal part, as Keras asks; the first films fill up one that does not divide."""
    count = len(batch[1])
    rows = np.arange(-(-count // devices) * devices) % count
    return batch if len(rows) == count else tf.nest.map_structure(lambda array: array[rows], batch)


def _check_finite(loss, kind, epoch, options):
    if not math.isfinite(loss):
        raise UserError(f"the {kind} loss became {loss} in epoch {epoch + 1}; lower the learning rate "
                        f"(now {options.learning_rate}). No checkpoint was replaced.")


def _validate(model, data):
    probabilities = np.concatenate([model.predict_on_batch(inputs) for inputs in data.validation()])
    return {f"val_{name}": value for name, value in validation_figures(data.labels, probabilities).items()}


def validation_figures(labels, probabilities):
    """Loss, precision and recall at 0.5 of validation films, a dict."""
    true_positives, predicted, actual = counts(labels, probabilities >= 0.5)
    precision, recall, _ = precision_recall_f1(true_positives.sum(), predicted.sum(), actual.sum())
    return {"loss": binary_cross_entropy(labels, probabilities), "precision": precision, "recall": recall}
