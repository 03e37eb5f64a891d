"""A recurrent layer of one direction."""

from math import prod

import numpy as np

from crnn import _core
from crnn._data.batches import tile_of
from crnn._layers.initializers import glorot_uniform, orthogonal
from crnn._layers.parameters import Parameter, zeros
from crnn._layers.recurrence import Recurrence, Summary, of_last
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
        source = _source(recurrence, steps)
        starts = _walk(recurrence, batch, source)
        mean, maximum = ("mean" in self.pooling), ("max" in self.pooling)
        states, summary = recurrence.forward(
            source, batch.offsets, starts, batch.pads, run.training, mean, maximum
        )
        pooled = {"last": summary.last, "mean": summary.sums, "max": summary.maxima}
        if mean:
            n_steps = np.maximum(np.diff(batch.offsets), 1).astype(summary.sums.dtype)[:, None]
            pooled["mean"] = summary.sums / n_steps

        def backward(grads):
            grads = Summary(
                grads["last"] if "last" in grads else np.zeros_like(summary.last),
                grads["mean"] / n_steps if mean else summary.sums,
                grads["max"] if maximum else summary.maxima,
                summary.at,
            )
            gradients = recurrence.backward(
                states, source, batch.offsets, grads, want_inputs=steps.learned
            )
            if len(starts) > 1:
                grad_row, of_walk = _walk_backward(
                    recurrence, batch, source, starts, gradients.initial
                )
                gradients.table[steps.rows[-1]] += grad_row
                gradients.recurrent_kernel[:] += of_walk
            return self._named(recurrence, steps, gradients)

        return pooled, backward

    def every_state(self, steps, run):
        """The state after each step as a row of its own, in the order of the transitions."""
        batch, recurrence = steps.batch, self._recurrence(run)
        source = _source(recurrence, steps)
        start = np.zeros((1, self.width), source.table.dtype)
        states, summary = recurrence.forward(
            source, batch.offsets, start, np.zeros(len(batch), np.int32), True
        )
        after = batch.states_after
        out = recurrence.array("out", len(after), self.width)
        _core.gather(states, after, run.n_threads, out)

        def backward(grad):
            grad_states = recurrence.array("grad_states", *states.shape)
            grad_states[:] = 0
            grad_states[after] = grad
            gradients = recurrence.backward(
                states,
                source,
                batch.offsets,
                of_last(np.zeros_like(summary.last)),
                grad_states,
                steps.learned,
            )
            return self._named(recurrence, steps, gradients)

        return Steps(batch, out, None, learned=True), backward

    def _recurrence(self, run):
        weights = [run.weights[name] for name in self.parameters]
        scope = run.workspace.scope(self.name)
        return Recurrence(weights, self.activation, run.n_threads, scope, self.ties)

    def _named(self, recurrence, steps, gradients):
        """Gradients of the values of the steps, and those of the weights by name."""
        if steps.shared:
            values, kernel, bias = recurrence.table_backward(
                steps.values, gradients.table, steps.learned
            )
        else:
            values, kernel, bias = gradients.inputs, gradients.kernel, gradients.table[0].copy()
        return values, {
            f"{self.name}/recurrent_kernel": gradients.recurrent_kernel,
            f"{self.name}/kernel": kernel,
            f"{self.name}/bias": bias,
        }

    def buffers(self, size):
        """Numbers in the buffers of a training step."""
        F, H = self.shape
        states = (size.steps + size.samples) * H
        if not self.pooling:
            states += (2 * size.steps + size.samples) * H
        tables = size.distinct * F + (2 * size.distinct * H if size.shared else 0)
        sums = size.distinct if size.shared else F + 1
        groups = _core.backward_work(size.samples, tile_of(size.samples), H, sums)
        return states + tables + prod(groups)


def _source(recurrence, steps):
    if steps.shared:
        return recurrence.table(steps.values, steps.rows)
    return recurrence.inputs(steps.values)


def _walk(recurrence, batch, source):
    """States h_0, h_1, ... of the walk through as many paddings as any sequence has."""
    P = int(batch.pads.max(initial=0))
    start = np.zeros((1, source.table.shape[1]), source.table.dtype)
    if P == 0:
        return start
    walk = recurrence.scope("paddings")
    source = source._replace(rows=np.full(P, batch.rows[-1], np.int32))
    return walk.forward(source, np.array([0, P]), start, np.zeros(1, np.int32), True)[0]


def _walk_backward(recurrence, batch, source, states, grad_initial):
    """Gradients of the row of the table that is the padding's, and of U."""
    P = len(states) - 1
    walk = recurrence.scope("paddings")
    grad_states = walk.array("grad_states", *states.shape)
    _core.scatter_add(grad_initial, batch.pads, grad_states)
    source = source._replace(table=source.table[:1], rows=np.zeros(P, np.int32))
    gradients = walk.backward(
        states, source, np.array([0, P]), of_last(np.zeros_like(states[:1])), grad_states
    )
    return gradients.table[0], gradients.recurrent_kernel
