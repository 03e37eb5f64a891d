"""Initial weights, by the rules of Keras.

References
----------
Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural
networks. Saxe, McClelland and Ganguli (2014), Exact solutions to the nonlinear dynamics of
learning in deep linear neural networks. Giraud, Langou and Rozloznik (2005), The loss of
orthogonality in the Gram-Schmidt orthogonalization process.
"""

from functools import partial

import numpy as np

BLOCK = 2**20  # numbers, which are drawn in milliseconds
COLUMNS = 256


def glorot_uniform(rng, shape):
    """Uniform in +-sqrt(6 / (fan_in + fan_out)), for a kernel of shape (fan_in, fan_out)."""
    limit = np.sqrt(6 / sum(shape))
    return _draw(partial(rng.uniform, -limit, limit), shape)


def orthogonal(rng, shape):
    """Q of the QR decomposition of a Gaussian matrix.

    Q is unique, and then uniform among the orthogonal matrices, once R has a positive diagonal. It
    is made some columns at a time, so that Ctrl-C is answered in between: LAPACK at work in another
    thread could not be left, as OpenBLAS waits for its threads when the process ends.
    """
    q = _draw(partial(rng.normal, 0, 1), shape)
    for start in range(0, shape[1], COLUMNS):
        done, panel = q[:, :start], q[:, start : start + COLUMNS]
        for _ in range(2):  # once is not orthogonal to rounding, twice is (Giraud et al. 2005)
            panel -= done @ (done.T @ panel)
        columns, r = np.linalg.qr(panel)
        panel[...] = columns * np.sign(np.diag(r))
    return q


def uniform(rng, shape, limit=0.05):
    """Uniform in +-limit: the rows of an embedding."""
    return _draw(partial(rng.uniform, -limit, limit), shape)


def _draw(numbers, shape):
    """The ``numbers(shape)``, some rows at a time, so that Ctrl-C is answered in between."""
    drawn = np.empty(shape)
    step = max(1, BLOCK // shape[1])
    for start in range(0, shape[0], step):
        part = drawn[start : start + step]
        part[...] = numbers(part.shape)
    return drawn
