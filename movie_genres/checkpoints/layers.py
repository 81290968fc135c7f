"""Keras layers of our own, registered so that a saved model loads without `Lambda`."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

# Layers that other modules look up in a model: the penultimate output, which the fusion model takes, and the last.
FEATURES = "features"
PREDICTIONS = "predictions"

register = keras.saving.register_keras_serializable(package="movie_genres")


@register
class MaskedMean(keras.layers.Layer):
    """The mean of a sequence over its unmasked steps.

    Input: float (batch, steps, channels) with a Keras mask. Output: float (batch, channels). A sequence without any
    unmasked step gives zeros, where Keras's own pooling gives NaN.
    """

    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        mask = ops.ones_like(inputs[..., 0]) if mask is None else mask
        mask = ops.cast(mask, inputs.dtype)[..., None]
        return ops.sum(inputs * mask, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], input_shape[-1])


@register
class GatedFusion(keras.layers.Layer):
    """Gated multimodal unit over any number of modalities, some of which may be absent.

    `h_i = tanh(W_i x_i)`, `z = softmax(W [x_1 … x_n])` over the modalities for each channel, `h = sum_i z_i * h_i`
    (Arevalo, Solorio, Montes-y-Gómez and González, "Gated Multimodal Units for Information Fusion", 2017; their sigmoid
    gate for two modalities is this softmax). An absent modality has gate 0.

    Input: float (batch, modalities, channels) of modality vectors and float (batch, modalities), 1 where present and 0 where
    absent. Output: float (batch, units).
    """

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units

    def build(self, vectors_shape: tuple[int, ...], present_shape: tuple[int, ...]) -> None:
        _, modalities, channels = vectors_shape
        self.kernel = self.add_weight(shape=(modalities, channels, self.units), name="kernel")
        self.gate = keras.layers.Dense(modalities * self.units, name="gate")
        self.gate.build((None, modalities * channels))

    def call(self, vectors: Any, present: Any) -> Any:
        vectors = vectors * present[..., None]
        hidden = ops.tanh(ops.einsum("bmc,mcu->bmu", vectors, self.kernel))
        flat = ops.reshape(vectors, (-1, vectors.shape[1] * vectors.shape[2]))
        scores = ops.reshape(self.gate(flat), (-1, vectors.shape[1], self.units))
        gates = ops.softmax(scores - 1e4 * (1.0 - present[..., None]), axis=1)
        return ops.sum(gates * hidden, axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@register
class AttentionFusion(keras.layers.Layer):
    """Multi-head self-attention over the stacked modality vectors, averaged over the modalities that are present.

    (Vaswani et al., "Attention Is All You Need", 2017, as used over modality vectors in the field's poster and plot
    models.) A residual connection carries the vectors past the attention.

    Input: as `GatedFusion`. Output: float (batch, channels).
    """

    def __init__(self, heads: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, vectors_shape: tuple[int, ...], present_shape: tuple[int, ...]) -> None:
        self.attention = keras.layers.MultiHeadAttention(self.heads, max(1, vectors_shape[-1] // self.heads))
        self.attention.build(vectors_shape, vectors_shape)

    def call(self, vectors: Any, present: Any, training: bool | None = None) -> Any:
        mask = ops.cast(present[:, None, :] > 0, "bool")  # every modality looks at those that are present
        mixed = vectors + self.attention(vectors, vectors, attention_mask=mask, training=training)
        weights = present[..., None]
        return ops.sum(mixed * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "heads": self.heads}


@register
class ProjectedLSTMCell(keras.layers.LSTMCell):
    """A Keras LSTM cell whose inputs have been multiplied by its kernel already, all steps at once: see `ProjectedRNN`."""

    def project(self, sequences: Any, training: bool) -> Any:
        """Multiplies sequences (batch, length, channels) by the kernel: (batch, length, 4 x units), with the bias."""
        masks = self.get_dropout_mask(sequences[:, 0])  # kept until the last step; Keras would make one for what it is given
        if not (training and self.dropout):
            return ops.matmul(sequences, self.kernel) + self.bias
        return self._by_gate(sequences, [mask[:, None] for mask in self._masks(masks)], self.kernel) + self.bias

    def call(self, projected: Any, states: Sequence[Any], training: bool = False) -> tuple[Any, list[Any]]:
        hidden, carry = states
        if training and self.recurrent_dropout:
            recurrent = self._by_gate(hidden, self._masks(self.get_recurrent_dropout_mask(hidden)), self.recurrent_kernel)
        else:
            recurrent = ops.matmul(hidden, self.recurrent_kernel)
        enter, forget, candidate, leave = ops.split(projected + recurrent, 4, axis=-1)
        carry = self.recurrent_activation(forget) * carry
        carry = carry + self.recurrent_activation(enter) * self.activation(candidate)
        hidden = self.recurrent_activation(leave) * self.activation(carry)
        return hidden, [hidden, carry]

    @staticmethod
    def _masks(masks: Any) -> list[Any]:
        """A mask for each gate: Keras gives four, or one for all."""
        return masks if isinstance(masks, list) else [masks] * 4

    @staticmethod
    def _by_gate(x: Any, masks: list[Any], kernel: Any) -> Any:
        parts = zip(masks, ops.split(kernel, 4, axis=1))
        return ops.concatenate([ops.matmul(x * mask, part) for mask, part in parts], axis=-1)


@register
class ProjectedRNN(keras.layers.RNN):
    """Multiplies the inputs of all steps by the kernel of its cell, a `ProjectedLSTMCell`, in one matrix product.

    Step by step, as `keras.layers.LSTM` does it on a CPU, half of the work goes into many small products in place of a large
    one, and an epoch takes half as long again.
    """

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        return super().call(self.cell.project(sequences, training), initial_state, mask, training)


def lstm(units: int, return_sequences: bool = False, **options: Any) -> keras.layers.Layer:
    """A bidirectional LSTM of `units` in each direction; `options` are those of `keras.layers.LSTMCell`."""
    return keras.layers.Bidirectional(ProjectedRNN(ProjectedLSTMCell(units, **options), return_sequences=return_sequences))


@register
class Blend(keras.layers.Layer):
    """Adds up what several models say, each with a weight that depends on what a film has.

    The log-odds of a genre are those of its base rate, plus what each model adds to them times the model's weight: a
    logarithmic opinion pool (Genest and Zidek, "Combining Probability Distributions", 1986) around the base rates. A model
    that has nothing to go by adds nothing. `posters` tells for each model whether it looks at posters or at overviews.

    Input: float (batch, models) of 1 where a model has something to go by, else 0; probabilities (batch, genres) of a model
    that looks at everything; and a list of probabilities (batch, genres) of the models. Output: float (batch, genres).
    The weights, of shape (3, 1 + models), are for films with a poster only, an overview only, and both; they start with
    trust in the first model alone.
    """

    def __init__(self, base_rates: Sequence[float], posters: Sequence[bool], **kwargs: Any):
        super().__init__(**kwargs)
        self.base_rates, self.posters = list(base_rates), list(posters)

    def build(self, *shapes: Any) -> None:
        self.trust = self.add_weight(shape=(3, 1 + len(self.posters)), name="trust", trainable=False)
        self.trust.assign(np.eye(1, 1 + len(self.posters)).repeat(3, axis=0))

    def call(self, present: Any, joint: Any, answers: Sequence[Any]) -> Any:
        trust = ops.take(self.trust, film_kind(present, self.posters), axis=0)
        trust = trust * ops.pad(present, ((0, 0), (1, 0)), constant_values=1)
        base = log_odds(np.array(self.base_rates, np.float32))
        evidence = ops.stack([log_odds(given) - base for given in (joint, *answers)], axis=1)
        return ops.sigmoid(base + ops.sum(trust[..., None] * evidence, axis=1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "base_rates": self.base_rates, "posters": self.posters}


def film_kind(present: Any, posters: ArrayLike) -> Any:
    """What films have, given as to `Blend`: 0 for a poster only, 1 for an overview only, 2 for both."""
    of_posters = np.array(posters, np.float32)
    has_poster = ops.any(present * of_posters > 0, axis=1)
    return ops.where(ops.any(present * (1 - of_posters) > 0, axis=1), ops.where(has_poster, 2, 1), 0)


def predictions(genres: int, initializer: str = "glorot_uniform") -> keras.layers.Layer:
    """The last layer of a network: a probability for each genre, in float32 whatever the rest computes in."""
    return keras.layers.Dense(genres, "sigmoid", kernel_initializer=initializer, dtype="float32", name=PREDICTIONS)


def log_odds(probabilities: ArrayLike, least: float = 1e-6) -> Any:
    """The logarithm of p / (1 - p), for p clipped to between `least` and 1 - `least`."""
    p = ops.clip(probabilities, least, 1 - least)
    return ops.log(p) - ops.log1p(-p)


def reseed(model: keras.Model, rng: np.random.Generator) -> None:
    """Sets the state of every dropout layer from `rng`, so that what follows does not depend on what ran before."""
    states = [variable for variable in model.variables if "seed_generator_state" in variable.path]
    for state, value in zip(states, rng.integers(0, 2**31, len(states))):
        state.assign([value, 0])
