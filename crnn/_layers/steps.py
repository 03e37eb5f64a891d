"""What flows through a network, and what a pass through it works with."""

from typing import NamedTuple

import numpy as np

from crnn._data.batches import Batch
from crnn._layers.workspace import Workspace


class Pass(NamedTuple):
    """One pass of a batch through the layers."""

    weights: dict[str, np.ndarray]
    workspace: Workspace
    n_threads: int
    rng: np.random.RandomState | None = None  # of dropout; None does not train

    @property
    def training(self):
        """Whether to keep what the way back needs."""
        return self.rng is not None


class Steps(NamedTuple):
    """Input of a recurrent layer: distinct rows that transitions share, or a row for each."""

    batch: Batch
    values: np.ndarray  # (D, F), or (N, F)
    rows: np.ndarray | None  # (N,), or (N + 1,) with the row of a padding; None: nothing is shared
    learned: bool  # whether the gradient of the values is asked for

    @property
    def shared(self):
        return self.rows is not None


class RowGradient(NamedTuple):
    """Gradient of a matrix in which only the rows ``ids`` are not zero."""

    ids: np.ndarray  # (D,)
    rows: np.ndarray  # (D, E)
