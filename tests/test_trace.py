"""Ten steps of training against a plain NumPy loop, which is written here from the formulas.

The loop knows nothing of packing, shared paddings or projected tables: it walks the full padded
matrix, padding included, and updates every row of the embedding.
"""

import numpy as np
import pytest
from scipy.special import expit, softmax

from crnn import SimpleRNNClassifier

NAMES = ["embedding_", "kernel_", "recurrent_kernel_", "bias_", "head_kernel_", "head_bias_"]
OPTIMIZERS = {
    "rmsprop": {},
    "sgd": {"learning_rate": 0.5},
    "momentum": {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9},
    "nesterov": {
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "momentum": 0.9,
        "nesterovs_momentum": True,
    },
    "adam": {},
}


def loss_and_gradients(weights, X, y, n_classes):
    E, W, U, b, C, c = weights
    B, T = X.shape
    h = [np.zeros((B, len(b)))]
    for t in range(T):
        h.append(np.tanh(E[X[:, t]] @ W + h[-1] @ U + b))
    logits = h[-1] @ C + c
    if n_classes == 2:
        p = expit(logits)
        losses = -np.where(y[:, None] == 1, np.log(p), np.log(1 - p)).ravel()
        d_logits = (p - y[:, None]) / B
    else:
        p = softmax(logits, axis=1)
        losses = -np.log(p[np.arange(B), y])
        d_logits = (p - np.eye(n_classes)[y]) / B
    dE, dW, dU, db = (np.zeros_like(w) for w in weights[:4])
    dC, dc = h[-1].T @ d_logits, d_logits.sum(axis=0)
    dh = d_logits @ C.T
    for t in reversed(range(T)):
        da = dh * (1 - h[t + 1] ** 2)
        dW += E[X[:, t]].T @ da
        dU += h[t].T @ da
        db += da.sum(axis=0)
        np.add.at(dE, X[:, t], da @ W.T)
        dh = da @ U.T
    return losses.mean(), [dE, dW, dU, db, dC, dc]


class Rule:
    """One weight array under an optimiser, in the form of Keras."""

    def __init__(self, kind, options):
        self.kind, self.lr = kind, options.get("learning_rate", 1e-3)
        self.momentum = options.get("momentum", 0.0)
        self.m = self.v = self.t = 0

    def step(self, w, g):
        self.t += 1
        if self.kind == "rmsprop":
            self.v = 0.9 * self.v + 0.1 * g**2
            return w - self.lr * g / np.sqrt(self.v + 1e-7)
        if self.kind == "adam":
            self.m = 0.9 * self.m + 0.1 * g
            self.v = 0.999 * self.v + 0.001 * g**2
            rate = self.lr * np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
            return w - rate * self.m / (np.sqrt(self.v) + 1e-7)
        self.m = self.momentum * self.m - self.lr * g
        return w + (self.momentum * self.m - self.lr * g if self.kind == "nesterov" else self.m)


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
    options = {"optimizer": kind} | OPTIMIZERS[kind]
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
    clf._training["optimizer"] = clf._new_optimizer().state
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
    for name, wanted in zip(NAMES, weights, strict=True):
        np.testing.assert_allclose(getattr(clf, name), wanted, rtol=0, atol=tolerance)
