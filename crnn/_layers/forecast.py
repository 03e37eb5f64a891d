"""Memory that a fit will need, found out before it is allocated."""

from math import prod

import numpy as np

from crnn import _core
from crnn._layers.recurrence import TILE

# Arrays of the size of a parameter that its optimiser keeps.
MEMORIES = {"rmsprop": 1, "sgd": 1, "adam": 2}

SPARE = 9 / 8  # of the buffers, see Workspace


def of_weights(shapes, itemsize, optimizer, early_stopping):
    """Bytes of the weights and the state of their optimiser, with all copies that a fit makes.

    There are three, one to train, one of the last whole epoch and one of the epoch before, and with
    early stopping two more while one best epoch takes the place of another. Before, they are drawn
    one by one in double precision, the recurrent ones with two arrays of their size beside.
    """
    sizes = [prod(shape) for shape in shapes.values()]
    copies = 5 if early_stopping else 3
    drawing = sum(sizes) * itemsize + 8 * max(*sizes, 3 * prod(shapes["rnn_0/recurrent_kernel"]))
    return max(drawing, copies * (1 + MEMORIES[optimizer]) * sum(sizes) * itemsize)


def of_states(n_steps, n_features, units, itemsize):
    """Bytes of the states after all steps, those of a part of the data, and what leads to them."""
    return 2 * n_steps * units * itemsize + n_steps * (n_features + units) * itemsize


def of_batch(lengths, batch_size, kernel_shape, itemsize, vocabulary_size=None):
    """Bytes of the buffers that the longest batch takes in training."""
    B = min(batch_size, len(lengths))
    N = int(np.partition(lengths, len(lengths) - B)[len(lengths) - B :].sum()) if B else 0
    F, H = kernel_shape
    D = N if vocabulary_size is None else min(N, vocabulary_size)
    numbers = (N + B) * H  # states
    numbers += 2 * D * (F + H)  # inputs, their projection, and the gradients of both
    numbers += prod(_core.backward_work(B, TILE, H, 0 if vocabulary_size is None else D))
    places = 16 * N  # where a step stands, which token it is, and which of the distinct ones
    return int(SPARE * (numbers * itemsize + places))
