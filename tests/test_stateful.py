"""Calls in any order against a plain network in double precision, which hypothesis makes up.

The plain network draws its first weights and its permutations from the documented stream, walks
each sequence by itself and updates all of its weights (see plain_network).
"""

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)  # fmt: skip
from scipy.special import expit, softmax

from common import BOOK, ROUNDS, interrupt_after
from crnn import SimpleRNNClassifier
from crnn._layers.network import Network, Sizes
from crnn._layers.parameters import draw
from plain_network import OPTIMIZERS, Rule, loss_and_gradients

V, E = 6, 3
# Slow enough for rounding errors not to grow along the way.
SLOW = {"sgd": 0.1, "momentum": 0.01, "nesterov": 0.01, "adam": 1e-3, "rmsprop": 1e-3}
OPTIONS = {kind: more | {"learning_rate": SLOW[kind]} for kind, more in OPTIMIZERS.items()}

samples = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.integers(0, V - 1), max_size=6), min_size=n, max_size=n),
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
    )
)


class Plain:
    """The twin: weights, an optimiser for each, a random stream."""

    def __init__(self, units, n_classes, kind, seed):
        self.n_classes, self.kind = n_classes, kind
        self.rng = np.random.RandomState(seed)
        outputs = 1 if n_classes == 2 else n_classes
        table = Network(Sizes(V, E, (units,), outputs)).parameters
        self.weights = list(draw(table, self.rng, "float64").values())
        self.rules = [Rule(kind, OPTIONS[kind]) for _ in self.weights]
        self.n_epochs = 0

    def epoch(self, X, y, batch_size):
        order = self.rng.permutation(len(X))
        for start in range(0, len(X), batch_size):
            self.step([X[i] for i in order[start : start + batch_size]], y[order][start:])
        self.n_epochs += 1

    def step(self, X, y):
        total = [np.zeros_like(w) for w in self.weights]
        for x, label in zip(X, y, strict=False):
            row = np.array([x], int).reshape(1, len(x))
            _, parts = loss_and_gradients(self.weights, row, np.array([label]), self.n_classes)
            total = [t + part / len(X) for t, part in zip(total, parts, strict=True)]
        stepped = zip(self.rules, self.weights, total, strict=True)
        self.weights = [r.step(w, g) for r, w, g in stepped]

    def probabilities(self, X):
        embedding, W, U, b, C, c = self.weights
        out = []
        for x in X:
            h = np.zeros(len(b))
            for token in x:
                h = np.tanh(embedding[token] @ W + h @ U + b)
            logits = h @ C + c
            p = expit(logits) if self.n_classes == 2 else softmax(logits)
            out.append([1 - p[0], p[0]] if self.n_classes == 2 else p)
        return np.array(out)


class Calls(RuleBasedStateMachine):
    @initialize(
        units=st.sampled_from([1, 4, 16]),
        n_classes=st.sampled_from([2, 3]),
        kind=st.sampled_from(sorted(OPTIONS)),
        batch_size=st.integers(1, 5),
        seed=st.integers(0, 2**32 - 1),
        n_jobs=st.sampled_from([1, 2]),
    )
    def begin(self, units, n_classes, kind, batch_size, seed, n_jobs):
        options = BOOK | {"optimizer": kind} | OPTIONS[kind]
        self.clf = SimpleRNNClassifier(
            units, embedding_dim=E, vocabulary_size=V, batch_size=batch_size, random_state=seed,
            dtype="float64", n_jobs=n_jobs, **options,
        )  # fmt: skip
        self.fresh = lambda: Plain(units, n_classes, kind, seed)
        self.plain, self.left = None, None

    def labels(self, y):
        """All classes occur, so that fit knows them."""
        n = self.fresh().n_classes
        y = np.array(y) % n
        y[: min(n, len(y))] = np.arange(min(n, len(y)))
        return y

    def train(self, X, y, epochs):
        for _ in range(epochs):
            self.plain.epoch(X, y, self.clf.batch_size)

    @rule(data=samples, epochs=st.integers(1, 3), warm=st.booleans())
    def fit(self, data, epochs, warm):
        X, y = data[0], self.labels(data[1])
        self.clf.set_params(max_iter=epochs, warm_start=warm)
        continuing = warm and self.plain is not None
        if len(np.unique(y)) < self.fresh().n_classes and not continuing:
            return
        self.plain = self.plain if continuing else self.fresh()
        self.clf.fit(X, y)
        self.train(X, y, epochs)
        self.left = None

    @rule(data=samples)
    def partial_fit(self, data):
        X, y = data[0], self.labels(data[1])
        self.plain = self.plain or self.fresh()
        self.clf.partial_fit(X, y, classes=np.arange(self.plain.n_classes))
        self.train(X, y, 1)
        self.left = None

    @rule(data=samples, epochs=st.integers(2, 4), last=st.integers(1, 3))
    def interrupted_fit(self, data, epochs, last):
        X, y = data[0], self.labels(data[1])
        if len(np.unique(y)) < self.fresh().n_classes:
            return
        first = self.plain.n_epochs if self.plain and self.clf.warm_start else 0

        self.clf.set_params(max_iter=epochs, callbacks=[interrupt_after(first + last)])
        if first == 0:
            self.plain = self.fresh()
        done = min(epochs, last)
        try:
            self.clf.fit(X, y)
            self.left = None
        except KeyboardInterrupt:
            self.left = X, y, epochs - done
        self.clf.set_params(callbacks=None)
        self.train(X, y, done)

    @precondition(lambda self: self.left is not None)
    @rule()
    def resume(self):
        X, y, epochs = self.left
        self.clf.set_params(max_iter=self.clf.fit_progress_.total)
        self.clf.resume(X, y)
        self.train(X, y, epochs)
        self.left = None

    @precondition(lambda self: self.plain is not None)
    @rule()
    def pickled(self):
        self.clf = pickle.loads(pickle.dumps(self.clf))

    @precondition(lambda self: self.plain is not None)
    @rule()
    def saved(self):
        with tempfile.TemporaryDirectory() as folder:
            self.clf.save(Path(folder, "model.npz"))
            self.clf = SimpleRNNClassifier.load(Path(folder, "model.npz"))

    @precondition(lambda self: self.plain is not None)
    @rule(data=samples)
    def predict(self, data):
        got = self.clf.predict_proba(data[0])
        np.testing.assert_allclose(got, self.plain.probabilities(data[0]), atol=1e-7)

    @precondition(lambda self: self.plain is not None)
    @rule(wrong=st.sampled_from([[[V]], [[-1]], [["a"]], [[0.5]], 3, [[[1]]], [None]]))
    def refused(self, wrong):
        before = pickle.dumps(self.clf)
        for call in (self.clf.partial_fit, self.clf.fit, lambda X, y: self.clf.predict(X)):
            with pytest.raises((ValueError, TypeError)):
                call(wrong, [0])
        assert pickle.dumps(self.clf) == before

    @invariant()
    def same_weights(self):
        if getattr(self, "plain", None) is None:
            return
        for array, wanted in zip(self.clf.get_weights(), self.plain.weights, strict=True):
            np.testing.assert_allclose(array, wanted, atol=1e-7)
        assert self.clf.n_iter_ == self.plain.n_epochs
        assert all(len(h) == self.plain.n_epochs for h in self.clf.history_.values())
        assert (self.clf.fit_progress_ is None) == (self.left is None)


Calls.TestCase.settings = settings(
    max_examples=10 * ROUNDS,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestCalls = Calls.TestCase
