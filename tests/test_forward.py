"""Logits and states of every kind of network, against plain loops over one sequence at a time."""

import numpy as np
import pytest

from crnn import SimpleRNNClassifier

V, E, F = 7, 3, 2
LENGTHS = [6, 0, 1, 4, 3, 5, 2, 0, *[3] * 20]  # more than the kernels take in one tile
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
FUNCTIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "linear": lambda x: x,
}
POOLINGS = ["last", "mean", "max", ("max", "last"), ("last", "mean", "max")]
UNITS = [4, (3, 2), (2, 3, 2)]


def padded_ids(width=6):
    """Rows with zeros in front, some with zeros elsewhere too, one of nothing but zeros."""
    ids = np.random.default_rng(0).integers(1, V, (len(LENGTHS), width))
    ids[np.arange(width) < width - np.array(LENGTHS)[:, None]] = 0
    ids[3, 4], ids[4, -1] = 0, 0
    return ids


def ragged_ids():
    ids = np.random.default_rng(1).integers(0, V, sum(LENGTHS))
    return np.split(ids, np.cumsum(LENGTHS)[:-1])


def ragged_series(*features):
    steps = np.random.default_rng(2).normal(size=(sum(LENGTHS), *features))
    return np.split(steps, np.cumsum(LENGTHS)[:-1])


DATA = {  # X, and whether ids 0 are masked
    "padded ids": (padded_ids(), False),
    "padded ids, masked": (padded_ids(), True),
    "ragged ids": (ragged_ids(), False),
    "ragged ids, masked": (ragged_ids(), True),
    "series": (np.random.default_rng(3).normal(size=(28, 5)), False),
    "series of vectors": (np.random.default_rng(3).normal(size=(28, 5, F)), False),
    "ragged series": (ragged_series(), False),
    "ragged series of vectors": (ragged_series(F), False),
}


def model_for(X, **options):
    """A model whose weights are random numbers, the biases too."""
    n = len(X)
    clf = SimpleRNNClassifier(
        embedding_dim=E, max_iter=1, dtype="float64", random_state=0, **options
    ).fit(X, np.arange(n) % 3)
    rng = np.random.default_rng(4)
    clf.set_weights([rng.normal(0, 0.6, array.shape) for array in clf.get_weights()])
    return clf


def read(x, mask, f, W, U, b):
    """State after each step; a masked one carries the state over."""
    h, states = np.zeros(len(b)), []
    for step, on in zip(x, mask, strict=True):
        h = f(step @ W + b + h @ U) if on else h
        states.append(h)
    return np.array(states).reshape(-1, len(b))


def recurrent_layer(x, mask, f, weights, name, bidirectional):
    """States after each step, and those after each reading has come to its end."""

    def cell(which):
        parts = ("kernel", "recurrent_kernel", "bias")
        return [weights[f"{name}/{which}{part}"] for part in parts]

    ahead = read(x, mask, f, *cell(""))
    start = np.zeros((1, ahead.shape[1]))
    if not bidirectional:
        return ahead, np.vstack([start, ahead])[-1]
    back = read(x[::-1], mask[::-1], f, *cell("backward/"))[::-1]
    ends = np.vstack([start, ahead])[-1], np.vstack([back, start])[0]
    return np.hstack([ahead, back]), np.hstack(ends)


def forward(clf, x):
    """Logits, last state and all states for one sequence."""
    weights, f, mask = clf.weights_, FUNCTIONS[clf.activation], np.ones(len(x), bool)
    if "embedding" in weights:
        x = np.asarray(x, int)
        mask = x != 0 if clf.mask_zero else mask
        x = weights["embedding"][x]
    states = np.reshape(x, (len(x), len(weights["rnn_0/kernel"])))
    for i in range(len(np.atleast_1d(clf.units))):
        states, last = recurrent_layer(states, mask, f, weights, f"rnn_{i}", clf.bidirectional)
    counted = states[mask] if mask.any() else np.zeros_like(last)[None]
    pooled = {"last": last, "mean": counted.mean(axis=0), "max": counted.max(axis=0)}
    features = np.hstack([pooled[name] for name in np.atleast_1d(clf.pooling)])
    return features @ weights["head/kernel"] + weights["head/bias"], last, states


def assert_forward(clf, X):
    logits, last, states = zip(*[forward(clf, x) for x in X], strict=True)
    for dtype, tolerance in TOLERANCE.items():
        clf.set_params(dtype=dtype)
        every = clf.hidden_states(X, return_sequences=True)
        assert clf.decision_function(X).dtype == every[0].dtype == dtype
        assert isinstance(every, np.ndarray) == isinstance(X, np.ndarray)
        np.testing.assert_allclose(clf.decision_function(X), logits, 0, tolerance)
        np.testing.assert_allclose(clf.hidden_states(X), last, 0, tolerance)
        for got, wanted in zip(every, states, strict=True):
            np.testing.assert_allclose(got, wanted, 0, tolerance)


@pytest.mark.parametrize("bidirectional", [False, True], ids=["ahead", "both"])
@pytest.mark.parametrize("units", UNITS, ids=str)
@pytest.mark.parametrize("kind", DATA)
def test_every_network(kind, units, bidirectional):
    X, mask_zero = DATA[kind]
    for pooling in POOLINGS:
        options = {"units": units, "bidirectional": bidirectional, "pooling": pooling}
        assert_forward(model_for(X, mask_zero=mask_zero, **options), X)


@pytest.mark.parametrize("activation", FUNCTIONS)
def test_every_activation(activation):
    X, _ = DATA["ragged ids, masked"]
    options = {"units": (3, 2), "bidirectional": True, "pooling": ("last", "mean", "max")}
    assert_forward(model_for(X, mask_zero=True, activation=activation, **options), X)


@pytest.mark.parametrize("mask_zero", [False, True])
def test_unknown_ids(mask_zero):
    """Ids that fit has not seen read the last row of the embedding."""
    options = {"units": (3, 2), "bidirectional": True, "pooling": ("last", "mean", "max")}
    clf = model_for(padded_ids(), mask_zero=mask_zero, **options)
    seen, unseen = [[0, 1, V, 2]], [[0, 1, V + 100, 2]]
    np.testing.assert_array_equal(clf.decision_function(unseen), clf.decision_function(seen))
    assert_forward(clf, seen)
