"""Ten steps of training against the same in plain NumPy."""

import numpy as np
import pytest

from common import BOOK
from crnn import SimpleRNNClassifier
from crnn._training.builders import optimizer_of
from plain_network import OPTIMIZERS, Rule, loss_and_gradients


def data(n_classes):
    rng = np.random.default_rng(0)
    X = rng.integers(1, 12, (30, 9))
    for row, pads in zip(X, rng.integers(0, 10, 30), strict=True):
        row[:pads] = 0
    X[3], X[4, 5], X[5, -1] = 0, 0, 0  # all padding, and zeros that are no padding in front
    return X, np.arange(30) % n_classes


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
def test_ten_steps(kind, n_classes, dtype, tolerance):
    X, y = data(n_classes)
    options = BOOK | {"optimizer": kind} | OPTIMIZERS[kind]
    clf = SimpleRNNClassifier(
        5,
        embedding_dim=4,
        vocabulary_size=12,
        batch_size=10,
        max_iter=1,
        shuffle=False,
        warm_start=True,
        dtype=dtype,
        random_state=0,
        **options,
    )
    # Weights from elsewhere, put into a model of the right shapes whose optimiser is still new.
    rng = np.random.default_rng(1)
    clf.fit(X, y)
    clf._training["optimizer"] = optimizer_of(clf).state
    weights = [rng.normal(0, 0.5, array.shape) for array in clf.get_weights()]
    clf.set_weights(weights)
    clf.history_, clf.n_iter_ = {}, 0

    rules = [Rule(kind, options) for _ in weights]
    trace = []
    for step in range(10):
        batch = slice(step % 3 * 10, step % 3 * 10 + 10)
        loss, gradients = loss_and_gradients(weights, X[batch], y[batch], n_classes)
        weights = [r.step(w, g) for r, w, g in zip(rules, weights, gradients, strict=True)]
        trace.append(loss)
        clf.fit(X[batch], y[batch])
    np.testing.assert_allclose(clf.history_["loss"], trace, rtol=tolerance)
    for array, wanted in zip(clf.get_weights(), weights, strict=True):
        np.testing.assert_allclose(array, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_words_that_sit_out_batches(kind):
    """Three epochs of ten batches, each with some of the words, in turn and not at all."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(1, 80, (50, 4)), np.arange(50) % 2
    options = BOOK | {"optimizer": kind} | OPTIMIZERS[kind]
    shapes = [(100, 4), (4, 5), (5, 5), (5,), (5, 1), (1,)]
    weights = [rng.normal(0, 0.5, shape) for shape in shapes]
    clf = SimpleRNNClassifier.from_weights(
        weights, [0, 1], vocabulary_size=100, batch_size=5, max_iter=3, shuffle=False,
        dtype="float64", warm_start=True, **options,
    ).fit(X, y)  # fmt: skip
    rules = [Rule(kind, options) for _ in weights]
    for start in [*range(0, 50, 5)] * 3:
        part = slice(start, start + 5)
        _, gradients = loss_and_gradients(weights, X[part], y[part], 2)
        weights = [r.step(w, g) for r, w, g in zip(rules, weights, gradients, strict=True)]
    for array, wanted in zip(clf.get_weights(), weights, strict=True):
        np.testing.assert_allclose(array, wanted, rtol=0, atol=1e-9)
