"""scikit-learn's callbacks, where its version has them."""

from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import cast

from crnn._typing import F

try:
    from sklearn.callback import CallbackSupportMixin as _CallbackSupportMixin
    from sklearn.callback import with_callbacks
except ImportError:  # scikit-learn before 1.9

    class _CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    def with_callbacks(method):
        return method


# Attributes that scikit-learn sets on an estimator during a fit.
OF_A_RUNNING_FIT = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


class CallbackSupportMixin(_CallbackSupportMixin):
    """Support of scikit-learn's callbacks; a copy made during a fit carries nothing of the fit."""

    def __getstate__(self):
        state = dict(super().__getstate__())  # at one moment, whatever the fit sets meanwhile
        return {name: value for name, value in state.items() if name not in OF_A_RUNNING_FIT}


def told(estimator, X, y, sample_weight):
    """What hooks of scikit-learn's callbacks get; the metadata are those of ``score``."""
    metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
    return {"estimator": estimator, "X": X, "y": y, "metadata": metadata}


def one_task(method: F) -> F:
    """Tell scikit-learn's callbacks about a fit without subtasks."""

    @wraps(method)
    def wrapper(estimator, X, y=None):
        with passed_on(estimator, None, X, y):
            return method(estimator, X, y)

    return cast(F, with_callbacks(wrapper))


@contextmanager
def passed_on(outer, inner, X, y, sample_weight=None):
    """Tell scikit-learn's callbacks about a fit, and about that of an inner estimator if any."""
    if not hasattr(outer, "_init_callback_context"):
        yield
        return
    task = outer._init_callback_context(max_subtasks=0 if inner is None else 1)
    of_fit = told(outer, X, y, sample_weight)
    task.call_on_fit_task_begin(**of_fit)
    with (
        nullcontext()
        if inner is None
        else task.subcontext(task_name="fit-network").propagate_callback_context(inner)
    ):
        yield
    task.call_on_fit_task_end(**of_fit, reconstruction_attributes={})
