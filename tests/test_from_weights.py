"""Estimators around weights from elsewhere: the same predictions, and all that a fit allows."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from common import assert_same_weights, fitted, small
from crnn import SimpleRNNClassifier, SimpleRNNRegressor

NETWORKS = [
    {},
    {"pooling": "last", "mask_zero": False},
    {"units": (4, 3), "pooling": ("mean", "max"), "activation": "relu"},
    {"bidirectional": True, "dtype": "float64"},
    {"units": (6, 6), "bidirectional": True, "pooling": "mean"},
    {"bigrams": 7, "vocabulary_size": None},
]
KINDS = ["numbers", "text", "labels", "series", "two"]


def model_of(kind, options):
    if kind == "two":
        model, X, y = fitted()
        return model.set_params(**options).fit(X, y == 0), X, y == 0
    model, X, y = fitted(kind)
    return model.set_params(**options).fit(X, y), X, y


def again(model, weights, **parameters):
    """The same model from its weights and those parameters that do not follow from them."""
    names = ("pooling", "activation", "mask_zero", "random_state")
    given = {name: getattr(model, name) for name in names} | parameters
    if "embedding" in model.weights_ and model.vocabulary_size is None:
        given["vocabulary_size"] = None
    if isinstance(model, SimpleRNNRegressor):
        return SimpleRNNRegressor.from_weights(weights, **given)
    labels = model.out_activation_ == "logistic" and len(model.classes_) == model.n_outputs_
    return SimpleRNNClassifier.from_weights(weights, None if labels else model.classes_, **given)


@pytest.mark.parametrize("options", NETWORKS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_model_from_its_weights(kind, options):
    if kind == "series":
        options = {n: v for n, v in options.items() if n not in ("bigrams", "vocabulary_size")}
    model, X, _ = model_of(kind, options)
    shuffled = dict(sorted(model.weights_.items(), key=lambda item: item[0][::-1]))
    both = {"bidirectional": model.bidirectional}  # not to be seen if all widths are the same
    for weights, more in ((shuffled, {}), (model.get_weights(), both)):
        other = again(model, weights, **more)
        assert_same_weights(other, model)
        assert list(other.weights_) == list(model.weights_)
        assert other.dtype == model.dtype
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
        if kind != "series":
            np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
    widths = ("units", "bidirectional", "bigrams", "out_activation_", "n_outputs_")
    assert [getattr(other, name) for name in widths] == [getattr(model, name) for name in widths]
    if kind == "series":
        assert other.predict(X).shape == model.predict(X).shape


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_fitted_model_can_do(kind, tmp_path):
    model, X, y = model_of(kind, {"vocabulary_size": 9} if kind != "series" else {})
    other = again(model, model.weights_)
    assert (other.n_iter_, other.history_, other.fit_progress_) == (0, {}, None)
    assert not hasattr(other, "n_features_in_")
    other.predict([X[0], X[1][:2]])
    other.save(tmp_path / "model.npz")
    for copy in (type(other).load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(other))):
        np.testing.assert_array_equal(copy.predict(X), model.predict(X))
    assert clone(other).get_params() == other.get_params()
    assert clone(other).set_params(max_iter=2).fit(X, y).n_iter_ == 2
    before = {name: array.copy() for name, array in other.weights_.items()}
    assert other.partial_fit(X, y).n_iter_ == 1
    other.set_params(warm_start=True, max_iter=2, learning_rate=1e-6).fit(X, y)
    assert other.n_iter_ == 3
    assert other.n_features_in_ == X.shape[1]
    assert len(other.history_["loss"]) == 3
    for name, array in other.weights_.items():
        assert 0 < np.abs(array - before[name]).max() < 0.1  # trained further, not anew
    with pytest.raises(ValueError, match="complete"):
        other.resume(X, y)


def test_labels_in_any_order():
    model, X, _ = model_of("text", {})
    weights, order = dict(model.weights_), [2, 0, 1]
    for name in ("head/kernel", "head/bias"):
        weights[name] = weights[name][..., order]
    other = SimpleRNNClassifier.from_weights(weights, model.classes_[order])
    assert other.classes_.tolist() == sorted(model.classes_.tolist())
    np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X), atol=1e-6)
    model, X, _ = model_of("two", {})
    flipped = SimpleRNNClassifier.from_weights(model.weights_, ["yes", "no"])
    np.testing.assert_array_equal(flipped.classes_, ["no", "yes"])
    np.testing.assert_array_equal(flipped.predict_proba(X), model.predict_proba(X)[:, ::-1])


def test_two_outputs_for_two_classes():
    """A softmax over two, as other libraries have it: the decision is the difference."""
    model, X, y = model_of("labels", {})
    weights = dict(model.weights_)
    for name in ("head/kernel", "head/bias"):
        weights[name] = np.ascontiguousarray(weights[name][..., :2])
    two = SimpleRNNClassifier.from_weights(weights, ["a", "b"], random_state=0)
    labels = SimpleRNNClassifier.from_weights(weights, None)
    logits = labels.decision_function(X)
    np.testing.assert_allclose(two.predict_proba(X), softmax(logits, axis=1), atol=1e-6)
    np.testing.assert_allclose(two.decision_function(X), logits[:, 1] - logits[:, 0], atol=1e-6)
    assert two.predict(X).tolist() == ["ab"[i] for i in logits.argmax(axis=1)]
    y = np.where(X[:, -1] > 4, "b", "a")
    two.set_params(warm_start=True, max_iter=80, learning_rate=1e-2).fit(X, y)
    assert roc_auc_score(y == "b", two.decision_function(X)) > 0.95
    assert two.score(X, y) > 0.9


def test_lists_of_plain_numbers_and_other_precisions():
    weights = small().fit([[1, 2], [3]], [0, 1]).weights_
    lists = {name: array.tolist() for name, array in weights.items()}
    assert SimpleRNNClassifier.from_weights(lists, [0, 1]).dtype == "float32"
    doubles = {name: array.astype(float) for name, array in weights.items()}
    assert SimpleRNNClassifier.from_weights(doubles, [0, 1]).dtype == "float64"
    model = SimpleRNNClassifier.from_weights(doubles, [0, 1], dtype="float32")
    assert {array.dtype for array in model.weights_.values()} == {np.dtype("float32")}
    model = SimpleRNNClassifier.from_weights(doubles, [0, 1])
    doubles["embedding"][0] = 5
    assert model.embedding_[0, 0] != 5  # a copy


WEIGHTS = small(vocabulary_size=4).fit([[1, 2], [3]], [0, 1]).get_weights()
NAMES = list(small(vocabulary_size=4).fit([[1, 2], [3]], [0, 1]).weights_)
NAMED = dict(zip(NAMES, WEIGHTS, strict=True))


def with_one(place, array):
    return [*WEIGHTS[:place], array, *WEIGHTS[place + 1 :]]


REFUSED = {
    "too few": (WEIGHTS[:4], {}, "weights has 4 arrays"),
    "another number": (WEIGHTS[1:-1], {}, "weights has 4 arrays"),
    "NaN": (with_one(1, WEIGHTS[1] * np.nan), {}, r"weights\[1\] contains NaN"),
    "too large": (
        with_one(1, WEIGHTS[1].astype("f8") + 1e300), {}, "weights of 'rnn_0/kernel' .*too large"
    ),
    "text": (with_one(3, np.array(["a"] * 6)), {}, r"weights\[3\] has dtype <U1"),
    "complex": (with_one(3, WEIGHTS[3] + 0j), {}, r"weights\[3\] has dtype complex"),
    "ragged": (with_one(3, [[1.0], [1.0, 2.0]]), {}, r"weights\[3\] is not an array"),
    "axes": (with_one(3, WEIGHTS[3][None, None]), {}, r"weights\[3\] has shape \(1, 1, 6\)"),
    "empty": (with_one(3, []), {}, r"weights\[3\] has shape \(0,\)"),
    "a shape": (with_one(2, WEIGHTS[2][:, :5]), {}, r"recurrent_kernel'\] has shape \(6, 5\)"),
    "no order": (WEIGHTS[::-1], {}, "has shape|reads"),
    "units": (WEIGHTS, {"units": 7}, "units=7 disagrees .* of units=.6,"),
    "directions": (WEIGHTS, {"bidirectional": True}, "bidirectional=True disagrees"),
    "vectors": (WEIGHTS, {"embedding_dim": 7}, "embedding_dim=7 disagrees .*embedding_dim=5"),
    "ids": (WEIGHTS, {"vocabulary_size": 7}, "vocabulary_size=7 disagrees"),
    "series": (WEIGHTS, {"input": "series"}, "input='series' disagrees .* an embedding"),
    "tokens": (WEIGHTS[1:], {"input": "tokens"}, "input='tokens' disagrees .* no embedding"),
    "a pooling": (WEIGHTS, {"pooling": "last"}, "pooling='last' reads 1 times 6 .* 18 rows"),
    "no pooling": (with_one(4, WEIGHTS[4][:6]), {}, "The default reads 3 times .*as pooling"),
    "a parameter": (WEIGHTS, {"max_iter": -1}, "'max_iter' parameter"),
    "a name": (dict(zip([*NAMES[:-1], "head"], WEIGHTS, strict=True)), {}, r"not \['head/bias'\]"),
    "more names": (
        NAMED | {"rnn_2/bias": [1.0]}, {}, r"unknown names \['rnn_2/bias'\]"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_weights_that_are_refused(kind):
    weights, parameters, message = REFUSED[kind]
    with warnings.catch_warnings(action="ignore"):
        with pytest.raises(ValueError, match=message):
            SimpleRNNClassifier.from_weights(weights, [0, 1], **parameters)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([0], "must be 2 different labels, as the head has 1"),
        ([0, 1, 2], "must be 2 different labels, as the head has 1"),
        ([0, 0, 1], "must be 2 different labels"),
        ([[0, 1]], "1d array"),
    ],
)
def test_classes_that_are_refused(classes, message):
    with pytest.raises(ValueError, match=message):
        SimpleRNNClassifier.from_weights(WEIGHTS, classes)


def test_one_way_or_both_cannot_be_seen():
    model = SimpleRNNRegressor((2, 2), max_iter=1).fit(np.ones((4, 3, 2)), np.arange(4.0))
    with pytest.raises(ValueError, match="Pass bidirectional=True or False"):
        SimpleRNNRegressor.from_weights(model.get_weights())
    other = SimpleRNNRegressor.from_weights(model.get_weights(), bidirectional=False)
    assert other.units == (2, 2)
    assert SimpleRNNRegressor.from_weights(model.weights_).units == (2, 2)
