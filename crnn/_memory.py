"""What a fit will need, found out before it is allocated."""

import os
from contextlib import suppress
from math import prod
from pathlib import Path

import numpy as np

# Where Linux says how much the processes of a container may have, by version of its cgroups.
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

# Arrays of the size of a parameter that its optimiser keeps.
MEMORIES = {"rmsprop": 1, "sgd": 1, "adam": 2}

SPARE = 9 / 8  # of the buffers, see Workspace
MOST_GROUPS = 8  # tables of partial sums in the backward pass


def machine_memory():
    """Bytes of memory that this process may have at most, or infinity where nothing tells."""
    limits = [np.inf]
    with suppress(AttributeError, ValueError, OSError):  # there is no sysconf on Windows
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # the word "max" stands for no limit
            limits.append(int(Path(path).read_text()))
    return min(limits)


def require(n_bytes, what, remedy):
    """Refuse at once what cannot end well."""
    limit = machine_memory()
    if n_bytes > limit:
        raise MemoryError(
            f"{what} needs {_readable(n_bytes)} of memory, but this machine gives "
            f"{_readable(limit)}. {remedy}"
        )


def _readable(n_bytes):
    return f"{n_bytes / 2**30:,.1f} GiB" if n_bytes >= 2**29 else f"{n_bytes / 2**20:,.1f} MiB"


def of_weights(shapes, itemsize, optimizer, early_stopping):
    """Bytes of the weights and the state of their optimiser, with all copies that a fit makes.

    There are two, one to train and one of the last whole epoch, and with early stopping those of
    the best and the one that it is kept with. They are drawn one by one in double precision.
    """
    sizes = [prod(shape) for shape in shapes.values()]
    copies = 4 if early_stopping else 2
    return copies * (1 + MEMORIES[optimizer]) * sum(sizes) * itemsize + 8 * max(sizes)


def of_batch(lengths, batch_size, kernel_shape, itemsize, vocabulary_size=None):
    """Bytes of the buffers that the longest batch takes in training."""
    B = min(batch_size, len(lengths))
    N = int(np.partition(lengths, len(lengths) - B)[len(lengths) - B :].sum()) if B else 0
    F, H = kernel_shape
    D = N if vocabulary_size is None else min(N, vocabulary_size)
    numbers = (N + B) * H  # states
    numbers += 2 * D * (F + H)  # inputs, their projection, and the gradients of both
    numbers += MOST_GROUPS * H * (H + (0 if vocabulary_size is None else D))
    places = 16 * N  # where a step stands, which token it is, and which of the distinct ones
    return int(SPARE * (numbers * itemsize + places))
