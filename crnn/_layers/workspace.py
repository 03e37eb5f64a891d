"""Buffers that outlive a batch."""

from collections import deque
from contextlib import contextmanager
from math import prod

import numpy as np

# A system hands out memory page by page, at first use, which can take a fifth of the time of a
# prediction. So the workspace of the last one is kept, up to this size, for whichever comes next in
# any thread. Both operations of a deque are atomic.
MOST_KEPT = 2**25
_kept: deque["Workspace"] = deque(maxlen=1)


@contextmanager
def kept_workspace():
    """A workspace for one task, which goes back unless the task fails: it may be in use still."""
    try:
        workspace = _kept.pop()
    except IndexError:
        workspace = Workspace()
    yield workspace
    if workspace.nbytes <= MOST_KEPT:
        _kept.append(workspace)


class Workspace:
    """Named scratch arrays that grow to the largest size asked for and are then used again.

    So training allocates nothing from the second batch on, and the kernels, which must not
    allocate, are handed all they need. Each layer has a scope of its own, so names of two layers
    never meet.
    """

    def __init__(self, buffers=None, prefix=""):
        self._buffers = {} if buffers is None else buffers
        self._prefix = prefix

    def scope(self, name):
        """The part of the workspace that belongs to ``name``."""
        return Workspace(self._buffers, f"{self._prefix}{name}/")

    def array(self, name, shape, dtype):
        """An uninitialised array; it shares memory with the last one of the same name."""
        name, size = self._prefix + name, prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size or buffer.dtype != dtype:
            # Some more than asked for: batches vary, and a new buffer stands beside the old one.
            buffer = self._buffers[name] = np.empty(size + size // 8, dtype)
        return buffer[:size].reshape(shape)

    @property
    def nbytes(self):
        return sum(buffer.nbytes for buffer in self._buffers.values())

    def slots(self, vocabulary_size):
        """The table of ``distinct``: all -1, as that kernel leaves it."""
        name = f"{self._prefix}slots"
        slots = self._buffers.get(name)
        if slots is None or slots.size != vocabulary_size:
            slots = self._buffers[name] = np.full(vocabulary_size, -1, np.int32)
        return slots
