"""Vectors of pairs of neighbouring tokens, added to those of the tokens."""

from crnn import _core
from crnn._layers.dropout import drawn
from crnn._layers.parameters import Parameter, zeros
from crnn._layers.steps import RowGradient, Steps


class Bigrams:
    """A table with a row for each hash of a token and the one before it.

    The rows are zero at first, so that a network without bigrams is where training starts, and of
    those in a batch some are left out, whole, at the rate ``dropout``. (Joulin et al. 2017, Bag of
    tricks for efficient text classification.)
    """

    name = "bigrams"

    def __init__(self, n_buckets, dim, dropout=0.0):
        self.shape, self.dropout = (n_buckets, dim), dropout
        self.parameters = {self.name: Parameter(self.shape, zeros, sparse=True)}

    def forward(self, steps, run):
        table, (ids, rows) = run.weights[self.name], steps.batch.bigrams
        scope = run.workspace.scope(self.name)
        N, E = len(rows), table.shape[1]
        added = scope.array("added", (len(ids), E), table.dtype)
        _core.gather(table, ids, run.n_threads, added)
        drop = drawn(run, self.dropout, E) if run.training and self.dropout else None
        if drop is not None:
            drop(added)
        values, of_pairs = (scope.array(name, (N, E), table.dtype) for name in ("values", "pairs"))
        _core.gather(steps.values, steps.rows[:N], run.n_threads, values)
        _core.gather(added, rows, run.n_threads, of_pairs)
        values += of_pairs

        def backward(grad):
            grad_values = scope.array("grad_values", steps.values.shape, table.dtype)
            _core.scatter_add(grad, steps.rows[:N], grad_values)
            grad_added = scope.array("grad_added", added.shape, table.dtype)
            _core.scatter_add(grad, rows, grad_added)
            if drop is not None:
                drop(grad_added)
            return grad_values, {self.name: RowGradient(ids, grad_added)}

        return Steps(steps.batch, values, None, learned=True), backward

    def buffers(self, size):
        return 4 * size.steps * self.shape[1]
