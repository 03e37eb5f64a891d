"""The classifier to the letter: what its parameters, attributes and errors promise."""

import pickle
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss

import common
from common import BOOK, BOTH
from crnn import SimpleRNNClassifier

LABELS = {2: np.array(["no", "yes"]), 3: np.array(["a", "b", "c"])}
small = partial(common.small, max_iter=2)


def ids(n=50, T=9, seed=0):
    """Padded ids below 12, and a class that the last of them tells."""
    rng = np.random.default_rng(seed)
    X = rng.integers(1, 12, (n, T))
    X[np.arange(T) < rng.integers(0, T, n)[:, None]] = 0
    return X, (X[:, -1] > 6).astype(int)


def series(n=50, F=3, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 7, F))
    return X, (X[:, -1, 0] > 0).astype(int)


def losses(clf, X, y):
    """Cross-entropy of each sample."""
    return -clf.predict_log_proba(X)[np.arange(len(y)), np.searchsorted(clf.classes_, y)]


# Input


@pytest.mark.parametrize("dtype", ["int64", "uint8", "Int64", "object"])
def test_frames_of_ids(dtype):
    pd = pytest.importorskip("pandas")
    X, y = ids()
    frame = pd.DataFrame(X, columns=[f"t{t}" for t in range(X.shape[1])]).astype(dtype)
    clf = small(vocabulary_size=12).fit(frame, y)
    assert clf.feature_names_in_.tolist() == list(frame.columns)
    wanted = small(vocabulary_size=12).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clf.predict_proba(frame), wanted)


def test_integers_in_an_array_of_objects_are_ids():
    """What np.array(lists, dtype=object) makes of lists that happen to be equally long."""
    X, y = ids()
    wanted = small().fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(small().fit(X.astype(object), y).predict_proba(X), wanted)


def test_width_is_that_of_the_last_fit():
    X, y = ids()
    clf = small(vocabulary_size=12).fit(X, y)
    assert clf.n_features_in_ == 9
    clf.fit([row[i % 3 :] for i, row in enumerate(X)], y)
    assert not hasattr(clf, "n_features_in_")
    assert clf.predict(X[:, :4]).shape == (50,)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_nothing_but_paddings(n_classes):
    X, y = np.zeros((30, 9), int), np.arange(30) % n_classes
    masked = small(mask_zero=True).fit(X, y)
    np.testing.assert_array_equal(masked.hidden_states(X), np.zeros((30, 6)))
    plain = small(mask_zero=False).fit(X, y)
    assert np.ptp(plain.decision_function(X), axis=0).max() < 1e-6
    assert np.abs(plain.hidden_states(X)).min() > 0


# Training


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_history_is_the_weighted_mean_over_samples(n_classes, weighted):
    X, _ = ids()
    y = LABELS[n_classes][np.arange(50) % n_classes]
    weight = np.random.default_rng(1).uniform(0.1, 3, 50) if weighted else None
    options = BOOK | {"learning_rate": 1e-9, "dtype": "float64"}  # no dropout, and no training
    clf = small(**options).fit(X, y, sample_weight=weight)
    assert list(clf.history_) == ["loss", "accuracy"]
    wanted = np.average(losses(clf, X, y), weights=weight)
    np.testing.assert_allclose(clf.history_["loss"], [wanted] * 2, rtol=1e-6)
    assert wanted == pytest.approx(log_loss(y, clf.predict_proba(X), sample_weight=weight))
    assert clf.history_["accuracy"] == pytest.approx([clf.score(X, y, weight)] * 2)


@pytest.mark.parametrize(
    ("n", "fraction", "n_train"), [(50, 0.2, 40), (49, 0.2, 39), (10, 0.25, 7), (9, 0.5, 4)]
)
def test_validation_is_what_the_floor_of_the_rest_leaves(n, fraction, n_train):
    X, y = ids(n)
    clf = small(validation_fraction=fraction, dtype="float64").fit(X, y)
    tail = slice(n_train, None)
    assert clf.history_["val_loss"][-1] == pytest.approx(losses(clf, X[tail], y[tail]).mean())
    assert clf.history_["val_accuracy"][-1] == pytest.approx(clf.score(X[tail], y[tail]))


def test_class_weights_do_not_weigh_the_validation():
    X, y = ids()
    weighted = small(class_weight={0: 5, 1: 0.1}, dtype="float64", validation_fraction=0.3)
    weighted.fit(X, y)
    assert weighted.history_["val_loss"][-1] == pytest.approx(
        losses(weighted, X[35:], y[35:]).mean()
    )


def test_parts_need_not_hold_all_classes():
    X, _ = ids(60)
    y = np.sort(LABELS[3][np.arange(60) % 3])
    options = {"vocabulary_size": 12, "shuffle": False, "batch_size": 20}
    options["learning_rate_schedule"] = "constant"  # as in partial_fit
    parts = small(**options)
    for part in (slice(0, 20), slice(20, 40), slice(40, 60)):
        parts.partial_fit(X[part], y[part], classes=LABELS[3])
    whole = small(max_iter=1, **options).fit(X, y)
    np.testing.assert_array_equal(parts.predict_proba(X), whole.predict_proba(X))
    assert parts.n_iter_ == len(parts.history_["loss"]) == 3


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd", "adam"])
def test_training_goes_on_in_another_precision(optimizer, method):
    X, y = ids()
    options = BOOK | {"optimizer": optimizer, "warm_start": True}
    clf = small(**options).fit(X, y).set_params(dtype="float64")
    before = clf.history_["loss"][-1]
    getattr(clf, method)(X, y)
    assert clf.kernel_.dtype == clf.embedding_.dtype == np.float64
    assert clf.history_["loss"][-1] < before


@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd", "adam"])
def test_training_goes_on_from_an_embedding_with_more_rows(optimizer):
    X, y = ids()
    clf = small(optimizer=optimizer, warm_start=True, vocabulary_size=12).fit(X, y)
    clf.weights_["embedding"] = np.random.default_rng(0).uniform(-0.05, 0.05, (20, 5))
    clf.set_params(vocabulary_size=20).fit(X + 8 * (X > 0), y)
    assert clf.embedding_.shape == (20, 5)
    assert clf.n_iter_ == 4


def test_training_goes_on_from_a_file_that_is_mapped(tmp_path):
    X, y = ids()
    clf = small().fit(X, y)
    joblib.dump(clf, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    np.testing.assert_array_equal(mapped.predict_proba(X), clf.predict_proba(X))
    np.testing.assert_array_equal(
        mapped.partial_fit(X, y).predict_proba(X), clf.partial_fit(X, y).predict_proba(X)
    )


def test_verbose_without_validation_and_after_a_warm_start(capsys):
    X, y = ids()
    small(verbose=1, warm_start=True).fit(X, y).fit(X, y)
    header, first, second, header_again, *more = capsys.readouterr().out.splitlines()
    assert header_again == header
    rows = [row.split() for row in (first, second, *more)]
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    assert all(len(row) == 7 and row[3:5] == ["-", "-"] for row in rows)


# Prediction


@BOTH
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", ["tokens", "series"])
def test_shapes_and_types(kind, n_classes, network):
    X, _ = ids() if kind == "tokens" else series()
    y = LABELS[n_classes][np.arange(50) % n_classes]
    clf = small(**network, vocabulary_size=12).fit(X, y)
    K = 1 if n_classes == 2 else n_classes
    P = 6 if network == BOOK else 3 * 6
    F = 5 if kind == "tokens" else 3
    shapes = {
        "kernel_": (F, 6),
        "recurrent_kernel_": (6, 6),
        "bias_": (6,),
        "head_kernel_": (P, K),
        "head_bias_": (K,),
    }
    if kind == "tokens":
        shapes["embedding_"] = (12, 5)
    assert hasattr(clf, "embedding_") == (kind == "tokens")
    for name, shape in shapes.items():
        assert getattr(clf, name).shape == shape
        assert getattr(clf, name).dtype == np.float32
    np.testing.assert_array_equal(clf.classes_, LABELS[n_classes])
    assert clf.predict(X).dtype == y.dtype
    assert clf.predict_proba(X).shape == clf.predict_log_proba(X).shape == (50, n_classes)
    assert clf.hidden_states(X).shape == (50, 6)
    assert clf.hidden_states(X, return_sequences=True).shape == (50, X.shape[1], 6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("logit", [-1000.0, 1000.0])
def test_extreme_logits(logit, n_classes):
    X, _ = ids()
    clf = small().fit(X, np.arange(50) % n_classes)
    clf.head_bias_[:] = 0
    clf.head_bias_[0] = logit
    log_proba = clf.predict_log_proba(X)
    assert np.isfinite(log_proba).all()
    np.testing.assert_allclose(log_proba.min(axis=1), -1000, atol=10)
    np.testing.assert_allclose(clf.predict_proba(X).sum(axis=1), 1, rtol=1e-6)


def loop_over(clf, x, mask_zero):
    """All states of one sequence, and what the default head reads of it."""
    h, path, read = np.zeros(6), [np.zeros((0, 6))], []
    for step in x:
        if not (mask_zero and step == 0):
            inputs = clf.embedding_[step] if hasattr(clf, "embedding_") else step
            h = np.tanh(inputs @ clf.kernel_ + h @ clf.recurrent_kernel_ + clf.bias_)
            read.append(h)
        path.append(h[None])
    read = np.array(read or [h])
    return np.concatenate(path), np.concatenate([h, read.mean(axis=0), read.max(axis=0)])


@BOTH
@pytest.mark.parametrize("kind", ["plain", "masked", "series"])
def test_hidden_states_of_lists(kind, network):
    options = network | {"mask_zero": kind == "masked", "dtype": "float64"}
    if kind == "series":
        steps, _ = series()
        X = [np.zeros((0, 3)), *(x[i % 7 :] for i, x in enumerate(steps))]
    else:
        rows, _ = ids()
        X = [[], [0, 0], [1, 0, 2, 0], *(row[i % 7 :] for i, row in enumerate(rows.tolist()))]
    clf = small(**options).fit(X, np.arange(len(X)) % 3)
    states = clf.hidden_states(X)
    paths = clf.hidden_states(X, return_sequences=True)
    pooled = []
    for x, last, path in zip(X, states, paths, strict=True):
        wanted, pools = loop_over(clf, x, kind == "masked")
        pooled.append(pools[: len(clf.head_kernel_)])  # of the book only the last state
        np.testing.assert_allclose(path, wanted, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(last, wanted[-1] if len(x) else 0, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(
        clf.decision_function(X), pooled @ clf.head_kernel_ + clf.head_bias_, rtol=1e-10, atol=1e-14
    )


def test_parameters_survive_clone_and_set_params():
    changed = {"units": 7, "optimizer": "sgd", "pooling": "mean", "class_weight": {0: 1, 1: 2}}
    clf = small(**{"verbose": 0}).set_params(**changed)
    assert clf.get_params().items() >= changed.items()
    assert clone(clf).get_params() == clf.get_params()
    X, y = ids()
    assert clone(clf).fit(X, y).head_kernel_.shape == (7, 1)


@pytest.mark.parametrize("dtype", ["uint16", "int32", "int64", "uint64", "float32", "bool"])
def test_ids_of_any_number_type_and_layout(dtype):
    X, y = ids()
    X = (X > 5 if dtype == "bool" else X).astype(dtype)
    read_only = np.asfortranarray(X)
    read_only.flags.writeable = False
    wanted = (
        small(vocabulary_size=12, input="tokens").fit(X.astype(int), y).predict_proba(X.astype(int))
    )
    for form in (X, read_only, np.repeat(X, 2, axis=1)[:, ::2], list(X)):
        np.testing.assert_array_equal(
            small(vocabulary_size=12, input="tokens").fit(form, y).predict_proba(form), wanted
        )


# Errors: each names what is wrong and the way out, and leaves the fitted estimator as it was


def assert_refused(clf, call, message):
    before = pickle.dumps(clf)
    with pytest.raises(ValueError, match=message):
        call()
    assert pickle.dumps(clf) == before


def bad_inputs():
    X, _ = ids()
    yield (
        "negative id",
        ids,
        -X,
        r"X\[0\] at timestep \d is the negative token id -\d+; .* input='series'",
    )
    yield "width of ids", ids, X[:, :5], "X has 5 features, .* expecting 9 features"
    yield "fractions", ids, X + 0.5, r"timestep 0 is 0.5, which is not a token id. Pass integers"
    yield "NaN as id", ids, np.where(X > 5, np.nan, X), "Input X contains NaN"
    yield "NaN as id in a list", ids, [[1.0, np.nan], [2.0]], r"NaN: X\[0\] at timestep 1. Drop"
    yield "infinity as id in a list", ids, [[1.0, np.inf], [2.0]], r"X\[0\] at timestep 1 is inf"
    yield "ids for series", ids, X[..., None], "1 values in a timestep, but a token is a single id"
    yield "dimensions", ids, X[..., None, None], "Found array with dim 4"
    yield "empty", ids, X[:0], r"Found array with 0 sample\(s\)"
    yield "text", ids, ["a b", "c d"], r"X\[0\] is text .'a b'.*SequenceVectorizer"
    yield "words", ids, [["a", "b"], ["c"]], r"X\[0\] at timestep 0 is text .'a'.*SequenceV"
    texts = np.array(["a b", "c d"])
    yield "array of text", ids, texts, "text .*SequenceVectorizer"
    yield "objects that are text", ids, texts.astype(object), "text .*SequenceVectorizer"
    yield "number among lists", ids, [[1, 2], 3], r"X\[1\]"
    yield "list within a list", ids, [[1, 2], [3, [4]]], r"X\[1\]"
    S, _ = series()
    hole, minus = S.copy(), S.copy()
    hole[3, 2, 1], minus[3, 2, 1] = np.nan, -np.inf
    yield "NaN", series, hole, r"contains NaN: X\[3\] at timestep 2, feature 1. Drop or impute"
    yield "NaN in a list", series, list(hole), r"contains NaN: X\[3\] at timestep 2, feature 1"
    yield "infinity", series, minus, r"infinity .*: X\[3\] at timestep 2, feature 1 is -inf. Scale"
    yield "features", series, S[..., :2], "X has 2 features in a timestep, .* fitted with 3"
    yield "features of a list", series, [S[0], S[1, :, :2]], r"X\[1\] has shape \(7, 2\)"
    yield "one feature", series, S[..., 0], "X has 1 features in a timestep, .* fitted with 3"
    yield "width", series, S[:, :4], "X has 4 features, .* expecting 7 features"


@pytest.mark.parametrize(
    ("data", "X", "message"), [pytest.param(*case[1:], id=case[0]) for case in bad_inputs()]
)
def test_bad_inputs_to_a_fitted_model(data, X, message):
    clf = small().fit(*data())
    assert_refused(clf, lambda: clf.predict(X), message)
    assert_refused(clf, lambda: clf.hidden_states(X, return_sequences=True), message)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_fitting_on_ids_that_are_not_finite(value):
    """Refused before the size of the vocabulary is taken from them."""
    clf = small(input="tokens").fit(*ids())
    assert_refused(clf, lambda: clf.fit([[1.0, value], [2.0]], [0, 1]), "(NaN: .*|is inf)")


@pytest.mark.parametrize("kind", [int, float])
@pytest.mark.parametrize("form", [np.asarray, list])
def test_fitting_on_several_ids_in_a_timestep(kind, form):
    X, y = np.full((4, 7, 3), kind(1.5)), [0, 1, 0, 1]
    clf = small(input="tokens").fit(*ids())
    assert_refused(clf, lambda: clf.fit(form(X), y), "3 values in a timestep, but a token is a")


@pytest.mark.parametrize("values", [[1, 2], [1.5, 2.5], ["a b", "c d"]])
def test_one_column_of_a_frame(values):
    pd = pytest.importorskip("pandas")
    clf = small().fit(*ids())
    message = "SequenceVectorizer" if isinstance(values[0], str) else "Expected a 2-dim.*DataFrame"
    assert_refused(clf, lambda: clf.predict(pd.Series(values)), message)


def test_nothing_learned_is_left_that_is_not_finite():
    """The last step of training can diverge too, after the last loss was measured."""
    X, y = series()
    clf = small(activation="linear", optimizer="sgd", batch_size=50, max_iter=1).fit(X, y)
    clf.set_params(learning_rate=3e38)
    with np.errstate(all="ignore"):
        assert_refused(clf, lambda: clf.fit(100 * X, y), "epoch 1.*learning_rate")


@pytest.mark.filterwarnings("ignore:All .* held-out samples")
def test_balanced_weights_of_a_class_that_is_not_there():
    X, y = ids()
    clf = small(class_weight="balanced").fit(X, y)
    clf.set_params(validation_fraction=0.5)
    assert_refused(clf, lambda: clf.fit(X, np.arange(50) // 25), "class_weight")


@pytest.mark.parametrize("dtype", [str, object])
def test_labels_of_another_kind(dtype):
    X, y = ids()
    clf = small().fit(X, y)
    labels = LABELS[2][y].astype(dtype)
    assert_refused(clf, lambda: clf.partial_fit(X, labels), "label 'no', which is not among")


def test_labels_of_other_values():
    X = np.random.default_rng(0).integers(1, 9, (20, 4))
    Y = np.stack([X[:, 0] > 4, X[:, 1] > 4], axis=1).astype(int)
    clf = SimpleRNNClassifier(4, max_iter=1).fit(X, Y)
    for wrong in (5 * Y, 2 * Y - 1):
        for method in (clf.fit, clf.partial_fit):
            with pytest.raises(ValueError, match="multilabel y must have columns of 0 and 1"):
                method(X, wrong)


@pytest.mark.parametrize(
    "X",
    [np.zeros((9, 0), int), np.zeros((9, 0)), np.zeros((9, 0, 3))],
    ids=["ids", "series", "3-D"],
)
def test_no_timesteps(X):
    with pytest.raises(ValueError, match=r"0 (timestep|feature)\(s\)"):
        SimpleRNNClassifier().fit(X, [0, 1, 0] * 3)


def test_parts_for_another_network():
    X, y = np.array([[1, 2], [2, 1]] * 5), [0, 1] * 5
    clf = SimpleRNNClassifier(4, max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match=r"\[.rnn_0/kernel.\] has shape \(32, 4\).* call fit"):
        clf.set_params(units=9).partial_fit(X, y)


def test_validation_data_are_named():
    X, y = np.array([[1, 2], [2, 1]] * 5), [0, 1] * 5
    for X_val, y_val, error, message in [
        (["a text"] * 2, [0, 1], ValueError, r"X_val\[0\] is text"),
        ([[1, 2], [1, None]], [0, 1], ValueError, r"Input X_val .*: X_val\[1\] at timestep 1\."),
        ([[1, 2], [1, -3]], [0, 1], ValueError, r"X_val\[1\] at timestep 1 is the negative"),
        ({1: [1, 2]}, [0], TypeError, "X_val is a mapping"),
        (pd.DataFrame([[1, None]], dtype=object), [1], ValueError, ".*Column 1 of X_val in row 0"),
        (X[:, :1], y, ValueError, "X_val has 1 timesteps, but it had 2 in fit"),
        (X, [0, 7] * 5, ValueError, r"y_val\[1\] is the label 7"),
        (X, [0, np.nan] * 5, ValueError, r"Input y_val contains NaN: y_val\[1\]"),
    ]:
        with pytest.raises(error, match=f"^X_val and y_val do not fit: {message}"):
            SimpleRNNClassifier().fit(X, y, X_val=X_val, y_val=y_val)


def test_labels_that_look_like_names_of_the_data():
    X, y = np.array([[1, 2], [2, 1]] * 5), ["X", "of y"] * 5
    with pytest.raises(ValueError, match=r"label 'x', which .* model: \['X', 'of y'\]"):
        SimpleRNNClassifier().fit(X, y, X_val=X, y_val=["x"] * 10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_precisions_by_type(dtype, tmp_path):
    X, y = np.array([[1, 2], [2, 1]] * 5), [0, 1] * 5
    clf = SimpleRNNClassifier(4, dtype=getattr(np, dtype), random_state=0).fit(X, y)
    wanted = SimpleRNNClassifier(4, dtype=dtype, random_state=0).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), wanted.predict_proba(X))
    assert clf.kernel_.dtype == dtype
    clf.save(tmp_path / "model.npz")
    again = SimpleRNNClassifier.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_lists_have_no_names():
    frame = pd.DataFrame({"a": [1, 2] * 5, "b": [2, 1] * 5})
    clf = SimpleRNNClassifier(4, max_iter=1).fit(frame, [0, 1] * 5)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        clf.predict([[1, 2]])


@pytest.mark.parametrize("options", [{}, {"mask_zero": True, "input": "tokens"}])
def test_timesteps_without_features(options):
    with pytest.raises(ValueError, match=r"X\[1\] has shape \(2, 0\), but a timestep"):
        SimpleRNNClassifier(**options).fit([[1, 2], np.zeros((2, 0))], [0, 1])
