"""The whole network on one batch: embedding -> recurrence -> dense head."""

from typing import NamedTuple

import numpy as np

from crnn import _core
from crnn._layers.recurrence import Recurrence


class RowGradient(NamedTuple):
    """Gradient of a matrix in which only the rows ``ids`` are not zero."""

    ids: np.ndarray  # (D,)
    rows: np.ndarray  # (D, E)


class Network:
    """Forward and backward pass over the parameters of a model.

    ``parameters`` are those of ``crnn._layers.parameters.shapes``. The arrays are shared with
    whoever made them: an optimiser updates them in place between two passes. In an open vocabulary
    the last row of the embedding stands for unknown ids, and never trains.
    """

    def __init__(self, parameters, activation, n_threads, workspace, open_vocabulary=False):
        self.parameters = parameters
        self.open_vocabulary = open_vocabulary
        self.workspace = workspace
        weights = [parameters[f"rnn_0/{name}"] for name in ("kernel", "recurrent_kernel", "bias")]
        self.recurrence = Recurrence(weights, activation, n_threads, workspace)
        self.array = self.recurrence.array

    def forward(self, batch, keep_states=True):
        """Logits (B, K) of a batch; what ``backward`` needs is remembered if states are kept."""
        last = self.run(batch, keep_states)[1]
        kernel, bias = self.parameters["head/kernel"], self.parameters["head/bias"]
        logits = self.array("logits", len(batch), len(bias))
        _core.dense(last, kernel, bias, 1, logits)
        return logits

    def run(self, batch, keep_states=True):
        """States of the recurrence, as ``Recurrence.run`` gives them."""
        self.inputs = batch.inputs
        if batch.ids is not None:
            embedding = self.parameters["embedding"]
            self.inputs = self.array("inputs", len(batch.ids), embedding.shape[1])
            _core.gather(embedding, batch.ids, self.recurrence.n_threads, self.inputs)
        table = self.recurrence.project(self.inputs)
        self.prefix = self._walk_paddings(batch, table)
        self.states, self.last = self.recurrence.run(
            table, batch.rows, batch.offsets, self.prefix, batch.pads, keep_states
        )
        return self.states, self.last

    def backward(self, batch, grad_logits):
        """Gradients by parameter name, after ``forward`` on the same batch."""
        grads = {}
        grad_last = self.array("grad_last", *self.last.shape)
        head_kernel, head_bias = self.parameters["head/kernel"], self.parameters["head/bias"]
        grads["head/kernel"] = np.empty_like(head_kernel)
        grads["head/bias"] = np.empty_like(head_bias)
        H, K = head_kernel.shape
        work = self.array("head_sums", _core.workspace_rows(len(batch)), H + 1, K)
        _core.dense_backward(
            self.last,
            np.ascontiguousarray(head_kernel.T),
            grad_logits,
            1,
            work,
            grad_last,
            grads["head/kernel"],
            grads["head/bias"],
        )
        tokens = batch.ids is not None
        scattered = {"rows": batch.rows, "n_rows": len(batch.ids)} if tokens else {}
        grad_table, grad_initial, grads["rnn_0/recurrent_kernel"] = self.recurrence.run_back(
            self.states, batch.offsets, grad_last, **scattered
        )
        if len(batch.rows) > batch.n_transitions:
            grad_row, grad_kernel = self._walk_paddings_back(batch, grad_initial)
            grad_table[batch.rows[-1]] += grad_row[0]
            grads["rnn_0/recurrent_kernel"] += grad_kernel
        grad_inputs, grads["rnn_0/kernel"], grads["rnn_0/bias"] = self.recurrence.project_back(
            self.inputs, grad_table, want_inputs=tokens
        )
        if tokens:
            if self.open_vocabulary:
                grad_inputs[batch.ids == len(self.parameters["embedding"]) - 1] = 0
            grads["embedding"] = RowGradient(batch.ids, grad_inputs)
        return grads

    # All sequences walk the same states h_0, h_1, ... through their leading paddings. So the walk
    # is made once for the batch, as a sequence of its own, and a sequence with p paddings starts
    # from its state p. Backward, the gradients that arrive at state p are summed over those
    # sequences, and the walk is gone back once with a gradient coming in at every step.

    def _walk_paddings(self, batch, table):
        P = int(batch.pads.max(initial=0))
        rows = np.full(P, batch.rows[-1] if P else 0, np.int32)
        start = np.zeros((1, table.shape[1]), table.dtype)
        return self.recurrence.run(
            table, rows, np.array([0, P]), start, np.zeros(1, np.int32), True, "prefix"
        )[0]

    def _walk_paddings_back(self, batch, grad_initial):
        P = len(self.prefix) - 1
        grad_states = self.array("grad_prefix_states", *self.prefix.shape)
        _core.scatter_add(grad_initial, batch.pads, grad_states)
        grad_row, _, grad_kernel = self.recurrence.run_back(
            self.prefix,
            np.array([0, P]),
            np.zeros_like(self.prefix[:1]),
            grad_states,
            rows=np.zeros(P, np.int32),
            n_rows=1,
            name="grad_prefix",
        )
        return grad_row, grad_kernel
