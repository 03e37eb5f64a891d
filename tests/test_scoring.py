"""Scorers of held-out samples: what ``scoring`` takes, what they see, and under which names."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, make_scorer, roc_auc_score

import common
from common import ids_and_classes
from crnn import SimpleRNNClassifier
from crnn.callbacks import Checkpoint

small = partial(common.small, validation_fraction=0.25, max_iter=4)
SPAM = make_scorer(f1_score, pos_label="spam")


class ArrayLike:
    """What only NumPy knows how to read."""

    def __init__(self, array):
        self.array = np.asarray(array)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype=dtype)


@pytest.mark.parametrize("scoring", ["f1", ["f1", "roc_auc"], {"f1": "f1"}])
def test_scorers_of_held_out_data(scoring):
    X, y = ids_and_classes()
    clf = small(scoring=scoring).fit(X, y)
    assert clf.history_["val_f1"][-1] == f1_score(y[90:], clf.predict(X[90:]))
    assert len(clf.history_["val_f1"]) == 4
    if len(scoring) == 2 and isinstance(scoring, list):
        wanted = roc_auc_score(y[90:], clf.predict_proba(X[90:])[:, 1])
        assert clf.history_["val_roc_auc"][-1] == pytest.approx(wanted)
    plain = small().fit(X, y)
    np.testing.assert_array_equal(clf.kernel_, plain.kernel_)
    passed = small(scoring=scoring, validation_fraction=0)
    passed.fit(X[:90], y[:90], X_val=X[90:], y_val=y[90:])
    assert passed.history_["val_f1"] == clf.history_["val_f1"]


def test_scorers_need_held_out_ids_and_classes():
    X, y = ids_and_classes()
    with pytest.raises(ValueError, match="scoring='f1' measures validation data"):
        small(scoring="f1", validation_fraction=0).fit(X, y)
    for unknown in ("f_one", ["f_one"], {"f": "f_one"}):
        with pytest.raises(ValueError, match="f_one"):
            small(scoring=unknown).fit(X, y)


@pytest.mark.parametrize(
    ("scoring", "name"),
    [(SPAM, "score"), ([SPAM, "accuracy"], "f1_score"), ({"spam": SPAM}, "spam")],
)
def test_scorers_that_are_objects(scoring, name):
    X, y = ids_and_classes()
    y = np.where(y, "spam", "ham")
    clf = small(scoring=scoring).fit(X, y)
    wanted = f1_score(y[90:], clf.predict(X[90:]), pos_label="spam")
    assert clf.history_[f"val_{name}"][-1] == wanted


def test_scorers_that_are_functions():
    def shares(estimator, X, y):
        seen.append((X, y))
        return {"ones": estimator.predict(X).mean(), "right": (estimator.predict(X) == y).mean()}

    def mean(estimator, X, y):
        return estimator.predict(X).mean()

    X, y = ids_and_classes()
    seen = []
    clf = small(scoring=shares).fit(X, y)
    assert clf.history_["val_ones"][-1] == clf.predict(X[90:]).mean()
    assert clf.history_["val_right"] == pytest.approx(clf.history_["val_accuracy"])
    np.testing.assert_array_equal(seen[0][0], X[90:])
    np.testing.assert_array_equal(seen[0][1], y[90:])
    named = small(scoring=[mean, "f1"]).fit(X, y).history_
    assert named["val_mean"] == small(scoring=mean).fit(X, y).history_["val_score"]


@pytest.mark.parametrize("scoring", ["accuracy", ["accuracy", "f1"], {"right": "accuracy"}])
@pytest.mark.parametrize("factor", [1, 1e-50])
def test_scorers_see_the_weights_of_the_samples(scoring, factor):
    X, y = ids_and_classes()
    weights = np.where(y, 50.0, 0.1) * factor
    clf = small(scoring=scoring).fit(X, y, sample_weight=weights)
    predicted = clf.predict(X[90:])
    accuracy = accuracy_score(y[90:], predicted, sample_weight=weights[90:])
    assert abs(accuracy - accuracy_score(y[90:], predicted)) > 0.1
    name = "val_right" if isinstance(scoring, dict) else "val_accuracy"
    assert clf.history_[name][-1] == pytest.approx(accuracy)
    assert clf.history_["val_accuracy"] == pytest.approx(
        small().fit(X, y, sample_weight=weights).history_["val_accuracy"]
    )
    if "f1" in scoring:
        wanted = f1_score(y[90:], predicted, sample_weight=weights[90:])
        assert clf.history_["val_f1"][-1] == pytest.approx(wanted)


def test_weights_go_to_what_takes_them():
    def plain(estimator, X, y):
        return accuracy_score(y, estimator.predict(X))

    def weighted(estimator, X, y, sample_weight=None):
        return accuracy_score(y, estimator.predict(X), sample_weight=sample_weight)

    def metric(y, predicted):
        return accuracy_score(y, predicted)

    X, y = ids_and_classes()
    weights = np.where(y, 50.0, 0.1)
    clf = small(scoring={"a": plain, "b": weighted, "c": make_scorer(metric)})
    history = clf.fit(X, y, sample_weight=weights).history_
    assert history["val_b"] == pytest.approx(history["val_accuracy"])
    assert history["val_a"] == history["val_c"]
    assert history["val_a"][-1] == clf.score(X[90:], y[90:]) != pytest.approx(history["val_b"][-1])


def test_equal_weights_are_none():
    """The area for pairs of classes takes no weights."""
    X, y = ids_and_classes()
    y = y + 1 * (X[:, 0] > 4)
    history = small(scoring="roc_auc_ovo").fit(X, y, sample_weight=np.full(120, 0.5)).history_
    assert history["val_roc_auc_ovo"] == small(scoring="roc_auc_ovo").fit(X, y).history_[
        "val_roc_auc_ovo"
    ]  # fmt: skip


def test_names_of_what_training_measures():
    X, y = ids_and_classes()
    for name in ("loss", "accuracy"):
        with pytest.raises(ValueError, match=f"'{name}', but history_.'val_{name}'. is measured"):
            small(scoring={name: "f1"}).fit(X, y)
        with pytest.raises(ValueError, match=f"'{name}', but history_.'val_{name}'. is measured"):
            small(scoring=lambda estimator, X, y, name=name: {name: 1.0}).fit(X, y)
    with pytest.raises(ValueError, match="two scorers of the same name"):
        small(scoring=[SPAM, make_scorer(f1_score)]).fit(X, y)
    for wrong in ({1: "f1"}, {"a": 3}, [None], [["f1"]]):
        with pytest.raises(ValueError, match=r"must contain names or scorers|'scoring' parameter"):
            small(scoring=wrong).fit(X, y)
    with pytest.raises(ValueError, match="must return a number for 'score', got 'high'"):
        small(scoring=lambda estimator, X, y: "high").fit(X, y)


def test_accuracy_of_several_labels():
    """Training measures labels one by one, scikit-learn's accuracy all labels of a sample."""
    X, y = ids_and_classes()
    Y = np.stack([y, X[:, -1] > 4], axis=1).astype(int)
    clf = small(scoring="accuracy").fit(X, Y)
    predicted = clf.predict(X[90:])
    assert clf.history_["val_accuracy"][-1] == pytest.approx(accuracy_score(Y[90:], predicted))
    assert clf.history_["val_binary_accuracy"][-1] == pytest.approx((Y[90:] == predicted).mean())


@pytest.mark.parametrize("stratify", [False, True])
@pytest.mark.parametrize("kind", ["ids", "series", "ragged"])
def test_array_likes(kind, stratify):
    X, y = ids_and_classes()
    X = X / 2 if kind == "series" else X
    options = {"scoring": "f1", "stratify": stratify}
    if kind == "ragged":
        X = [row[: 2 + i % 4].tolist() for i, row in enumerate(X)]
        wanted = small(**options).fit(X, y)
        X = pd.Series(X, index=range(500, 620))
        passed = X
    else:
        wanted = small(**options).fit(X, y)
        passed = ArrayLike(X)
    got = small(**options).fit(passed, ArrayLike(y))
    assert got.history_ == wanted.history_
    options = {"scoring": "f1", "validation_fraction": 0}
    held_out = small(**options).fit(passed, y, X_val=passed, y_val=ArrayLike(y))
    predicted = held_out.predict(X)
    assert held_out.history_["val_f1"][-1] == f1_score(y, predicted)


@pytest.mark.parametrize("stratify", [False, True])
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_keep_the_names_of_their_columns(library, stratify):
    module = pytest.importorskip(library, reason=f"{library} is not installed")

    def mean_of_last(estimator, X, y):
        kinds.add(type(X))
        return np.asarray(X["last"] if hasattr(X, "columns") else X[:, -1]).mean()

    X, y = ids_and_classes()
    columns = {name: X[:, j] for j, name in enumerate([*"abcde", "last"])}
    table = (module.table if library == "pyarrow" else module.DataFrame)(columns)
    kinds = set()
    clf = small(scoring={"f1": "f1", "mean": mean_of_last}, stratify=stratify)
    histories = [clf.fit(held, y).history_ for held in (table, X)]
    assert histories[0] == histories[1]
    assert kinds == {type(table), np.ndarray}


@pytest.mark.parametrize("dtype", ["Int64", "boolean"])
@pytest.mark.parametrize("passed", [False, True])
def test_nullable_labels(dtype, passed):
    X, y = ids_and_classes()
    Y = np.stack([y, X[:, -1] > 4], axis=1).astype(int)
    extra = {"X_val": X[90:]} if passed else {}
    wanted, got = (
        small(scoring="f1_micro", validation_fraction=0 if passed else 0.25).fit(
            X, labels, **extra, **({"y_val": labels[90:]} if passed else {})
        )
        for labels in (Y, pd.DataFrame(Y).astype(dtype))
    )
    assert got.history_ == wanted.history_
    assert got.history_["val_f1_micro"][-1] == f1_score(
        Y[90:], got.predict(X[90:]), average="micro"
    )


def test_files_leave_scorers_out_that_are_objects(tmp_path):
    X, y = ids_and_classes()
    y = np.where(y, "spam", "ham")
    path = tmp_path / "epoch-{epoch}.npz"
    for scoring in (SPAM, {"spam": SPAM}, [SPAM]):
        clf = small(scoring=scoring, callbacks=[Checkpoint(path)]).fit(X, y)
        again = SimpleRNNClassifier.load(tmp_path / "epoch-2.npz")
        assert again.scoring is None
        again.set_params(scoring=scoring).resume(X, y)
        assert again.history_ == clf.history_
        assert pickle.loads(pickle.dumps(clf)).history_ == clf.history_
    named = {"spam": "roc_auc"}
    small(scoring=named).fit(X, y).save(tmp_path / "named.npz")
    assert SimpleRNNClassifier.load(tmp_path / "named.npz").scoring == named
