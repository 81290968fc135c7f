"""Keras layers of our own, registered so that a saved model loads without `Lambda`."""

import keras
from keras import ops

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

    def call(self, inputs, mask=None):
        mask = ops.ones_like(inputs[..., 0]) if mask is None else mask
        mask = ops.cast(mask, inputs.dtype)[..., None]
        return ops.sum(inputs * mask, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])


@register
class GatedFusion(keras.layers.Layer):
    """Gated multimodal unit over any number of modalities, some of which may be absent.

    `h_i = tanh(W_i x_i)`, `z = softmax(W [x_1 … x_n])` over the modalities for each channel, `h = sum_i z_i * h_i`
    (Arevalo, Solorio, Montes-y-Gómez and González, "Gated Multimodal Units for Information Fusion", 2017; their sigmoid
    gate for two modalities is this softmax). An absent modality has gate 0.

    Args:
        units: channels of the output.

    Input: a float tensor (batch, modalities, channels) of modality vectors and a float tensor (batch, modalities) of
    1 where present and 0 where absent. Output: float (batch, units).
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, vectors_shape, present_shape):
        _, modalities, channels = vectors_shape
        self.kernel = self.add_weight(shape=(modalities, channels, self.units), name="kernel")
        self.gate = keras.layers.Dense(modalities * self.units, name="gate")
        self.gate.build((None, modalities * channels))

    def call(self, vectors, present):
        vectors = vectors * present[..., None]
        hidden = ops.tanh(ops.einsum("bmc,mcu->bmu", vectors, self.kernel))
        flat = ops.reshape(vectors, (-1, vectors.shape[1] * vectors.shape[2]))
        scores = ops.reshape(self.gate(flat), (-1, vectors.shape[1], self.units))
        gates = ops.softmax(scores - 1e4 * (1.0 - present[..., None]), axis=1)
        return ops.sum(gates * hidden, axis=1)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@register
class AttentionFusion(keras.layers.Layer):
    """Multi-head self-attention over the stacked modality vectors, averaged over the modalities that are present.

    (Vaswani et al., "Attention Is All You Need", 2017, as used over modality vectors in the field's poster and plot
    models.) A residual connection carries the vectors past the attention.

    Args:
        heads: number of attention heads.

    Input: as `GatedFusion`. Output: float (batch, channels).
    """

    def __init__(self, heads, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, vectors_shape, present_shape):
        self.attention = keras.layers.MultiHeadAttention(self.heads, max(1, vectors_shape[-1] // self.heads))
        self.attention.build(vectors_shape, vectors_shape)

    def call(self, vectors, present, training=None):
        mask = ops.cast(present[:, None, :] > 0, "bool")  # every modality looks at those that are present
        mixed = vectors + self.attention(vectors, vectors, attention_mask=mask, training=training)
        weights = present[..., None]
        return ops.sum(mixed * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1.0)

    def get_config(self):
        return {**super().get_config(), "heads": self.heads}
