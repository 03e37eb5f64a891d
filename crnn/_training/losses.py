"""What the outputs of a network are to meet: the loss, and the figure that is told beside it."""

from collections.abc import Callable
from typing import NamedTuple

from crnn import _core


class Objective(NamedTuple):
    """A kernel that gives the weighted sums of a loss and of a metric, and the metric's name."""

    kernel: Callable
    metric: str


def objective_for(out_activation, n_outputs):
    """The objective of a head whose outputs go through this activation."""
    if out_activation == "identity":
        return Objective(_core.squared_error, "mean_absolute_error")
    if out_activation == "softmax":
        return Objective(_core.softmax_cross_entropy, "accuracy")
    # Of several labels this is the accuracy of single ones; "accuracy" is that of whole samples.
    metric = "binary_accuracy" if n_outputs > 1 else "accuracy"
    return Objective(_core.sigmoid_cross_entropy, metric)
