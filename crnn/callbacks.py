"""Callbacks that run after each epoch of a fit.

The parameter ``callbacks`` of an estimator takes any function of an estimator. It is called with a
snapshot, fitted as if the fit had ended with that epoch, and may return True to end the fit. The
arrays of a snapshot are read-only, and attributes that are set on it are lost; its
``fit_progress_`` tells how many epochs the fit has done and has in all. With scikit-learn 1.9 or
newer, ``set_callbacks`` takes the callbacks of this module and scikit-learn's own.
"""

import os
import threading
import warnings
import weakref
from collections.abc import Callable
from copy import copy
from numbers import Real
from string import Formatter
from typing import Any, Literal, Self

import numpy as np

from crnn._constraints import SIZE, Interval
from crnn._system.extras import require
from crnn._system.files import require_writable
from crnn._system.sklearn_private import StrOptions
from crnn._typing import Path, checked

__all__ = ["Checkpoint", "EarlyStopping", "ProgressBar"]

MODES = [StrOptions({"min", "max"})]


class _EpochCallback:
    """A callback for the parameter ``callbacks`` and for ``set_callbacks``.

    Clones of an estimator share what ``set_callbacks`` was given, and may fit in several threads:
    what a callback keeps of a fit must be local to the thread.
    """

    def __call__(self, estimator: Any) -> Any:
        """Called after each epoch with a snapshot; True ends the fit."""
        raise NotImplementedError

    def begin(self, estimator: Any) -> bool:
        """Called when a fit begins or is resumed; True ends it there."""
        return False

    def end(self) -> None:
        """Called when a fit has ended, by an error too."""

    def setup(self, estimator: Any, context: Any) -> None:
        """Called by scikit-learn before a fit."""
        if not hasattr(estimator, "hidden_states"):
            raise TypeError(
                f"{type(self).__name__} follows the epochs of a network, which "
                f"{type(estimator).__name__} is not; call set_callbacks on the network inside."
            )

    def teardown(self, estimator: Any, context: Any) -> None:
        """Called by scikit-learn after a fit."""
        self.end()

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Called by scikit-learn before a fit and each epoch."""

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> bool:
        """Called by scikit-learn after each epoch and a fit."""
        return context.task_name == "epoch" and bool(self(fitted_estimator))

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if k[0] != "_")
        return f"{type(self).__name__}({settings})"


class _Monitor(_EpochCallback):
    """Monitors a figure in ``history_``."""

    monitor: str | None
    mode: Literal["min", "max"]
    min_delta = 0.0

    def waited(self, estimator: Any) -> int:
        """Epochs of this fit since the figure last improved by more than ``min_delta``."""
        done, history = estimator.fit_progress_.done, estimator.history_
        if done and self.monitor not in history:
            raise ValueError(
                f"monitor={self.monitor!r} is not in the history, which has {list(history)}. "
                "Pass validation data, or monitor one of these."
            )
        best, waited = -np.inf, 0
        for value in history[self.monitor][-done:] if done else ():
            value = value if self.mode == "max" else -value
            better = value > best + self.min_delta
            best, waited = (value, 0) if better else (best, waited + 1)
        return waited


class EarlyStopping(_Monitor):
    """Stop a fit when a figure in ``history_`` has not improved for some epochs.

    The weights of the last epoch are kept; the parameter ``early_stopping`` of the estimators
    restores those of the best.

    Parameters
    ----------
    monitor : str, default="val_loss"
        Name in ``history_``.
    mode : {"min", "max"}, default="min"
        Whether lower or higher is better.
    patience : int, default=3
        Number of epochs without improvement after which to stop.
    min_delta : float, default=0.0
        A figure must be better by more than this to count as an improvement.

    Examples
    --------
    >>> from crnn import SimpleRNNClassifier
    >>> from crnn.callbacks import EarlyStopping
    >>> X, y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10, [1, 0, 1, 0] * 10
    >>> stop = EarlyStopping("loss", patience=2, min_delta=1.0)
    >>> SimpleRNNClassifier(8, max_iter=50, callbacks=[stop], random_state=0).fit(X, y).n_iter_
    3
    """

    @checked(
        monitor=[str],
        mode=MODES,
        patience=SIZE,
        min_delta=[Interval(Real, 0, None, closed="left")],
    )
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
        """End a resumed fit that had already stopped."""
        return estimator.fit_progress_.done > 0 and self(estimator)

    def __call__(self, estimator: Any) -> bool:
        return self.waited(estimator) >= self.patience


class Checkpoint(_Monitor):
    """Save the estimator after each epoch, or after each that improved a figure.

    Load the file and call ``resume`` to finish the fit.

    Parameters
    ----------
    path : str, bytes, path or callable
        The file, written as by ``save``; its folder is made when the fit begins. ``{epoch}`` or
        ``{epoch:03}`` in the name is replaced by the number of the epoch, and the name of a
        parameter, such as ``{units}``, by its value. A function of the estimator may return any
        path. If clones of an estimator, as in a grid search, would write to the same file, there
        is a warning; not with ``set_callbacks`` and several processes, which know nothing of each
        other.
    monitor : str, default=None
        Name in ``history_``; save only if it is better than in all earlier epochs of this fit.
        None saves after each epoch.
    mode : {"min", "max"}, default="min"
        Whether lower or higher is better.

    Raises
    ------
    ValueError
        If braces in the path do not enclose a name; and by ``fit``, before the first epoch, if
        that is neither ``epoch`` nor the name of a parameter.
    OSError
        By ``fit``, before the first epoch, if the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from crnn import SimpleRNNClassifier
    >>> from crnn.callbacks import Checkpoint
    >>> X, y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10, [1, 0, 1, 0] * 10
    >>> with TemporaryDirectory() as folder:
    ...     saving = [Checkpoint(f"{folder}/model.npz")]
    ...     clf = SimpleRNNClassifier(8, max_iter=10, callbacks=saving).fit(X, y)
    ...     SimpleRNNClassifier.load(f"{folder}/model.npz").n_iter_
    10
    """

    @checked(path=[str, bytes, os.PathLike, callable], monitor=[str, None], mode=MODES)
    def __init__(
        self,
        path: Path | Callable[[Any], Path],
        *,
        monitor: str | None = None,
        mode: Literal["min", "max"] = "min",
    ) -> None:
        self.path, self.monitor, self.mode = path, monitor, mode
        self._names = set() if callable(path) else _names_in(os.fsdecode(path))
        self._n_clones, self._has_warned = 0, False
        self._last: weakref.ref[Any] | None = None  # estimator that was fitted with this callback

    def begin(self, estimator: Any) -> bool:
        """Make the folder, or fail before there is any work to lose."""
        require_writable(self._file(estimator))
        return False

    def __call__(self, estimator: Any) -> bool:
        if self.monitor is None or self.waited(estimator) == 0:
            file = self._file(estimator)
            require_writable(file)  # the folder may depend on the epoch
            estimator.save(file)
        return False

    def _file(self, estimator: Any) -> Path:
        if callable(self.path):
            return self.path(estimator)
        values = estimator.get_params() | {"epoch": estimator.n_iter_}
        unknown = sorted(self._names - values.keys())
        if unknown:
            raise ValueError(
                f"path={self.path!r} names {unknown}, but a {type(estimator).__name__} has no such "
                "parameters; use {epoch}, or double braces that are part of a file name."
            )
        return os.fsdecode(self.path).format(**values)

    # Clones have copies of the callbacks in ``callbacks``, but share those of ``set_callbacks``.

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        clone = copy(self)
        clone._n_clones = 0
        self._n_clones += 1
        if self._n_clones > 1:
            self._warn_of_clones()
        return clone

    def setup(self, estimator: Any, context: Any) -> None:
        """Called by scikit-learn before a fit."""
        super().setup(estimator, context)
        if self._last is not None and self._last() is not estimator:
            self._warn_of_clones()
        self._last = weakref.ref(estimator)

    def _warn_of_clones(self) -> None:
        if self._has_warned or callable(self.path) or self._names - {"epoch"}:
            return
        self._has_warned = True
        warnings.warn(
            f"Clones of an estimator save to the same file, as they share the path of {self}. "
            "Name the parameters in which they differ, as in 'best-{units}.npz', or pass a "
            "function of the estimator as path.",
            stacklevel=3,
        )

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_last": None}


def _names_in(path: str) -> set[str]:
    """Names in the braces of a path."""
    try:
        names = {name for _, name, _, _ in Formatter().parse(path) if name is not None}
    except ValueError:  # a brace that is not closed
        names = {""}
    if not all(map(str.isidentifier, names)):
        raise ValueError(
            f"path={path!r} contains braces that do not enclose {{epoch}} or the name of a "
            "parameter; double braces that are part of a file name."
        )
    return names


class ProgressBar(_EpochCallback):
    """Show the progress of a fit and the figures of its last epoch in a terminal or notebook.

    Elsewhere, as in a batch job or a pipe, nothing is shown. For searches and pipelines
    scikit-learn 1.9 has a bar of its own, ``sklearn.callback.ProgressBar``.

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
        require("rich.progress", "ProgressBar", '"crnn[progress]"')
        self._of_thread = threading.local()

    def begin(self, estimator: Any) -> bool:
        """Show a bar with the epochs that a resumed fit has done."""
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TextColumn

        console = Console()
        shown = console.is_terminal or console.is_jupyter
        columns = [*Progress.get_default_columns(), MofNCompleteColumn()]
        figures = TextColumn("{task.fields[figures]}")
        bar = Progress(*columns, figures, console=console, disable=not shown)
        done, total = estimator.fit_progress_
        bar.add_task(type(estimator).__name__, total=total, completed=done, figures="")
        self._of_thread.bar = bar
        bar.start()
        return False

    def __call__(self, estimator: Any) -> None:
        figures = [f"{name} {h[-1]:.4f}" for name, h in estimator.history_.items()]
        bar = self._of_thread.bar
        bar.update(bar.task_ids[0], advance=1, figures=", ".join(figures))

    def end(self) -> None:
        """Stop the bar where it is."""
        if hasattr(self._of_thread, "bar"):
            self._of_thread.bar.stop()
            del self._of_thread.bar

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()  # a terminal cannot be copied
