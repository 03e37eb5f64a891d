"""A recurrent layer of one direction."""

from math import prod

import numpy as np

from crnn import _core
from crnn._layers.initializers import glorot_uniform, orthogonal
from crnn._layers.parameters import Parameter, zeros
from crnn._layers.recurrence import TILE, Recurrence, Summary, of_last
from crnn._layers.steps import Steps


class Recurrent:
    """Reads ``Steps`` and pools the states of each sequence, or gives all of them as ``Steps``.

    All sequences walk the same states h_0, h_1, ... through the paddings that were counted instead
    of stored. So that walk is made once for the batch, as a sequence of its own, and a sequence
    with p paddings starts from its state p. Backward, the gradients that arrive at state p are
    summed over those sequences, and the walk is gone back once with a gradient coming in at every
    step.
    """

    def __init__(self, name, n_features, units, activation, *, gain=1.0, pooling=(), ties=False):
        self.name, self.shape, self.activation = name, (n_features, units), activation
        self.gain, self.ties = gain, ties
        self.pooling = pooling  # names; () gives the states after every step
        F, H = self.shape
        self.width = H
        self.parameters = {
            f"{name}/kernel": Parameter((F, H), glorot_uniform, penalized=True),
            f"{name}/recurrent_kernel": Parameter((H, H), self._orthogonal, penalized=True),
            f"{name}/bias": Parameter((H,), zeros),
        }

    def _orthogonal(self, rng, shape):
        return self.gain * orthogonal(rng, shape)

    def forward(self, steps, run):
        return self._pooled(steps, run) if self.pooling else self.every_state(steps, run)

    def _pooled(self, steps, run):
        """States after the last step, and their means and maxima, by name."""
        batch, recurrence = steps.batch, self._recurrence(run)
        table = recurrence.project(steps.values)
        walk = recurrence.scope("paddings")
        starts = _walk(walk, batch, table)
        mean, maximum = ("mean" in self.pooling), ("max" in self.pooling)
        states, summary = recurrence.forward(
            table, steps.rows, batch.offsets, starts, batch.pads, run.training, mean, maximum
        )
        pooled = {"last": summary.last, "mean": summary.sums, "max": summary.maxima}
        if mean:
            n_steps = np.maximum(np.diff(batch.offsets), 1).astype(table.dtype)[:, None]
            pooled["mean"] = summary.sums / n_steps

        def backward(grads):
            grads = Summary(
                grads["last"] if "last" in grads else np.zeros_like(summary.last),
                grads["mean"] / n_steps if mean else summary.sums,
                grads["max"] if maximum else summary.maxima,
                summary.at,
            )
            grad_table, grad_initial, grad_recurrent_kernel = recurrence.backward(
                states, batch.offsets, grads, **_shared_rows(steps)
            )
            if len(starts) > 1:
                grad_row, grad_kernel = _walk_backward(walk, batch, starts, grad_initial)
                grad_table[steps.rows[-1]] += grad_row[0]
                grad_recurrent_kernel += grad_kernel
            return self._project_backward(recurrence, steps, grad_table, grad_recurrent_kernel)

        return pooled, backward

    def every_state(self, steps, run):
        """The state after each step as a row of its own, in the order of the transitions."""
        batch, recurrence = steps.batch, self._recurrence(run)
        table = recurrence.project(steps.values)
        start = np.zeros((1, self.width), table.dtype)
        states, summary = recurrence.forward(
            table, steps.rows, batch.offsets, start, np.zeros(len(batch), np.int32), True
        )
        after = batch.states_after
        out = recurrence.array("out", len(after), self.width)
        _core.gather(states, after, run.n_threads, out)

        def backward(grad):
            grad_states = recurrence.array("grad_states", *states.shape)
            grad_states[:] = 0
            grad_states[after] = grad
            grad_table, _, grad_recurrent_kernel = recurrence.backward(
                states,
                batch.offsets,
                of_last(np.zeros_like(summary.last)),
                grad_states,
                **_shared_rows(steps),
            )
            return self._project_backward(recurrence, steps, grad_table, grad_recurrent_kernel)

        rows = np.arange(len(after), dtype=np.int32)
        return Steps(batch, out, rows, shared=False, learned=True), backward

    def _recurrence(self, run):
        weights = [run.weights[name] for name in self.parameters]
        scope = run.workspace.scope(self.name)
        return Recurrence(weights, self.activation, run.n_threads, scope, self.ties)

    def _project_backward(self, recurrence, steps, grad_table, grad_recurrent_kernel):
        grad_values, grad_kernel, grad_bias = recurrence.project_backward(
            steps.values, grad_table, steps.learned
        )
        return grad_values, {
            f"{self.name}/recurrent_kernel": grad_recurrent_kernel,
            f"{self.name}/kernel": grad_kernel,
            f"{self.name}/bias": grad_bias,
        }

    def buffers(self, size):
        """Numbers in the buffers of a training step."""
        F, H = self.shape
        states = (size.steps + size.samples) * H
        if not self.pooling:
            states += (2 * size.steps + size.samples) * H
        tables = 2 * size.distinct * H + size.distinct * F  # projections, gradients of both sides
        groups = _core.backward_work(size.samples, TILE, H, size.distinct if size.shared else 0)
        return states + tables + prod(groups)


def _shared_rows(steps):
    return {"rows": steps.rows, "n_rows": len(steps.values)} if steps.shared else {}


def _walk(recurrence, batch, table):
    """States h_0, h_1, ... of the walk through as many paddings as any sequence has."""
    P = int(batch.pads.max(initial=0))
    start = np.zeros((1, table.shape[1]), table.dtype)
    if P == 0:
        return start
    rows = np.full(P, batch.rows[-1], np.int32)
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
        of_last(np.zeros_like(states[:1])),
        grad_states,
        rows=np.zeros(P, np.int32),
        n_rows=1,
    )
    return grad_row, grad_recurrent_kernel
