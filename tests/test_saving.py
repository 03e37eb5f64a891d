"""Files of whatever crnn makes: pipelines, vectorizers, and files without optimiser."""

import io
import json

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

import crnn
from common import BOOK, BOTH, assert_same_weights, fitted, interrupt_after, small
from crnn import SimpleRNNClassifier, SimpleRNNRegressor, SimpleRNNTransformer
from crnn._training.builders import optimizer_of
from crnn.preprocessing import (
    HashingSequenceVectorizer,
    SequenceVectorizer,
    SeriesLayout,
    SeriesPatches,
    SeriesScaler,
)
from test_damaged_files import rewritten

TEXTS = ["a good film", "bad, a bad film", "no good film", "film"] * 5
LABELS = ["yes", "no", "no", "yes"] * 5


def kept(model, path):
    crnn.save(model, path)
    again = crnn.load(path)
    assert type(again) is type(model)
    assert repr(again) == repr(model)
    return again


@pytest.mark.parametrize("kind", ["numbers", "text", "labels", "series"])
def test_any_network(kind, tmp_path):
    model, X, y = fitted(kind)
    again = kept(model, tmp_path / "model.npz")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert_same_weights(again.partial_fit(X, y), model.partial_fit(X, y))
    model.save(tmp_path / "other.npz")
    assert type(crnn.load(tmp_path / "other.npz")) is type(model)


@pytest.mark.parametrize(
    "vectorizer",
    [
        SequenceVectorizer(maxlen=4),
        SequenceVectorizer(20, maxlen=None, dtype=np.int64, stop_words=["a"], vocabulary=["film"]),
        SequenceVectorizer(analyzer="char", maxlen=9, vocabulary={"a": 5, "\ud800": 4}),
        HashingSequenceVectorizer(50, maxlen=5, dtype=np.uint16, strip_accents="unicode"),
    ],
)
def test_vectorizers(vectorizer, tmp_path):
    again = kept(vectorizer.fit(TEXTS), tmp_path / "vectorizer.npz")
    ids, wanted = again.transform(TEXTS), vectorizer.transform(TEXTS)
    assert ids[0].dtype == wanted[0].dtype
    for one, other in zip(ids, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
    if hasattr(vectorizer, "vocabulary_"):
        assert list(again.vocabulary_.items()) == list(vectorizer.vocabulary_.items())


def test_types_of_ids(tmp_path):
    vectorizer = SequenceVectorizer(maxlen=4, dtype=np.dtype("u2")).fit(TEXTS)
    crnn.save(vectorizer, tmp_path / "vectorizer.npz")
    assert crnn.load(tmp_path / "vectorizer.npz").transform(TEXTS).dtype == np.uint16
    with pytest.raises(ValueError, match="dtype=<class 'object'> cannot be saved"):
        crnn.save(vectorizer.set_params(dtype=object), tmp_path / "other.npz")


@BOTH
def test_pipelines(network, tmp_path):
    pytest.importorskip("pandas")
    model = make_pipeline(SequenceVectorizer(maxlen=6), small(**network))
    model.set_output(transform="pandas").fit(TEXTS, LABELS)
    again = kept(model, tmp_path / "model.npz")
    new = [*TEXTS[:4], "an unknown film"]
    np.testing.assert_array_equal(again.predict_proba(new), model.predict_proba(new))
    assert list(again[:-1].transform(new).columns) == list(model[:-1].transform(new).columns)
    inner = Pipeline([("none", "passthrough"), ("all", model)], memory=str(tmp_path / "cache"))
    np.testing.assert_array_equal(
        kept(inner, tmp_path / "inner.npz").predict_proba(new), model.predict_proba(new)
    )


def test_transformers(tmp_path):
    model = make_pipeline(SequenceVectorizer(maxlen=6), SimpleRNNTransformer(small()))
    model.fit(TEXTS, LABELS)
    again = kept(model, tmp_path / "model.npz")
    np.testing.assert_array_equal(again.transform(TEXTS), model.transform(TEXTS))
    assert again.fit(TEXTS, LABELS).transform(TEXTS).shape == (20, 6)


@pytest.mark.parametrize("ragged", [False, True])
def test_pipelines_of_series(ragged, tmp_path):
    X = np.random.default_rng(0).normal(5, 3, (20, 2, 30))  # generated
    X = [*X] if ragged else X
    model = make_pipeline(SeriesLayout(), SeriesScaler(), SeriesPatches(), small()).fit(X, LABELS)
    again = kept(model, tmp_path / "model.npz")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("width_", 0, "width_ is 0"),
        ("n_channels_in_", "2", "n_channels_in_ is '2'"),
        ("mean_", np.zeros(3), "mean_ is not an array of a finite number for each channel"),
        ("scale_", np.full(2, np.nan), "scale_ is not an array"),
    ],
)
def test_transformers_of_series_that_are_not_sound(name, value, message, tmp_path):
    X = np.random.default_rng(0).normal(size=(5, 30, 2))  # generated
    model = (SeriesScaler() if name in ("mean_", "scale_") else SeriesPatches()).fit(X)
    setattr(model, name, value)
    crnn.save(model, tmp_path / "model.npz")
    with pytest.raises(ValueError, match=message):
        crnn.load(tmp_path / "model.npz")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (SequenceVectorizer(tokenizer=str.split, token_pattern=None), r"s\.tokenizer=<method"),
        (
            make_pipeline(SequenceVectorizer(preprocessor=str.lower), small()),
            r"steps\.sequencevectorizer\.parameters\.preprocessor=<method",
        ),
        (
            make_pipeline(TfidfVectorizer(), LogisticRegression()),
            r"parameters\.steps\.tfidfvectorizer=TfidfVectorizer\(\) cannot",
        ),
        (SequenceVectorizer(vocabulary={"film", "good"}), r"parameters\.vocabulary=\{"),
        (LogisticRegression(), r"estimator=LogisticRegression\(\) cannot .* for SimpleRNNClass"),
    ],
)
def test_what_cannot_be_saved(model, message, tmp_path):
    model.fit(TEXTS if not isinstance(model, LogisticRegression) else np.eye(20), LABELS)
    with pytest.raises(ValueError, match=message):
        crnn.save(model, tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "model",
    [
        small(),
        SequenceVectorizer(),
        SimpleRNNTransformer(),
        make_pipeline(SequenceVectorizer().fit(TEXTS), small()),
        make_pipeline(SequenceVectorizer(), small().fit([[1], [2]], [0, 1])),
    ],
)
def test_what_is_not_fitted(model, tmp_path):
    with pytest.raises(NotFittedError):
        crnn.save(model, tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_a_class_of_the_user(tmp_path):
    class Mine(SimpleRNNClassifier):
        pass

    model = Mine(4, max_iter=1).fit([[1], [2]], [0, 1])
    model.save(tmp_path / "model.npz")
    assert type(Mine.load(tmp_path / "model.npz")) is Mine
    with pytest.raises(ValueError, match=r"Mine.* cannot be saved"):
        crnn.save(model, tmp_path / "other.npz")
    with pytest.raises(ValueError, match="holds a Mine, not a SimpleRNNClassifier or"):
        crnn.load(tmp_path / "model.npz")


def test_a_file_of_another_class(tmp_path):
    fitted()[0].save(tmp_path / "model.npz")
    with pytest.raises(
        ValueError, match=r"use crnn\.load\. Reason: it holds a SimpleRNNClassifier"
    ):
        SimpleRNNRegressor.load(tmp_path / "model.npz")


# Files without optimiser


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
def test_without_optimizer(optimizer, tmp_path):
    X, y = fitted()[1:]
    held_out = {"validation_fraction": 0.3, "stratify": True}
    model = small(
        optimizer=optimizer, momentum=0.5, vocabulary_size=5000, warm_start=True, **held_out
    )
    model.fit(X, y)
    model.save(tmp_path / "whole.npz")
    model.save(tmp_path / "slim.npz", optimizer=False)
    whole, slim = ((tmp_path / f"{name}.npz").stat().st_size for name in ("whole", "slim"))
    assert slim < (0.36 if optimizer == "adam" else 0.52) * whole
    again = SimpleRNNClassifier.load(tmp_path / "slim.npz")
    assert_same_weights(again, model)
    assert again.history_ == model.history_
    # A new optimiser on the same weights, and the same random stream.
    fresh = SimpleRNNClassifier.load(tmp_path / "whole.npz")
    fresh._training["optimizer"] = optimizer_of(fresh).state
    assert_same_weights(again.partial_fit(X, y), fresh.partial_fit(X, y))
    assert_same_weights(again.fit(X, y), fresh.fit(X, y))
    assert again.n_iter_ == 7
    assert np.abs(again.kernel_ - model.partial_fit(X, y).fit(X, y).kernel_).max() > 0


def test_without_optimizer_in_a_pipeline(tmp_path):
    model = make_pipeline(SequenceVectorizer(maxlen=6), SimpleRNNTransformer(small()))
    model.fit(TEXTS, LABELS)
    crnn.save(model, tmp_path / "slim.npz", optimizer=False)
    network = crnn.load(tmp_path / "slim.npz")[-1].estimator_
    assert network._training["optimizer"]["n_steps"] == 0
    assert model[-1].estimator_._training["optimizer"]["n_steps"] > 0


def test_an_interrupted_fit_without_optimizer(tmp_path):
    X, y = fitted()[1:]
    model = small(callbacks=[interrupt_after(2)], early_stopping=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    model.save(tmp_path / "slim.npz", optimizer=False)
    again = SimpleRNNClassifier.load(tmp_path / "slim.npz")
    with pytest.raises(ValueError, match="nothing to resume"):
        again.resume(X, y)
    assert model.set_params(callbacks=None).resume(X, y).n_iter_ == 3


# Damaged files of pipelines


def parameters_of(header, *names):
    """The parameters of a step of the pipeline in a header, as pairs."""
    steps = dict(map(tuple, header["parameters"]["dict"]))["steps"]["dict"]
    return dict(map(tuple, steps))[names[0]]["estimator"]


def of_step(name, change):
    return lambda header, members: change(parameters_of(header, name))


def with_vocabulary(value):
    def change(step):
        step["attributes"]["dict"] = [["vocabulary_", value]]

    return of_step("sequencevectorizer", change)


def ids(*pairs):
    return {"dict": [list(pair) for pair in pairs]}


DAMAGE = {
    "ids below the first": (with_vocabulary(ids(("a", 2))), "vocabulary_ is not a dict of diff"),
    "ids there twice": (with_vocabulary(ids(("a", 3), ("b", 3))), "vocabulary_ is not a dict"),
    "ids that are none": (with_vocabulary(ids(("a", "3"))), "vocabulary_ is not a dict"),
    "huge ids": (with_vocabulary(ids(("a", 2**31))), "vocabulary_ is not a dict"),
    "no words": (with_vocabulary(ids()), "vocabulary_ is not a dict"),
    "a list of words": (with_vocabulary(["a"]), "vocabulary_ is not a dict"),
    "words that are lists": (with_vocabulary(ids((["a"], 3))), "unhashable"),
    "a parameter": (
        of_step("sequencevectorizer", lambda step: step.update(parameters=ids(("maxlen", 0)))),
        "'maxlen' parameter",
    ),
    "another class": (
        of_step("sequencevectorizer", lambda step: step.update({"class": "FunctionTransformer"})),
        "holds a FunctionTransformer, not a SimpleRNNClassifier or",
    ),
    "an output": (
        of_step("sequencevectorizer", lambda step: step.update(output={"transform": []})),
        "output of transform",
    ),
    "a step of numbers": (
        lambda header, members: header.update(parameters=ids(("steps", ids((3, None))))),
        "the step 3 is None",
    ),
    "a step of text": (
        lambda header, members: header.update(parameters=ids(("steps", ids(("a", "b"))))),
        "the step 'a' is 'b'",
    ),
    "no steps": (lambda header, members: header.update(parameters=ids(("steps", 3))), "items"),
    "nothing fitted": (
        of_step("sequencevectorizer", lambda step: step.update(attributes=ids())),
        "does not contain a fitted model",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_pipelines_that_are_not_what_they_say(kind, tmp_path):
    change, message = DAMAGE[kind]
    path = tmp_path / "model.npz"
    crnn.save(make_pipeline(SequenceVectorizer(maxlen=6), small()).fit(TEXTS, LABELS), path)
    rewritten(path, change)
    with pytest.raises(ValueError, match=f"(?s)model.npz is not a file that crnn.load.*{message}"):
        crnn.load(path)


def test_a_file_holds_no_code(tmp_path):
    """All of it can be read by NumPy without pickles, and JSON."""
    model = make_pipeline(SequenceVectorizer(maxlen=6), small(**BOOK)).fit(TEXTS, LABELS)
    buffer = io.BytesIO()
    crnn.save(model, buffer)
    with np.load(io.BytesIO(buffer.getvalue()), allow_pickle=False) as members:
        kinds = {members[name].dtype.kind for name in members.files}
        header = json.loads(members["header"].tobytes())
    assert kinds <= set("fiuU")
    assert header["class"] == "Pipeline"
