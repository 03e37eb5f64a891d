"""What can be done after each epoch of a fit.

A callback here is called with the estimator as if its fit had ended with that epoch, and may
return True to end it. The parameter ``callbacks`` of an estimator takes any such function. With
scikit-learn 1.9 or newer, ``set_callbacks`` takes those of this module too, beside scikit-learn's
own, such as its progress bar.
"""

import os

import numpy as np

__all__ = ["Checkpoint", "EarlyStopping"]


class _EpochCallback:
    """A function of the estimator after an epoch, by scikit-learn's protocol as well."""

    def setup(self, estimator, context):
        self.reset()

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        return context.task_name == "epoch" and self(fitted_estimator)

    def improved(self, estimator):
        """Whether the last epoch is better than the best before by more than ``min_delta``."""
        if self.monitor not in estimator.history_:
            raise ValueError(
                f"monitor={self.monitor!r} is not in the history, which has "
                f"{list(estimator.history_)}. Pass validation data, or monitor one of these."
            )
        value = estimator.history_[self.monitor][-1]
        value = value if self.mode == "max" else -value
        better = value > self.best + self.min_delta
        self.best = value if better else self.best
        return better


class EarlyStopping(_EpochCallback):
    """Stop when a figure of the history has not improved for some epochs.

    The weights stay those of the last epoch; the parameter ``early_stopping`` of the estimators
    goes back to the best.

    Parameters
    ----------
    monitor : str, default="val_loss"
        Name in ``history_``.
    mode : {"min", "max"}, default="min"
        Whether lower or higher is better.
    patience : int, default=3
        Epochs without improvement after which to stop.
    min_delta : float, default=0.0
        How much better counts as an improvement.

    Examples
    --------
    >>> from crnn import SimpleRNNClassifier
    >>> from crnn.callbacks import EarlyStopping
    >>> X, y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10, [1, 0, 1, 0] * 10
    >>> stop = EarlyStopping("loss", patience=2, min_delta=1.0)
    >>> SimpleRNNClassifier(8, max_iter=50, callbacks=[stop], random_state=0).fit(X, y).n_iter_
    3
    """

    def __init__(self, monitor="val_loss", *, mode="min", patience=3, min_delta=0.0):
        self.monitor, self.mode, self.patience, self.min_delta = monitor, mode, patience, min_delta
        self.reset()

    def reset(self):
        """Forget the epochs so far; an estimator does so when a fit begins."""
        self.best, self.waited = -np.inf, 0

    def __call__(self, estimator):
        self.waited = 0 if self.improved(estimator) else self.waited + 1
        return self.waited >= self.patience


class Checkpoint(_EpochCallback):
    """Save the estimator after each epoch, or after each that improved a figure.

    Training can go on from the file: load it, and fit with ``warm_start=True``.

    Parameters
    ----------
    path : str or path
        The file, written as by ``save``; ``{epoch}`` in it stands for the number of the epoch.
    monitor : str, default=None
        Name in ``history_``; save only where it is better than in all epochs before. None saves
        after each epoch.
    mode : {"min", "max"}, default="min"
        Whether lower or higher is better.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from crnn import SimpleRNNClassifier
    >>> from crnn.callbacks import Checkpoint
    >>> X, y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10, [1, 0, 1, 0] * 10
    >>> with TemporaryDirectory() as folder:
    ...     clf = SimpleRNNClassifier(8, callbacks=[Checkpoint(f"{folder}/model.npz")]).fit(X, y)
    ...     SimpleRNNClassifier.load(f"{folder}/model.npz").n_iter_
    10
    """

    min_delta = 0.0

    def __init__(self, path, *, monitor=None, mode="min"):
        self.path, self.monitor, self.mode = path, monitor, mode
        self.reset()

    def reset(self):
        """Forget the epochs so far; an estimator does so when a fit begins."""
        self.best = -np.inf

    def __call__(self, estimator):
        if self.monitor is None or self.improved(estimator):
            estimator.save(os.fspath(self.path).replace("{epoch}", str(estimator.n_iter_)))
        return False
