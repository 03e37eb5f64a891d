"""What a fit will need, found out before it is allocated."""

import os
from contextlib import suppress
from math import prod
from pathlib import Path

import numpy as np

from crnn import _core
from crnn._layers.recurrence import TILE

# Arrays of the size of a parameter that its optimiser keeps.
MEMORIES = {"rmsprop": 1, "sgd": 1, "adam": 2}

SMALL = 2**26  # fits anywhere; to ask the system takes longer than a call of a layer
SPARE = 9 / 8  # of the buffers, see Workspace


def machine_memory():
    """Bytes of memory that this process may have at most, or infinity where nothing tells."""
    limits = [np.inf]
    with suppress(AttributeError, ValueError, OSError):  # there is no sysconf on Windows
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in _cgroup_files():
        with suppress(OSError, ValueError):  # the word "max" stands for no limit
            limits.append(int(path.read_text(encoding="ascii")))
    with suppress(ImportError, AttributeError):  # there is no such module on Windows
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        limits += [] if limit == resource.RLIM_INFINITY else [limit]
    return min(limit for limit in limits if limit > 0)


def _cgroup_files():
    """Where Linux says how much the control groups of this process may have, by their version."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, group = line.split(":", 2)
            if not controllers:
                root, name = Path("/sys/fs/cgroup"), "memory.max"
            elif "memory" in controllers.split(","):
                root, name = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
            else:
                continue
            folder = root / group.lstrip("/")
            for outer in (folder, *folder.parents):
                if outer.is_relative_to(root):
                    yield outer / name


def require(n_bytes, what, remedy):
    """Raise MemoryError before work for which there is not enough memory."""
    if n_bytes <= SMALL:
        return
    limit = machine_memory()
    if n_bytes > limit:
        raise MemoryError(
            f"{what} needs {_readable(n_bytes)} of memory, but this machine allows "
            f"{_readable(limit)}. {remedy}"
        )


def _readable(n_bytes):
    return f"{n_bytes / 2**30:,.1f} GiB" if n_bytes >= 2**29 else f"{n_bytes / 2**20:,.1f} MiB"


def of_weights(shapes, itemsize, optimizer, early_stopping):
    """Bytes of the weights and the state of their optimiser, with all copies that a fit makes.

    There are three, one to train, one of the last whole epoch and one of the epoch before, and with
    early stopping two more while one best epoch takes the place of another. Before, they are drawn
    one by one in double precision, the recurrent ones by a decomposition that takes several arrays.
    """
    sizes = [prod(shape) for shape in shapes.values()]
    copies = 5 if early_stopping else 3
    drawing = sum(sizes) * itemsize + 8 * max(*sizes, 5 * prod(shapes["rnn_0/recurrent_kernel"]))
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
