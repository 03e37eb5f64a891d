"""What the public signatures are made of, and scikit-learn's decorators, which have no types."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils._param_validation import validate_params

Floats: TypeAlias = NDArray[np.floating[Any]]
SequencesLike: TypeAlias = ArrayLike | Sequence[ArrayLike]  # the second may be of unequal length
Documents: TypeAlias = Iterable[Any]  # of str, bytes, file names or open files
RandomState: TypeAlias = int | np.random.RandomState | None
Activation: TypeAlias = Literal["tanh", "relu", "sigmoid", "linear"]
Path: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
Side: TypeAlias = Literal["pre", "post"]

F = TypeVar("F", bound=Callable[..., Any])


def validated(method: F) -> F:
    """Check the parameters of an estimator by their constraints before the method runs."""
    return cast(F, _fit_context(prefer_skip_nested_validation=True)(method))


def checked(**constraints: list[Any]) -> Callable[[F], F]:
    """Check the arguments of a function by these constraints before it runs."""
    decorator = validate_params(constraints, prefer_skip_nested_validation=True)
    return cast(Callable[[F], F], decorator)
