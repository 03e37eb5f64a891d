"""Initial weights, by the rules of Keras.

References
----------
Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural
networks. Saxe, McClelland and Ganguli (2014), Exact solutions to the nonlinear dynamics of
learning in deep linear neural networks.
"""

import numpy as np


def glorot_uniform(rng, fan_in, fan_out, dtype):
    """Uniform in +-sqrt(6 / (fan_in + fan_out))."""
    limit = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, (fan_in, fan_out)).astype(dtype)


def orthogonal(rng, size, dtype):
    """Q of the QR decomposition of a Gaussian matrix.

    Q is unique, and then uniform among the orthogonal matrices, once R has a positive diagonal.
    """
    q, r = np.linalg.qr(rng.normal(size=(size, size)))
    return np.ascontiguousarray(q * np.sign(np.diag(r))).astype(dtype)


def uniform(rng, shape, dtype, limit=0.05):
    """Uniform in +-limit: the rows of an embedding."""
    return rng.uniform(-limit, limit, shape).astype(dtype)
