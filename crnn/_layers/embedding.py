"""Where a batch enters the network: token ids through an embedding, float series as they are."""

import numpy as np

from crnn import _core
from crnn._layers.dropout import drawn
from crnn._layers.initializers import uniform
from crnn._layers.parameters import Parameter
from crnn._layers.steps import RowGradient, Steps


class Embedding:
    """A vector for each token id, looked up once for each distinct id of a batch.

    In an open vocabulary the last row stands for unknown ids: it is zero and never trains. Dropout
    leaves out numbers of the vectors, or whole vectors (``word_dropout``), the same ones wherever a
    token stands in a batch. The first rows may be given as ``initial``, and none of them moves if
    not ``trainable``.
    """

    name = "embedding"

    def __init__(
        self, vocabulary_size, dim, open_vocabulary, dropout=0.0, word_dropout=0.0,
        initial=None, trainable=True,
    ):  # fmt: skip
        self.shape = vocabulary_size, dim
        self.initial, self.trainable = initial, trainable
        self.open_vocabulary = open_vocabulary
        self.dropout, self.word_dropout = dropout, word_dropout
        self.parameters = {self.name: Parameter(self.shape, self._initial)}

    def _initial(self, rng, shape):
        n_known = shape[0] - self.open_vocabulary
        known = uniform(rng, (n_known, shape[1])) if self.initial is None else self.initial
        return np.concatenate([known, np.zeros((shape[0] - n_known, shape[1]))])

    def rows_read(self, batch):
        return {self.name: batch.ids} if self.trainable else {}

    def forward(self, batch, run):
        table = run.weights[self.name]
        shape = len(batch.ids), table.shape[1]
        values = run.workspace.scope(self.name).array("values", shape, table.dtype)
        _core.gather(table, batch.ids, run.n_threads, values)
        drops = self._drops(run)
        for drop in drops:
            drop(values)

        def backward(grad_values):
            if not self.trainable:
                return None, {}
            for drop in drops:
                drop(grad_values)
            if self.open_vocabulary:
                grad_values[batch.ids == len(table) - 1] = 0
            return None, {self.name: RowGradient(batch.ids, grad_values)}

        return Steps(batch, values, batch.rows, learned=self.trainable), backward

    def _drops(self, run):
        if not run.training:
            return []
        rates = (self.dropout, 1), (self.word_dropout, self.shape[1])
        return [drawn(run, rate, width) for rate, width in rates if rate]

    def buffers(self, size):
        return size.distinct * self.shape[1]


class SeriesInput:
    """The steps of float series, a row for each transition; there is nothing to learn."""

    name = "input"
    parameters: dict[str, Parameter] = {}

    def rows_read(self, batch):
        return {}

    def forward(self, batch, run):
        steps = Steps(batch, batch.inputs, None, learned=False)
        return steps, lambda grad_values: (None, {})

    def buffers(self, size):
        return 0  # those of the batch
