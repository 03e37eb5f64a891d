"""Shapes of networks: the weights they have, searches and files, values and changes refused."""

import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from common import assert_same_weights, small
from crnn import SimpleRNNClassifier, SimpleRNNRegressor, SimpleRNNTransformer

X, Y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10, [1, 0, 1, 0] * 10
RICH = {"units": (6, 4), "bidirectional": True, "pooling": ("max", "last", "mean")}


# Weights


def test_names_order_and_shapes_of_weights():
    clf = small(**RICH, vocabulary_size=4).fit(X, np.arange(40) % 3)
    assert [(name, array.shape) for name, array in clf.weights_.items()] == [
        ("embedding", (4, 5)),
        ("rnn_0/kernel", (5, 6)),
        ("rnn_0/recurrent_kernel", (6, 6)),
        ("rnn_0/bias", (6,)),
        ("rnn_0/backward/kernel", (5, 6)),
        ("rnn_0/backward/recurrent_kernel", (6, 6)),
        ("rnn_0/backward/bias", (6,)),
        ("rnn_1/kernel", (12, 4)),
        ("rnn_1/recurrent_kernel", (4, 4)),
        ("rnn_1/bias", (4,)),
        ("rnn_1/backward/kernel", (12, 4)),
        ("rnn_1/backward/recurrent_kernel", (4, 4)),
        ("rnn_1/backward/bias", (4,)),
        ("head/kernel", (24, 3)),
        ("head/bias", (3,)),
    ]
    stacked = small(units=(6, 4), pooling="last").fit(X, Y)
    assert stacked.weights_["rnn_1/kernel"].shape == (6, 4)
    assert stacked.weights_["head/kernel"].shape == (4, 1)


@pytest.mark.parametrize("options", [RICH, {"units": (3, 3)}, {"bidirectional": True}])
def test_weights_out_and_in(options):
    clf, other = small(**options).fit(X, Y), small(**options, random_state=1).fit(X, Y)
    weights = clf.get_weights()
    for array, named in zip(weights, clf.weights_.values(), strict=True):
        np.testing.assert_array_equal(array, named)
    assert not np.array_equal(other.decision_function(X), clf.decision_function(X))
    other.set_weights(weights)
    assert_same_weights(other, clf)
    np.testing.assert_array_equal(other.decision_function(X), clf.decision_function(X))


@pytest.mark.parametrize("options", [{"units": (6, 4)}, {"bidirectional": True}])
def test_attributes_of_one_layer_are_not_those_of_several(options):
    clf = small(**options).fit(X, Y)
    for name in ("kernel_", "recurrent_kernel_", "bias_"):
        assert not hasattr(clf, name)
        with pytest.raises(AttributeError, match=r"several .* layers or two directions.* weights_"):
            getattr(clf, name)
    assert clf.embedding_ is clf.weights_["embedding"]
    assert clf.head_kernel_ is clf.weights_["head/kernel"]
    assert small(units=(6,)).fit(X, Y).kernel_.shape == (5, 6)  # a tuple of one is one layer


def test_one_in_a_tuple_is_one():
    tuples = small(units=(6,), pooling=("mean",)).fit(X, Y)
    assert_same_weights(tuples, small(units=6, pooling="mean").fit(X, Y))


@pytest.mark.parametrize("gain", [0.0, 0.5, 1.0, 3.0])
def test_gain_of_the_recurrent_kernels(gain):
    """U'U = gain^2 I in every layer and direction; nothing else depends on it."""
    start = {"learning_rate": 1e-300, "max_iter": 1, "dtype": "float64"}
    clf = small(**RICH, **start, recurrent_gain=gain).fit(X, Y)
    plain = small(**RICH, **start, recurrent_gain=1.0).fit(X, Y)
    for name, array in clf.weights_.items():
        factor = gain if name.endswith("recurrent_kernel") else 1
        np.testing.assert_allclose(array, factor * plain.weights_[name], rtol=1e-12, atol=1e-290)
        if name.endswith("recurrent_kernel"):
            np.testing.assert_allclose(array.T @ array, gain**2 * np.eye(len(array)), atol=1e-12)
    assert sum(name.endswith("recurrent_kernel") for name in clf.weights_) == 4


def test_states_of_both_readings_as_features():
    transformer = SimpleRNNTransformer(small(**RICH)).fit(X, Y)
    assert transformer.transform(X).shape == (40, 8)
    assert len(transformer.get_feature_names_out()) == 8


# Searches, files


GRID = {
    "units": [5, (4, 3), (3, 3, 3)],
    "bidirectional": [False, True],
    "pooling": ["mean", ("last", "max")],
}


def test_grid_search():
    search = GridSearchCV(small(max_iter=1), GRID, cv=2).fit(X, Y)
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()
    assert len(search.cv_results_["params"]) == 12
    best = search.best_estimator_
    again = clone(best)
    for name in GRID:
        assert getattr(again, name) == getattr(best, name) == search.best_params_[name]
    assert_same_weights(again.fit(X, Y), best)


def test_files_and_pickles_keep_tuples(tmp_path):
    clf = small(**RICH).fit(X, Y)
    clf.save(tmp_path / "model.npz")
    loaded = SimpleRNNClassifier.load(tmp_path / "model.npz")
    for again in (loaded, pickle.loads(pickle.dumps(clf))):
        assert (again.units, again.bidirectional, again.pooling) == tuple(RICH.values())
        assert type(again.units) is type(again.pooling) is tuple
        assert list(again.weights_) == list(clf.weights_)
        assert_same_weights(again, clf)


# Errors


BAD = [
    ("units", 0), ("units", ()), ("units", []), ("units", (0,)), ("units", (4, 0)),
    ("units", (4, 2.5)), ("units", (True,)), ("units", "8"), ("units", None),
    ("pooling", "sum"), ("pooling", ()), ("pooling", ("last", "sum")), ("pooling", None),
    ("pooling", ("last", "last")), ("pooling", ["mean", "max", "mean"]), ("pooling", (("last",),)),
    ("bidirectional", 2), ("bidirectional", "yes"), ("recurrent_gain", -0.1),
    ("recurrent_gain", np.inf), ("recurrent_gain", True),
    *[
        (name, rate)
        for name in ("token_dropout", "embedding_dropout", "word_dropout", "dropout")
        for rate in (1.0, -0.1, np.nan, True, None)
    ],
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD, ids=str)
@pytest.mark.parametrize("cls", [SimpleRNNClassifier, SimpleRNNRegressor])
def test_bad_values(cls, name, value):
    model = cls(**{name: value})
    before = vars(model).copy()
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {cls.__name__} must be"):
        model.fit(X, Y)
    assert vars(model) == before


CHANGES = [
    {"units": 7}, {"units": (6,)}, {"units": (6, 4, 4)}, {"units": (4, 6)}, {"units": "x"},
    {"bidirectional": False}, {"pooling": "last"}, {"pooling": ()}, {"pooling": ("max", "last")},
    {"pooling": "sum"},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_changes_after_the_fit(change):
    """What does not belong to the weights is refused by whatever reads them, until it is back."""
    clf = small(**RICH, warm_start=True).fit(X, Y)
    wanted = clf.decision_function(X)
    [(name, value)] = change.items()
    before, given = pickle.dumps(clf.set_params(**change)), re.escape(repr(value))
    for call in (
        lambda: clf.predict(X),
        lambda: clf.predict_proba(X),
        lambda: clf.score(X, Y),
        lambda: clf.hidden_states(X),
        lambda: clf.hidden_states(X, return_sequences=True),
    ):
        with pytest.raises(ValueError, match=f"{name}={given}.* call fit|'{name}' parameter"):
            call()
    for train in (clf.fit, clf.partial_fit):
        with pytest.raises(ValueError, match=f"weights_.* warm_start=False|'{name}' parameter"):
            train(X, Y)
    assert pickle.dumps(clf) == before
    np.testing.assert_array_equal(clf.set_params(**RICH).decision_function(X), wanted)
