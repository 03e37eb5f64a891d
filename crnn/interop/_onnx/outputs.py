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


def labels_of(classifier):
    """``classes_`` as ONNX holds them: text, or integers for numbers of any kind."""
    labels = classifier.classes_.tolist()
    if all(isinstance(label, str) for label in labels):
        return np.array(labels, object)
    try:
        numbers = np.array([int(label) for label in labels], np.int64)
        if numbers.tolist() == labels:
            return numbers
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(
        f"The class labels {labels} cannot be converted to ONNX, which needs text or whole numbers "
        "of 64 bits. Fit on such labels, or on numbers from a LabelEncoder."
    )


@singledispatch
def decisions(objective, logits, graph, labels):
    """Names of the label and of the probabilities."""
    raise NotImplementedError(f"There is no ONNX form of {type(objective).__name__}.")


@decisions.register(ManyClasses)
def _(objective, logits, graph, labels):
    places = graph.add("ArgMax", logits, axis=1, keepdims=0)
    return graph.add("Gather", labels, places), graph.add("Softmax", logits, axis=1)


@decisions.register(TwoClasses)
def _(objective, logits, graph, labels):
    is_second = graph.add("Greater", logits, np.float32(0))
    places = graph.cast(graph.add("Reshape", is_second, np.array([-1])), np.int64)
    both = graph.add("Concat", graph.add("Neg", logits), logits, axis=1)
    return graph.add("Gather", labels, places), graph.add("Sigmoid", both)


@decisions.register(Labels)
def _(objective, logits, graph, labels):
    given = graph.cast(graph.add("Greater", logits, np.float32(0)), np.int64)
    return given, graph.add("Sigmoid", logits)
