"""What follows a fit, epoch by epoch: history, printing, and the callbacks of the user."""

from time import perf_counter

import numpy as np

from crnn._saving.snapshot import snapshot
from crnn._system.sklearn_callbacks import told


class Listener:
    """A follower of a ``Fit``. True from ``begin`` or ``end_epoch`` ends the fit."""

    def begin(self, fit): ...  # before the first epoch
    def begin_epoch(self, fit): ...
    def begin_step(self, fit, number): ...  # of an epoch, from 0
    def record(self, fit, figures): ...  # an epoch has trained: add to its figures or the model
    def end_epoch(self, fit, whole): ...  # look at a snapshot of the model
    def finish(self, fit, fitted): ...  # the fit is complete
    def end(self): ...  # the fit has ended, maybe by an error


class History(Listener):
    """Appends to ``history_``; NaN stands for what an epoch did not measure."""

    def record(self, fit, figures):
        model, old, gaps = fit.model, fit.model.history_, [np.nan] * fit.model.n_iter_
        model.history_ = {
            name: [*old.get(name, gaps), figures.get(name, np.nan)] for name in old | figures
        }
        model.n_iter_ += 1


class Printing(Listener):
    """Prints a row of a table after each epoch, under its header for the first."""

    header = True

    def begin_epoch(self, fit):
        self.start = perf_counter()

    def record(self, fit, figures):
        self.row = {name: f"{figure:.4f}" for name, figure in figures.items()}
        if not any(name.startswith("val_") for name in figures):
            self.row |= {f"val_{name}": "-" for name in figures}

    def end_epoch(self, fit, whole):
        seconds = perf_counter() - self.start
        widths = {name: max(14, len(name) + 2) for name in self.row}
        if self.header:
            columns = "".join(f"{name:>{width}}" for name, width in widths.items())
            print(f"epoch{columns}{'seconds':>10}  samples/s")
            self.header = False
        cells = "".join(f"{self.row[name]:>{width}}" for name, width in widths.items())
        rate = len(fit.samples.weights) / seconds
        print(f"{whole.n_iter_:5d}{cells}{seconds:10.3f}{rate:11.0f}")


class PlainCallback(Listener):
    """A function of the estimator, or an object that has ``begin`` and ``end`` as well."""

    def __init__(self, callback):
        if not callable(callback) or isinstance(callback, type):
            raise TypeError(
                "callbacks must be functions of the estimator, or objects such as "
                f"EarlyStopping(), got {callback!r}."
            )
        self.callback = callback
        self.end = getattr(callback, "end", super().end)

    def begin(self, fit):
        return _begun(self.callback, fit)

    def end_epoch(self, fit, whole):
        return self.callback(snapshot(whole))


class SklearnCallbacks(Listener):
    """Those of ``set_callbacks``, which know a fit by the estimator they were set on."""

    def __init__(self, estimator, X, y, sample_weight, n_epochs):
        self.told = told(estimator, X, y, sample_weight)
        self.callbacks = getattr(estimator, "_skl_callbacks", ())
        self.context = estimator._init_callback_context(max_subtasks=n_epochs)

    def begin(self, fit):
        self.context.call_on_fit_task_begin(**self.told, **_attributes(fit.model))
        # What scikit-learn's own callbacks return when a fit begins ends nothing; crnn's may.
        return any([_begun(callback, fit) for callback in self.callbacks])

    def begin_epoch(self, fit):
        self.task = self.context.subcontext(task_name="epoch")
        self.task.call_on_fit_task_begin(**self.told)

    def end_epoch(self, fit, whole):
        return self.task.call_on_fit_task_end(**self.told, **_attributes(whole))

    def finish(self, fit, fitted):
        self.context.call_on_fit_task_end(**self.told, **_attributes(fitted))


def _begun(callback, fit):
    return hasattr(callback, "begin") and callback.begin(snapshot(fit.model))


def _attributes(model):
    """What scikit-learn makes a fitted estimator of, if one of its callbacks asks for it."""
    return {"reconstruction_attributes": lambda: vars(snapshot(model))}


def callbacks_of(estimator, X, y, sample_weight, n_epochs):
    """The user's callbacks: those of ``set_callbacks``, and the parameter."""
    plain = [PlainCallback(callback) for callback in estimator.callbacks or ()]
    if not hasattr(estimator, "_init_callback_context"):  # scikit-learn before 1.9
        return plain
    return [SklearnCallbacks(estimator, X, y, sample_weight, n_epochs), *plain]
