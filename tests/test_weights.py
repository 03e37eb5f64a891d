"""Weights of samples, by sample_weight and class_weight: they compare samples, nothing else."""

import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.metrics import log_loss

from common import BOOK, assert_same_weights, small
from crnn import SimpleRNNClassifier, SimpleRNNRegressor

OPTIMIZERS = [{}, BOOK, {"optimizer": "sgd", "clip_norm": 0.1, "alpha": 0.01}]


def data(n=60):
    """Ids whose class is whether the last is above 4, and weights from 0.1 to 3."""
    rng = np.random.default_rng(0)
    X = rng.integers(1, 9, (n, 5))
    return X, (X[:, -1] > 4).astype(int), rng.uniform(0.1, 3, n)


def assert_same(a, b, rtol=1e-5):
    assert_same_weights(a, b, rtol, rtol / 10)
    assert a.history_.keys() == b.history_.keys()
    for name, figures in a.history_.items():
        np.testing.assert_allclose(figures, b.history_[name], rtol)


@pytest.mark.parametrize("options", OPTIMIZERS)
@pytest.mark.parametrize("factor", [1 / 60, 1e3, 1e-50, 1e300, 1e-300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_common_factor_changes_nothing(options, factor, dtype):
    X, y, weights = data()
    options = {"dtype": dtype, "validation_fraction": 0.3} | options
    equal = small(**options).fit(X, y, sample_weight=np.full(60, factor))
    assert_same(equal, small(**options).fit(X, y), rtol=1e-14)
    scaled = small(**options).fit(X, y, sample_weight=factor * weights)
    assert_same(scaled, small(**options).fit(X, y, sample_weight=weights))


def test_a_common_factor_of_class_weights_changes_nothing():
    X, y, weights = data()
    wanted = small(class_weight={0: 1, 1: 3}).fit(X, y, sample_weight=weights)
    for factor in (1e-30, 1e30, 1e300):
        clf = small(class_weight={0: factor, 1: 3 * factor})
        assert_same(clf.fit(X, y, sample_weight=1e300 * weights / 3), wanted)


@pytest.mark.parametrize("estimator", [SimpleRNNClassifier, SimpleRNNRegressor])
def test_a_common_factor_changes_no_part(estimator):
    X, y, weights = data()
    classes = {"classes": [0, 1]} if estimator is SimpleRNNClassifier else {}
    a, b = (estimator(6, vocabulary_size=9, random_state=0) for _ in range(2))
    for part in (slice(20), slice(20, 60)):
        a.partial_fit(X[part], y[part], sample_weight=weights[part], **classes)
        b.partial_fit(X[part], y[part], sample_weight=1e-50 * weights[part], **classes)
    assert_same(a, b)


def test_weights_have_a_mean_of_one_over_the_samples_to_train_on():
    """One step of gradient descent on each half, and on both with weights of 1 and 3."""
    X, y, _ = data(40)
    options = BOOK | {"optimizer": "sgd", "learning_rate": 1.0, "batch_size": 40}
    options |= {"max_iter": 1, "dtype": "float64", "shuffle": False}
    before = small(**options | {"learning_rate": 1e-30}).fit(X, y).kernel_  # as it is drawn

    def gradient(X, y, **arguments):
        clf = small(**options).fit(X, y, **arguments)
        return clf.kernel_ - before

    halves = gradient(X[:20], y[:20]), gradient(X[20:], y[20:])
    weights = np.repeat([1.0, 3.0], 20)
    both = gradient(X, y, sample_weight=weights)
    np.testing.assert_allclose(both, (halves[0] + 3 * halves[1]) / 4, rtol=1e-10, atol=1e-15)
    held_out = np.concatenate([weights, np.full(40, 100.0)])  # which do not count
    options["validation_fraction"] = 0.5
    again = gradient(np.tile(X, (2, 1)), np.tile(y, 2), sample_weight=held_out)
    np.testing.assert_allclose(again, both, rtol=1e-10)


def test_boosting_trains():
    """AdaBoost's weights add up to 1."""
    X, y, _ = data(300)
    network = small(optimizer="sgd", learning_rate=0.3, max_iter=50)
    plain = network.fit(X, y).score(X, y)
    boosted = AdaBoostClassifier(network, n_estimators=2, random_state=0).fit(X, y)
    assert min(plain, boosted.estimators_[0].score(X, y)) > 0.95


def test_held_out_samples_without_weight_are_measured_without_weights():
    X, y, weights = data()
    weights[40:] = 0
    clf = small(validation_fraction=1 / 3, scoring="f1")
    with pytest.warns(UserWarning, match="sample_weight of all 20 held-out samples is zero") as w:
        clf.fit(X, y, sample_weight=weights)
    assert len(w) == 1
    wanted = log_loss(y[40:], clf.predict_proba(X[40:]))
    assert clf.history_["val_loss"][-1] == pytest.approx(wanted, rel=1e-5)
    assert clf.history_["val_accuracy"][-1] == pytest.approx(clf.score(X[40:], y[40:]))


@pytest.mark.filterwarnings("ignore:The sample_weight of all:UserWarning")
def test_bagging_with_held_out_samples():
    X, y, _ = data(20)
    network = small(max_iter=1, validation_fraction=0.1)
    for seed in range(4):  # each held-out pair is left out of one bootstrap in seven
        BaggingClassifier(network, n_estimators=10, random_state=seed).fit(X, y)
