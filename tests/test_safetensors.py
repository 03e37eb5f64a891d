"""Weights in files of safetensors: what a reader of the format finds, and what is refused."""

import io
import json
import struct

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from common import assert_same_weights, small
from crnn import SimpleRNNClassifier, SimpleRNNTransformer
from crnn.interop import load_safetensors, save_safetensors

safetensors = pytest.importorskip("safetensors", reason="safetensors is not installed")
numpy = pytest.importorskip("safetensors.numpy")

X, Y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10, [1, 0, 1, 0] * 10
RICH = {"units": (6, 4), "bidirectional": True, "pooling": ("max", "last"), "bigrams": 5}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", [{}, RICH], ids=["defaults", "rich"])
def test_out_and_in(options, dtype, tmp_path):
    path = tmp_path / "weights.safetensors"
    clf = small(**options, dtype=dtype).fit(X, Y)
    other = small(**options, dtype=dtype, random_state=1).fit(X, Y)
    save_safetensors(clf, path)
    with safetensors.safe_open(path, "numpy") as file:  # as any reader of the format does
        assert set(file.keys()) == set(clf.weights_)
        for name, array in clf.weights_.items():
            np.testing.assert_array_equal(file.get_tensor(name), array)
    load_safetensors(other, path)
    assert list(other.weights_) == list(clf.weights_)
    assert_same_weights(other, clf)
    np.testing.assert_array_equal(other.predict_proba(X), clf.predict_proba(X))
    other.fit_progress_, other.partial_fit(X, Y)  # which goes on from there


def test_open_files_other_precisions_and_views():
    clf = small(dtype="float64").fit(X, Y)
    kernel = clf.weights_["rnn_0/kernel"]
    clf.weights_["rnn_0/kernel"] = np.asfortranarray(kernel)[::-1]
    single = small(dtype="float32").fit(X, Y)
    file = io.BytesIO()
    save_safetensors(clf, file)
    file.seek(0)
    load_safetensors(single, file)
    assert {array.dtype for array in single.weights_.values()} == {np.dtype(np.float32)}
    assert_same_weights(single, clf, atol=1e-6)
    with pytest.raises(TypeError, match="text mode"):
        save_safetensors(clf, io.StringIO())


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "weights.safetensors"
    clf = small().fit(X, Y)
    save_safetensors(clf, path)
    content = path.read_bytes()
    clf.weights_["embedding"] = np.array(["no numbers"])
    with pytest.raises(Exception, match="str"):
        save_safetensors(clf, path)
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def content_of(weights):
    return io.BytesIO(numpy.save(weights))


def changed(weights, **changes):
    """Weights of which some are others, or missing if None."""
    weights = weights | {name.replace("__", "/"): array for name, array in changes.items()}
    return {name: array for name, array in weights.items() if array is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head__bias": None}, r"weights_\['head/bias'\] has shape None instead of \(1,\)"),
        (
            {"rnn_1__bias": np.zeros(6)},
            r"weights_\['rnn_1/bias'\] has shape \(6,\) instead of None",
        ),
        ({"embedding": np.zeros((5, 4))}, r"weights_\['embedding'\] has shape \(5, 4\) instead of"),
        ({"head__bias": np.array([np.nan])}, "weights of 'head/bias' contains NaN"),
        ({"head__bias": np.array([1e39])}, "weights of 'head/bias' contains infinity"),
        ({"head__bias": np.array([1])}, r"weights_\['head/bias'\] has dtype int64"),
    ],
)
def test_weights_of_another_model(changes, message):
    clf = small().fit(X, Y)
    before = clf.get_weights()
    with pytest.raises(ValueError, match=message):
        load_safetensors(clf, content_of(changed(clf.weights_, **changes)))
    for array, old in zip(clf.weights_.values(), before, strict=True):
        np.testing.assert_array_equal(array, old)


def bfloat16():
    header = json.dumps({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\0\0"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{}", id="short"),
        pytest.param(b"\xff" * 20, id="noise"),
        pytest.param(struct.pack("<Q", 10**9) + b"{}", id="long header"),
        pytest.param(numpy.save({"a": np.ones(3)})[:-1], id="cut"),
        pytest.param(bfloat16(), id="bfloat16"),
    ],
)
def test_files_that_cannot_be_read(content, tmp_path):
    path = tmp_path / "a file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="a file is not a file of safetensors that NumPy can read"):
        load_safetensors(small().fit(X, Y), path)
    with pytest.raises(FileNotFoundError):
        load_safetensors(small().fit(X, Y), tmp_path / "another")


@pytest.mark.parametrize("function", [load_safetensors, save_safetensors])
def test_what_has_no_weights(function):
    with pytest.raises(NotFittedError):
        function(SimpleRNNClassifier(), io.BytesIO())
    with pytest.raises(TypeError, match=r"got SimpleRNNTransformer; .* estimator_"):
        function(SimpleRNNTransformer(), io.BytesIO())
