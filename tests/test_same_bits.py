"""Networks that together use every option: the same bits however they are trained and used."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from common import assert_same_weights, interrupt_after
from crnn import SimpleRNNClassifier

V, N, T = 600, 150, 12


def ids():
    """More words in a batch, and more sequences, than the kernels take in one go."""
    ids = np.random.default_rng(0).integers(1, V, (N, T))
    ids[np.arange(T) < (np.arange(N) % (T + 1))[:, None]] = 0
    return ids


def series():
    lengths = np.arange(N) % 8
    steps = np.random.default_rng(0).normal(size=(lengths.sum(), 3))
    return np.split(steps, np.cumsum(lengths)[:-1])


ALL = ("last", "mean", "max")
NETWORKS = {
    "recipe": {
        "pooling": ALL, "mask_zero": True, "recurrent_gain": 0.5, "token_dropout": 0.3,
        "embedding_dropout": 0.5, "word_dropout": 0.1, "optimizer": "adam",
        "learning_rate_schedule": "linear",
    },
    "stacked, both ways": {
        "units": (8, 5), "bidirectional": True, "pooling": ("max", "last"), "mask_zero": True,
        "token_dropout": 0.2, "embedding_dropout": 0.3, "dropout": 0.3, "dtype": "float64",
        "learning_rate_schedule": "linear",
    },
    "padding read both ways": {
        "bidirectional": True, "mask_zero": False, "pooling": "mean", "word_dropout": 0.2,
        "dropout": 0.2, "optimizer": "sgd", "momentum": 0.9, "learning_rate_schedule": "invscaling",
    },
    "stacked three times": {
        "units": (6, 5, 4), "pooling": "last", "token_dropout": 0.4, "recurrent_gain": 0.8,
        "optimizer": "rmsprop", "learning_rate_schedule": "constant",
    },
    "pairs": {
        "bigrams": 50, "bigram_dropout": 0.5, "token_dropout": 0.3, "embedding_dropout": 0.5,
        "learning_rate_schedule": "linear",
    },
    "shared padding": {
        "pooling": "last", "mask_zero": False, "token_dropout": 0.3, "word_dropout": 0.2,
        "optimizer": "rmsprop", "vocabulary_size": None,
    },
    "series": {
        "input": "series", "units": (5, 4), "bidirectional": True, "pooling": ("mean", "max"),
        "dropout": 0.4, "learning_rate_schedule": "linear",
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=NETWORKS)
def case(request):
    """A fitted network, what it was fitted on, and an unfitted one of the same parameters."""
    options = NETWORKS[request.param]
    X = series() if options.get("input") == "series" else ids()
    y = np.array([np.sum(x) for x in X]) % 3 > 1
    network = SimpleRNNClassifier(
        **{"units": 17, "vocabulary_size": V} | options, embedding_dim=9, batch_size=100,
        max_iter=3, random_state=0,
    )  # fmt: skip
    return clone(network).fit(X, y), X, y, network


def assert_same(a, b, X):
    assert_same_weights(a, b)
    assert a.history_ == b.history_
    np.testing.assert_array_equal(a.decision_function(X), b.decision_function(X))
    np.testing.assert_array_equal(a.hidden_states(X), b.hidden_states(X))


def test_with_any_number_of_threads(case):
    fitted, X, y, network = case
    for n_jobs in (1, 2, 3, 4):
        with threadpool_limits(n_jobs, user_api="openmp"):  # on however few processors
            assert_same(clone(network).set_params(n_jobs=n_jobs).fit(X, y), fitted, X)


def test_alone_and_in_company(case):
    fitted, X, _, _ = case
    together = fitted.decision_function(X), fitted.hidden_states(X)
    every = fitted.hidden_states(X, return_sequences=True)
    for chosen in ([0], [7], [25], [N - 1, 3, 40]):
        some = [X[i] for i in chosen] if isinstance(X, list) else X[chosen]
        np.testing.assert_array_equal(fitted.decision_function(some), together[0][chosen])
        np.testing.assert_array_equal(fitted.hidden_states(some), together[1][chosen])
        states = fitted.hidden_states(some, return_sequences=True)
        for i, got in zip(chosen, states, strict=True):
            np.testing.assert_array_equal(got, every[i])


def test_of_a_clone_and_of_a_second_fit(case):
    fitted, X, y, network = case
    assert_same(clone(fitted).fit(X, y), fitted, X)
    assert_same(clone(network).fit(X[:50], y[:50]).fit(X, y), fitted, X)
    other = clone(network).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(other.decision_function(X), fitted.decision_function(X))


def test_after_a_pickle_and_a_file(case, tmp_path):
    fitted, X, y, _ = case
    fitted.save(tmp_path / "model.npz")
    loaded = SimpleRNNClassifier.load(tmp_path / "model.npz")
    pickled, copy = (pickle.loads(pickle.dumps(fitted)) for _ in range(2))
    assert loaded.get_params() == fitted.get_params()
    for again in (loaded, pickled):
        assert_same(again, fitted, X)
    for again in (loaded, pickled, copy):
        again.partial_fit(X, y)
    assert_same(loaded, copy, X)
    assert_same(pickled, copy, X)


def test_of_a_fit_that_was_interrupted(case, tmp_path):
    fitted, X, y, network = case
    for epoch in (1, 2):
        stopped = clone(network).set_params(callbacks=[interrupt_after(epoch)])
        with pytest.raises(KeyboardInterrupt):
            stopped.fit(X, y)
        assert stopped.fit_progress_ == (epoch, 3)
        stopped.set_params(callbacks=None).save(tmp_path / "stopped.npz")
        loaded = SimpleRNNClassifier.load(tmp_path / "stopped.npz")
        for again in (pickle.loads(pickle.dumps(stopped)), loaded, stopped):
            assert_same(again.resume(X, y), fitted, X)
