"""Pipelines that skl2onnx converts, in ONNX Runtime, against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from common import ROUNDS, small
from crnn import SimpleRNNClassifier, SimpleRNNRegressor, SimpleRNNTransformer
from crnn.datasets import make_reviews
from crnn.interop import register_skl2onnx
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer

skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
types = pytest.importorskip("skl2onnx.common.data_types")

TEXT = types.StringTensorType([None])


@pytest.fixture(autouse=True, scope="module")
def registered():
    register_skl2onnx()


def run(model, X, type_=None, **options):
    type_ = type_ or skl2onnx.common.data_types.guess_data_type(X)[0][1]
    if options:
        options = {"options": {id(model): options}}
    converted = skl2onnx.convert_sklearn(model, initial_types=[("X", type_)], **options)
    session = runtime.InferenceSession(converted.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


def reviews(n=60):
    texts, y = make_reviews(n, random_state=0)
    return np.array(texts, object), np.array(["bad", "good"], object)[y]


# Estimators in pipelines


@pytest.mark.parametrize("cls", [SequenceVectorizer, HashingSequenceVectorizer])
def test_from_text_to_labels(cls):
    texts, y = reviews()
    pipeline = make_pipeline(cls(maxlen=20, lowercase=False), small(max_iter=10)).fit(texts, y)
    found = run(pipeline, texts, TEXT, zipmap=False)
    assert found["label"].tolist() == pipeline.predict(texts).tolist()
    np.testing.assert_allclose(found["probabilities"], pipeline.predict_proba(texts), atol=1e-5)


def test_options_of_classifiers():
    texts, y = reviews()
    pipeline = make_pipeline(SequenceVectorizer(maxlen=20, lowercase=False), small()).fit(texts, y)
    wanted = pipeline.predict_proba(texts)
    dicts = run(pipeline, texts, TEXT)["output_probability"]
    np.testing.assert_allclose([[d["bad"], d["good"]] for d in dicts], wanted, atol=1e-5)
    columns = run(pipeline, texts, TEXT, zipmap="columns")
    np.testing.assert_allclose(columns["sgood"], wanted[:, 1], atol=1e-5)
    named = run(pipeline, texts, TEXT, zipmap=False, output_class_labels=True)
    assert named["class_labels"].tolist() == ["bad", "good"]
    with pytest.raises(ValueError, match="nocl"):
        run(pipeline, texts, TEXT, nocl=True)


def test_a_network_behind_and_before_other_steps():
    rng = np.random.default_rng(0)
    X = rng.normal(3, 2, (40, 6)).astype(np.float32)
    y = X.sum(axis=1) > 18
    start = {"max_iter": 2, "random_state": 0}
    reg = make_pipeline(StandardScaler(), SimpleRNNRegressor(4, **start)).fit(X, X[:, 0])
    np.testing.assert_allclose(run(reg, X)["variable"][:, 0], reg.predict(X), atol=1e-5)
    states = SimpleRNNTransformer(SimpleRNNClassifier(3, bidirectional=True, **start))
    clf = make_pipeline(StandardScaler(), states, LogisticRegression()).fit(X, y)
    found = run(clf, X, zipmap=False)
    np.testing.assert_allclose(found["probabilities"], clf.predict_proba(X), atol=1e-5)
    assert found["label"].tolist() == clf.predict(X).tolist()


def test_other_ways_in():
    """Searches, selected columns, ids of 32 bits, series with features, several labels."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 9, (40, 6)).astype(np.int32)
    y = rng.integers(0, 3, 40)
    search = GridSearchCV(small(), {"units": [2, 3]}, cv=2).fit(X, y)
    found = run(search, X, types.Int32TensorType([None, 6]), zipmap=False)
    np.testing.assert_allclose(found["probabilities"], search.predict_proba(X), atol=1e-5)

    labels = small().fit(X, np.eye(3, dtype=int)[y])
    found = run(labels, X, types.Int32TensorType([None, 6]), zipmap=False)
    np.testing.assert_array_equal(found["label"], labels.predict(X))

    series = rng.normal(size=(40, 6, 2))
    reg = SimpleRNNRegressor(3, max_iter=1, random_state=0).fit(series, series.sum(axis=1))
    found = run(reg, series, types.DoubleTensorType([None, None, 2]))
    np.testing.assert_allclose(found["variable"], reg.predict(series), atol=1e-5)

    states = SimpleRNNTransformer(SimpleRNNRegressor(3, max_iter=1, random_state=0))
    some = ColumnTransformer([("first", states, slice(0, 3))]).fit(series[:, :, 0], y)
    X = series[:, :, 0].astype(np.float32)
    np.testing.assert_allclose(run(some, X)["variable"], some.transform(X), atol=1e-5)


# Texts

letters = st.sampled_from(
    list("abÀé'-.,!İΣσßж\t\n\x1c\x85\u2003\u3000 \0`\\]^~\U00010400\U0001f600")
)
texts_of = st.lists(
    st.text(letters | st.characters(codec="utf-8"), max_size=30), min_size=1, max_size=6
)


def check_ids(cls, documents, training, options):
    vectorizer = cls(lowercase=False, **options)
    try:
        vectorizer.fit(training)
    except ValueError:  # no words
        vectorizer.fit(["a"])
    X = np.array(documents, object)
    np.testing.assert_array_equal(run(vectorizer, X, TEXT)["variable"], vectorizer.transform(X))


options_of_padding = st.fixed_dictionaries(
    {
        "maxlen": st.integers(1, 12),
        "padding": st.sampled_from(["pre", "post"]),
        "truncating": st.sampled_from(["pre", "post"]),
    }
)
vectorizers = st.sampled_from([SequenceVectorizer, HashingSequenceVectorizer])


@settings(max_examples=8 * ROUNDS, deadline=None)
@given(cls=vectorizers, documents=texts_of, more=texts_of, options=options_of_padding)
def test_the_same_ids_for_every_text(cls, documents, more, options):
    check_ids(cls, documents, documents[:2] + more, options)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(cls=vectorizers, documents=texts_of, more=texts_of, options=options_of_padding)
def test_the_same_ids_for_many_texts(cls, documents, more, options):
    check_ids(cls, documents, documents[:2] + more, options)


def test_every_character_separates_or_joins_as_in_python():
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    parts = ["".join(f"a{c}" for c in characters[i::1000]) for i in range(1000)]
    vectorizer = HashingSequenceVectorizer(2**30, maxlen=1200, lowercase=False)
    ids = run(vectorizer, np.array(parts, object), TEXT)["variable"]
    np.testing.assert_array_equal(ids, vectorizer.transform(parts))


def test_words_of_a_vocabulary_that_are_no_text():
    vocabulary = {("a",): 3, np.str_("b"): 4, " ": 5}
    vectorizer = SequenceVectorizer(maxlen=4, lowercase=False, vocabulary=vocabulary)
    ids = run(vectorizer, np.array(["a b", "b"], object), TEXT)["variable"]
    assert ids.tolist() == [[0, 1, 2, 4], [0, 0, 1, 4]]


@pytest.mark.parametrize("cls", [SequenceVectorizer, HashingSequenceVectorizer])
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"lowercase": True}, "locale"),
        ({"strip_accents": "unicode"}, "accents"),
        ({"analyzer": "char"}, "words only"),
        ({"token_pattern": r"(?u)\b\w\w+\b"}, "regular expressions"),
        ({"preprocessor": str.upper}, "functions"),
        ({"tokenizer": str.split, "token_pattern": None}, "functions"),
        ({"stop_words": ["the"]}, "leaves out"),
        ({"maxlen": None}, "one length"),
        ({"input": "filename"}, "files"),
    ],
)
def test_analyses_that_onnx_does_not_have(cls, options, reason):
    vectorizer = cls(**{"lowercase": False} | options)
    if cls is SequenceVectorizer:
        vectorizer.vocabulary_ = {"a": 3}
    match = rf"{cls.__name__}\({next(iter(options))}=.* same ids for every text: .*{reason}"
    with pytest.raises(ValueError, match=match):
        run(vectorizer, np.array(["a"], object), TEXT)


# Inputs that a network would misread


@pytest.mark.parametrize(
    ("tokens", "type_", "message"),
    [
        (True, types.FloatTensorType([None, None]), "cannot read a FloatTensorType. .* kinds Int"),
        (True, types.Int64TensorType([None]), r"shape \(None,\), but .* reads \(None, None\)"),
        (True, types.Int64TensorType([None, None, 1]), r"reads \(None, None\)"),
        (False, types.FloatTensorType([None, 4]), r"shape \(None, 4\), .* \(None, None, 2\)"),
        (False, types.FloatTensorType([None, None, 3]), r"reads \(None, None, 2\)"),
        (False, types.StringTensorType([None, None, 2]), "cannot read a StringTensorType"),
    ],
)
def test_inputs_of_another_kind(tokens, type_, message):
    X = np.arange(24).reshape(4, 6) if tokens else np.arange(24.0).reshape(4, 3, 2)
    reg = SimpleRNNRegressor(3, max_iter=1).fit(X, np.arange(4))
    with pytest.raises(ValueError, match=message):
        run(reg, X, type_)


def test_more_than_one_input():
    reg = SimpleRNNRegressor(3, max_iter=1).fit([[0.1, 0.2]] * 4, np.arange(4))
    columns = [(name, types.FloatTensorType([None, 1])) for name in "ab"]
    with pytest.raises(ValueError, match="reads one input, but there are 2"):
        skl2onnx.convert_sklearn(reg, initial_types=columns)
    texts = SequenceVectorizer(lowercase=False, vocabulary=["a"]).fit(["a"])
    with pytest.raises(ValueError, match=r"one text per document, but its input has shape"):
        run(texts, np.array(["a"], object), types.StringTensorType([None, 2]))


@pytest.mark.parametrize("model", [SimpleRNNRegressor(), SequenceVectorizer(lowercase=False)])
def test_models_that_are_not_fitted(model):
    with pytest.raises(NotFittedError, match=type(model).__name__):
        skl2onnx.convert_sklearn(model, initial_types=[("X", TEXT)])
