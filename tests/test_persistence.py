"""Files of fitted estimators: the same model again, and nothing that a file could smuggle in."""

import io
import json
import pickle
import zipfile

import joblib
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from crnn import SimpleRNNClassifier, SimpleRNNRegressor


def fitted(kind="numbers", **options):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 9, (60, 5)), rng.integers(0, 3, 60)
    if kind == "text":
        y = np.array(["no", "yes", "maybe"])[y]
    if kind == "objects":
        y = np.array(["no", "yes", "maybe"], dtype=object)[y]
    if kind == "labels":
        y = np.eye(3, dtype=int)[y]
    if kind == "series":
        return SimpleRNNRegressor(4, max_iter=2, **options).fit(X / 9, y), X / 9, y
    clf = SimpleRNNClassifier(4, max_iter=2, vocabulary_size=9, random_state=0, **options)
    return clf.fit(X, y), X, y


def by_own_format(model, path):
    model.save(path)
    return type(model).load(path)


def by_joblib(model, path):
    joblib.dump(model, path)
    return joblib.load(path)


def by_pickle(model, path):
    return pickle.loads(pickle.dumps(model))


def by_skops(model, path):
    """Only the class itself is to be trusted."""
    skops_io = pytest.importorskip("skops.io", reason="skops is not installed")
    data, own = skops_io.dumps(model), f"{type(model).__module__}.{type(model).__name__}"
    assert skops_io.get_untrusted_types(data=data) == [own]
    return skops_io.loads(data, trusted=[own])


@pytest.mark.parametrize("kind", ["numbers", "text", "objects", "labels", "series"])
@pytest.mark.parametrize("way", [by_own_format, by_joblib, by_pickle, by_skops])
def test_the_same_model_again(way, kind, tmp_path):
    model, X, y = fitted(kind)
    again = way(model, tmp_path / "model.npz")
    assert repr(again) == repr(model)
    assert again.history_ == model.history_
    assert vars(again).keys() == vars(model).keys()
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.predict(X).dtype == model.predict(X).dtype
    np.testing.assert_array_equal(  # the random stream and the optimiser go on as well
        again.partial_fit(X, y).hidden_states(X), model.partial_fit(X, y).hidden_states(X)
    )


@pytest.mark.parametrize(
    "options",
    [
        {"class_weight": {0: 1.0, 1: 2, 2: np.float32(0.5)}},
        {"optimizer": "adam", "dtype": "float64", "clip_norm": np.float64(1)},
        {"optimizer": "sgd", "momentum": 0.5, "scoring": ["accuracy"], "validation_fraction": 0.2},
    ],
    ids=["class weights", "adam", "lists"],
)
def test_parameters_of_all_kinds(options, tmp_path):
    model, X, _ = fitted(**options)
    again = by_own_format(model, tmp_path / "model.npz")
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_columns_of_a_frame(tmp_path):
    pd = pytest.importorskip("pandas")
    _, X, y = fitted()
    frame = pd.DataFrame(X / 9, columns=list("abcde"))
    model = SimpleRNNRegressor(4, max_iter=1).fit(frame, y)
    again = by_own_format(model, tmp_path / "model.npz")
    np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        again.predict(frame[list("edcba")])


def rewritten(path, change):
    """The file with its header and arrays changed by a function."""
    with np.load(path) as archive:
        members = {name: archive[name] for name in archive.files}
    header = json.loads(members.pop("header").tobytes())
    change(header, members)
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **members)


def cut(header, members):
    members["attributes.kernel_"] = members["attributes.kernel_"][:, :2]


def poison(header, members):
    members["attributes.bias_"][0] = np.nan


def forget(header, members):
    del members["attributes.bias_"]


def newer(header, members):
    header["format_version"] = 2


def of_another_class(header, members):
    header["class"] = "SimpleRNNRegressor"


def bad_parameter(header, members):
    header["parameters"] = {"dict": [["units", -1]]}


def unknown_parameter(header, members):
    header["parameters"] = {"dict": [["unit", 1]]}


def smuggle(header, members):
    header["attributes"]["dict"].append(["extra_", {"object": "os.system"}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut, "shapes"),
        (poison, "bias_ holds numbers that are infinite or NaN"),
        (forget, "attributes.bias_"),
        (newer, "not of"),
        (of_another_class, "SimpleRNNRegressor"),
        (bad_parameter, "units"),
        (unknown_parameter, "unit"),
        (smuggle, "unknown kind 'object'"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_files_that_are_not_what_they_say(change, message, tmp_path):
    path = tmp_path / "model.npz"
    fitted()[0].save(path)
    rewritten(path, change)
    with pytest.raises(ValueError, match=f"(?s)model.npz is no file that .*{message}"):
        SimpleRNNClassifier.load(path)


def test_damaged_files(tmp_path):
    path = tmp_path / "model.npz"
    fitted()[0].save(path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:1000], whole[:-50], whole.replace(b"units", b"onits"), b"text"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is no file that SimpleRNNClassifier"):
            SimpleRNNClassifier.load(path)


def test_pickles_inside_are_not_opened(tmp_path):
    path = tmp_path / "model.npz"
    fitted()[0].save(path)
    member = io.BytesIO()
    np.save(member, np.array([{"an": "object"}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.npy", member.getvalue())
    with pytest.raises(ValueError, match="allow_pickle"):
        SimpleRNNClassifier.load(path)


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "model.npz"
    with pytest.raises(NotFittedError):
        SimpleRNNClassifier().save(path)
    model, X, _ = fitted()
    model.fit(X, np.array([2.5, "text", None] * 20, dtype=object).astype(str).astype(object))
    model.classes_ = np.array([1, "a", None], dtype=object)
    with pytest.raises(ValueError, match="classes_ holds Python objects"):
        model.save(path)
    assert not path.exists()
