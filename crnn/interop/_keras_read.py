"""From a Keras model to the description of a network and its weights."""

from itertools import permutations
from typing import Any, NamedTuple

import numpy as np

from crnn._core import ACTIVATIONS
from crnn._layers.network import Sizes
from crnn._layers.pooling import POOLINGS
from crnn.interop._description import Description
from crnn.interop._keras_build import functional

IGNORED = ("InputLayer", "Dropout", "SpatialDropout1D")
POOLS = {"GlobalAveragePooling1D": "mean", "GlobalMaxPooling1D": "max"}
ORDER = (
    "a chain of Embedding (not for series), SimpleRNN or Bidirectional, GlobalAveragePooling1D or "
    "GlobalMaxPooling1D (none for the last state), and Dense"
)


class Parts(NamedTuple):
    """The layers that count."""

    embedding: Any | None
    recurrent: list[Any]
    pool: Any | None
    head: Any


def read(keras, model):
    """The description and the weights, in the order of Keras, of a model."""
    if not (isinstance(model, keras.Sequential) or hasattr(model, "operations")):
        raise ValueError(
            f"{_name(model)} is neither Sequential nor Functional, so that its layers do not show "
            "how they are connected. Build it as one of these."
        )
    if not model.built or not model.layers:
        raise ValueError(f"{_name(model)} is not built; call it on data, or model.build, first.")
    layers = [layer for layer in model.layers if _kind(layer) not in IGNORED]
    if _is_chain(keras, model):
        parts = _parts(layers)
        description = _described(keras, parts)
        _check_chain(description, parts)
    else:
        parts = _parts([layer for layer in layers if _kind(layer) != "Concatenate"])
        description = _built_here(keras, model, _described(keras, parts))
    return description, _weights(keras, parts)


def _kind(layer):
    return type(layer).__name__


def _name(layer):
    return f"{layer.name!r} of class {_kind(layer)}"


def _is_chain(keras, model):
    """Whether each layer reads the output of the one before it, and nothing else."""
    if isinstance(model, keras.Sequential):
        return True
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(f"{_name(model)} has several inputs or outputs; crnn has one of each.")
    tensor = model.inputs[0]
    for layer in model.layers[1:]:
        if layer.input is not tensor:
            return False
        tensor = layer.output
    return tensor is model.outputs[0]


def _parts(layers):
    """The layers by what they do; any other layer, or another order, is refused by name."""
    rest = list(layers)

    def taken(*kinds):
        return rest.pop(0) if rest and _kind(rest[0]) in kinds else None

    embedding, recurrent = taken("Embedding"), []
    while layer := taken("SimpleRNN", "Bidirectional"):
        recurrent.append(layer)
    pool, head = taken(*POOLS), taken("Dense")
    if rest or head is None or not recurrent:
        what = f"The layer {_name(rest[0])}" if rest else "The end of the model"
        raise ValueError(f"{what} has no place in a network of crnn, which is {ORDER}.")
    return Parts(embedding, recurrent, pool, head)


def _described(keras, parts):
    cells = [cell for layer in parts.recurrent for cell in _cells(layer)]
    both = {_kind(layer) == "Bidirectional" for layer in parts.recurrent}
    activations = {_activation(keras, cell, ACTIVATIONS) for cell in cells}
    if len(both) > 1 or len(activations) > 1:
        raise ValueError(
            f"The recurrent layers {[layer.name for layer in parts.recurrent]} differ in direction "
            "or activation, which all layers of crnn have in common."
        )
    embedding = parts.embedding
    return Description(
        sizes=Sizes(
            vocabulary_size=None if embedding is None else embedding.input_dim,
            n_features=0,  # which the weights show
            units=tuple(_cells(layer)[0].units for layer in parts.recurrent),
            n_outputs=parts.head.units,
            bidirectional=both.pop(),
        ),
        pooling=(POOLS[_kind(parts.pool)] if parts.pool is not None else "last",),
        activation=activations.pop(),
        out_activation=_activation(keras, parts.head, ("sigmoid", "softmax", "linear")),
        mask_zero=embedding is not None and bool(embedding.mask_zero),
        open_vocabulary=False,
        dtype="",  # which the weights show
    )


def _cells(layer):
    """The one or two simple recurrences of a layer."""
    if _kind(layer) == "SimpleRNN":
        cells = (layer,)
    else:
        cells = layer.forward_layer, layer.backward_layer
        if layer.merge_mode != "concat":
            raise ValueError(
                f"The layer {_name(layer)} has merge_mode={layer.merge_mode!r}; crnn has 'concat'."
            )
    for cell, backwards in zip(cells, (False, True), strict=False):
        if _kind(cell) != "SimpleRNN":
            raise ValueError(f"The layer {_name(cell)} in {layer.name!r} is not a SimpleRNN.")
        if cell.go_backwards != backwards or cell.stateful:
            raise ValueError(
                f"The layer {_name(cell)} has go_backwards={cell.go_backwards} and "
                f"stateful={cell.stateful}, which no layer of crnn has."
            )
    if len({cell.units for cell in cells}) > 1:
        raise ValueError(f"The layer {_name(layer)} has other units forward than backward.")
    return cells


def _activation(keras, layer, names):
    for name in names:
        if layer.activation is getattr(keras.activations, name):
            return name
    found = getattr(layer.activation, "__name__", layer.activation)
    raise ValueError(
        f"The layer {_name(layer)} has the activation {found!r}; crnn has {list(names)} there."
    )


def _check_chain(description, parts):
    """Whether the layers hand on what those of crnn do."""
    *inner, last = parts.recurrent
    for layer in (*inner, *([last] if parts.pool is not None else [])):
        if not layer.return_sequences:
            raise ValueError(f"The layer {_name(layer)} gives only its last state to the next one.")
    if parts.pool is None and last.return_sequences:
        raise ValueError(
            f"The layer {_name(last)} gives all its states to the head. Set its return_sequences "
            "to False, or pool the states."
        )
    if description.mask_zero and description.pooling == ("max",):
        raise ValueError(
            f"The layer {_name(parts.pool)} ignores the mask of {parts.embedding.name!r}: it reads "
            "the states of masked steps, which crnn skips. Use mask_zero=False, or the mean."
        )


def _built_here(keras, model, description):
    """The description with which ``to_keras`` has built a model that is no chain."""
    pooled = description.sizes.units[-1] * (2 if description.sizes.bidirectional else 1)
    kinds = [type(operation).__name__ for operation in model.operations]
    inputs = model.inputs[0]
    embedding = [layer for layer in model.layers if _kind(layer) == "Embedding"]
    description = description._replace(
        sizes=description.sizes._replace(
            n_features=embedding[0].output_dim if embedding else inputs.shape[-1]
        ),
        open_vocabulary="Minimum" in kinds,
        dtype=np.dtype(model.layers[-1].variable_dtype).name,
    )
    n_pools = model.layers[-1].kernel.shape[0] // pooled
    for pooling in permutations(POOLINGS, n_pools):
        candidate = description._replace(pooling=pooling)
        if _structure(functional(keras, candidate)) == _structure(model):
            return candidate
    raise ValueError(
        f"{_name(model)} is Functional, but neither a chain nor as to_keras builds it; crnn has "
        f"{ORDER}."
    )


def _structure(model):
    """What a model consists of and how it is connected, without names."""
    config = model.get_config()
    numbers = {layer["name"]: number for number, layer in enumerate(config["layers"])}

    def plain(value):
        if isinstance(value, dict):
            left_out = ("name", "trainable")
            return {k: plain(v) for k, v in value.items() if k not in left_out}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        return numbers.get(value, value) if isinstance(value, str) else value

    return plain(config)


def _weights(keras, parts):
    """All weights in the order of Keras, with zeros for a bias that a layer does not have."""
    weights = [] if parts.embedding is None else _of_layer(keras, parts.embedding, 1)
    for layer in parts.recurrent:
        for cell in _cells(layer):
            weights += _of_layer(keras, cell, 3)
    return weights + _of_layer(keras, parts.head, 2)


def _of_layer(keras, layer, n_arrays):
    arrays = [keras.ops.convert_to_numpy(variable) for variable in layer.weights]
    if len(arrays) == n_arrays - 1 and not getattr(layer, "use_bias", True):
        arrays.append(np.zeros(layer.units, arrays[0].dtype))
    if len(arrays) != n_arrays:
        raise ValueError(
            f"The layer {_name(layer)} has {len(arrays)} arrays of weights instead of {n_arrays}."
        )
    return arrays
