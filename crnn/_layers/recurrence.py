"""Input projection and recurrence on one batch, forward and backward: the kernels of one layer."""

from copy import copy
from typing import NamedTuple

import numpy as np

from crnn import _core

# Sequences that one thread takes through time together: enough rows to keep the vector units busy
# at every step, few enough that a batch of 128 makes work for several threads.
TILE = 24

NO_ROWS = np.empty(0, np.int32)


class Summary(NamedTuple):
    """What is left of the states of each sequence, (B, H); arrays not asked for have no rows."""

    last: np.ndarray
    sums: np.ndarray
    maxima: np.ndarray
    at: np.ndarray  # where the maxima are, as the kernels count time


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

    def project(self, inputs):
        """Rows x W + b for the distinct inputs."""
        table = self.array("table", len(inputs), len(self.bias))
        _core.dense(inputs, self.kernel, self.bias, self.n_threads, table)
        return table

    def forward(
        self, table, rows, offsets, initial, initial_rows, keep_states, sums=False, maxima=False
    ):
        """States of the batch, all of them if kept, and their ``Summary``."""
        B, H = len(initial_rows), len(self.bias)
        states = self.array("states", int(offsets[-1]) + B if keep_states else 2 * B, H)
        summary = of_last(self.array("last", B, H))
        if sums:
            summary = summary._replace(sums=self.array("sums", B, H))
        if maxima:
            at = self.workspace.array("at", (B, H), np.int32)
            summary = summary._replace(maxima=self.array("maxima", B, H), at=at)
        _core.forward(
            table,
            rows,
            offsets,
            initial,
            initial_rows,
            self.recurrent_kernel,
            self.activation,
            TILE,
            self.n_threads,
            keep_states,
            self.ties,
            states,
            *summary,
        )
        return states, summary

    def backward(self, states, offsets, grads, grad_states=None, rows=None, n_rows=0):
        """Gradients of the table, of the initial states and of U.

        ``grads`` are those of the ``Summary``, with its ``at``. ``rows`` are those of the
        ``n_rows`` of the table that the transitions read; None means that each has a row of its
        own.
        """
        B, H = grads.last.shape
        if grad_states is None:
            grad_states = states[:0]
        work = self.array("work", *_core.backward_work(B, TILE, H, n_rows))
        if rows is None:
            # Takes the place of the table, which has served and is still in the caches.
            grad_table = self.array("table", int(offsets[-1]), H)
        else:
            grad_table = self.array("grad_table", n_rows, H)
        grad_initial = self.array("grad_initial", B, H)
        grad_recurrent_kernel = np.empty_like(self.recurrent_kernel)
        _core.backward(
            states,
            offsets,
            np.ascontiguousarray(self.recurrent_kernel.T),
            grads.last,
            grad_states,
            grads.sums,
            grads.maxima,
            grads.at,
            NO_ROWS if rows is None else rows,
            self.activation,
            TILE,
            self.n_threads,
            work,
            grad_table,
            grad_initial,
            grad_recurrent_kernel,
        )
        return grad_table, grad_initial, grad_recurrent_kernel

    def project_backward(self, inputs, grad_table, want_inputs=True):
        """Gradients of the distinct inputs, of W and of b."""
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
