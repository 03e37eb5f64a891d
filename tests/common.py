"""What several test files use: small models and data, comparisons, new processes."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import crnn
import crnn.callbacks
import crnn.datasets
import crnn.inspection
import crnn.interop
import crnn.preprocessing
from crnn import SimpleRNNClassifier, SimpleRNNRegressor

MODULES = (crnn, crnn.callbacks, crnn.datasets, crnn.inspection, crnn.interop, crnn.preprocessing)
PUBLIC = {name: getattr(m, name) for m in MODULES for name in m.__all__ if name[0] != "_"}

ROUNDS = int(os.environ.get("CRNN_ROUNDS", "2"))  # how often to repeat what depends on chance
SLOWDOWN = int(os.environ.get("CRNN_SLOWDOWN", "1"))  # of instrumented kernels, for time limits
TIMEOUT = 100 * SLOWDOWN  # seconds after which what takes a few of them counts as hung


# The network of the book and how it is trained, but for sizes and epochs.
BOOK = {
    "pooling": "last",
    "mask_zero": False,
    "recurrent_gain": 1.0,
    "token_dropout": 0.0,
    "embedding_dropout": 0.0,
    "optimizer": "rmsprop",
    "learning_rate": 1e-3,
    "learning_rate_schedule": "constant",
}
BOTH = pytest.mark.parametrize("network", [{}, BOOK], ids=["defaults", "book"])


def functions_of(thing):
    """A public function, or the constructor and the methods of a class that crnn itself defines."""
    if not inspect.isclass(thing):
        return {thing.__name__: thing}
    own = [cls for cls in thing.__mro__ if cls.__module__.split(".")[0] == "crnn"]
    names = {name for cls in own for name, m in vars(cls).items() if inspect.isroutine(m)}
    names = sorted(n for n in names if n in ("__init__", "__call__") or not n.startswith("_"))
    return {f"{thing.__name__}.{name}": getattr(thing, name) for name in names}


def small(**options):
    """A classifier that is fitted within milliseconds: the default network, or ``**BOOK``."""
    defaults = {"units": 6, "embedding_dim": 5, "batch_size": 16, "max_iter": 3, "random_state": 0}
    return SimpleRNNClassifier(**defaults | options)


def ids_and_classes(n=120, noise=0.1):
    """Ids from 1 to 8; the class is whether a 3 is among the last two, and sometimes wrong."""
    rng = np.random.default_rng(0)
    X = rng.integers(1, 9, (n, 6))
    return X, (X[:, -2:] == 3).any(axis=1) ^ (rng.random(n) < noise)


def fitted(kind="numbers", **options):
    """A fitted estimator and its data, with classes, labels or targets of this kind."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 9, (60, 5)), rng.integers(0, 3, 60)
    if kind == "text":
        y = np.array(["no", "yes", "maybe"])[y]
    if kind == "objects":
        y = np.array(["no", "yes", "maybe"], dtype=object)[y]
    if kind == "labels":
        y = np.eye(3, dtype=int)[y]
    if kind == "series":
        return SimpleRNNRegressor(4, max_iter=2, **options).fit(X / 9, y), X / 9, y
    clf = SimpleRNNClassifier(4, max_iter=2, vocabulary_size=9, random_state=0, **options)
    return clf.fit(X, y), X, y


def assert_same_weights(a, b, rtol=0.0, atol=0.0):
    assert a.weights_.keys() == b.weights_.keys()
    for name, array in a.weights_.items():
        np.testing.assert_allclose(array, b.weights_[name], rtol, atol, err_msg=name)


def interrupt_after(epoch):
    """A callback that stands for Ctrl-C right after this epoch."""

    def callback(estimator):
        if estimator.n_iter_ == epoch:
            raise KeyboardInterrupt

    return callback


def central_differences(function, array, eps=1e-6):
    """Gradient of a function without arguments by an array that it reads."""
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        value, ends = array[index], []
        for array[index] in (value + eps, value - eps):
            ends.append(function())
        array[index] = value
        gradient[index] = (ends[0] - ends[1]) / (2 * eps)
    return gradient


def run_python(*arguments, timeout=TIMEOUT, **environment):
    """Run Python in a new process that can import the tests, and give what became of it."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=Path(__file__).parent,
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
