"""Optimisers: the rules are kernels, here is the state that they carry from step to step.

An optimiser updates a dict of parameter arrays in place. A gradient is an array, or a
``RowGradient`` for an embedding of which a batch touches few rows.

- RMSprop updates touched rows only, which is exact (see the kernel).
- Plain SGD has no state, so a row without gradient does not move: touched rows only is exact too.
- Adam and SGD with momentum move every row at every step, since a mean of the gradients outlives
  each of them. A row is brought up to date when it is next read, and all are at the end of an
  epoch: the steps that it sat out come down to one (see the kernels).

Of ``sparse`` parameters, tables far larger than the vocabulary, only touched rows ever move: both
do without momentum there.
"""

from copy import deepcopy

import numpy as np

from crnn import _core
from crnn._layers.steps import RowGradient

ONLY_ROW = np.zeros(1, np.int32)


class Optimizer:
    """Settings, and a ``state`` of numbers that another optimiser of its rule may continue from.

    Before the rule comes what is done to the gradients: ``alpha`` w is added for a penalty
    alpha / 2 ||w||^2 on the parameters that are ``penalized``, then each number is limited to
    ``clip_value``, then all of them together are scaled down to the norm ``clip_norm`` (Pascanu et
    al. 2013). ``n_memories`` arrays are kept beside each parameter. Of those that are ``sparse``
    only the rows that a batch has touched are updated.
    """

    n_memories = 1

    def __init__(
        self, learning_rate, *, alpha=0.0, penalized=(), sparse=(), clip_norm=None, clip_value=None
    ):
        self.learning_rate = learning_rate
        self.alpha, self.penalized, self.sparse = alpha, penalized, sparse
        self.clip_norm, self.clip_value = clip_norm, clip_value
        self.state = {"rule": type(self).__name__, "n_steps": 0, "learning_rate_factor": 1.0}

    def continue_from(self, state):
        """Take over a copy of the state, if it is of the same rule."""
        if state["rule"] == self.state["rule"]:
            self.state = deepcopy(state)

    @property
    def rate(self):
        """The learning rate as the schedule has it now."""
        return self.learning_rate * self.state["learning_rate_factor"]

    def memory(self, name, weights, kind, dtype=None):
        """The array that is kept beside a parameter: zero at first, and for one of a new shape.

        Files from before momentum was lazy have flat ones.
        """
        arrays = self.state.setdefault(kind, {})
        if name not in arrays or arrays[name].shape not in (weights.shape, (weights.size,)):
            arrays[name] = np.zeros(weights.shape, dtype or weights.dtype)
        array = np.ascontiguousarray(arrays[name], dtype or weights.dtype)
        arrays[name] = array.reshape(weights.shape)
        return arrays[name]

    @property
    def is_finite(self):
        """Whether what is kept beside the parameters are numbers."""
        kinds = [kind for kind in self.state.values() if isinstance(kind, dict)]
        return all(np.isfinite(memory).all() for kind in kinds for memory in kind.values())

    def step(self, parameters, gradients, n_threads):
        """Update the parameters with a gradient in place; the gradients may be changed too."""
        self.state["n_steps"] += 1
        self.limit(parameters, gradients)
        for name, gradient in gradients.items():
            self.update(name, parameters[name], gradient, n_threads)

    def catch_up(self, parameters, rows, n_threads):
        """Bring rows, given by the names of parameters, up to date before they are read."""

    def finish_epoch(self, parameters, n_threads):
        """Bring all rows up to date."""

    def update_rows(self, name, weights, gradient, rho, epsilon, n_threads):
        """RMSprop on the rows of a ``RowGradient``."""
        _core.rmsprop(
            weights,
            gradient.rows,
            self.memory(name, weights, "velocities"),
            gradient.ids,
            self.memory(name, weights[:, 0], "touched", np.int64),
            self.state["n_steps"],
            self.rate,
            rho,
            epsilon,
            n_threads,
        )

    def limit(self, parameters, gradients):
        """Penalty and clipping, in place."""
        if self.alpha:
            for name in self.penalized:
                gradients[name] += self.alpha * parameters[name]
        arrays = [g.rows if isinstance(g, RowGradient) else g for g in gradients.values()]
        if self.clip_value is not None:
            for array in arrays:
                np.clip(array, -self.clip_value, self.clip_value, out=array)
        if self.clip_norm is not None:
            norm = np.sqrt(sum(np.vdot(array, array) for array in arrays))
            if norm == np.inf:  # squares overflow single precision long before the numbers do
                norm = np.sqrt(sum(np.vdot(a, a) for a in (x.astype(float) for x in arrays)))
            if norm > self.clip_norm:
                for array in arrays:
                    array *= self.clip_norm / norm


class RMSprop(Optimizer):
    """Tieleman and Hinton (2012), as in Keras: epsilon inside the root."""

    def __init__(self, learning_rate, *, rho=0.9, epsilon=1e-7, **options):
        super().__init__(learning_rate, **options)
        self.rho, self.epsilon = rho, epsilon

    def update(self, name, weights, gradient, n_threads):
        if not isinstance(gradient, RowGradient):
            weights = weights.reshape(1, -1)
            gradient = RowGradient(ONLY_ROW, gradient.reshape(1, -1))
        self.update_rows(name, weights, gradient, self.rho, self.epsilon, n_threads)


class LazyOptimizer(Optimizer):
    """A rule that moves every row at every step: ``without_gradient`` makes up for those missed."""

    def __init__(self, learning_rate, **options):
        super().__init__(learning_rate, **options)
        self.begin_epoch()

    def begin_epoch(self):
        self.epoch_steps = 0
        self.touched = {}  # by name: the step up to which each row is

    def step(self, parameters, gradients, n_threads):
        super().step(parameters, gradients, n_threads)
        self.epoch_steps += 1
        for name in self.touched.keys() & gradients.keys():
            self.touched[name][gradients[name].ids] = self.epoch_steps

    def catch_up(self, parameters, rows, n_threads):
        for name, ids in rows.items():
            weights = parameters[name]
            if name not in self.touched:
                self.touched[name] = np.zeros(len(weights), np.int64)
            self.without_gradient(name, weights, ids, self.touched[name], n_threads)

    def finish_epoch(self, parameters, n_threads):
        rows = {name: np.arange(len(parameters[name]), dtype=np.int32) for name in self.touched}
        self.catch_up(parameters, rows, n_threads)
        self.begin_epoch()

    def moved_rows(self, name, weights, gradient):
        """Weights and a gradient in rows, or as a single row if all of them move."""
        if name in self.touched:
            return weights, gradient
        return weights.reshape(1, -1), RowGradient(ONLY_ROW, _dense(gradient, weights))


class SGD(LazyOptimizer):
    """Gradient descent, with momentum and Nesterov's look ahead if asked for."""

    def __init__(self, learning_rate, *, momentum=0.0, nesterov=False, **options):
        super().__init__(learning_rate, **options)
        self.momentum, self.nesterov = momentum, nesterov

    def catch_up(self, parameters, rows, n_threads):
        if self.momentum:  # else a row without gradient does not move
            super().catch_up(parameters, rows, n_threads)

    def without_gradient(self, name, weights, ids, touched, n_threads):
        _core.sgd_without_gradient(
            weights,
            self.memory(name, weights, "velocities"),
            ids,
            touched,
            self.epoch_steps,
            self.momentum,
            self.nesterov,
            n_threads,
        )

    def update(self, name, weights, gradient, n_threads):
        if isinstance(gradient, RowGradient) and (self.momentum == 0 or name in self.sparse):
            weights[gradient.ids] -= weights.dtype.type(self.rate) * gradient.rows
            return
        weights, gradient = self.moved_rows(name, weights, gradient)
        _core.sgd(
            weights,
            gradient.rows,
            self.memory(name, weights, "velocities"),
            gradient.ids,
            self.rate,
            self.momentum,
            self.nesterov,
            n_threads,
        )


class Adam(LazyOptimizer):
    """Kingma and Ba (2015), as in Keras."""

    n_memories = 2

    def __init__(self, learning_rate, *, beta_1=0.9, beta_2=0.999, epsilon=1e-7, **options):
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        super().__init__(learning_rate, **options)

    def begin_epoch(self):
        super().begin_epoch()
        self.missed = MissedSteps(self.beta_1, self.beta_2)

    def step(self, parameters, gradients, n_threads):
        super().step(parameters, gradients, n_threads)
        n = self.state["n_steps"]
        rate = self.rate * np.sqrt(1 - self.beta_2**n) / (1 - self.beta_1**n)
        self.missed.add(self.epoch_steps, rate)

    def without_gradient(self, name, weights, ids, touched, n_threads):
        _core.adam_without_gradient(
            weights,
            self.memory(name, weights, "moments"),
            self.memory(name, weights, "velocities"),
            ids,
            touched,
            self.missed.sums,
            self.missed.decays,
            self.epoch_steps,
            self.epsilon,
            n_threads,
        )

    def update(self, name, weights, gradient, n_threads):
        if name in self.sparse:
            # By RMSprop, as momentum would move all rows at each step.
            self.update_rows(name, weights, gradient, 0.9, self.epsilon**2, n_threads)
            return
        weights, gradient = self.moved_rows(name, weights, gradient)
        _core.adam(
            weights,
            gradient.rows,
            self.memory(name, weights, "moments"),
            self.memory(name, weights, "velocities"),
            gradient.ids,
            self.state["n_steps"],
            self.rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            n_threads,
        )


class MissedSteps:
    """What the steps of an epoch do to rows without gradient, for ``adam_without_gradient``.

    Row s of ``sums`` has the sums over the steps after step s. One that is LIMIT steps later does
    not count any more: the mean of the gradients is then below rounding, in double precision too.
    """

    LIMIT = 400

    def __init__(self, beta_1, beta_2):
        j = np.arange(1, self.LIMIT + 1)[:, None]
        self.powers = (beta_1 / np.sqrt(beta_2)) ** j * beta_2 ** (-j / 2 * np.arange(3))
        self.decays = np.array([beta_1, beta_2]) ** np.arange(self.LIMIT)[:, None]
        self.sums = np.zeros((self.LIMIT, 3))

    def add(self, step, rate):
        """Take in a step, of which the first has the number 1, and its rate."""
        if step == len(self.sums):
            self.sums = np.concatenate([self.sums, np.zeros_like(self.sums)])
        latest = min(step, self.LIMIT)
        self.sums[step - latest : step] += rate * self.powers[latest - 1 :: -1]


OPTIMIZERS = {"rmsprop": RMSprop, "sgd": SGD, "adam": Adam}


def _dense(gradient, weights):
    """A gradient as a single row."""
    if not isinstance(gradient, RowGradient):
        return gradient.reshape(1, -1)
    dense = np.zeros_like(weights)
    dense[gradient.ids] = gradient.rows
    return dense.reshape(1, -1)
