"""What can be done after each epoch of a fit.

A callback here is called with the estimator as if its fit had ended with that epoch, and may
return True to end it. The parameter ``callbacks`` of an estimator takes any such function. With
scikit-learn 1.9 or newer, ``set_callbacks`` takes those of this module too, beside scikit-learn's
own, such as its progress bar.
"""

import os
from typing import Any, Literal

import numpy as np

__all__ = ["Checkpoint", "EarlyStopping", "ProgressBar"]


class _EpochCallback:
    """A function of the estimator after an epoch, by scikit-learn's protocol as well."""

    def __call__(self, estimator: Any) -> Any:
        """Called after each epoch; True ends the fit."""
        raise NotImplementedError

    def begin(self, estimator: Any) -> bool | None:
        """Called when a fit begins or goes on; True ends it there."""

    def end(self) -> None:
        """Called when a fit has ended, in whatever way."""

    def setup(self, estimator: Any, context: Any) -> None:
        pass

    def teardown(self, estimator: Any, context: Any) -> None:
        self.end()

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        if context.task_name == "fit":
            self.begin(estimator)

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> bool:
        return context.task_name == "epoch" and self(fitted_estimator)


class _Monitor(_EpochCallback):
    """Follows a figure of the history."""

    monitor: str | None
    mode: Literal["min", "max"]
    min_delta: float

    def begin(self, estimator: Any) -> bool | None:
        """Forget other fits; of one that is resumed, look at the epochs that it has done."""
        self.best, self.waited = -np.inf, 0
        done = estimator._plan["epochs_done"]
        if done and self.monitor is not None:
            for value in self.figures(estimator)[-done:]:
                self.follow(value)
        return False

    def figures(self, estimator: Any) -> list[float]:
        if self.monitor not in estimator.history_:
            raise ValueError(
                f"monitor={self.monitor!r} is not in the history, which has "
                f"{list(estimator.history_)}. Pass validation data, or monitor one of these."
            )
        return estimator.history_[self.monitor]

    def follow(self, value: float) -> bool:
        """Whether the figure is better than the best before by more than ``min_delta``."""
        value = value if self.mode == "max" else -value
        better = value > self.best + self.min_delta
        self.best = value if better else self.best
        self.waited = 0 if better else self.waited + 1
        return better


class EarlyStopping(_Monitor):
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

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        mode: Literal["min", "max"] = "min",
        patience: int = 3,
        min_delta: float = 0.0,
    ) -> None:
        self.monitor, self.mode, self.patience, self.min_delta = monitor, mode, patience, min_delta

    def begin(self, estimator: Any) -> bool:
        """Take the epochs in that a fit which is resumed has done; it may have been at its end."""
        super().begin(estimator)
        return self.waited >= self.patience

    def __call__(self, estimator: Any) -> bool:
        self.follow(self.figures(estimator)[-1])
        return self.waited >= self.patience


class Checkpoint(_Monitor):
    """Save the estimator after each epoch, or after each that improved a figure.

    Training can go on from the file: load it, and ``resume``. A checkpoint is always of a whole
    epoch, so that the random stream in it says which order of the samples comes next.

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

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        monitor: str | None = None,
        mode: Literal["min", "max"] = "min",
    ) -> None:
        self.path, self.monitor, self.mode = path, monitor, mode

    def __call__(self, estimator: Any) -> bool:
        if self.monitor is None or self.follow(self.figures(estimator)[-1]):
            estimator.save(os.fspath(self.path).replace("{epoch}", str(estimator.n_iter_)))
        return False


class ProgressBar(_EpochCallback):
    """Show how far a fit is, with the figures of its last epoch, in a terminal or a notebook.

    Where the output is neither, as in a batch job or a pipe, nothing is shown. For searches and
    pipelines scikit-learn 1.9 has a bar of its own, ``sklearn.callback.ProgressBar``.

    Raises
    ------
    ImportError
        If rich is not installed.

    Examples
    --------
    >>> from crnn import SimpleRNNClassifier
    >>> from crnn.callbacks import ProgressBar
    >>> X, y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10, [1, 0, 1, 0] * 10
    >>> clf = SimpleRNNClassifier(8, callbacks=[ProgressBar()]).fit(X, y)
    """

    def __init__(self) -> None:
        try:
            import rich.progress  # noqa: F401
        except ImportError as error:
            raise ImportError(
                'ProgressBar needs rich, which is not installed: pip install "crnn[progress]".'
            ) from error
        self._bar: Any = None

    def begin(self, estimator: Any) -> None:
        """Show an empty bar, or the part that a fit which is resumed has done."""
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TextColumn

        console = Console()
        shown = console.is_terminal or console.is_jupyter
        columns = [*Progress.get_default_columns(), MofNCompleteColumn()]
        figures = TextColumn("{task.fields[figures]}")
        self._bar = Progress(*columns, figures, console=console, disable=not shown)
        plan = estimator._plan
        self._bar.add_task(
            type(estimator).__name__,
            total=plan["epochs_done"] + plan["epochs_left"],
            completed=plan["epochs_done"],
            figures="",
        )
        self._bar.start()

    def __call__(self, estimator: Any) -> None:
        figures = [f"{name} {h[-1]:.4f}" for name, h in estimator.history_.items()]
        self._bar.update(self._bar.task_ids[0], advance=1, figures=", ".join(figures))

    def end(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def __getstate__(self):
        return vars(self) | {"_bar": None}  # a terminal cannot be copied
