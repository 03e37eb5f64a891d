"""Weights of a fitted estimator: one dict, named and ordered as documented, and nothing else."""

import numpy as np
import pytest
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.neural_network import MLPClassifier

from common import BOOK, BOTH, fitted, small
from crnn import SimpleRNNRegressor

X, Y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10, [1, 0, 1, 0] * 10
PROPERTIES = {
    "embedding": "embedding_",
    "rnn_0/kernel": "kernel_",
    "rnn_0/recurrent_kernel": "recurrent_kernel_",
    "rnn_0/bias": "bias_",
    "head/kernel": "head_kernel_",
    "head/bias": "head_bias_",
}


@BOTH
def test_names_and_shapes(network):
    clf = small(**network, vocabulary_size=4).fit(X, np.arange(40) % 3)
    n_pooled = 6 if network == BOOK else 3 * 6
    shapes = [(4, 5), (5, 6), (6, 6), (6,), (n_pooled, 3), (3,)]
    assert {name: array.shape for name, array in clf.weights_.items()} == dict(
        zip(PROPERTIES, shapes, strict=True)
    )
    assert list(clf.weights_) == list(PROPERTIES)
    for name, attribute in PROPERTIES.items():
        assert getattr(clf, attribute) is clf.weights_[name]


def test_series_have_no_embedding():
    reg = SimpleRNNRegressor(5, max_iter=1).fit(np.zeros((4, 3)), np.arange(4.0))
    assert list(reg.weights_) == list(PROPERTIES)[1:]
    assert not hasattr(reg, "embedding_")
    assert not hasattr(SimpleRNNRegressor(), "kernel_")


def test_weights_of_one_estimator_in_another():
    clf, other = small().fit(X, Y), small(random_state=1).fit(X, Y)
    weights = clf.get_weights()
    other.set_weights([array.astype("f8").tolist() for array in weights])
    np.testing.assert_array_equal(other.predict_proba(X), clf.predict_proba(X))
    weights[0][:] = 0  # copies, on the way out and on the way in
    np.testing.assert_array_equal(other.predict_proba(X), clf.predict_proba(X))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights[:-1], "weights has 5 arrays, but .* has 6"),
        (lambda weights: weights[::-1], r"\['embedding'\] has shape \(1,\) .* get_weights\(\)"),
        (
            lambda weights: [weights[0] * np.nan, *weights[1:]],
            "weights of 'embedding' contains NaN",
        ),
        (lambda weights: [weights[0] * 0 + 1e300, *weights[1:]], "infinity or a value too large"),
    ],
)
def test_weights_that_do_not_fit(change, message):
    clf = small().fit(X, Y)
    before = clf.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        clf.set_weights(change([array.astype("f8") for array in clf.get_weights()]))
    np.testing.assert_array_equal(clf.predict_proba(X), before)


@pytest.mark.parametrize("name", ["embedding", "rnn_0/bias", "head/kernel", "head/bias"])
def test_training_from_weights_that_were_changed(name):
    model, X, y = fitted()
    model.weights_[name] = model.weights_[name][:2]
    with pytest.raises(ValueError, match=r"instead of .* call fit"):
        model.partial_fit(X, y % 2)


def test_training_with_classes_that_were_changed():
    model, X, y = fitted()
    model.classes_ = model.classes_[:2]
    with pytest.raises(ValueError, match=r"inconsistent attributes; fit it again\. .*disagree"):
        model.partial_fit(X, y % 2)


@pytest.mark.parametrize("selector", [SelectFromModel, RFE])
def test_no_weights_of_columns(selector):
    """Selection by the weights of a head would be nonsense: it is refused as for other networks."""
    ids = np.random.default_rng(0).integers(1, 9, (40, 4))
    for estimator in (small(), MLPClassifier((3,), max_iter=1000, random_state=0)):
        name = type(estimator).__name__
        with pytest.raises(
            ValueError, match=f"{name} should have `coef_` or `feature_importances_`"
        ):
            selector(estimator).fit(ids, Y).transform(ids)


def test_no_linear_explainer():
    shap = pytest.importorskip("shap")
    ids = np.random.default_rng(0).integers(1, 9, (40, 4))
    explainer = shap.Explainer(small().fit(ids, Y).predict_proba, ids)
    assert not isinstance(explainer, shap.explainers.LinearExplainer)
    with pytest.raises(TypeError, match="not callable"):  # as for any estimator that is not linear
        shap.Explainer(small().fit(ids, Y), ids)
