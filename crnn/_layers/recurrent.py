"""A recurrent layer of one direction."""

from math import prod

import numpy as np

from crnn import _core
from crnn._data.batches import states_after
from crnn._layers.initializers import glorot_uniform, orthogonal
from crnn._layers.parameters import Parameter, zeros
from crnn._layers.recurrence import TILE, Recurrence


class Recurrent:
    """Reads ``Steps`` and gives the state of each sequence after its last one, (B, H).

    All sequences walk the same states h_0, h_1, ... through the paddings that were counted instead
    of stored. So that walk is made once for the batch, as a sequence of its own, and a sequence
    with p paddings starts from its state p. Backward, the gradients that arrive at state p are
    summed over those sequences, and the walk is gone back once with a gradient coming in at every
    step.
    """

    def __init__(self, name, n_features, units, activation):
        self.name, self.shape, self.activation = name, (n_features, units), activation

    @property
    def parameters(self):
        F, H = self.shape
        return {
            f"{self.name}/kernel": Parameter((F, H), glorot_uniform, penalized=True),
            f"{self.name}/recurrent_kernel": Parameter((H, H), orthogonal, penalized=True),
            f"{self.name}/bias": Parameter((H,), zeros),
        }

    def forward(self, steps, run):
        batch, recurrence = steps.batch, self._recurrence(run)
        table = recurrence.project(steps.values)
        walk = recurrence.scope("paddings")
        starts = _walk(walk, batch, table)
        states, last = recurrence.forward(
            table, steps.rows, batch.offsets, starts, batch.pads, keep_states=run.training
        )

        def backward(grad_last):
            shared = {"rows": steps.rows, "n_rows": len(steps.values)} if steps.shared else {}
            grad_table, grad_initial, grad_recurrent_kernel = recurrence.backward(
                states, batch.offsets, grad_last, **shared
            )
            if len(starts) > 1:
                grad_row, grad_kernel = _walk_backward(walk, batch, starts, grad_initial)
                grad_table[steps.rows[-1]] += grad_row[0]
                grad_recurrent_kernel += grad_kernel
            grad_values, grad_kernel, grad_bias = recurrence.project_backward(
                steps.values, grad_table, steps.learned
            )
            return grad_values, self._by_name(grad_recurrent_kernel, grad_kernel, grad_bias)

        return last, backward

    def every_state(self, steps, run):
        """States after every step (N, H), in the order of the transitions."""
        batch, recurrence = steps.batch, self._recurrence(run)
        table = recurrence.project(steps.values)
        start, rows = np.zeros((1, self.shape[1]), table.dtype), np.zeros(len(batch), np.int32)
        states, _ = recurrence.forward(table, steps.rows, batch.offsets, start, rows, True)
        return states[states_after(batch.offsets, TILE)]

    def _recurrence(self, run):
        weights = [run.weights[name] for name in self.parameters]
        return Recurrence(weights, self.activation, run.n_threads, run.workspace.scope(self.name))

    def _by_name(self, recurrent_kernel, kernel, bias):
        return {
            f"{self.name}/recurrent_kernel": recurrent_kernel,
            f"{self.name}/kernel": kernel,
            f"{self.name}/bias": bias,
        }

    def buffers(self, size):
        """Numbers in the buffers of a training step."""
        F, H = self.shape
        states = (size.steps + size.samples) * H
        tables = 2 * size.distinct * H + size.distinct * F  # projections, gradients of both sides
        groups = _core.backward_work(size.samples, TILE, H, size.distinct if size.shared else 0)
        return states + tables + prod(groups)


def _walk(recurrence, batch, table):
    """States h_0, h_1, ... of the walk through as many paddings as any sequence has."""
    P = int(batch.pads.max(initial=0))
    rows = np.full(P, batch.rows[-1] if P else 0, np.int32)
    start = np.zeros((1, table.shape[1]), table.dtype)
    return recurrence.forward(
        table, rows, np.array([0, P]), start, np.zeros(1, np.int32), keep_states=True
    )[0]


def _walk_backward(recurrence, batch, states, grad_initial):
    """Gradients of the row of the table that is the padding's, and of U."""
    P = len(states) - 1
    grad_states = recurrence.array("grad_states", *states.shape)
    _core.scatter_add(grad_initial, batch.pads, grad_states)
    grad_row, _, grad_recurrent_kernel = recurrence.backward(
        states,
        np.array([0, P]),
        np.zeros_like(states[:1]),
        grad_states,
        rows=np.zeros(P, np.int32),
        n_rows=1,
    )
    return grad_row, grad_recurrent_kernel
