"""The layers of a network as nodes of ONNX, a function for each kind."""

from functools import singledispatch

import numpy as np

from crnn._layers.bidirectional import Bidirectional
from crnn._layers.bigrams import Bigrams
from crnn._layers.dropout import Dropout
from crnn._layers.embedding import Embedding, SeriesInput
from crnn._layers.head import Head
from crnn._layers.pooling import Pooling
from crnn._layers.recurrent import Recurrent
from crnn.interop._onnx.bigrams import hashes
from crnn.interop._onnx.steps import at_least_one, within, zero_if_empty

ACTIVATIONS = {"tanh": "Tanh", "relu": "Relu", "sigmoid": "Sigmoid", "linear": "Affine"}


def chain(layers, x, graph, weights):
    """The output of layers one after the other."""
    for layer in layers:
        x = nodes_of(layer, x, graph, weights)
    return x


@singledispatch
def nodes_of(layer, x, graph, weights):
    """Add the nodes of a layer, from its input to its output, in the forms of the library's."""
    raise NotImplementedError(f"There is no ONNX form of the layer {type(layer).__name__}.")


@nodes_of.register(SeriesInput)
def _(layer, x, graph, weights):
    return x


@nodes_of.register(Embedding)
def _(layer, x, graph, weights):
    return x._replace(values=graph.add("Gather", weights[layer.name], x.ids))


@nodes_of.register(Bigrams)
def _(layer, x, graph, weights):
    rows = graph.add("Gather", weights[layer.name], hashes(graph, x.ids, layer.shape[0]))
    return x._replace(values=graph.add("Add", x.values, rows))


@nodes_of.register(Recurrent | Bidirectional)
def _(layer, x, graph, weights):
    if layer.pooling:
        return pooled(layer, layer.pooling, x, graph, weights)
    every, _ = _recurrence(layer, x, graph, weights)
    return x._replace(values=every)


@nodes_of.register(Pooling)
def _(layer, x, graph, weights):
    return graph.add("Concat", *(x[name] for name in layer.names), axis=1)


@nodes_of.register(Dropout)
def _(layer, x, graph, weights):
    return x


@nodes_of.register(Head)
def _(layer, x, graph, weights):
    return graph.add("Gemm", x, weights["head/kernel"], weights["head/bias"])


def pooled(layer, names, x, graph, weights):
    """What a recurrent layer leaves of each sequence (B, H), by name."""
    every, last = _recurrence(layer, x, graph, weights)
    results = {}
    for name in names:
        result = last if name == "last" else POOLS[name](every, x, graph)
        results[name] = zero_if_empty(graph, x, result) if x.masked else result
    return results


def _mean(every, x, graph):
    total = graph.add("ReduceSum", every, np.array([0]), keepdims=0)
    n_steps = graph.cast(graph.column(at_least_one(graph, x)), np.float32)
    return graph.add("Div", total, n_steps)


def _maximum(every, x, graph):
    if x.masked:
        every = graph.add("Where", within(graph, x), every, np.float32(-np.inf))
    if graph.opset < 18:  # where the axes became an input
        return graph.add("ReduceMax", every, axes=[0], keepdims=0)
    return graph.add("ReduceMax", every, np.array([0]), keepdims=0)


POOLS = {"mean": _mean, "max": _maximum}


def _recurrence(layer, x, graph, weights):
    """States after every step (T, B, H), zero behind the last one, and after the last (B, H)."""
    directions = [layer]
    if isinstance(layer, Bidirectional):
        directions = [layer.ahead, layer.back]
    first = directions[0]
    names = [list(direction.parameters) for direction in directions]
    kernels, recurrent_kernels, biases = (
        [weights[name] for name in kind] for kind in zip(*names, strict=True)
    )
    zeros = np.zeros_like(biases[0])  # ONNX has a second bias, of the state
    options = {"activations": [ACTIVATIONS[first.activation]] * len(directions)}
    if first.activation == "linear":
        options["activation_alpha"] = [1.0] * len(directions)
        options["activation_beta"] = [0.0] * len(directions)
    # RNN of ONNX can only leave out the last steps, and at least one must remain.
    lengths = [graph.cast(at_least_one(graph, x), np.int32)] if x.masked else []
    every, last = graph.add(
        "RNN",
        x.values,
        np.stack([kernel.T for kernel in kernels]),
        np.stack([kernel.T for kernel in recurrent_kernels]),
        np.stack([np.concatenate([bias, zeros]) for bias in biases]),
        *lengths,
        outputs=2,
        hidden_size=first.width,
        direction="forward" if len(directions) == 1 else "bidirectional",
        **options,
    )
    every = graph.add("Transpose", every, perm=[0, 2, 1, 3])  # (T, B, directions, H)
    last = graph.add("Transpose", last, perm=[1, 0, 2])
    return (
        graph.add("Reshape", every, np.array([0, 0, layer.width])),
        graph.add("Reshape", last, np.array([0, layer.width])),
    )
