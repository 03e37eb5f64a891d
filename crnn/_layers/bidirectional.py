"""Two recurrent layers that read the same steps from both ends."""

import numpy as np

from crnn import _core
from crnn._layers.recurrent import Recurrent
from crnn._layers.steps import Steps


class Bidirectional:
    """States of a forward and of a backward reading side by side, as in Keras's ``concat``.

    The backward layer reads the mirrored steps, and what it gives for each is put back into the
    order of the input. References: Schuster and Paliwal (1997), Bidirectional recurrent neural
    networks.
    """

    def __init__(self, name, n_features, units, activation, *, gain=1.0, pooling=()):
        options = {"gain": gain, "pooling": pooling}
        self.pooling = pooling
        self.ahead = Recurrent(name, n_features, units, activation, **options)
        self.back = Recurrent(
            f"{name}/backward", n_features, units, activation, ties=True, **options
        )
        self.width = 2 * units
        self.parameters = self.ahead.parameters | self.back.parameters

    def forward(self, steps, run):
        if not self.pooling:
            return self.every_state(steps, run)
        a, ahead = self.ahead.forward(steps, run)
        b, back = self.back.forward(_mirrored(steps, run), run)
        pooled = {name: np.concatenate([a[name], b[name]], axis=1) for name in a}

        def backward(grads):
            halves = {name: _halves(grad) for name, grad in grads.items()}
            return self._backward(
                steps,
                ahead({name: half[0] for name, half in halves.items()}),
                back({name: half[1] for name, half in halves.items()}),
            )

        return pooled, backward

    def every_state(self, steps, run):
        """The states after each step in both readings, in the order of the transitions."""
        a, ahead = self.ahead.every_state(steps, run)
        b, back = self.back.every_state(_mirrored(steps, run), run)
        mirror = steps.batch.mirror
        values = np.concatenate([a.values, b.values[mirror]], axis=1)

        def backward(grad):
            grad_ahead, grad_back = _halves(grad)
            return self._backward(steps, ahead(grad_ahead), back(grad_back[mirror]))

        return Steps(steps.batch, values, None, learned=True), backward

    def _backward(self, steps, ahead, back):
        """Gradients of what both read, from (gradient of the values, of the weights) of each."""
        grad_values, gradients = ahead
        of_mirrored, own = back
        if steps.learned:
            order = slice(None) if steps.shared else steps.batch.mirror
            grad_values = grad_values + of_mirrored[order]
        return grad_values, gradients | own

    def buffers(self, size):
        states = 0 if self.pooling else 6 * size.steps * self.width  # side by side, and mirrored
        mirrored = 0 if size.shared else 3 * size.steps * self.ahead.shape[0]
        return self.ahead.buffers(size) + self.back.buffers(size) + states + mirrored


def _mirrored(steps, run):
    """The steps of each sequence from its last one to its first."""
    mirror = steps.batch.mirror
    if steps.shared:
        rows = np.empty(len(mirror), np.int32)
        _core.look_up(steps.rows, mirror, run.n_threads, rows)
        return steps._replace(rows=rows)
    return steps._replace(values=steps.values[mirror])


def _halves(grad):
    return [np.ascontiguousarray(half) for half in np.split(grad, 2, axis=1)]
