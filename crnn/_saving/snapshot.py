"""An estimator as it is at one moment, and which of its attributes a fit has made."""

from functools import wraps
from typing import Any, cast

from crnn._typing import F, quiet

PRIVATE = (
    "_rng", "_optimizer_state", "_plan", "_progress", "_split_seed", "_multilabel",
    "_one_dimensional",
)  # fmt: skip


def is_learned(name):
    """Whether an attribute of an estimator is what a fit has made, and not a parameter."""
    return name in PRIVATE or (name.endswith("_") and not name.startswith("_"))


def copy_of(estimator):
    """An estimator with the same attributes, which are not copied themselves."""
    copy = type(estimator).__new__(type(estimator))
    copy.__dict__ = dict(vars(estimator))
    return copy


def steady(method: F) -> F:
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
