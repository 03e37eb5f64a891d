"""A network is a chain of layers and a head.

A layer names its ``parameters``, and ``forward(x, run)`` returns its output and the way back: a
function from the gradient of the output to that of x and those of its parameters, by name.
"""

from functools import lru_cache
from itertools import count, takewhile
from operator import index
from typing import NamedTuple

from crnn._layers.bidirectional import Bidirectional
from crnn._layers.bigrams import Bigrams
from crnn._layers.dropout import Dropout
from crnn._layers.embedding import Embedding, SeriesInput
from crnn._layers.head import Head
from crnn._layers.pooling import Pooling
from crnn._layers.recurrent import Recurrent


class Sizes(NamedTuple):
    """What the shapes of all weights follow from."""

    vocabulary_size: int | None  # rows of the embedding; None for float series
    n_features: int  # of what the first recurrent layer reads
    units: tuple[int, ...]
    n_outputs: int
    bidirectional: bool = False
    bigrams: int = 0  # rows of their table

    @property
    def n_states(self):
        """Width of the states of the last recurrent layer."""
        return self.units[-1] * (2 if self.bidirectional else 1)


SMALLEST = Sizes(vocabulary_size=None, n_features=1, units=(1,), n_outputs=1)


def sizes_of(weights):
    """The sizes that weights show."""
    names = takewhile(weights.__contains__, (f"rnn_{i}/bias" for i in count()))
    return Sizes(
        vocabulary_size=len(weights["embedding"]) if "embedding" in weights else None,
        n_features=len(weights["rnn_0/kernel"]),
        units=tuple(len(weights[name]) for name in names),
        n_outputs=len(weights["head/bias"]),
        bidirectional="rnn_0/backward/kernel" in weights,
        bigrams=len(weights.get("bigrams", ())),
    )


class Network:
    """Embedding, or nothing for float series -> recurrent layers -> pooling -> head."""

    def __init__(
        self,
        sizes,
        *,
        activation="tanh",
        pooling=("last",),
        recurrent_gain=1.0,
        open_vocabulary=False,
        embedding_dropout=0.0,
        word_dropout=0.0,
        dropout=0.0,
        bigram_dropout=0.0,
        embedding_init=None,
        embedding_trainable=True,
    ):
        self.sizes = sizes
        V, F = sizes.vocabulary_size, sizes.n_features
        enter = SeriesInput()
        if V is not None:
            enter = Embedding(
                V, F, open_vocabulary, embedding_dropout, word_dropout,
                embedding_init, embedding_trainable,
            )  # fmt: skip
        kind = Bidirectional if sizes.bidirectional else Recurrent
        self.recurrent = []
        for i, units in enumerate(sizes.units):
            pools = pooling if i == len(sizes.units) - 1 else ()
            options = {"gain": recurrent_gain, "pooling": pools}
            self.recurrent.append(kind(f"rnn_{i}", F, index(units), activation, **options))
            F = self.recurrent[-1].width
        self.enter = [enter]
        if sizes.bigrams:
            self.enter.append(Bigrams(sizes.bigrams, sizes.n_features, bigram_dropout))
        self.layers = [*self.enter, *self.recurrent, Pooling(pooling), Dropout(dropout)]
        self.head = Head(F * len(pooling), sizes.n_outputs)
        # The table of all parameters, by name and in the order of Keras.
        self.parameters = {}
        for layer in (*self.layers, self.head):
            self.parameters |= layer.parameters
        self.shapes = {name: parameter.shape for name, parameter in self.parameters.items()}

    @property
    def counts_pads(self):
        """Whether leading paddings may be counted instead of stored.

        They are all the same to a single layer of one direction that only its last state is asked
        of: that state is then the same function of their number for all sequences.
        """
        [*more, last] = self.enter[1:] + self.recurrent
        return not more and isinstance(last, Recurrent) and last.pooling == ("last",)

    def rows_read(self, batch):
        """Rows of parameters, by name, of which a batch reads no others."""
        return self.enter[0].rows_read(batch)

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

    def last_states(self, batch, run):
        """States of the last recurrent layer after the last step (B, H)."""
        return _chain(self.layers[:-2], batch, run)[0]["last"]

    def every_state(self, batch, run):
        """States of the last recurrent layer after every step (N, H), in kernel order."""
        steps, _ = _chain(self.layers[:-3], batch, run)
        return self.recurrent[-1].every_state(steps, run)[0].values

    def buffers(self, size):
        """Numbers in the buffers of a training step."""
        # Only the first layer behind the embedding reads rows that several steps share.
        enter, first, *others = self.layers
        own = size._replace(distinct=size.steps, shared=False)
        of_others = sum(layer.buffers(own) for layer in (*others, self.head))
        return enter.buffers(size) + first.buffers(size) + of_others


# Layers hold no weights and never change, so calls with the same sizes and options can share them:
# building them takes as long as many a call on a single sequence.
shared_network = lru_cache(maxsize=64)(Network)


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
