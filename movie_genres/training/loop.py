"""Trains any of the models: one loop over epochs, reproducible by seed, that keeps the best checkpoint."""

import contextlib
import dataclasses
import functools
import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from movie_genres.base.errors import Remedy, SettingError, UserError
from movie_genres.checkpoints import keras_files
from movie_genres.checkpoints.layers import PREDICTIONS, log_odds, reseed
from movie_genres.models.answers import Floats
from movie_genres.models.metadata import versions
from movie_genres.models.metrics import binary_cross_entropy
from movie_genres.training.batches import Batch
from movie_genres.training.display import LiveLog, TrainingDisplay
from movie_genres.training.losses import build_loss
from movie_genres.training.options import TrainingOptions, learning_rate
from movie_genres.training.outputs import Outputs, validation_figures, write_history
from movie_genres.training.state import TrainingState, best_of, fingerprint

logger = logging.getLogger(__name__)


class Data(NamedTuple):
    """What a model is trained on."""

    batches: Callable[[np.random.Generator], Iterable[Batch]]  # gives the training batches of an epoch
    steps: int  # number of batches an epoch
    validation: Callable[[], Iterable]  # gives batches of what the network takes, the same each time
    labels: Floats  # of shape (validation films, genres), in the order of `validation`
    signature: tuple[Any, tf.TensorSpec]  # `tf.TypeSpec` structure of what the network takes, and of labels
    base_rates: NDArray[np.float64]  # share of training films of each genre, of shape (genres,)
    contents: Iterable  # what the batches are made of; see `state.fingerprint`


class Trained(NamedTuple):
    """What a training has come to: the best epoch's checkpoint, in the folder of the state, and figures of each epoch."""

    checkpoint: Path
    rows: list[dict[str, Any]]
    parameters: int  # of the model


def train(build: Callable[[], keras.Model], data: Data, options: TrainingOptions, metadata: dict[str, Any],
          outputs: Outputs) -> Trained:
    """Trains a model, to be called in `state.held`.

    After each epoch the state is kept; a training of the same model, data, options and code goes on from there, and ends
    with the same bytes as one that was never interrupted. Of the outputs, only the state and DVCLive's folder are written.

    Raises:
        UserError: no film to train on or to validate with; or the loss became NaN or infinite; or there are fewer devices,
            or no DVCLive.
    """
    if not data.steps or not len(data.labels):
        raise UserError(f"{outputs.model}: no training film or no validation film has what this model looks at (a "
                        "readable poster, an overview).", Remedy.TRAIN_OTHERS)
    name, base_loss = outputs.model.stem, binary_cross_entropy(data.labels, data.base_rates)
    model = _new_model(build, data.base_rates, options.seed)
    trained = _compiled(model, build, data.base_rates, options)
    variables = [*trained.variables, *trained.optimizer.variables]
    state = TrainingState(outputs.state, fingerprint(
        options, json.dumps([metadata, versions(*keras_files.PACKAGES), keras_files.environment()]), data.contents,
        data.labels, [variable.numpy() for variable in variables]))
    rows = _go_on(state, variables, name)
    live = LiveLog(outputs.live, rows) if options.dvclive else None
    with TrainingDisplay(name, options.epochs, data.steps, base_loss, len(rows)) as display:
        while not _has_ended(rows, options):
            started, epoch = time.monotonic(), len(rows)
            loss, input_seconds = _run_epoch(trained, data, options, epoch, display)
            if not _is_plain(options):
                model.set_weights(trained.get_weights())
            rows.append({"epoch": epoch + 1, "loss": loss, **_validate(model, data), "base_rate_loss": base_loss,
                         "learning_rate": learning_rate(options, epoch + 0.5)})
            _check_finite(rows[-1]["val_loss"], "validation", epoch, options)
            if best_of(rows) is rows[-1]:
                keras_files.save(model, state.best(rows), metadata)
            state.save(rows, [variable.numpy() for variable in variables])
            display.epoch_done(rows[-1], best_of(rows), time.monotonic() - started, input_seconds)
            if live:
                live.epoch_done(rows[-1])
    return Trained(state.best(rows), rows, model.count_params())


def train_seeds(build: Callable[[], keras.Model], data: Data, options: TrainingOptions, metadata: dict[str, Any],
                outputs: Outputs) -> list[Trained]:
    """Trains `options.seeds` models, as `train` does one, and writes the history: means over those that went on so far."""
    trained = [train(build, data, dataclasses.replace(options, seed=options.seed + number), metadata,
                     outputs if not number else outputs._replace(state=outputs.state / str(number),
                                                                 live=outputs.live / str(number)))
               for number in range(options.seeds)]
    rows = pd.DataFrame([row for each in trained for row in each.rows]).astype(float)
    means = rows.groupby("epoch", as_index=False).mean().astype({"epoch": int})
    write_history(outputs.history, means)
    return trained


def start(seed: int) -> None:
    """Makes what follows depend on the seed alone: initial weights, dropout, and the layer names in the checkpoint."""
    keras.backend.clear_session()  # Keras numbers layers on through a process
    keras.utils.set_random_seed(seed)


def _new_model(build: Callable[[], keras.Model], base_rates: NDArray[np.float64], seed: int) -> keras.Model:
    """The model that is validated and saved: a plain one; untrained, it answers the base rates."""
    start(seed)
    model = build()
    model.jit_compile = False  # XLA, the default on a GPU, would compile anew for each length of a batch
    model.get_layer(PREDICTIONS).bias.assign(log_odds(base_rates, least=1e-4))
    return model


def _is_plain(options: TrainingOptions) -> bool:
    return options.devices == 1 and not options.mixed_precision


def _compiled(model: keras.Model, build: Callable[[], keras.Model], base_rates: NDArray[np.float64],
              options: TrainingOptions) -> keras.Model:
    """The model that is trained: the same layers, or a copy of them where other precision or several devices are asked for.

    It is another one in any case, as a compiled model is saved with its optimizer.
    """
    scope = _strategy(options.devices).scope() if options.devices > 1 else contextlib.nullcontext()
    keras.config.set_dtype_policy("mixed_bfloat16" if options.mixed_precision else "float32")
    try:
        with scope:
            if _is_plain(options):
                trained = keras.Model(model.input, model.output)
            else:
                trained = build()
                trained.set_weights(model.get_weights())
            trained.compile(_optimizer(options), build_loss(options.loss, options.focus, base_rates), jit_compile=False)
            trained.optimizer.build(trained.trainable_variables)
    finally:
        keras.config.set_dtype_policy("float32")
    return trained


@functools.cache  # a second one in a process would get in the way of the first
def _strategy(devices: int) -> tf.distribute.Strategy:
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    if devices > len(found):
        raise SettingError("devices", f"at most {len(found)}, the number of {kind}s here", f"{devices}")
    return tf.distribute.MirroredStrategy(found[:devices])


def _optimizer(options: TrainingOptions) -> keras.optimizers.Optimizer:
    if options.optimizer == "adam":
        return keras.optimizers.Adam(options.learning_rate)
    return keras.optimizers.AdamW(options.learning_rate, weight_decay=options.weight_decay)


def _go_on(state: TrainingState, variables: list[keras.Variable], name: str) -> list[dict[str, Any]]:
    """Puts the variables where an interrupted training had them; returns the rows of its epochs, none without one."""
    rows, arrays = state.load()
    for variable, value in zip(variables, arrays):
        variable.assign(value)
    if rows:
        logger.info("%s: going on after epoch %d of an interrupted training", name, len(rows))
    return rows


def _has_ended(rows: list[dict[str, Any]], options: TrainingOptions) -> bool:
    """Whether all epochs are done, or too many have passed since the best one."""
    return len(rows) >= options.epochs or bool(rows) and len(rows) - best_of(rows)["epoch"] >= options.patience


def _run_epoch(model: keras.Model, data: Data, options: TrainingOptions, epoch: int, display: TrainingDisplay
               ) -> tuple[float, float]:
    """One pass over the training films; all that is random in it follows from seed and epoch.

    Returns the training loss, and seconds that it took to make the batches; that is done beside the training.
    """
    reseed(model, np.random.default_rng([options.seed, epoch, 1]))
    input_seconds = 0.0

    def batches() -> Iterator[Batch]:
        nonlocal input_seconds
        started = time.monotonic()
        for batch in data.batches(np.random.default_rng([options.seed, epoch, 0])):
            batch = _divisible(batch, options.devices)
            input_seconds += time.monotonic() - started
            yield batch
            started = time.monotonic()

    def set_rate(step: int, logs: Any = None) -> None:
        model.optimizer.learning_rate.assign(learning_rate(options, epoch + (step + 0.5) / data.steps))

    steps = keras.callbacks.LambdaCallback(on_train_batch_begin=set_rate, on_train_batch_end=display.step_done)
    history = model.fit(stream(batches, data.signature), steps_per_epoch=data.steps, shuffle=False, verbose=0,
                        callbacks=[steps])
    loss = history.history["loss"][0]
    _check_finite(loss, "training", epoch, options)
    return loss, input_seconds


def stream(batches: Callable[[], Iterable], signature: Any) -> tf.data.Dataset:
    """A dataset of the batches that a generator function yields, a few of them ahead of the training."""
    options = tf.data.Options()
    options.autotune.enabled = False  # nothing to tune; and its thread may hold up the end of an epoch by half of its time
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(4).with_options(options)


def _divisible(batch: Batch, devices: int) -> Batch:
    """A batch of which each device gets an equal part, as Keras asks; the first films fill up one that does not divide."""
    count = len(batch[1])
    rows = np.arange(-(-count // devices) * devices) % count
    return batch if len(rows) == count else tf.nest.map_structure(lambda array: array[rows], batch)


def _check_finite(loss: float, kind: str, epoch: int, options: TrainingOptions) -> None:
    if not math.isfinite(loss):
        raise UserError(f"the {kind} loss became {loss} in epoch {epoch + 1}; lower the learning rate "
                        f"(now {options.learning_rate}). No checkpoint was replaced.")


def answers_of(model: keras.Model, data: Data) -> Floats:
    """What a model says of the validation films, of shape (films, genres), in their order."""
    return np.concatenate([model.predict_on_batch(inputs) for inputs in data.validation()])


def _validate(model: keras.Model, data: Data) -> dict[str, Any]:
    return {f"val_{name}": value for name, value in validation_figures(data.labels, answers_of(model, data)).items()}
