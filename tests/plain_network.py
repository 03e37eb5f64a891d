"""The network and its optimisers once more, in plain NumPy, written from the formulas.

It knows nothing of packing, shared padding or projected tables: it walks full matrices of ids,
padding included, and updates every row of the embedding.
"""

import numpy as np
from scipy.special import expit, softmax

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
