"""Optimisers: the rules are kernels, here is the state that they carry from step to step.

An optimiser updates a dict of parameter arrays in place. A gradient is an array, or a
``RowGradient`` for an embedding of which a batch touches few rows.

- RMSprop updates touched rows only, which is exact (see the kernel).
- Plain SGD has no state, so a row without gradient does not move: touched rows only is exact too.
- SGD with momentum and Adam move every row at every step, since the running mean of the gradient
  outlives it. They make the dense update.
"""

import numpy as np

from crnn import _core
from crnn._network import RowGradient

ONLY_ROW = np.zeros(1, np.int32)


class Optimizer:
    """Settings, and a ``state`` that another optimiser of the same class may continue from."""

    def __init__(self, learning_rate):
        self.learning_rate = learning_rate
        self.state = {"n_steps": 0}

    def memory(self, name, weights, kind, dtype=None):
        """The array that is kept beside a parameter: zero at first, and for one of a new shape."""
        arrays = self.state.setdefault(kind, {})
        if name not in arrays or arrays[name].shape != weights.shape:
            arrays[name] = np.zeros(weights.shape, dtype or weights.dtype)
        arrays[name] = arrays[name].astype(dtype or weights.dtype, copy=False)
        return arrays[name]

    def step(self, parameters, gradients, n_threads):
        """Update the parameters in place."""
        self.state["n_steps"] += 1
        for name, weights in parameters.items():
            self.update(name, weights, gradients[name], n_threads)


class RMSprop(Optimizer):
    """Tieleman and Hinton (2012), as in Keras: epsilon inside the root."""

    def __init__(self, learning_rate, *, rho=0.9, epsilon=1e-7):
        super().__init__(learning_rate)
        self.rho, self.epsilon = rho, epsilon

    def update(self, name, weights, gradient, n_threads):
        if not isinstance(gradient, RowGradient):
            weights = weights.reshape(1, -1)
            gradient = RowGradient(ONLY_ROW, gradient.reshape(1, -1))
        _core.rmsprop(
            weights,
            gradient.rows,
            self.memory(name, weights, "velocities"),
            gradient.ids,
            self.memory(name, weights[:, 0], "touched", np.int64),
            self.state["n_steps"],
            self.learning_rate,
            self.rho,
            self.epsilon,
            n_threads,
        )


class SGD(Optimizer):
    """Gradient descent, with momentum and Nesterov's look ahead if asked for."""

    def __init__(self, learning_rate, *, momentum=0.0, nesterov=False):
        super().__init__(learning_rate)
        self.momentum, self.nesterov = momentum, nesterov

    def update(self, name, weights, gradient, n_threads):
        if isinstance(gradient, RowGradient) and self.momentum == 0:
            weights[gradient.ids] -= weights.dtype.type(self.learning_rate) * gradient.rows
            return
        flat = weights.reshape(-1)
        velocities = self.memory(name, flat, "velocities")
        _core.sgd(
            flat,
            _dense(gradient, weights),
            velocities,
            self.learning_rate,
            self.momentum,
            self.nesterov,
        )


class Adam(Optimizer):
    """Kingma and Ba (2015), as in Keras."""

    def __init__(self, learning_rate, *, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        super().__init__(learning_rate)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def update(self, name, weights, gradient, n_threads):
        flat = weights.reshape(-1)
        _core.adam(
            flat,
            _dense(gradient, weights),
            self.memory(name, flat, "moments"),
            self.memory(name, flat, "velocities"),
            self.state["n_steps"],
            self.learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
        )


def _dense(gradient, weights):
    if not isinstance(gradient, RowGradient):
        return gradient.reshape(-1)
    dense = np.zeros_like(weights)
    dense[gradient.ids] = gradient.rows
    return dense.reshape(-1)
