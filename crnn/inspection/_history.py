"""Learning curves: metric and loss against the epoch."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from crnn._system.extras import require


class TrainingHistoryDisplay:
    """Learning curves: metric and loss of each epoch, training as dots and validation as a line.

    A vertical line marks the epoch whose weights early stopping restored.

    :meth:`from_estimator` only reads the history and :meth:`plot` draws it, so that no empty figure
    is left when you pass axes of your own.

    Parameters
    ----------
    history : dict of str -> list of float
        ``loss`` and ``accuracy`` (or ``mean_absolute_error``) of each epoch and, with validation
        data, the same and possibly other metrics under names that begin with ``val_``.
    estimator_name : str, default=None
        Name shown in the titles, if any.
    kept_epoch : int, default=None
        The epoch whose weights early stopping restored, counted from 1; None marks none.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure of the last plot.
    axes_ : ndarray of matplotlib Axes
        Its axes, one per metric.
    lines_ : dict of str -> matplotlib Line2D
        The curves, by their names in ``history``.

    See Also
    --------
    crnn.SimpleRNNClassifier : Records the history.

    References
    ----------
    Chollet, Deep Learning with Python, figures of SimpleRNN on IMDB.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from crnn import SimpleRNNClassifier, TrainingHistoryDisplay
    >>> X = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10
    >>> y = [1, 0, 1, 0] * 10
    >>> clf = SimpleRNNClassifier(8, validation_fraction=0.2, random_state=0).fit(X, y)
    >>> display = TrainingHistoryDisplay.from_estimator(clf).plot()
    >>> list(display.lines_)
    ['accuracy', 'val_accuracy', 'loss', 'val_loss']
    >>> plt.close(display.figure_)
    """

    figure_: Any
    axes_: NDArray[Any]
    lines_: dict[str, Any]

    def __init__(
        self,
        history: Mapping[str, Sequence[float]],
        *,
        estimator_name: str | None = None,
        kept_epoch: int | None = None,
    ) -> None:
        self.history = history
        self.estimator_name = estimator_name
        self.kept_epoch = kept_epoch

    @classmethod
    def from_estimator(cls, estimator: Any, *, name: str | None = None) -> Self:
        """Create a display of the history of a fitted estimator; :meth:`plot` draws it.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted estimator with an attribute ``history_``, or a Pipeline that ends in one.
        name : str, default=None
            Name shown in the titles; None means the name of the class.

        Returns
        -------
        display : TrainingHistoryDisplay

        Raises
        ------
        NotFittedError
            If the estimator has no ``history_``.
        """
        if isinstance(estimator, Pipeline):
            estimator = estimator[-1]
        check_is_fitted(
            estimator,
            "history_",
            msg="This %(name)s has no history_: call fit first, or pass the fitted "
            "SimpleRNNClassifier inside it.",
        )
        return cls(
            estimator.history_,
            estimator_name=name or type(estimator).__name__,
            kept_epoch=_kept_epoch(estimator),
        )

    def plot(self, ax: Any = None, *, metric: str | None = None) -> Self:
        """Draw the learning curves.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of two of them, default=None
            Where to draw, one axes per metric; None creates a new figure.
        metric : str, default=None
            What to draw, "loss" or a metric in the history, without ``val_``; None draws everything
            measured in training, the loss last.

        Returns
        -------
        self : TrainingHistoryDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If ``metric`` is unknown, or if there is not one axes per metric.
        """
        plt = require("matplotlib.pyplot", type(self).__name__, '"crnn[plot]"')
        from matplotlib.ticker import MaxNLocator

        metric = metric and metric.removeprefix("val_")
        known = list(dict.fromkeys(name.removeprefix("val_") for name in self.history))
        if metric is not None and metric not in known:
            raise ValueError(f"metric must be one of {known} or None, got {metric!r}.")
        metrics = [name for name in known if name in self.history][::-1]
        metrics = metrics if metric is None else [metric]
        if ax is None:
            size = (6.4 * len(metrics), 4.8)
            _, ax = plt.subplots(1, len(metrics), figsize=size, layout="constrained")
        axes = np.ravel(ax)
        if len(axes) != len(metrics):
            raise ValueError(
                f"ax must contain one axes for each of {metrics}, got {len(axes)}; to draw on a "
                "single axes, pass one metric, such as metric='loss'."
            )
        self.axes_, self.figure_, self.lines_ = axes, axes[0].figure, {}
        for ax, metric in zip(axes, metrics, strict=True):
            self._draw(ax, metric)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))  # there is no epoch 1.5
        return self

    def _draw(self, ax, metric):
        drawn = []
        for name, part, style in [(metric, "Training", "bo"), ("val_" + metric, "Validation", "b")]:
            if name in self.history:
                epochs = np.arange(1, len(self.history[name]) + 1)
                label = f"{part} {metric}"
                (self.lines_[name],) = ax.plot(epochs, self.history[name], style, label=label)
                drawn.append(part.lower())
        if self.kept_epoch is not None:
            label = f"Epoch kept: {self.kept_epoch}"
            ax.axvline(self.kept_epoch, color="gray", linestyle=":", label=label)
        title = f"{' and '.join(drawn)} {metric}".capitalize()
        if self.estimator_name is not None:
            title += f"\n{self.estimator_name}"
        ax.set(title=title, xlabel="Epoch", ylabel=metric.capitalize().replace("_", " "))
        ax.legend()


def _kept_epoch(estimator):
    """The epoch whose weights early stopping restored; None if they are those of the last."""
    if not getattr(estimator, "early_stopping", False) or estimator.fit_progress_:
        return None
    best, history = estimator._training["progress"]["best"], estimator.history_
    losses = zip(*(history[name] for name in ("loss", "val_loss") if name in history), strict=True)
    return next(epoch for epoch, pair in enumerate(losses, 1) if best in pair)
