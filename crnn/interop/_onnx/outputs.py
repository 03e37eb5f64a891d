"""What an exported estimator gives: names, types and shapes as skl2onnx has them, and nodes."""

from functools import singledispatch
from typing import NamedTuple

import numpy as np

from crnn._estimators.classifier import SimpleRNNClassifier
from crnn._layers.network import sizes_of
from crnn._training.losses import Labels, ManyClasses, TwoClasses


class Output(NamedTuple):
    """A tensor; the first axis, the batch, is not in the shape."""

    dtype: np.dtype
    shape: tuple[int, ...]


def outputs_of(estimator, states):
    """The outputs of an estimator, or those of a transformer to states, by name."""
    if states:
        width = sizes_of(estimator.weights_).n_states
        return {"variable": Output(np.dtype(np.float32), (width,))}
    K = estimator.n_outputs_
    if not isinstance(estimator, SimpleRNNClassifier):
        return {"variable": Output(np.dtype(np.float32), (K,))}
    labels = estimator._objective()
    shape = (K,) if isinstance(labels, Labels) else ()
    return {
        "label": Output(labels_of(estimator).dtype, shape),
        "probabilities": Output(np.dtype(np.float32), (len(estimator.classes_),)),
    }


# What labels may be in ONNX, by their Python type.
LABELS = {str: object, bool: np.int64, int: np.int64, float: np.float64}


def labels_of(classifier):
    """``classes_`` as ONNX can hold them."""
    labels = classifier.classes_.tolist()
    kinds = {type(label) for label in labels}
    try:
        [dtype] = {LABELS[kind] for kind in kinds}
        return np.array(labels, dtype)
    except (KeyError, ValueError, OverflowError):
        raise ValueError(
            f"classes_={labels} cannot be labels in ONNX, which has text, integers of 64 bits and "
            "floats. Fit on such labels, or on their numbers from a LabelEncoder."
        ) from None


@singledispatch
def decisions(objective, logits, graph, labels):
    """Names of the label and of the probabilities."""
    raise NotImplementedError(f"There is no ONNX form of {type(objective).__name__}.")


@decisions.register
def _(objective: ManyClasses, logits, graph, labels):
    places = graph.add("ArgMax", logits, axis=1, keepdims=0)
    return graph.add("Gather", labels, places), graph.add("Softmax", logits, axis=1)


@decisions.register
def _(objective: TwoClasses, logits, graph, labels):
    is_second = graph.add("Greater", logits, np.float32(0))
    places = graph.cast(graph.add("Reshape", is_second, np.array([-1])), np.int64)
    both = graph.add("Concat", graph.add("Neg", logits), logits, axis=1)
    return graph.add("Gather", labels, places), graph.add("Sigmoid", both)


@decisions.register
def _(objective: Labels, logits, graph, labels):
    given = graph.cast(graph.add("Greater", logits, np.float32(0)), np.int64)
    return given, graph.add("Sigmoid", logits)
