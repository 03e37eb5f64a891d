"""Pooled states side by side."""

import numpy as np

POOLINGS = ("last", "mean", "max")


class Pooling:
    """Joins the features that a recurrent layer pools, by name and in the order asked for."""

    parameters: dict[str, object] = {}

    def __init__(self, names):
        self.names = names

    def forward(self, pooled, run):
        if len(self.names) == 1:
            return pooled[self.names[0]], lambda grad: ({self.names[0]: grad}, {})
        parts = [pooled[name] for name in self.names]
        shape = len(parts[0]), sum(part.shape[1] for part in parts)
        joined = run.workspace.scope("pooling").array("joined", shape, parts[0].dtype)
        np.concatenate(parts, axis=1, out=joined)

        def backward(grad):
            width = grad.shape[1] // len(self.names)
            return {
                name: np.ascontiguousarray(grad[:, i * width : (i + 1) * width])
                for i, name in enumerate(self.names)
            }, {}

        return joined, backward

    def buffers(self, size):
        return 0  # a small part of those of the head
