"""One table of parameters: what drawing, files, checks, optimisers and forecasts read."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Parameter(NamedTuple):
    """An array of weights, as the layer that owns it describes it."""

    shape: tuple[int, ...]
    initial: Callable  # (rng, shape) -> first values
    penalized: bool = False  # whether ``alpha`` holds it down
    sparse: bool = False  # whether only the rows that a batch has touched are updated


def zeros(rng, shape):
    return np.zeros(shape)


def draw(table, rng, dtype):
    """First values for the parameters of a table, in its order."""
    return {
        name: parameter.initial(rng, parameter.shape).astype(dtype)
        for name, parameter in table.items()
    }


def as_arrays(weights, dtype, *, copy=None):
    """Weights as the contiguous arrays that the kernels read."""
    return {
        name: np.array(array, dtype=dtype, order="C", copy=copy) for name, array in weights.items()
    }


def check_shapes(weights, expected, remedy):
    """Refuse weights of other shapes than expected, with the remedy that the caller knows."""
    found = {name: np.shape(array) for name, array in weights.items()}
    if found == expected:
        return
    for name in expected | found:
        if found.get(name) != expected.get(name):
            raise ValueError(
                f"weights_[{name!r}] has shape {found.get(name)} instead of {expected.get(name)}. "
                f"{remedy}"
            )
