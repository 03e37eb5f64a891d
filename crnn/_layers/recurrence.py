"""Input projection and recurrence on one batch, forward and backward: the kernels of one layer."""

from copy import copy
from typing import NamedTuple

import numpy as np

from crnn import _core
from crnn._data.batches import tile_of

NO_ROWS = np.empty(0, np.int32)


class Source(NamedTuple):
    """What the steps add to U h: rows of a table, x W + b, or x of each, projected on the way."""

    table: np.ndarray  # (D, H), or the bias, (1, H)
    rows: np.ndarray  # (N,) of the table, or (0,)
    inputs: np.ndarray  # (0, 0), or (N, F)

    @property
    def n_sums(self):
        """Rows whose gradients are summed up: of the table, or of W and b."""
        return self.inputs.shape[1] + 1 if len(self.inputs) else len(self.table)


class Summary(NamedTuple):
    """What is left of the states of each sequence, (B, H); arrays not asked for have no rows."""

    last: np.ndarray
    sums: np.ndarray
    maxima: np.ndarray
    at: np.ndarray  # where the maxima are, as the kernels count time


class Gradients(NamedTuple):
    """What ``Recurrence.backward`` gives, each with the shape of what it is the gradient of."""

    table: np.ndarray
    inputs: np.ndarray
    kernel: np.ndarray
    initial: np.ndarray
    recurrent_kernel: np.ndarray


def of_last(last):
    """A ``Summary`` of nothing but the last states, or of gradients of nothing else."""
    return Summary(last, last[:0], last[:0], np.empty((0, last.shape[1]), np.int32))


class Recurrence:
    """h_t = f(x_t W + b + h_{t-1} U) with the weights (W, U, b) over a batch in kernel order."""

    def __init__(self, weights, activation, n_threads, workspace, ties=False):
        self.kernel, self.recurrent_kernel, self.bias = weights
        self.activation = _core.ACTIVATIONS[activation]
        self.n_threads = n_threads
        self.workspace = workspace
        self.ties = ties  # of equal states the last one is the maximum, not the first

    def array(self, name, *shape):
        return self.workspace.array(name, shape, self.kernel.dtype)

    def scope(self, name):
        """The same recurrence with buffers of its own."""
        inner = copy(self)
        inner.workspace = self.workspace.scope(name)
        return inner

    def table(self, inputs, rows):
        """A ``Source`` for distinct inputs, of which ``rows`` says where each is read."""
        table = self.array("table", len(inputs), len(self.bias))
        _core.dense(inputs, self.kernel, self.bias, self.n_threads, table)
        return Source(table, rows, inputs[:0, :0])

    def inputs(self, inputs):
        """A ``Source`` for an input of its own for each transition."""
        return Source(self.bias[None], NO_ROWS, inputs)

    def forward(
        self, source, offsets, initial, initial_rows, keep_states, sums=False, maxima=False
    ):
        """States of the batch, all of them if kept, and their ``Summary``."""
        B, H = len(initial_rows), len(self.bias)
        states = self.array("states", int(offsets[-1]) + B if keep_states else 2 * B, H)
        summary = of_last(self.array("last", B, H))
        if sums:
            summary = summary._replace(sums=self.array("sums", B, H))
        if maxima:
            at = self.workspace.array("at", (B if keep_states else 0, H), np.int32)
            summary = summary._replace(maxima=self.array("maxima", B, H), at=at)
        _core.forward(
            *source,
            self.kernel[: source.inputs.shape[1]],
            offsets,
            initial,
            initial_rows,
            self.recurrent_kernel,
            self.activation,
            tile_of(B),
            self.n_threads,
            keep_states,
            self.ties,
            states,
            *summary,
        )
        return states, summary

    def backward(self, states, source, offsets, grads, grad_states=None, want_inputs=False):
        """``Gradients`` from those of the ``Summary``, with its ``at``, and of every state."""
        B, H = grads.last.shape
        N, F = source.inputs.shape
        tile = tile_of(B)
        gradients = Gradients(
            self.array("grad_table", len(source.table), H),
            self.array("grad_inputs", N if want_inputs else 0, F),
            np.empty((F, H), states.dtype),
            self.array("grad_initial", B, H),
            np.empty_like(self.recurrent_kernel),
        )
        _core.backward(
            states,
            offsets,
            np.ascontiguousarray(self.recurrent_kernel.T),
            grads.last,
            states[:0] if grad_states is None else grad_states,
            grads.sums,
            grads.maxima,
            grads.at,
            source.rows,
            source.inputs,
            np.ascontiguousarray(self.kernel[:F].T),
            self.activation,
            tile,
            self.n_threads,
            self.array("work", *_core.backward_work(B, tile, H, source.n_sums)),
            *gradients,
        )
        return gradients

    def table_backward(self, inputs, grad_table, want_inputs=True):
        """Gradients of the distinct inputs, of W and of b, from that of their table."""
        D, F = inputs.shape
        H = len(self.bias)
        work = self.array("partial_sums", _core.workspace_rows(D), F + 1, H)
        grad_inputs = self.array("grad_inputs", D if want_inputs else 0, F)
        grad_kernel, grad_bias = np.empty_like(self.kernel), np.empty_like(self.bias)
        _core.dense_backward(
            inputs,
            np.ascontiguousarray(self.kernel.T),
            grad_table,
            self.n_threads,
            work,
            grad_inputs,
            grad_kernel,
            grad_bias,
        )
        return grad_inputs, grad_kernel, grad_bias
