"""Fitted networks of any architecture, with random weights, and data for them."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from crnn import SimpleRNNClassifier, SimpleRNNRegressor
from crnn._layers.network import Network, Sizes

SETTINGS = settings(max_examples=40, deadline=None, derandomize=True)

POOLINGS = ["last", "mean", "max", ("last", "mean", "max"), ("max", "last"), ("mean", "max")]
HEADS = {"two": 1, "two outputs": 2, "many": 3, "labels": 3, "number": 1, "numbers": 2}


@st.composite
def networks(draw, activations=("tanh", "relu", "sigmoid", "linear"), one_size=False):
    """A fitted estimator and data: ids with zeros anywhere and sequences of nothing, or series."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_layers, tokens = draw(st.integers(1, 2)), draw(st.booleans())
    units = tuple(draw(st.integers(1, 5)) for _ in range(n_layers))
    units = units[:1] * n_layers if one_size else units
    pooling, head = draw(st.sampled_from(POOLINGS)), draw(st.sampled_from(sorted(HEADS)))
    V, E = draw(st.integers(2, 9)), draw(st.integers(1, 4))
    both = draw(st.booleans())
    sizes = Sizes(V if tokens else None, E, units, HEADS[head], both)
    pools = (pooling,) if isinstance(pooling, str) else pooling
    dtype = draw(st.sampled_from(["float32", "float64"]))
    shapes = Network(sizes, pooling=pools).shapes
    weights = {name: rng.normal(0, 0.6, shape).astype(dtype) for name, shape in shapes.items()}
    given = {
        "pooling": pooling,
        "activation": draw(st.sampled_from(activations)),
        "mask_zero": draw(st.booleans()),
    }
    unknown = tokens and draw(st.booleans())
    if unknown:
        given["vocabulary_size"] = None
    shape = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    X = rng.normal(size=(*shape, E)).astype(dtype)
    if tokens:
        X = rng.integers(0, V + 3 * unknown, shape)
        X[rng.random(shape) < draw(st.sampled_from([0, 0.5]))] = 0
        X[: draw(st.integers(0, 1))] = 0
    if head.startswith("number"):
        return SimpleRNNRegressor.from_weights(weights, **given), X
    classes = {"two": [0, 1], "two outputs": [0, 1], "many": [0, 1, 2], "labels": None}[head]
    return SimpleRNNClassifier.from_weights(weights, classes, **given), X


def with_maxima_below_zero():
    """A network all of whose states are negative, so that a padding must not count as 0."""
    weights = [np.eye(4, 2), np.eye(2), np.eye(2) / 2, [-3.0, -3.0], [[1.0], [2.0]], [0.0]]
    return SimpleRNNRegressor.from_weights(weights, pooling="max")


def outputs_of(estimator, X):
    """What the head of another library gives after its activation, (n_samples, n_outputs)."""
    if isinstance(estimator, SimpleRNNRegressor):
        return estimator.predict(X).reshape(len(X), -1)
    return estimator.predict_proba(X)[:, -estimator.n_outputs_ :]


def assert_same(estimator, other):
    """The same network to the bit, and the same answers."""
    assert type(other) is type(estimator)
    names = (
        "units",
        "bidirectional",
        "pooling",
        "activation",
        "vocabulary_size",
        "out_activation_",
    )
    if "embedding" in estimator.weights_:
        names += ("mask_zero",)
    for name in names:
        assert getattr(other, name) == getattr(estimator, name), name
    assert list(other.weights_) == list(estimator.weights_)
    for name, array in estimator.weights_.items():
        np.testing.assert_array_equal(other.weights_[name], array, err_msg=name, strict=True)
