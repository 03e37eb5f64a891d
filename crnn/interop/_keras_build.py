"""From the description of a network to a Keras model without its weights."""

import numpy as np


def build(keras, d):
    """A Sequential where Keras has layers that do the same, else a Functional model."""
    masked_pools = d.mask_zero and d.pooling != ("last",)
    simple = len(d.pooling) == 1 and not d.open_vocabulary and not masked_pools
    return (_sequential if simple else functional)(keras, d)


def _sequential(keras, d):
    tokens = d.sizes.vocabulary_size is not None
    (pooling,), (*inner, last) = d.pooling, d.sizes.units
    pool = {"mean": keras.layers.GlobalAveragePooling1D, "max": keras.layers.GlobalMaxPooling1D}
    return keras.Sequential([
        _input(keras, d),
        *([_embedding(keras, d)] if tokens else []),
        *(_recurrent(keras, d, units, return_sequences=True) for units in inner),
        _recurrent(keras, d, last, return_sequences=pooling != "last"),
        *([pool[pooling](dtype=d.dtype)] if pooling != "last" else []),
        _dense(keras, d),
    ])  # fmt: skip


def functional(keras, d):
    x = inputs = _input(keras, d)
    if d.open_vocabulary:  # whose last row is that of unknown words
        x = keras.ops.minimum(x, d.sizes.vocabulary_size - 1)
    if d.sizes.vocabulary_size is not None:
        x = _embedding(keras, d)(x)
    *inner, last = d.sizes.units
    for units in inner:
        x = _recurrent(keras, d, units, return_sequences=True)(x)
    steps, *states = _recurrent(keras, d, last, return_sequences=True, return_state=True)(x)
    kept = keras.ops.expand_dims(keras.ops.not_equal(inputs, 0), -1) if d.mask_zero else None
    pooled = [_pooled(keras, d, name, steps, states, kept) for name in d.pooling]
    features = _joined(keras, d, pooled)
    return keras.Model(inputs, _dense(keras, d)(features))


def _pooled(keras, d, name, steps, states, kept):
    """One pooling of the states; ``kept`` (B, T, 1) says which steps there are, None all."""
    ops = keras.ops
    if name == "last":  # not that of the last step, which Bidirectional sets to 0 if it is masked
        return _joined(keras, d, states)
    if kept is None:
        return (ops.mean if name == "mean" else ops.max)(steps, axis=1)
    if name == "mean":
        n_steps = ops.maximum(ops.sum(ops.cast(kept, d.dtype), axis=1), 1.0)
        return ops.sum(ops.where(kept, steps, 0.0), axis=1) / n_steps
    lowest = float(np.finfo(d.dtype).min)
    maxima = ops.max(ops.where(kept, steps, lowest), axis=1)
    return ops.where(ops.any(kept, axis=1), maxima, 0.0)


def _joined(keras, d, parts):
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate(dtype=d.dtype)(parts)


def _input(keras, d):
    if d.sizes.vocabulary_size is None:
        return keras.Input((None, d.sizes.n_features), dtype=d.dtype)
    return keras.Input((None,), dtype="int32")


def _embedding(keras, d):
    V, E = d.sizes.vocabulary_size, d.sizes.n_features
    return keras.layers.Embedding(V, E, mask_zero=d.mask_zero, dtype=d.dtype)


def _recurrent(keras, d, units, **options):
    layer = keras.layers.SimpleRNN(units, activation=d.activation, dtype=d.dtype, **options)
    return keras.layers.Bidirectional(layer, dtype=d.dtype) if d.sizes.bidirectional else layer


def _dense(keras, d):
    return keras.layers.Dense(d.sizes.n_outputs, activation=d.out_activation, dtype=d.dtype)
