"""What crnn.interop does without the other libraries: refusals, and parameters of PyTorch."""

import importlib.util

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from common import assert_same_weights, fitted, run_python, small
from crnn import SimpleRNNClassifier, SimpleRNNRegressor
from crnn.interop import from_keras, from_torch, to_keras, to_torch
from crnn.preprocessing import SequenceVectorizer

INSTALLED = {name: bool(importlib.util.find_spec(name)) for name in ("keras", "torch")}


def test_no_library_is_imported():
    program = "import sys, crnn.interop; assert not {'keras', 'torch', 'jax'} & set(sys.modules)"
    run = run_python("-c", program)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("keras", lambda: to_keras(small().fit([[1], [2]], [0, 1]))),
        ("keras", lambda: from_keras(None)),
        ("torch", lambda: to_torch(small().fit([[1], [2]], [0, 1]))),
    ],
)
def test_a_library_that_is_not_installed(name, call):
    if INSTALLED[name]:
        pytest.skip(f"{name} is installed")
    with pytest.raises(ImportError, match=f"needs {name}, which is not installed: pip install"):
        call()


@pytest.mark.parametrize("function", [to_keras, to_torch])
def test_estimators_that_are_refused(function):
    pipeline = make_pipeline(SequenceVectorizer(), small()).fit(["a", "b"], [0, 1])
    with pytest.raises(TypeError, match=r"a network of crnn, not a Pipeline; .* pipeline\[-1\]"):
        function(pipeline)
    with pytest.raises(NotFittedError):
        function(small())
    with pytest.raises(ValueError, match="bigrams=5: no layer of another library"):
        function(small(bigrams=5).fit([[1], [2]], [0, 1]))
    with pytest.raises(ValueError, match="set the parameters back"):
        function(small().fit([[1], [2]], [0, 1]).set_params(units=3))


def test_networks_that_torch_has_not():
    with pytest.raises(ValueError, match="activation='sigmoid': torch"):
        to_torch(small(activation="sigmoid").fit([[1], [2]], [0, 1]))
    with pytest.raises(ValueError, match=r"units=\(3, 2\): all layers"):
        to_torch(small(units=(3, 2)).fit([[1], [2]], [0, 1]))


def state_of(model, second_bias=0.0):
    """Parameters as PyTorch has them, in NumPy; the biases are split in two."""
    state, weights = {}, dict(model.weights_)
    for name, array in weights.items():
        layer = name.split("/")[0].removeprefix("rnn_")
        suffix = f"l{layer}" + ("_reverse" if "backward" in name else "")
        if name == "embedding":
            state["emb.weight"] = array
        elif name.startswith("head"):
            state["fc.weight" if "kernel" in name else "fc.bias"] = array.T
        elif name.endswith("bias"):
            state[f"gru.bias_ih_{suffix}"] = array - second_bias
            state[f"gru.bias_hh_{suffix}"] = np.full_like(array, second_bias)
        else:
            side = "hh" if "recurrent" in name else "ih"
            state[f"gru.weight_{side}_{suffix}"] = array.T
    return state


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["text", "labels", "series"])
def test_parameters_of_torch(kind, bidirectional):
    model, X, y = fitted(kind)
    model.set_params(bidirectional=bidirectional, units=(3, 3)).fit(X, y)
    more = {"text": {"classes": ["maybe", "no", "yes"]}, "labels": {"multilabel": True}}
    other = from_torch(state_of(model, second_bias=0.25), **more.get(kind, {}))
    assert_same_weights(other, model, atol=1e-6)
    np.testing.assert_allclose(
        other.predict_proba(X) if kind != "series" else other.predict(X),
        model.predict_proba(X) if kind != "series" else model.predict(X),
        atol=1e-5,
    )


def test_parameters_without_biases():
    model = SimpleRNNRegressor(3, max_iter=2).fit(np.ones((4, 3, 2)), np.arange(4.0))
    state = {name: array for name, array in state_of(model).items() if "bias_" not in name}
    other = from_torch(state, n_jobs=1)
    assert not other.bias_.any()
    np.testing.assert_array_equal(other.kernel_, model.kernel_)


MODEL = SimpleRNNClassifier(3, embedding_dim=2, vocabulary_size=5, pooling="last", max_iter=1)
STATE = state_of(MODEL.fit([[1], [2]], [0, 1]))


def without(name):
    return {key: array for key, array in STATE.items() if key != name}


REFUSED = {
    "an LSTM": (STATE | {"gru.weight_hh_l0": np.ones((12, 3))}, r"shape \(12, 3\).* no LSTM"),
    "projections": (STATE | {"gru.weight_hr_l0": np.ones((3, 3))}, "not those of an nn.RNN"),
    "no input": (without("gru.weight_ih_l0"), "weight_ih_l0 and weight_hh_l0 are not"),
    "no recurrence": ({"fc.weight": np.ones((1, 3))}, "no parameters of an nn.RNN among"),
    "another layer": (STATE | {"norm.weight": np.ones(3), "norm.bias": np.ones(3)}, "norm.weight"),
    "two embeddings": (STATE | {"other.weight": np.ones((3, 3))}, "at most one embedding"),
    "no head": (without("fc.bias"), "weight and bias of one nn.Linear"),
    "NaN": (STATE | {"emb.weight": STATE["emb.weight"] * np.nan}, "emb.weight.* finite floats"),
    "integers": (STATE | {"emb.weight": np.ones((5, 2), int)}, "emb.weight, of dtype int64"),
    "a bias of another shape": (STATE | {"gru.bias_hh_l0": np.ones(9)}, r"biases of l0.*\(9,\)"),
    "a layer left out": (
        {key.replace("l0", "l1"): array for key, array in STATE.items()}, "layers .1., which must"
    ),
    "a shape": (STATE | {"gru.weight_ih_l0": np.ones((3, 7))}, r"\(5, 2\) instead of \(5, 7\)"),
    "nothing": ({}, "no parameters of an nn.RNN"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_parameters_that_are_refused(kind):
    state, message = REFUSED[kind]
    with pytest.raises(ValueError, match=message):
        from_torch(state, [0, 1], pooling="last")


def test_arguments_that_contradict():
    with pytest.raises(ValueError, match=r"classes=.* and multilabel=True"):
        from_torch(STATE, [0, 1], multilabel=True)
    with pytest.raises(ValueError, match="Pass as pooling"):
        from_torch(STATE, [0, 1])
    with pytest.raises(TypeError, match="not a str"):
        from_torch("model.pt")
