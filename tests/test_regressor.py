"""Numbers as targets, several labels as targets, states as features."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, mean_squared_error
from sklearn.pipeline import make_pipeline

from common import BOTH
from crnn import SimpleRNNClassifier, SimpleRNNRegressor, SimpleRNNTransformer


def walks(n=200, T=6, seed=0):
    """Series of steps, with the sum and the last step as targets."""
    X = np.random.default_rng(seed).uniform(-1, 1, (n, T, 1))
    return X, np.column_stack([X.sum(axis=(1, 2)), X[:, -1, 0]])


def head(model, X):
    """What the head makes of the states: all three poolings, or of the book's only the last."""
    states = model.hidden_states(X, return_sequences=True)
    pooled = [states[:, -1], states.mean(axis=1), states.max(axis=1)]
    pooled = np.concatenate(pooled, axis=1)[:, : len(model.head_kernel_)]
    return pooled @ model.head_kernel_ + model.head_bias_


def test_numbers_have_no_classes_to_stratify_by():
    X, Y = walks(20)
    with pytest.raises(ValueError, match=r"stratify=True draws from each class.*stratify=False"):
        SimpleRNNRegressor(stratify=True, validation_fraction=0.2).fit(X, Y)


@BOTH
@pytest.mark.parametrize("part", [np.s_[:, 0], np.s_[:, :1], np.s_[:]], ids=["n", "n1", "n2"])
def test_regression(part, network):
    X, Y = walks()
    y = Y[part]
    reg = SimpleRNNRegressor(16, **network, max_iter=60, random_state=0).fit(X[:150], y[:150])
    assert reg.score(X[150:], y[150:]) > 0.9
    assert reg.predict(X).shape == y.shape
    np.testing.assert_allclose(reg.predict(X), head(reg, X).reshape(y.shape), rtol=1e-5, atol=1e-6)
    assert reg.n_outputs_ == (1 if y.ndim == 1 else y.shape[1])


def test_history_of_a_regression():
    X, Y = walks()
    reg = SimpleRNNRegressor(8, max_iter=3, validation_fraction=0.25, random_state=0).fit(X, Y)
    assert list(reg.history_) == ["loss", "mean_absolute_error", "val_loss",
                                  "val_mean_absolute_error"]  # fmt: skip
    error = reg.predict(X[150:]) - Y[150:]
    assert reg.history_["val_loss"][-1] == pytest.approx((error**2).mean(), rel=1e-5)
    assert reg.history_["val_mean_absolute_error"][-1] == pytest.approx(abs(error).mean(), rel=1e-5)


def test_weights_of_a_regression():
    """Samples of weight zero do not count."""
    X, Y = walks()
    y = Y[:, 0].copy()
    y[::2] = 3
    weights = np.arange(len(y)) % 2
    reg = SimpleRNNRegressor(8, max_iter=40, random_state=0).fit(X, y, sample_weight=weights)
    assert mean_squared_error(y[1::2], reg.predict(X[1::2])) < 0.2


def test_regression_in_parts_is_regression():
    X, Y = walks()
    options = {"random_state": 0, "batch_size": 32, "learning_rate_schedule": "constant"}
    whole = SimpleRNNRegressor(8, max_iter=3, **options).fit(X, Y)
    parts = SimpleRNNRegressor(8, **options)
    for _ in range(3):
        parts.partial_fit(X, Y)
    np.testing.assert_array_equal(whole.predict(X), parts.predict(X))


def test_targets_that_do_not_fit():
    X, Y = walks()
    reg = SimpleRNNRegressor(8, max_iter=1).fit(X, Y)
    before = reg.predict(X)
    with pytest.raises(ValueError, match="y has 1 outputs, but the model was fitted on 2"):
        reg.partial_fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="Input y contains NaN"):
        reg.fit(X, np.where(Y > 0, np.nan, Y))
    np.testing.assert_array_equal(reg.predict(X), before)


def labels(n=300, seed=0):
    """Ids of which label 0 says whether 3 occurs, label 1 whether the last is even."""
    X = np.random.default_rng(seed).integers(1, 8, (n, 5))
    return X, np.column_stack([(X == 3).any(axis=1), X[:, -1] % 2 == 0]).astype(int)


@BOTH
def test_several_labels(network):
    X, Y = labels()
    options = network | {"vocabulary_size": 8, "max_iter": 60, "batch_size": 8}
    clf = SimpleRNNClassifier(16, **options, random_state=0)
    clf.fit(X[:250], Y[:250])
    assert clf.score(X[250:], Y[250:]) > 0.85
    np.testing.assert_array_equal(clf.classes_, [0, 1])
    logits = head(clf, X).astype(float)
    np.testing.assert_allclose(clf.decision_function(X), logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(clf.predict_proba(X), expit(logits), rtol=1e-4)
    np.testing.assert_allclose(clf.predict_log_proba(X), np.log(expit(logits)), rtol=1e-3)
    np.testing.assert_array_equal(clf.predict(X), logits > 0)
    assert clf.score(X, Y) == accuracy_score(Y, clf.predict(X))


def test_several_labels_in_parts():
    X, Y = labels()
    options = {"vocabulary_size": 8, "batch_size": 50, "learning_rate_schedule": "constant"}
    clf = SimpleRNNClassifier(8, max_iter=2, random_state=0, **options)
    parts = SimpleRNNClassifier(8, random_state=0, **options)
    parts.partial_fit(X, Y).partial_fit(X, Y, classes=[0, 1])
    np.testing.assert_array_equal(clf.fit(X, Y).predict_proba(X), parts.predict_proba(X))
    with pytest.raises(ValueError, match=r"y has shape \(300,\), but the model was fitted on"):
        parts.partial_fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="class_weight='balanced' needs one label per sample"):
        clf.set_params(class_weight="balanced").fit(X, Y)


def test_states_as_features():
    X, Y = labels()
    transformer = SimpleRNNTransformer(SimpleRNNClassifier(4, max_iter=2, random_state=0))
    states = transformer.fit_transform(X, Y[:, 1])
    np.testing.assert_array_equal(states, transformer.estimator_.hidden_states(X))
    for library in ("pandas", "polars"):
        pytest.importorskip(library, reason=f"{library} is not installed")
        frame = transformer.set_output(transform=library).transform(X)
        assert list(frame.columns) == [f"simplernntransformer{i}" for i in range(4)]
    assert not hasattr(transformer.estimator, "kernel_"), "what was passed is not to be trained"


def test_states_beside_columns():
    X, Y = labels()
    frame = pd.DataFrame(X, columns=[f"step{i}" for i in range(5)]).assign(extra=Y[:, 0] * 1.0)
    network = SimpleRNNTransformer(SimpleRNNRegressor(8, max_iter=40, random_state=0))
    columns = ColumnTransformer([("rnn", network, list(frame.columns[:5])),
                                 ("rest", "passthrough", ["extra"])])  # fmt: skip
    y = Y[:, 1] & Y[:, 0]
    model = make_pipeline(columns, LogisticRegression(C=100)).fit(frame[:250], y[:250])
    assert model.score(frame[250:], y[250:]) > 0.9
    assert columns.fit(frame, y).get_feature_names_out()[-1] == "rest__extra"


def test_what_the_network_takes_beside_x_and_y():
    X, Y = labels()
    network = SimpleRNNClassifier(4, max_iter=2, random_state=0)
    extra = {"sample_weight": 1.0 * Y[:, 0], "X_val": X[:50], "y_val": Y[:50, 1]}
    wanted = clone(network).fit(X, Y[:, 1], **extra)
    plain = SimpleRNNTransformer(network).fit(X, Y[:, 1], **extra)
    assert plain.estimator_.history_ == wanted.history_
    with config_context(enable_metadata_routing=True):
        asking = clone(network).set_fit_request(sample_weight=True, X_val=True, y_val=True)
        last = LogisticRegression().set_fit_request(sample_weight=False)
        routed = make_pipeline(SimpleRNNTransformer(asking), last)
        routed.fit(X, Y[:, 1], **extra)
        assert routed[0].estimator_.history_ == wanted.history_
        with pytest.raises(ValueError, match="sample_weight"):
            SimpleRNNTransformer(network).fit(X, Y[:, 1], **extra)


def test_a_transformer_has_the_random_state_of_all_inside():
    X, Y = labels()
    network = SimpleRNNClassifier(4, max_iter=1)
    a, b = (SimpleRNNTransformer(network, random_state=0).fit_transform(X, Y) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    own = SimpleRNNTransformer(network.set_params(random_state=0)).fit_transform(X, Y)
    assert not np.array_equal(a, own)
    np.testing.assert_array_equal(own, network.fit(X, Y).hidden_states(X))


def test_a_column_of_sequences_is_one_feature():
    """Whether they happen to be equally long or not."""
    _, Y = labels()
    network = SimpleRNNTransformer(SimpleRNNRegressor(2, max_iter=1))
    for sequences in ([[1, 2]] * 300, [[1]] + [[1, 2]] * 299):
        frame = pd.DataFrame({"ids": sequences, "n": range(300)})
        columns = ColumnTransformer([("rnn", network, "ids"), ("n", "passthrough", ["n"])])
        columns.set_output(transform="pandas")
        names = list(columns.fit_transform(frame, Y[:, 1]).columns)
        assert names == [*(f"rnn__simplernntransformer{i}" for i in range(2)), "n__n"]
        with pytest.raises(ValueError, match="sequences in its cells; pass that column alone"):
            network.fit(frame[["ids"]], Y[:, 1])


def test_names_of_the_columns_are_those_of_the_network():
    X, Y = labels()
    names = [f"step{i}" for i in range(5)]
    transformer = SimpleRNNTransformer(SimpleRNNRegressor(2, max_iter=1))
    assert list(transformer.fit(pd.DataFrame(X, columns=names), Y).feature_names_in_) == names
    assert not hasattr(transformer.fit(X, Y), "feature_names_in_")


@pytest.mark.filterwarnings("ignore:The targets y have a mean")
def test_gradients_whose_squares_overflow():
    """Single precision holds 1e25, and not its square."""
    X, y = walks()
    for options in ({}, {"optimizer": "rmsprop"}):
        reg = SimpleRNNRegressor(4, max_iter=2, random_state=0, **options)
        with pytest.raises(ValueError, match=r"squares of the gradients overflowed|loss became"):
            reg.fit(X, y * 1e25)
        assert not hasattr(reg, "kernel_")


@pytest.mark.filterwarnings("ignore:The targets y have a mean")
def test_clipping_of_gradients_whose_squares_overflow():
    X, y = walks()
    options = {"optimizer": "sgd", "learning_rate": 0.1, "max_iter": 3, "random_state": 0}
    reg = SimpleRNNRegressor(4, clip_norm=1.0, **options).fit(X, y * 1e20)
    assert np.abs(reg.head_bias_).max() > 0.01


def test_predictions_that_leave_the_numbers():
    X, y = walks()
    reg = SimpleRNNRegressor(4, max_iter=1, random_state=0).fit(X, y)
    reg.head_kernel_[:] = np.finfo(np.float32).max
    reg.head_bias_[:] = np.finfo(np.float32).max
    with pytest.raises(ValueError, match="NaN or infinity; scale X"):
        reg.predict(1e3 * X)


def test_paths_that_leave_the_numbers():
    X, y = walks()
    reg = SimpleRNNRegressor(4, activation="linear", max_iter=1, random_state=0).fit(X, y)
    reg.recurrent_kernel_[:] = 1e10 * np.eye(4, dtype=np.float32)
    with pytest.raises(ValueError, match="NaN or infinity; scale X"):
        reg.hidden_states(np.ones((2, 6, 1)), return_sequences=True)
