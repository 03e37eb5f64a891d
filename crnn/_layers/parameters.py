"""One table of parameters: what drawing, files, checks, optimisers and forecasts read."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.utils import assert_all_finite


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


def finite_copies(weights, dtype):
    """Copies for the kernels of weights that come from elsewhere, which must be finite numbers."""
    arrays = as_arrays(weights, dtype, copy=True)
    for name, array in arrays.items():
        assert_all_finite(array, input_name=f"weights of {name!r}")
    return arrays


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
