"""The classifier as its users meet it: forms of input, training, prediction, errors."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_html_repr
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.fixes import parse_version

from common import BOOK, BOTH, assert_same_weights, interrupt_after, small
from crnn import SimpleRNNClassifier, SimpleRNNRegressor, SimpleRNNTransformer
from crnn.datasets import make_reviews
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer, pad_sequences


def token_lists(n=60, seed=0):
    """Sequences of 0 to 9 ids; the class is whether a 3 is among the last four."""
    rng = np.random.default_rng(seed)
    X = [rng.integers(1, 12, rng.integers(0, 10)) for _ in range(n)]
    return X, np.array([3 in x[-4:] for x in X]).astype(int)


def series(n=60, F=3, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 8, F))
    return X, (X[:, -1, 0] > X[:, -2, 0]).astype(int)


# Input


def test_forms_of_token_ids_agree(tmp_path):
    X, y = token_lists()
    X = pad_sequences([x if len(x) else [1] for x in X], maxlen=9)
    wanted = small(vocabulary_size=12).fit(X, y).predict_proba(X)
    mapped = np.memmap(tmp_path / "ids", dtype="int32", mode="w+", shape=X.shape)
    mapped[:] = X
    frozen = X.copy()
    frozen.setflags(write=False)
    wide = np.zeros((len(X), 18), int)
    wide[:, ::2] = X
    forms = [X.tolist(), list(X), X.astype("int64"), X.astype("uint16"), np.asfortranarray(X),
             wide[:, ::2], frozen, mapped]  # fmt: skip
    for form in forms:
        clf = small(vocabulary_size=12).fit(form, y)
        np.testing.assert_array_equal(clf.predict_proba(form), wanted)
    ragged = np.empty(len(X), object)
    ragged[:] = list(X)
    np.testing.assert_array_equal(clf.predict_proba(ragged), wanted)
    floats = small(vocabulary_size=12, input="tokens").fit(X.astype(float), y)
    np.testing.assert_array_equal(floats.predict_proba(X), wanted)


def test_columns_of_sequences():
    pl = pytest.importorskip("polars", reason="polars is not installed")
    X, y = token_lists()
    X = [x for x in X if len(x)]
    y = y[: len(X)]
    wanted = small(vocabulary_size=12).fit(X, y).predict_proba(X)
    for column in (pd.Series(X), pl.Series([list(x) for x in X])):
        clf = small(vocabulary_size=12).fit(column, y)
        np.testing.assert_array_equal(clf.predict_proba(column), wanted)
    ids = pad_sequences(X, maxlen=9)
    frame = pl.DataFrame(ids, schema=[f"step{i}" for i in range(9)])
    clf = small(vocabulary_size=12).fit(frame, y)
    if parse_version(sklearn.__version__) >= parse_version("1.9"):  # before, not of polars 2
        assert list(clf.feature_names_in_) == frame.columns
    wanted = small(vocabulary_size=12).fit(ids, y).predict_proba(ids)
    np.testing.assert_array_equal(clf.predict_proba(frame), wanted)


def test_forms_of_series_agree():
    X, y = series(F=1)
    wanted = small().fit(X, y).predict_proba(X)
    for form in [X[..., 0], list(X), list(X[..., 0]), X[..., 0].tolist()]:
        np.testing.assert_array_equal(small().fit(form, y).predict_proba(form), wanted)
    integers = (10 * X[..., 0]).astype(int)
    as_series = small(input="series").fit(integers, y)
    assert not hasattr(as_series, "embedding_")
    np.testing.assert_array_equal(
        as_series.predict_proba(integers), as_series.predict_proba(integers.astype(float))
    )


def test_mask_zero_makes_padding_nothing():
    X, y = token_lists()
    padded = pad_sequences(X, maxlen=12)
    masked = small(vocabulary_size=12, mask_zero=True).fit(X, y)
    np.testing.assert_array_equal(masked.predict_proba(X), masked.predict_proba(padded))
    np.testing.assert_array_equal(
        masked.predict_proba(X), masked.predict_proba(pad_sequences(X, padding="post"))
    )
    plain = small(vocabulary_size=12, mask_zero=False).fit(padded, y)
    assert np.abs(plain.predict_proba(X) - plain.predict_proba(padded)).max() > 1e-4


def test_empty_sequences_have_the_initial_state():
    X, y = token_lists()
    clf = small(vocabulary_size=12).fit([*X, []], [*y, 0])
    np.testing.assert_array_equal(clf.hidden_states([[], [1, 2]])[0], np.zeros(6))
    np.testing.assert_array_equal(clf.decision_function([[]]), clf.head_bias_)


@pytest.mark.parametrize("mask_zero", [False, True])
def test_hidden_states_are_those_of_the_loop(mask_zero):
    X, y = token_lists()
    padded = pad_sequences(X, maxlen=12)
    padded[0, 6] = 0
    options = BOOK | {"vocabulary_size": 12, "mask_zero": mask_zero, "dtype": "float64"}
    clf = small(**options).fit(padded, y)
    states = clf.hidden_states(padded, return_sequences=True)
    h = np.zeros((len(X), 6))
    for t, ids in enumerate(padded.T):
        new = np.tanh(clf.embedding_[ids] @ clf.kernel_ + h @ clf.recurrent_kernel_ + clf.bias_)
        h = np.where((ids == 0)[:, None], h, new) if mask_zero else new
        np.testing.assert_allclose(states[:, t], h, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(clf.hidden_states(padded), h, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        clf.decision_function(padded), (h @ clf.head_kernel_ + clf.head_bias_)[:, 0], rtol=1e-10
    )
    for one, x in zip(clf.hidden_states(X, return_sequences=True), X, strict=True):
        assert one.shape == (len(x), 6)


# Training


def test_validation_fraction_is_the_tail():
    X, y = token_lists(50)
    tail = small(vocabulary_size=12, validation_fraction=0.25).fit(X, y)
    given = small(vocabulary_size=12).fit(X[:37], y[:37], X_val=X[37:], y_val=y[37:])
    assert tail.history_ == given.history_
    assert list(tail.history_) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert tail.n_iter_ == 3 == len(tail.history_["val_loss"])
    proba = tail.predict_proba(X[37:])[np.arange(13), y[37:]]
    np.testing.assert_allclose(tail.history_["val_loss"][-1], -np.log(proba).mean(), rtol=1e-5)
    assert tail.history_["val_accuracy"][-1] == pytest.approx(tail.score(X[37:], y[37:]))


@pytest.mark.parametrize(
    "wrong", [{"learning_rate": -1}, {"optimizer": "adamw"}, {"batch_size": -5}, {"units": 0}]
)
def test_parameters_are_checked_by_whatever_trains(wrong):
    X, y = token_lists()
    clf = small(callbacks=[interrupt_after(1)])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    before = pickle.dumps(clf.set_params(callbacks=None, **wrong))
    name = next(iter(wrong))
    for method in (clf.fit, clf.partial_fit, clf.resume):
        with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of SimpleRNN"):
            method(X, y)
        assert pickle.dumps(clf) == before
    reg = SimpleRNNRegressor(4, max_iter=1).fit(X, y).set_params(**wrong)
    with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of SimpleRNN"):
        reg.partial_fit(X, y)


def test_class_weight_is_a_sample_weight():
    X, y = token_lists()
    wanted = small().fit(X, y, sample_weight=np.where(y == 1, 3.0, 1.0))
    assert_same_weights(small(class_weight={0: 1, 1: 3}).fit(X, y), wanted)
    balanced = len(y) / (2 * np.bincount(y))
    wanted = small().fit(X, y, sample_weight=balanced[y])
    assert_same_weights(small(class_weight="balanced").fit(X, y), wanted)


def test_samples_without_weight_do_not_train():
    X, y = token_lists(40)
    weight = np.ones(40)
    weight[20:] = 0
    options = {"shuffle": False, "batch_size": 40, "vocabulary_size": 12, "dtype": "float64"}
    half = small(**options).fit(X, y, sample_weight=weight)
    flipped = small(**options).fit(X, np.r_[y[:20], 1 - y[20:]], sample_weight=weight)
    assert_same_weights(half, flipped)
    assert half.history_ == flipped.history_


def test_calls_that_continue_one_another():
    X, y = token_lists()
    constant = {"learning_rate_schedule": "constant"}  # the default falls to 0 in each fit
    whole = small(max_iter=5, **constant).fit(X, y)
    parts = small(max_iter=2, warm_start=True, **constant).fit(X, y)
    parts = pickle.loads(pickle.dumps(parts)).set_params(max_iter=3).fit(X, y)
    assert_same_weights(parts, whole)
    assert parts.history_ == whole.history_
    assert parts.n_iter_ == 5
    again = small()  # partial_fit keeps the rate constant
    for _ in range(5):
        again.partial_fit(X, y, classes=[0, 1])
    assert_same_weights(again, whole)
    assert small(max_iter=5).fit(X, y).fit(X, y).n_iter_ == 5


@pytest.mark.filterwarnings("ignore:All .* held-out samples")
def test_epochs_without_validation_have_nan():
    X, y = token_lists()
    clf = small(warm_start=True).fit(X, y).set_params(validation_fraction=0.2).fit(X, y)
    clf.partial_fit(X, y)
    np.testing.assert_array_equal(
        np.isnan(clf.history_["val_loss"]), [True] * 3 + [False] * 3 + [True]
    )


@pytest.mark.filterwarnings("ignore:All .* held-out samples")
def test_verbose_prints_a_row_for_each_epoch(capsys):
    X, y = token_lists()
    small(verbose=1, validation_fraction=0.2).fit(X, y)
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == [
        "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds", "samples/s"
    ]  # fmt: skip
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert all(len(row.split()) == 7 for row in rows)
    small().fit(X, y)
    assert capsys.readouterr().out == ""


# Prediction


@BOTH
@pytest.mark.parametrize("labels", [["no", "yes"], ["a", "b", "c"]])
def test_predictions_agree_with_one_another(labels, network):
    X, y = token_lists()
    y = np.array(labels)[(y + np.arange(len(y))) % len(labels)]
    clf = small(**network, vocabulary_size=12).fit(X, y)
    proba, logits = clf.predict_proba(X), clf.decision_function(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(clf.predict_log_proba(X), np.log(proba), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(clf.predict(X), clf.classes_[proba.argmax(axis=1)])
    assert logits.shape == ((len(X),) if len(labels) == 2 else (len(X), 3))
    n_pooled = 6 if network == BOOK else 3 * 6
    assert clf.head_kernel_.shape == (n_pooled, 1 if len(labels) == 2 else 3)


def test_log_probabilities_do_not_underflow():
    X, y = token_lists()
    clf = small(vocabulary_size=12).fit(X, y)
    clf.head_bias_[:] = -500
    np.testing.assert_allclose(clf.predict_log_proba(X)[:, 1], -500, atol=10)
    clf.head_kernel_[:], clf.head_bias_[:] = 0, 0
    assert (clf.predict(X) == 0).all()  # p > 0.5 strictly


def test_clone_and_pickle():
    X, y = token_lists()
    clf = small().fit(X, y)
    assert clone(clf).get_params() == clf.get_params()
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(clf)).predict_proba(X), clf.predict_proba(X)
    )
    with pytest.raises(NotFittedError):
        clone(clf).predict(X)


# Errors


def bad_fits():
    X, y = token_lists()
    S, z = series()
    hole, high = S.copy(), S.copy()
    hole[1, 2, 0], high[1, 2, 0] = np.nan, np.inf
    negative = [*X[:-1], [1, -3]]
    yield "negative id", {}, (negative, y), r"negative token id -3; token ids start at 0"
    yield "high id", {"vocabulary_size": 9}, (X, y), r"token id 11, but vocabulary_size=9 .* refit"
    yield "NaN", {}, (hole, z), "Input X contains NaN"
    yield "infinity", {}, (high, z), "Input X contains infinity"
    yield "too large", {}, (1e300 * S, z), r"Input X contains infinity or a value too large"
    yield (
        "dates",
        {},
        (np.ones((4, 2), "M8[s]"), [0, 1] * 2),
        r"dtype datetime64\[s\]; pass integers",
    )
    yield "no features", {}, (S[..., :0], z), r"0 feature\(s\) in a timestep"
    yield "empty", {}, (np.zeros((0, 5)), []), r"Found array with 0 sample\(s\)"
    yield "empty list", {}, ([], []), r"X is empty: found 0 sample\(s\)"
    yield "length of y", {}, (X, y[:-1]), r"inconsistent numbers of samples: \[60, 59\]"
    yield "one class", {}, (X, y * 0), "at least two classes, but y contains only one class: .*0"
    yield "text", {}, (["a b", "c d"], [0, 1]), r"X\[0\] is text .'a b'.*SequenceVectorizer"
    yield (
        "no ids",
        {"input": "tokens"},
        (S[..., 0], z),
        "not a token id. Pass integers, or set input=",
    )
    yield "features", {}, ([S[0], S[1, :, :2]], [0, 1]), r"X\[1\] has shape \(8, 2\), but"
    yield "dimensions", {}, (S[..., None], z), "Found array with dim 4"
    yield "no tail", {"validation_fraction": 0.999}, (X, y), "validation_fraction=0.999 leaves none"
    yield "rate", {"learning_rate": 0}, (X, y), "'learning_rate' parameter .* Got 0 instead"
    yield "units", {"units": -1}, (X, y), "'units' parameter .* Got -1 instead"
    yield "activation", {"activation": "gelu"}, (X, y), "'activation' parameter .* Got 'gelu'"
    yield "n_jobs", {"n_jobs": 0}, (X, y), "n_jobs=0 has no meaning; use None or 1"
    yield "batch", {"batch_size": 0}, (X, y), "'batch_size' parameter .* Got 0 instead"
    yield "fraction", {"validation_fraction": 1.0}, (X, y), "'validation_fraction' .* Got 1.0"
    yield (
        "weights",
        {},
        (X, y, -np.ones(60)),
        "sample_weight cannot contain negative weights: sample_weight.0. is -1.0",
    )
    yield "X_val", {}, (X, y, None, X), "X_val and y_val must be passed together, but y_val is None"
    two = {"validation_fraction": 0.2}
    yield "two ways", two, (X, y, None, X, y), "validation_fraction=0.2 and X_val both ask"
    yield (
        "y_val",
        {},
        (X, y, None, X, y + 5),
        r"y_val\[\d+\] is the label [56], which is not among the classes",
    )
    runaway = {"learning_rate": 1e30, "activation": "linear", "optimizer": "sgd"}
    yield (
        "divergence",
        runaway,
        (100 * S, z),
        "The loss became nan in batch 2 of epoch 1. Lower learning_rate",
    )


@pytest.mark.parametrize(
    ("options", "arguments", "message"), [pytest.param(*c[1:], id=c[0]) for c in bad_fits()]
)
def test_bad_fits_name_the_remedy_and_change_nothing(options, arguments, message):
    X, y = token_lists()
    clf = small().fit(X, y)
    clf.set_params(**options)
    before = pickle.dumps(clf)
    with pytest.raises(ValueError, match=message):
        clf.fit(*arguments)
    assert pickle.dumps(clf) == before


def test_bad_predictions():
    X, y = token_lists()
    clf = small(vocabulary_size=12).fit(pad_sequences(X, maxlen=12), y)
    message = r"X\[1\] at timestep 2 is the token id 99, but vocabulary_size=12 .* refit"
    with pytest.raises(ValueError, match=message):
        clf.predict([[1, 2], [1, 2, 99]])
    with pytest.raises(
        ValueError, match=r"X has 5 timesteps, but it had 12 in fit.*X has 5 features"
    ):
        clf.predict(np.ones((2, 5), int))
    assert clf.predict([[1] * 5]).shape == (1,)  # lists have any length
    S, z = series()
    with pytest.raises(ValueError, match=r"X has 2 features in a timestep, .* fitted with 3"):
        small().fit(S, z).predict(S[..., :2])


def test_bad_continuations_change_nothing():
    X, y = token_lists()
    clf = small(warm_start=True).fit(X, y)
    before = pickle.dumps(clf)
    for call, message in [
        (lambda: clf.partial_fit(X, y + 1), "label 2, which is not among the classes"),
        (lambda: clf.partial_fit(X, y, classes=[0, 1, 2]), "not the same as on the last call"),
        (lambda: small().partial_fit(X, y), "classes must be passed on the first call"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
        assert pickle.dumps(clf) == before
    clf.set_params(units=7)
    with pytest.raises(
        ValueError,
        match=r"_\[.rnn_0/kernel.\] has shape \(5, 6\) instead of \(5, 7\).*warm_start=False",
    ):
        clf.fit(X, y)
    with pytest.raises(ValueError, match="'balanced' needs all of y at once"):
        small(class_weight="balanced").partial_fit(X, y, classes=[0, 1])


# On text


def test_word_order_needs_a_recurrent_network():
    """The median of five runs: one run in ten or so ends far below the others."""
    texts, y = make_reviews(5000, random_state=0)
    train, test = slice(4000), slice(4000, None)
    bag = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts[train], y[train])
    assert bag.score(texts[test], y[test]) < 0.75
    scores = []
    for seed in range(5):
        rnn = make_pipeline(SequenceVectorizer(), SimpleRNNClassifier(random_state=seed))
        scores.append(rnn.fit(texts[train], y[train]).score(texts[test], y[test]))
    assert np.median(scores) > 0.93


def test_searches_over_raw_text():
    texts, y = make_reviews(150, random_state=0)
    pipeline = make_pipeline(SequenceVectorizer(maxlen=60), small(max_iter=2))
    grid = {"simplernnclassifier__units": [4, 8]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(texts, y)
    assert search.predict(["not good , but never seen"]).shape == (1,)
    one, two = (cross_val_score(pipeline, texts, y, cv=3, n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "estimator",
    [
        SimpleRNNClassifier(7),
        SimpleRNNRegressor(7),
        SimpleRNNTransformer(SimpleRNNClassifier(7)),
        SequenceVectorizer(maxlen=7),
        HashingSequenceVectorizer(maxlen=7),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_html_in_a_notebook(estimator):
    html = estimator_html_repr(make_pipeline(estimator))
    assert type(estimator).__name__ in html
    assert re.search(r"\b7\b", html), "parameters that are not the default are shown"


@pytest.mark.parametrize("wrong", [{"activation": "x"}, {"dtype": "x"}, {"n_jobs": "2"}])
def test_parameters_that_prediction_cannot_use(wrong):
    X, y = token_lists()
    clf = small().fit(X, y).set_params(**wrong)
    name = next(iter(wrong))
    for method in (clf.predict, clf.hidden_states):
        with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of SimpleRNN"):
            method(X)


def test_sizes_in_small_integers():
    X, y = token_lists()
    small().set_params(units=np.int8(100)).fit(X, y)
