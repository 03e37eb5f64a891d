"""A network is a chain of layers and a head.

A layer names its ``parameters``, and ``forward(x, run)`` returns its output and the way back: a
function from the gradient of the output to that of x and those of its parameters, by name.
"""

from typing import NamedTuple

from crnn._layers.embedding import Embedding, SeriesInput
from crnn._layers.head import Head
from crnn._layers.recurrent import Recurrent


class Sizes(NamedTuple):
    """What the shapes of all weights follow from."""

    vocabulary_size: int | None  # rows of the embedding; None for float series
    n_features: int  # of what the recurrent layer reads
    units: int
    n_outputs: int


def sizes_of(weights):
    """The sizes that weights show."""
    return Sizes(
        vocabulary_size=len(weights["embedding"]) if "embedding" in weights else None,
        n_features=len(weights["rnn_0/kernel"]),
        units=len(weights["rnn_0/bias"]),
        n_outputs=len(weights["head/bias"]),
    )


class Network:
    """Embedding, or nothing for float series -> recurrent layer -> head."""

    def __init__(self, sizes, *, activation="tanh", open_vocabulary=False):
        V, F, H, K = sizes
        enter = SeriesInput() if V is None else Embedding(V, F, open_vocabulary)
        self.layers = [enter, Recurrent("rnn_0", F, int(H), activation)]
        self.head = Head(int(H), K)

    @property
    def parameters(self):
        """The table of all parameters, by name and in the order of Keras."""
        table = {}
        for layer in (*self.layers, self.head):
            table |= layer.parameters
        return table

    @property
    def shapes(self):
        return {name: parameter.shape for name, parameter in self.parameters.items()}

    def features(self, batch, run):
        """Input of the head (B, P), and the way back."""
        return _chain(self.layers, batch, run)

    def logits(self, batch, run):
        """Output of the head (B, K)."""
        return self.head.forward(self.features(batch, run)[0], run)

    def gradients(self, batch, run, objective, targets, weights, normalizer):
        """Weighted sums of loss and metric, and the gradients of all parameters by name."""
        features, backward = self.features(batch, run)
        totals, grad_features, of_head = self.head.loss(
            features, run, objective, targets, weights, normalizer
        )
        return totals, of_head | backward(grad_features)[1]

    def every_state(self, batch, run):
        """States of the last recurrent layer after every step (N, H), in kernel order."""
        *layers, recurrent = self.layers
        return recurrent.every_state(_chain(layers, batch, run)[0], run)

    def buffers(self, size):
        """Numbers in the buffers of a training step."""
        return sum(layer.buffers(size) for layer in (*self.layers, self.head))


def _chain(layers, x, run):
    """Output of layers one after the other, and the way back through all of them."""
    ways_back = []
    for layer in layers:
        x, backward = layer.forward(x, run)
        ways_back.append(backward)

    def backward(grad):
        gradients = {}
        for way_back in reversed(ways_back):
            grad, own = way_back(grad)
            gradients |= own
        return grad, gradients

    return x, backward
