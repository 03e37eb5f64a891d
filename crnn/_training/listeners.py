"""Who is asked after each epoch: scikit-learn's callbacks where there are any, and plain ones."""

from contextlib import ExitStack, contextmanager

from crnn._system.sklearn_callbacks import told


class Epochs:
    """The epochs of one fit, as callbacks are told of them; a context around the training.

    scikit-learn's callbacks know a fit by its estimator; what has come of it so far is in the
    ``Attempt`` that trains.
    """

    def __init__(self, estimator, X, y, sample_weight, n_epochs):
        self.told, self.task, self.fit = told(estimator, X, y, sample_weight), None, None
        self.plain = list(estimator.callbacks or ())
        for callback in self.plain:
            if not callable(callback) or isinstance(callback, type):
                raise TypeError(
                    "callbacks must be functions of the estimator, or objects such as "
                    f"EarlyStopping(), got {callback!r}."
                )
        # What scikit-learn's own callbacks return when a fit begins ends nothing; crnn's may.
        self.all_of_them = [*self.plain, *getattr(estimator, "_skl_callbacks", ())]
        if hasattr(estimator, "_init_callback_context"):
            self.fit = estimator._init_callback_context(max_subtasks=n_epochs)

    def of(self, attempt):
        self.attempt = attempt
        return self

    def __enter__(self):
        model = self.attempt.model
        if self.fit is not None:
            self.fit.call_on_fit_task_begin(
                **self.told, reconstruction_attributes=lambda: vars(model)
            )
        with ExitStack() as ends:
            for callback in self.plain:
                ends.callback(getattr(callback, "end", _nothing))
            begun = [getattr(callback, "begin", _nothing)(model) for callback in self.all_of_them]
            self.ends = ends.pop_all()
        self.over = any(begun)
        return self

    def begin(self):
        if self.fit is not None:
            self.task = self.fit.subcontext(task_name="epoch")
            self.task.call_on_fit_task_begin(**self.told)

    def end(self, as_fitted):
        """Whether any callback asks to stop; ``as_fitted()`` gives the estimator as it stands."""
        stop = False
        if self.task is not None:
            stop = self.task.call_on_fit_task_end(
                **self.told, reconstruction_attributes=lambda: vars(as_fitted())
            )
        # All are asked, so that none misses the epoch at which another one stops.
        plain = [bool(callback(as_fitted())) for callback in self.plain]
        return stop or any(plain)

    def __exit__(self, kind, error, traceback):
        with self.ends:
            if self.fit is not None and kind is None:
                fitted = self.attempt.kept
                self.fit.call_on_fit_task_end(
                    **self.told, reconstruction_attributes=lambda: vars(fitted)
                )


def _nothing(*arguments):
    pass


@contextmanager
def passed_on(outer, inner, X, y, sample_weight):
    """Have scikit-learn's callbacks of one estimator follow the fit of another one inside of it."""
    if not hasattr(outer, "_init_callback_context"):
        yield
        return
    task = outer._init_callback_context(max_subtasks=1)
    of_fit = told(outer, X, y, sample_weight)
    task.call_on_fit_task_begin(**of_fit)
    with task.subcontext(task_name="fit-network").propagate_callback_context(inner):
        yield
    task.call_on_fit_task_end(**of_fit, reconstruction_attributes={})
