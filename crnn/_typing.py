"""Types of the public signatures, and decorators of public methods."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, Literal, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context, get_config

from crnn._system.sklearn_private import validate_params

Floats: TypeAlias = NDArray[np.floating[Any]]
SequencesLike: TypeAlias = ArrayLike | Sequence[ArrayLike]  # the second may be ragged
Documents: TypeAlias = Iterable[Any]  # of str, bytes, file names or open files
RandomState: TypeAlias = int | np.random.RandomState | None
Activation: TypeAlias = Literal["tanh", "relu", "sigmoid", "linear"]
Pooling: TypeAlias = Literal["last", "mean", "max"]
Schedule: TypeAlias = Literal["constant", "linear", "invscaling", "adaptive"]
Path: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
Side: TypeAlias = Literal["pre", "post"]
Scoring: TypeAlias = (
    str
    | Callable[..., Any]
    | Sequence[str | Callable[..., Any]]
    | Mapping[str, str | Callable[..., Any]]
    | None
)

F = TypeVar("F", bound=Callable[..., Any])


def quiet(method: F) -> F:
    """Run a method without NumPy's floating-point warnings and errors, whatever ``np.seterr`` says.

    Underflow is harmless. Estimators check for infinity and NaN themselves, with errors that say
    where; the layer passes them on.
    """
    return np.errstate(all="ignore")(method)


def validated(method: F) -> F:
    """Check the parameters of an estimator before a method runs; the method is ``quiet``.

    Unlike scikit-learn's ``_fit_context``, this also checks before ``partial_fit`` of a fitted
    estimator.
    """

    @wraps(method)
    def wrapper(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        if not get_config()["skip_parameter_validation"]:
            estimator._validate_params()
        with config_context(skip_parameter_validation=True):
            return method(estimator, *args, **kwargs)

    return quiet(cast(F, wrapper))


def checked(**constraints: list[Any] | str) -> Callable[[F], F]:
    """Check the arguments of a function against these constraints before it runs."""
    decorator = validate_params(constraints, prefer_skip_nested_validation=True)
    return cast(Callable[[F], F], decorator)
