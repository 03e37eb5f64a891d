"""Memory that a fit will need, found out before it is allocated."""

from math import prod
from typing import NamedTuple

import numpy as np

SPARE = 9 / 8  # of the buffers, see Workspace


class BatchSize(NamedTuple):
    """What the buffers of a batch depend on."""

    samples: int
    steps: int
    distinct: int  # rows that a layer reads
    shared: bool  # whether several steps may read one of them


def of_weights(parameters, itemsize, n_memories, early_stopping):
    """Bytes of the weights and the state of their optimiser, with all copies that a fit makes.

    The optimiser keeps ``n_memories`` arrays beside each of them. There are three copies, one to
    train, one of the last whole epoch and one of the epoch before, and with early stopping two more
    while one best epoch takes the place of another. Before, they are drawn one by one in double
    precision, the square ones with two arrays of their size beside.
    """
    sizes = [prod(parameter.shape) for parameter in parameters.values()]
    squares = [3 * max(p.shape) ** 2 for n, p in parameters.items() if "recurrent" in n]
    copies = 5 if early_stopping else 3
    drawing = sum(sizes) * itemsize + 8 * max(*sizes, *squares)
    return max(drawing, copies * (1 + n_memories) * sum(sizes) * itemsize)


def of_states(n_steps, n_features, units, itemsize):
    """Bytes of the states after all steps, those of a part of the data, and what leads to them."""
    return 2 * n_steps * units * itemsize + n_steps * (n_features + units) * itemsize


def of_batch(lengths, batch_size, network, itemsize):
    """Bytes of the buffers that the longest batch takes in training."""
    B = min(batch_size, len(lengths))
    N = int(np.partition(lengths, len(lengths) - B)[len(lengths) - B :].sum()) if B else 0
    vocabulary_size = network.sizes.vocabulary_size
    tokens = vocabulary_size is not None
    size = BatchSize(B, N, min(N, vocabulary_size) if tokens else N, tokens)
    places = 8 * N  # which token a step reads, and the distinct ones
    return int(SPARE * (network.buffers(size) * itemsize + places))
