"""Initial weights, by the rules of Keras.

References
----------
Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural
networks. Saxe, McClelland and Ganguli (2014), Exact solutions to the nonlinear dynamics of
learning in deep linear neural networks.
"""

from functools import partial

import numpy as np

from crnn._interrupts import LONG, run_interruptibly

BLOCK = 2**20  # numbers, which are drawn in milliseconds


def glorot_uniform(rng, fan_in, fan_out, dtype):
    """Uniform in +-sqrt(6 / (fan_in + fan_out))."""
    limit = np.sqrt(6 / (fan_in + fan_out))
    return _draw(partial(rng.uniform, -limit, limit), (fan_in, fan_out)).astype(dtype)


def orthogonal(rng, size, dtype):
    """Q of the QR decomposition of a Gaussian matrix.

    Q is unique, and then uniform among the orthogonal matrices, once R has a positive diagonal.
    """
    decompose = partial(np.linalg.qr, _draw(partial(rng.normal, 0, 1), (size, size)))
    q, r = decompose() if size**3 < LONG else run_interruptibly(decompose)
    return np.ascontiguousarray(q * np.sign(np.diag(r))).astype(dtype)


def uniform(rng, shape, dtype, limit=0.05):
    """Uniform in +-limit: the rows of an embedding."""
    return _draw(partial(rng.uniform, -limit, limit), shape).astype(dtype)


def _draw(numbers, shape):
    """The ``numbers(shape)``, some rows at a time, so that Ctrl-C is answered in between."""
    drawn = np.empty(shape)
    step = max(1, BLOCK // shape[1])
    for start in range(0, shape[0], step):
        part = drawn[start : start + step]
        part[...] = numbers(part.shape)
    return drawn
