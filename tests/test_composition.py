"""The estimators inside those of scikit-learn, each on a small task that they have to learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.ensemble import VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from threadpoolctl import threadpool_info

from crnn import SimpleRNNClassifier, SimpleRNNTransformer
from crnn.datasets import make_reviews
from crnn.preprocessing import SequenceVectorizer


@pytest.fixture(scope="module")
def digits():
    """Images of ten digits, read row by row."""
    X, y = load_digits(return_X_y=True)
    return X.reshape(-1, 8, 8) / 16, y


@pytest.fixture(scope="module")
def binary():
    """Series of six numbers; the class is which of the last two is larger."""
    X = np.random.default_rng(0).normal(size=(300, 6))
    return X, (X[:, -1] > X[:, -2]).astype(int)


def small(**options):
    return SimpleRNNClassifier(**{"units": 16, "max_iter": 15, "random_state": 0} | options)


def test_images_row_by_row(digits):
    X, y = digits
    assert small(units=32, max_iter=40).fit(X[:1400], y[:1400]).score(X[1400:], y[1400:]) > 0.85


def test_text_beside_columns():
    """Whether the text or the number is positive: neither part alone can tell."""
    texts, sentiment = make_reviews(1200, random_state=0)
    number = np.random.default_rng(1).integers(0, 2, 1200)
    frame = pd.DataFrame({"text": texts, "number": number})
    y = sentiment | number
    states = make_pipeline(
        SequenceVectorizer(maxlen=40),
        SimpleRNNTransformer(SimpleRNNClassifier(16, max_iter=12, random_state=0)),
    )
    columns = ColumnTransformer([("rnn", states, "text"), ("n", "passthrough", ["number"])])
    model = make_pipeline(columns, LogisticRegression()).fit(frame[:1000], y[:1000])
    assert model.score(frame[1000:], y[1000:]) > 0.9
    assert LogisticRegression().fit(frame[["number"]][:1000], y[:1000]).score(
        frame[["number"]][1000:], y[1000:]
    ) < 0.8  # fmt: skip


def test_scaled_series(binary):
    X, y = binary
    model = make_pipeline(StandardScaler(), small()).fit(1000 * X[:200] + 5000, y[:200])
    assert model.score(1000 * X[200:] + 5000, y[200:]) > 0.85


def test_results_do_not_depend_on_processes_or_threads(binary):
    X, y = binary
    wanted = cross_val_score(small(n_jobs=1), X, y, cv=3)
    for outer, inner in [(2, 1), (1, 2), (2, 2)]:
        got = cross_val_score(small(n_jobs=inner), X, y, cv=3, n_jobs=outer)
        np.testing.assert_array_equal(got, wanted)


def test_grid_search(binary):
    X, y = binary
    search = GridSearchCV(small(), {"learning_rate": [1e-7, 1e-2]}, cv=2, n_jobs=2).fit(X, y)
    assert search.best_params_ == {"learning_rate": 1e-2}
    assert search.best_score_ > 0.8


def test_randomized_search(binary):
    X, y = binary
    parameters = {"units": [4, 8, 16], "learning_rate": [1e-7, 1e-2]}
    search = RandomizedSearchCV(small(), parameters, n_iter=4, cv=2, random_state=0).fit(X, y)
    assert search.best_params_["learning_rate"] == 1e-2


def test_halving_search_over_epochs(binary):
    X, y = binary
    search = HalvingGridSearchCV(
        small(learning_rate=1e-2), {"activation": ["tanh", "linear", "relu"], "units": [4, 8]},
        resource="max_iter", min_resources=2, max_resources=18, cv=2, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert search.n_resources_ == [2, 6]
    assert search.best_estimator_.n_iter_ == search.best_estimator_.max_iter == 6


def test_cross_validate(binary):
    X, y = binary
    scores = cross_validate(small(), X, y, cv=3, scoring=["accuracy", "roc_auc", "neg_log_loss"])
    assert scores["test_roc_auc"].min() > 0.9


def test_calibration(binary):
    X, y = binary
    y = np.where(np.random.default_rng(2).random(300) < 0.2, 1 - y, y)
    overfitted = small(max_iter=150, learning_rate=1e-2)
    calibrated = CalibratedClassifierCV(overfitted, cv=3).fit(X[:200], y[:200])
    raw = log_loss(y[200:], clone(overfitted).fit(X[:200], y[:200]).predict_proba(X[200:]))
    assert log_loss(y[200:], calibrated.predict_proba(X[200:])) < raw


def test_voting(binary):
    X, y = binary
    voters = [(f"seed {i}", small(random_state=i, max_iter=8)) for i in range(3)]
    model = VotingClassifier(voters, voting="soft").fit(X[:200], y[:200])
    wanted = np.mean([m.predict_proba(X) for m in model.estimators_], axis=0)
    np.testing.assert_allclose(model.predict_proba(X), wanted)


def test_one_against_the_rest(digits):
    X, y = digits
    chosen = y < 3
    model = OneVsRestClassifier(small(), n_jobs=2).fit(X[chosen].reshape(-1, 64), y[chosen])
    assert len(model.estimators_) == 3
    assert model.score(X[chosen].reshape(-1, 64), y[chosen]) > 0.9


def test_permutation_importance(binary):
    X, y = binary
    clf = small().fit(X, y)
    importances = permutation_importance(clf, X, y, n_repeats=3, random_state=0).importances_mean
    assert set(np.argsort(importances)[-2:]) == {4, 5}


def test_metadata_routing(binary):
    """Weights reach the network in a search when they are asked for, and then do count."""
    X, y = binary
    wrong = np.where(np.arange(300) % 2, y, 1 - y)  # every other label
    weights = np.arange(300) % 2
    with config_context(enable_metadata_routing=True):
        clf = small().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(clf, {"units": [16]}, cv=2).fit(X, wrong, sample_weight=weights)
        assert search.best_score_ > 0.85
        refusing = small().set_fit_request(sample_weight=False)
        refusing.set_score_request(sample_weight=False)
        with pytest.raises(TypeError, match="sample_weight"):
            GridSearchCV(refusing, {"units": [16]}, cv=2).fit(X, wrong, sample_weight=weights)
    plain = GridSearchCV(small(), {"units": [16]}, cv=2).fit(X, wrong)
    assert plain.best_score_ < 0.75


def test_fitted_clones_leave_nothing_behind(binary):
    psutil = pytest.importorskip("psutil", reason="psutil is not installed")
    process, X, y = psutil.Process(), *binary
    model, sizes = small(max_iter=2), []
    for i in range(50):
        clone(model).fit(X, y)
        if i in (4, 49):
            sizes.append(process.memory_info().rss)
    assert sizes[1] - sizes[0] < 5 * 2**20


def test_text_functions_in_a_pipeline():
    texts, y = make_reviews(400, random_state=0)
    model = make_pipeline(
        FunctionTransformer(lambda texts: [text.replace(".", " .") for text in texts]),
        SequenceVectorizer(maxlen=40),
        small(),
    )
    assert model.fit(pd.Series(texts), y).predict(pd.Series(texts[:3])).shape == (3,)


def test_weights_by_the_name_of_a_step(binary):
    """With metadata routing off, as by default."""
    X, y = binary
    weights = 1.0 * (np.arange(300) % 2)
    model = make_pipeline(StandardScaler(), small(max_iter=2))
    model.fit(X, y, simplernnclassifier__sample_weight=weights)
    wanted = small(max_iter=2).fit(StandardScaler().fit_transform(X), y, sample_weight=weights)
    assert model[-1].history_ == wanted.history_


def test_validation_data_through_a_pipeline():
    """transform_input has the text of validation data turned into ids like that of training."""
    texts, y = make_reviews(200, random_state=0)
    with config_context(enable_metadata_routing=True):
        network = small(max_iter=2).set_fit_request(X_val=True, y_val=True)
        model = make_pipeline(SequenceVectorizer(maxlen=30), network, transform_input=["X_val"])
        model.fit(texts[:150], y[:150], X_val=texts[150:], y_val=y[150:])
    ids = model[0].transform(texts)
    wanted = small(max_iter=2).fit(ids[:150], y[:150], X_val=ids[150:], y_val=y[150:])
    assert model[-1].history_ == wanted.history_


def test_a_fit_leaves_the_threads_of_other_libraries_alone(binary):
    def threads(estimator=None):
        seen.append([library["num_threads"] for library in threadpool_info()])

    seen = []
    threads()
    small(max_iter=1, callbacks=[threads], n_jobs=2).fit(*binary)
    threads()
    assert seen[0] == seen[1] == seen[2]
