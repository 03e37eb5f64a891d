"""No arithmetic of the library raises or warns, whatever the caller has set NumPy to do."""

import pickle

import numpy as np
import pytest

from crnn import SimpleRNN, SimpleRNNClassifier, SimpleRNNRegressor, SimpleRNNTransformer
from crnn._layers import predictor

METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function", "hidden_states"]


@pytest.fixture(autouse=True)
def strict():
    """NumPy as in a program that wants to know of everything."""
    with np.errstate(all="raise"):
        yield


@np.errstate(all="ignore")
def data(n_classes=2, n=40):
    """Series of numbers from 1e-300 to 1, and weights of all sizes."""
    X = np.random.default_rng(0).uniform(size=(n, 4)) ** np.array([1, 2, 900, 4])
    y = np.arange(n) % n_classes
    return X, y, np.logspace(-300, 0, n)


@np.errstate(all="ignore")
def fitted(n_classes=2, scale=1.0, **options):
    X, y, _ = data(n_classes)
    clf = SimpleRNNClassifier(4, max_iter=1, random_state=0, **options).fit(X, y)
    clf.head_kernel_[:] = scale * np.sign(clf.head_kernel_)
    return clf


@pytest.mark.filterwarnings("ignore:The targets y have a mean")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd", "adam"])
def test_training(n_classes, dtype, optimizer):
    X, y, weights = data(n_classes)
    classes = {0: 1e-300, 1: 1, 2: 1e30} if n_classes == 3 else {0: 1e-300, 1: 1}
    options = {"dtype": dtype, "optimizer": optimizer, "random_state": 0, "max_iter": 2}
    options |= {"validation_fraction": 0.3, "clip_norm": 1.0, "alpha": 1e-30}
    clf = SimpleRNNClassifier(4, **options, class_weight=classes).fit(X, y, sample_weight=weights)
    clf.partial_fit(X, y, sample_weight=weights)
    assert np.isfinite(clf.kernel_).all()
    reg = SimpleRNNRegressor(4, **options).fit(X, X[:, 2], sample_weight=weights)
    reg.partial_fit(X, X[:, 2])
    assert np.isfinite(reg.predict(X)).all()
    assert np.isfinite(SimpleRNNTransformer(reg).fit(X, X[:, 2]).transform(X)).all()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("scale", [1e-30, 1e3, 1e30])
@pytest.mark.parametrize("method", METHODS)
def test_predictions_of_large_and_small_logits(n_classes, scale, method):
    X, *_ = data()
    clf = fitted(n_classes, scale)
    got = getattr(clf, method)(X)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got, getattr(clf, method)(X))
        if method == "predict_proba":
            np.testing.assert_allclose(got.sum(axis=1), 1, rtol=1e-5)
        elif method == "predict_log_proba":
            np.testing.assert_allclose(np.exp(got), clf.predict_proba(X), rtol=1e-4, atol=1e-30)


@pytest.mark.parametrize("long", [0, 2**28])
def test_threads_have_the_same_rules(monkeypatch, long):
    """What takes long runs in a thread beside that of the caller."""
    monkeypatch.setattr(predictor, "LONG", long)
    with np.errstate(all="warn"):  # an error by the settings of pytest
        X, y, _ = data()
        clf = SimpleRNNClassifier(4, activation="linear", max_iter=2, random_state=0).fit(X, y)
        assert np.isfinite(clf.predict_proba(X)).all()
        clf.set_params(optimizer="sgd", learning_rate=1e38)
        with pytest.raises(ValueError, match="Lower learning_rate"):
            clf.fit(X, y)
        clf.head_kernel_[:] = np.finfo(np.float32).max
        clf.recurrent_kernel_[:] = 1e30 * np.eye(4, dtype=np.float32)
        for method in METHODS:
            with pytest.raises(ValueError, match="scale X to about unit size"):
                getattr(clf, method)(X)


@pytest.mark.filterwarnings("ignore:The targets y have a mean")
def test_what_is_beyond_the_precision_is_refused_by_name():
    X, y, _ = data()
    for clf in (SimpleRNNClassifier(4), fitted()):
        with pytest.raises(ValueError, match="X contains infinity"):
            clf.fit(1e300 * X, y)
    reg = SimpleRNNRegressor(4, max_iter=1)
    with pytest.raises(ValueError, match="y contains infinity"):
        reg.fit(X, 1e300 * (1.0 + y))
    reg.fit(X, 1e-300 * (1.0 + y)).score(X, 1.0 * y)


def test_models_that_are_stored(tmp_path):
    X, *_ = data()
    clf = fitted()
    clf.weights_["rnn_0/kernel"] = np.full(
        clf.kernel_.shape, 1e-300
    )  # which is 0 in single precision
    clf.save(tmp_path / "model.npz")
    for again in (
        SimpleRNNClassifier.load(tmp_path / "model.npz"),
        pickle.loads(pickle.dumps(clf)),
    ):
        np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_layer():
    X, *_ = data()
    X = X[:, :, None]
    layer = SimpleRNN(3, return_sequences=True, random_state=0)
    states = layer(X, initial_state=np.full((40, 3), 1e-300))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(
            states, SimpleRNN(3, return_sequences=True, random_state=0)(X)
        )
    gradients = layer.backward(np.full(states.shape, 1e-300))
    np.testing.assert_array_equal(gradients.kernel, np.zeros((1, 3)))
    layer.set_weights([1e-300 * w.astype(float) for w in layer.get_weights()])
    np.testing.assert_array_equal(layer(X), np.zeros((40, 4, 3)))
