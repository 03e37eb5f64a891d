"""An estimator as it is at one moment, and which of its attributes a fit has made."""

from copy import deepcopy
from functools import wraps
from typing import Any, cast

import numpy as np

from crnn._typing import F, quiet

PRIVATE = ("_training", "_one_dimensional")


def is_learned(name):
    """Whether an attribute of an estimator was made by a fit and is not a parameter."""
    return name in PRIVATE or (name.endswith("_") and not name.startswith("_"))


def copy_of(estimator):
    """An estimator with the same attributes, which are not copied themselves."""
    copy = type(estimator).__new__(type(estimator))
    copy.__dict__ = dict(vars(estimator))
    return copy


def snapshot(estimator):
    """A copy that training leaves alone, with read-only arrays."""
    copy = copy_of(estimator)
    vars(copy).update({k: copied(v) for k, v in vars(copy).items() if is_learned(k)})
    return copy


def copied(value, writeable=False):
    """Copy dicts, lists, random streams, and arrays unless they are to be and are read-only."""
    if isinstance(value, dict):
        return {key: copied(item, writeable) for key, item in value.items()}
    if isinstance(value, np.ndarray) and (writeable or value.flags.writeable):
        value = np.array(value)
        value.flags.writeable = writeable
    if isinstance(value, list):
        return list(value)
    return deepcopy(value) if isinstance(value, np.random.RandomState) else value


def on_snapshot(method: F) -> F:
    """Have a method read the estimator as it is now, whatever other threads do to it, quietly."""

    @wraps(method)
    def wrapper(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        copy = copy_of(estimator)
        try:
            return method(copy, *args, **kwargs)
        except (KeyError, TypeError):
            copy._validate_params()  # of which one that was set since the fit may be the cause
            raise

    return quiet(cast(F, wrapper))
