"""Who is asked after each epoch: scikit-learn's callbacks where there are any, and plain ones."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:
        """Nothing to support."""

    def with_callbacks(method):
        return method


class Epochs:
    """The epochs of one fit, as callbacks are told of them."""

    def __init__(self, estimator, X, y, n_epochs):
        self.estimator, self.data, self.task, self.fit = estimator, {"X": X, "y": y}, None, None
        if hasattr(estimator, "_init_callback_context"):
            self.fit = estimator._init_callback_context(max_subtasks=n_epochs)
            self.fit.call_on_fit_task_begin(estimator=estimator, **self.data)
        for callback in estimator.callbacks or ():
            if hasattr(callback, "reset"):
                callback.reset()

    def begin(self):
        if self.fit is not None:
            self.task = self.fit.subcontext(task_name="epoch")
            self.task.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end(self, as_fitted):
        """Whether any callback asks to stop; ``as_fitted()`` gives the estimator as it stands."""
        stop = False
        if self.task is not None:
            stop = self.task.call_on_fit_task_end(
                estimator=self.estimator,
                reconstruction_attributes=lambda: vars(as_fitted()),
                **self.data,
            )
        # All are asked, so that none misses the epoch at which another one stops.
        plain = [bool(callback(as_fitted())) for callback in self.estimator.callbacks or ()]
        return stop or any(plain)

    def finish(self):
        if self.fit is not None:
            self.fit.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes={}, **self.data
            )
