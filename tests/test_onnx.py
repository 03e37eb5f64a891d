"""Models of ONNX, which ONNX Runtime runs, against the estimators that they were made of."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from common import BOOK, ROUNDS, small
from crnn import SimpleRNN, SimpleRNNClassifier, SimpleRNNRegressor, SimpleRNNTransformer
from crnn.interop import to_onnx

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

TOLERANCE = 1e-5  # of what float32 computes, here in another order
V = 9
OLDEST, NEWEST = 13, 22  # opsets in which the models differ, and beyond


def run(model, X):
    onnx.checker.check_model(model, full_check=True)
    session = runtime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


def far_apart(model, rng):
    """The model with weights so large that a wrong step, mask or maximum shows."""
    scales = {"embedding": 1.0, "bigrams": 1.0}
    model.set_weights(
        [
            rng.normal(size=w.shape) * scales.get(name, 0.7 / np.sqrt(len(w)))
            for name, w in model.weights_.items()
        ]
    )
    return model


def ids(rng, n=12, T=7):
    """Ids with paddings anywhere, and one row of nothing else."""
    X = rng.integers(1, V, (n, T))
    X[rng.random(X.shape) < 0.4] = 0
    X[0] = 0
    return X


networks = st.fixed_dictionaries(
    {
        "units": st.sampled_from([1, 5, (4,), (3, 5), (2, 3, 4)]),
        "bidirectional": st.booleans(),
        "pooling": st.sampled_from(
            ["last", "mean", "max", ("max", "last"), ("last", "mean", "max")]
        ),
        "activation": st.sampled_from(["tanh", "relu", "sigmoid", "linear"]),
        "mask_zero": st.booleans(),
        "vocabulary_size": st.sampled_from([None, V]),
        "bigrams": st.sampled_from([0, 7, 2**18 + 1]),
        "dtype": st.sampled_from(["float32", "float64"]),
    }
)
seeds = st.integers(0, 2**32 - 1)
opsets = st.sampled_from([OLDEST, 17, 18, NEWEST])


def check_classifier(options, target, opset, seed):
    rng = np.random.default_rng(seed)
    X = ids(rng)
    y = {
        "two": np.arange(12) % 2,
        "many": np.arange(12) % 3,
        "text": np.array(["no", "yes", "maybe"])[np.arange(12) % 3],
        "labels": np.array([[i & 1, i & 2 > 0, i & 4 > 0] for i in range(12)], int),
    }[target]
    clf = SimpleRNNClassifier(**options, embedding_dim=3, max_iter=1, random_state=0)
    far_apart(clf.fit(X, y), rng)
    X = ids(rng, n=int(rng.integers(1, 30)), T=int(rng.integers(1, 12)))
    if options["vocabulary_size"] is None:
        X[X == 3] = rng.choice([V, 1000, 2**31])  # unknown ones
    found = run(to_onnx(clf, opset=opset), X)
    X = X.tolist()  # of any length
    np.testing.assert_allclose(found["probabilities"], clf.predict_proba(X), atol=TOLERANCE)
    decisions = clf.decision_function(X)
    if target in ("many", "text"):
        decisions = -np.diff(np.sort(decisions, axis=1))[:, -1]
    sure = np.abs(decisions) > 1e-5  # elsewhere the order of the sums may decide
    np.testing.assert_array_equal(found["label"][sure], clf.predict(X)[sure])


targets = st.sampled_from(["two", "many", "text", "labels"])


@settings(max_examples=10 * ROUNDS, deadline=None)
@given(options=networks, target=targets, opset=opsets, seed=seeds)
def test_classifiers_of_any_shape(options, target, opset, seed):
    check_classifier(options, target, opset, seed)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(options=networks, target=targets, opset=opsets, seed=seeds)
def test_many_classifiers_of_any_shape(options, target, opset, seed):
    check_classifier(options, target, opset, seed)


@settings(max_examples=10 * ROUNDS, deadline=None)
@given(
    options=networks, F=st.integers(1, 4), n_outputs=st.integers(0, 2), states=st.booleans(),
    seed=seeds,
)  # fmt: skip
def test_regressors_and_transformers_of_series(options, F, n_outputs, states, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(12, 5, F))
    y = rng.normal(size=(12, n_outputs) if n_outputs else 12)
    reg = SimpleRNNRegressor(**options, max_iter=1, random_state=0)
    model = SimpleRNNTransformer(reg).fit(X, y) if states else reg.fit(X, y)
    far_apart(model.estimator_ if states else model, rng)
    X = rng.normal(size=(int(rng.integers(1, 9)), int(rng.integers(1, 9)), F)).astype(np.float32)
    found = run(to_onnx(model), X)
    wanted = model.transform([*X]) if states else model.predict([*X]).reshape(len(X), -1)
    assert [*found] == ["variable"]
    assert found["variable"].dtype == np.float32
    np.testing.assert_allclose(found["variable"], wanted, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("network", [{}, BOOK], ids=["defaults", "book"])
def test_masks_and_lengths_are_those_of_each_sequence(network):
    """Alone, a sequence gives what it gives in company of longer ones."""
    rng = np.random.default_rng(0)
    X = ids(rng, 20, 9)
    clf = far_apart(small(**network, vocabulary_size=V).fit(X, np.arange(20) % 2), rng)
    model = to_onnx(clf)
    together = run(model, X)["probabilities"]
    for row, wanted in zip(X, together, strict=True):
        alone = row[row > 0] if clf.mask_zero and row.any() else row
        np.testing.assert_allclose(
            run(model, alone[None])["probabilities"], wanted[None], atol=1e-6
        )


def test_a_half_is_the_first_class():
    X, y = [[1, 2], [2, 1]], ["a", "b"]
    clf = small().fit(X, y)
    clf.set_weights([np.zeros_like(w) for w in clf.weights_.values()])
    found = run(to_onnx(clf), np.array(X))
    assert found["probabilities"].tolist() == [[0.5, 0.5]] * 2
    assert found["label"].tolist() == clf.predict(X).tolist() == ["a", "a"]


@pytest.mark.parametrize(
    ("classes", "dtype"),
    [
        ([3, -5, 2**40], np.int64), ([False, True], np.int64), ([-1.0, 2.0], np.int64),
        (["é", "b"], object), (np.array(["x", "y", "z"], object), object),
        (np.array([1, 2], np.uint8), np.int64),
    ],
)  # fmt: skip
def test_types_of_labels(classes, dtype):
    X, y = [[1, 2], [2, 1], [1, 1]] * 4, np.resize(classes, 12)
    clf = small(learning_rate=0.1, max_iter=20).fit(X, y)
    label = run(to_onnx(clf), np.array(X))["label"]
    assert label.dtype == dtype
    assert label.tolist() == clf.predict(X).tolist()


@pytest.mark.filterwarnings("ignore:Each sample of X is a single timestep")
def test_names_types_and_free_axes():
    """Those of skl2onnx, so that one program serves both."""
    clf = small().fit([[1, 2], [2, 1], [1, 1]], [0, 1, 2])
    model = to_onnx(clf, opset=15)

    def shown(values):
        return [
            (v.name, v.type.tensor_type.elem_type, [d.dim_param or d.dim_value for d in dims])
            for v in values
            for dims in [v.type.tensor_type.shape.dim]
        ]

    int64, float32 = onnx.TensorProto.INT64, onnx.TensorProto.FLOAT
    assert shown(model.graph.input) == [("X", int64, ["batch", "timesteps"])]
    assert shown(model.graph.output) == [
        ("label", int64, ["batch"]),
        ("probabilities", float32, ["batch", 3]),
    ]
    assert [(v.domain, v.version) for v in model.opset_import] == [("", 15)]
    assert model.ir_version <= 8  # the one of this opset, which older runtimes can read
    series = to_onnx(SimpleRNNRegressor(max_iter=1).fit([[[0.1, 0.2]]] * 3, [[1, 2]] * 3))
    assert shown(series.graph.input) == [("X", float32, ["batch", "timesteps", 2])]
    assert shown(series.graph.output) == [("variable", float32, ["batch", 2])]


def test_ids_beyond_a_fixed_vocabulary_are_errors_there_too():
    clf = small(vocabulary_size=4).fit([[1, 2], [2, 3]], [0, 1])
    model = to_onnx(clf)
    for wrong in (4, -1, -4, 2**40):
        with pytest.raises(Exception, match="out of data bounds"):
            run(model, np.array([[1, wrong]]))
    open_model = to_onnx(small().fit([[1, 2], [2, 3]], [0, 1]))
    with pytest.raises(Exception, match="out of data bounds"):
        run(open_model, np.array([[1, -1]]))


# What is refused


class StatesOfZeros(BaseEstimator):
    """What SimpleRNNTransformer takes for a network."""

    def fit(self, X, y):
        self.n_features_in_ = 2
        return self

    def hidden_states(self, X):
        return np.zeros((len(X), 2))


def test_what_cannot_be_converted():
    X, y = [[1, 2], [2, 1]], [0, 1]
    for cls in (SimpleRNNClassifier, SimpleRNNRegressor, SimpleRNNTransformer):
        with pytest.raises(NotFittedError, match=cls.__name__):
            to_onnx(cls())
    for other in (None, "model", SimpleRNN(3), make_pipeline(small()).fit(X, y)):
        with pytest.raises(TypeError, match=f"got {type(other).__name__}. For a pipeline"):
            to_onnx(other)
    with pytest.raises(TypeError, match=r"estimator_ .* is a StatesOfZeros, but only networks of"):
        to_onnx(SimpleRNNTransformer(StatesOfZeros()).fit(X, y))


@pytest.mark.parametrize("opset", [1, 12, 1000])
def test_opsets_that_cannot_be_written(opset):
    clf = small().fit([[1, 2], [2, 1]], [0, 1])
    with pytest.raises(ValueError, match=f"opset={opset} cannot be written; pass one from 13 to"):
        to_onnx(clf, opset=opset)


@pytest.mark.parametrize("opset", [0, 17.0, "17", None, True])
def test_opsets_that_are_none(opset):
    with pytest.raises(ValueError, match=f"'opset' .* Got {opset!r}"):
        to_onnx(small().fit([[1, 2], [2, 1]], [0, 1]), opset=opset)


@pytest.mark.parametrize(
    "classes",
    [
        np.array([b"1", b"2"]), np.array(["2020", "2021"], "M8[Y]"), np.array([1, "2"], object),
        np.array([1, 2**63], np.uint64), [0.5, 1.0], [0.0, np.inf], [0.0, np.nan],
    ],
)  # fmt: skip
def test_labels_that_onnx_does_not_have(classes):
    clf = small().fit([[1, 2], [2, 1]], [0, 1])
    clf.classes_ = np.asarray(classes)
    with pytest.raises(ValueError, match=re.escape(f"labels {clf.classes_.tolist()} cannot be")):
        to_onnx(clf)


def test_weights_beyond_single_precision():
    clf = small(dtype="float64").fit([[1, 2], [2, 1]], [0, 1])
    clf.weights_["head/bias"][0] = 1e39
    with pytest.raises(
        ValueError, match=r"weights_\['head/bias'\] contains .* float32 cannot hold"
    ):
        to_onnx(clf)


def test_parameters_changed_since_the_fit():
    clf = small().fit([[1, 2], [2, 1]], [0, 1])
    with pytest.raises(ValueError, match="weights are not those of units=7"):
        to_onnx(clf.set_params(units=7))
    with pytest.raises(ValueError, match="'activation' parameter"):
        to_onnx(clf.set_params(units=6, activation="gelu"))
