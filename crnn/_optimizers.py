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


class RMSprop:
    """Tieleman and Hinton (2012), as in Keras: epsilon inside the root."""

    def __init__(self, learning_rate, *, rho=0.9, epsilon=1e-7):
        self.learning_rate, self.rho, self.epsilon = learning_rate, rho, epsilon
        self.n_steps = 0
        self.velocities, self.touched = {}, {}

    def step(self, parameters, gradients, n_threads):
        self.n_steps += 1
        for name, weights in parameters.items():
            if name not in self.velocities:
                self.velocities[name] = np.zeros_like(_matrix(weights))
                self.touched[name] = np.zeros(len(_matrix(weights)), np.int64)
            gradient = gradients[name]
            if not isinstance(gradient, RowGradient):
                rows = np.arange(len(_matrix(weights)), dtype=np.int32)
                gradient = RowGradient(rows, _matrix(gradient))
            _core.rmsprop(
                _matrix(weights),
                gradient.rows,
                self.velocities[name],
                gradient.ids,
                self.touched[name],
                self.n_steps,
                self.learning_rate,
                self.rho,
                self.epsilon,
                n_threads,
            )


class SGD:
    """Gradient descent, with momentum and Nesterov's look ahead if asked for."""

    def __init__(self, learning_rate, *, momentum=0.0, nesterov=False):
        self.learning_rate, self.momentum, self.nesterov = learning_rate, momentum, nesterov
        self.velocities = {}

    def step(self, parameters, gradients, n_threads):
        for name, weights in parameters.items():
            gradient = gradients[name]
            if isinstance(gradient, RowGradient) and self.momentum == 0:
                weights[gradient.ids] -= weights.dtype.type(self.learning_rate) * gradient.rows
                continue
            if name not in self.velocities:
                self.velocities[name] = np.zeros(weights.size, weights.dtype)
            _core.sgd(
                weights.reshape(-1),
                _dense(gradient, weights),
                self.velocities[name],
                self.learning_rate,
                self.momentum,
                self.nesterov,
            )


class Adam:
    """Kingma and Ba (2015), as in Keras."""

    def __init__(self, learning_rate, *, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        self.learning_rate, self.epsilon = learning_rate, epsilon
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.n_steps = 0
        self.moments, self.velocities = {}, {}

    def step(self, parameters, gradients, n_threads):
        self.n_steps += 1
        for name, weights in parameters.items():
            if name not in self.moments:
                self.moments[name] = np.zeros(weights.size, weights.dtype)
                self.velocities[name] = np.zeros(weights.size, weights.dtype)
            _core.adam(
                weights.reshape(-1),
                _dense(gradients[name], weights),
                self.moments[name],
                self.velocities[name],
                self.n_steps,
                self.learning_rate,
                self.beta_1,
                self.beta_2,
                self.epsilon,
            )


def _matrix(array):
    return array.reshape(-1, array.shape[-1])


def _dense(gradient, weights):
    if not isinstance(gradient, RowGradient):
        return gradient.reshape(-1)
    dense = np.zeros_like(weights)
    dense[gradient.ids] = gradient.rows
    return dense.reshape(-1)
