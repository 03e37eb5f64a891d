"""Objectives: what the outputs of a head mean, and the loss that they are trained to lower.

An objective has the kernel of its loss, the name of the metric that the kernel gives beside it, and
the ways between y as the user has it and what the kernels read and write: ``encode`` gives targets,
``decide`` what ``decision_function`` returns, and from that come ``predict`` and ``log_proba``.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.utils import check_array

from crnn import _core


class Numbers:
    """Regression: the outputs are the predictions, and their squared error is the loss."""

    kernel = staticmethod(_core.squared_error)
    metric = "mean_absolute_error"

    def __init__(self, n_outputs, one_dimensional):
        self.n_outputs, self.one_dimensional = n_outputs, one_dimensional

    def encode(self, y, dtype):
        targets = check_array(y.reshape(len(y), -1), dtype=dtype, order="C", input_name="y")
        if targets.shape[1] != self.n_outputs:
            raise ValueError(
                f"y has {targets.shape[1]} outputs, but the model was fitted on "
                f"{self.n_outputs}. Pass y with as many outputs, or fit a new model."
            )
        return targets

    def predict(self, outputs):
        outputs = outputs.astype(np.float64)
        return outputs[:, 0] if self.one_dimensional else outputs


class ManyClasses:
    """An output for each class, and a softmax over them."""

    kernel: Callable[..., tuple[float, float]] = staticmethod(_core.softmax_cross_entropy)
    metric = "accuracy"

    def __init__(self, classes):
        self.classes = classes

    def encode(self, y, dtype):
        """Numbers of the classes."""
        _check_axes(y, ())
        numbers = {label: number for number, label in enumerate(self.classes.tolist())}
        labels = y.tolist()
        unknown = [i for i, label in enumerate(labels) if label not in numbers]
        if unknown:
            raise ValueError(
                f"y[{unknown[0]}] is the label {labels[unknown[0]]!r}, which is not among the "
                f"classes of the model: {list(numbers)}. Drop the sample, or fit on all classes."
            )
        return np.array([numbers[label] for label in labels], np.int32)

    def decide(self, logits):
        return logits

    def predict(self, decisions):
        return self.classes[decisions.argmax(axis=1)]

    def proba(self, decisions):
        return softmax(decisions, axis=1)

    def log_proba(self, decisions):
        return log_softmax(decisions, axis=1)


class TwoClasses(ManyClasses):
    """One output, the log-odds of the second class."""

    kernel: Callable[..., tuple[float, float]] = staticmethod(_core.sigmoid_cross_entropy)

    def encode(self, y, dtype):
        return super().encode(y, dtype)[:, None].astype(dtype)

    def decide(self, logits):
        return logits[:, 0]

    def predict(self, decisions):
        return self.classes[(decisions > 0).astype(int)]

    def proba(self, decisions):
        return expit(np.column_stack([-decisions, decisions]))

    def log_proba(self, decisions):
        return log_expit(np.column_stack([-decisions, decisions]))


class TwoOutputs(TwoClasses):
    """An output for each of two classes, as other libraries have it, and a softmax over both."""

    kernel = staticmethod(_core.softmax_cross_entropy)
    encode = ManyClasses.encode

    def decide(self, logits):
        return logits[:, 1] - logits[:, 0]


class Labels:
    """Any number of labels for a sample, each with an output of its own."""

    kernel = staticmethod(_core.sigmoid_cross_entropy)

    def __init__(self, n_outputs):
        self.n_outputs = n_outputs

    @property
    def metric(self):
        """The kernel counts single labels, where scikit-learn's accuracy is of whole samples."""
        return "binary_accuracy" if self.n_outputs > 1 else "accuracy"

    def encode(self, y, dtype):
        _check_axes(y, (self.n_outputs,))
        return np.ascontiguousarray(y, dtype=dtype)

    def decide(self, logits):
        return logits

    def predict(self, decisions):
        return (decisions > 0).astype(int)

    def proba(self, decisions):
        return expit(decisions)

    def log_proba(self, decisions):
        return log_expit(decisions)


def _check_axes(y, wanted):
    if y.shape[1:] != wanted:
        axes = ", ".join(map(str, ("n_samples", *wanted)))
        raise ValueError(
            f"y has shape {y.shape}, but the model was fitted on y of shape ({axes}). Pass y "
            "of that shape, or fit a new model."
        )
