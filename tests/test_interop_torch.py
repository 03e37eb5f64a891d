"""Modules of PyTorch compute what the estimators do, and come back as they were."""

import pickle

import numpy as np
import pytest
from hypothesis import given

from crnn import SimpleRNNRegressor
from crnn.interop import from_torch, to_torch
from drawn_networks import SETTINGS, assert_same, networks, outputs_of, with_maxima_below_zero

torch = pytest.importorskip("torch", reason="torch is not installed; see `make test-interop`")

DRAWN = networks(activations=("tanh", "relu"), one_size=True)


def activated(estimator, logits):
    """Logits through the activation of the head."""
    kinds = {"logistic": torch.sigmoid, "softmax": lambda x: x.softmax(1), "identity": lambda x: x}
    return kinds[estimator.out_activation_](logits).numpy()


@SETTINGS
@given(DRAWN)
def test_there_and_back(drawn):
    estimator, X = drawn
    module = to_torch(estimator).eval()
    with torch.no_grad():
        logits = module(torch.from_numpy(X))
    wanted = outputs_of(estimator, X)
    np.testing.assert_allclose(activated(estimator, logits), wanted, atol=1e-5, rtol=1e-5)
    classes, more = getattr(estimator, "classes_", None), {}
    if estimator.out_activation_ == "logistic" and estimator.n_outputs_ == 3:
        classes, more = None, {"multilabel": True}
    back = from_torch(module, classes, **more)
    assert_same(estimator, back)
    np.testing.assert_array_equal(outputs_of(back, X), wanted)


def test_maxima_of_masked_steps():
    estimator, X = with_maxima_below_zero(), np.array([[0, 1, 2], [3, 0, 0], [0, 0, 0]])
    wanted = estimator.predict(X)
    assert (wanted[:2] < -1).all()
    np.testing.assert_allclose(
        to_torch(estimator)(torch.from_numpy(X)).detach().numpy()[:, 0], wanted, atol=1e-5
    )


@SETTINGS
@given(DRAWN)
def test_biases_are_added_and_names_are_those_of_torch(drawn):
    """A plain nn.RNN takes the parameters, and gives the states after each step."""
    estimator, X = drawn
    state = to_torch(estimator).state_dict()
    own = {name[4:]: array for name, array in state.items() if name.startswith("rnn.")}
    n_features, dtype = own["weight_ih_l0"].shape[1], own["weight_ih_l0"].dtype
    layers = len(np.atleast_1d(estimator.units))
    units, both = int(np.atleast_1d(estimator.units)[0]), estimator.bidirectional
    rnn = torch.nn.RNN(
        n_features, units, layers, estimator.activation, batch_first=True, bidirectional=both,
        dtype=dtype,
    )  # fmt: skip
    rnn.load_state_dict(own)
    data = estimator.embedding_[np.minimum(X, len(estimator.embedding_) - 1)] if X.ndim == 2 else X
    states = rnn(torch.from_numpy(data))[0].detach().numpy()
    estimator.set_params(mask_zero=False)
    wanted = estimator.hidden_states(X, return_sequences=True)
    np.testing.assert_allclose(states, wanted, atol=1e-5, rtol=1e-5)
    if hasattr(estimator, "predict_proba"):
        return
    for name in [name for name in state if "bias_hh" in name]:
        state[name] += 0.5
        state[name.replace("hh", "ih")] -= 0.5
    settings = {n: getattr(estimator, n) for n in ("pooling", "activation", "mask_zero")}
    back = from_torch(state, **settings)
    for name, array in estimator.weights_.items():
        np.testing.assert_allclose(back.weights_[name], array, atol=1e-6, err_msg=name)


def test_series_of_any_length():
    rng = np.random.default_rng(0)
    series = [rng.normal(size=(n, 2)).astype("f4") for n in (5, 0, 1, 3)]
    reg = SimpleRNNRegressor(4, bidirectional=True, max_iter=1).fit(series, np.arange(4.0))
    padded = torch.full((4, 5, 2), 7.0)
    for row, one in zip(padded, series, strict=True):
        row[: len(one)] = torch.from_numpy(one)
    lengths = torch.tensor([len(one) for one in series])
    got = to_torch(reg)(padded, lengths)[:, 0].detach().numpy()
    np.testing.assert_allclose(got, reg.predict(series), atol=1e-5)


def test_a_module_trains_and_pickles():
    reg = SimpleRNNRegressor(4, max_iter=1).fit([[1, 2], [2]], [0.0, 1.0])
    module = to_torch(reg)
    ids = torch.tensor([[0, 1, 2], [2, 0, 0]])
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    module(ids).square().mean().backward()
    optimizer.step()
    again = pickle.loads(pickle.dumps(module))
    assert torch.equal(again(ids), module(ids))
    back = from_torch(module)  # the second bias has moved, too
    np.testing.assert_allclose(
        back.predict(ids.numpy()), module(ids)[:, 0].detach().numpy(), atol=1e-5
    )


def test_tensors_that_are_refused():
    state = to_torch(SimpleRNNRegressor(4, max_iter=1).fit([[1, 2], [2]], [0, 1.0])).state_dict()
    with pytest.raises(ValueError, match=r"embedding\.weight has dtype torch.bfloat16"):
        from_torch(state | {"embedding.weight": state["embedding.weight"].bfloat16()})
    with pytest.raises(ValueError, match=r"weight_hh_l0 has shape"):
        from_torch(torch.nn.ModuleDict({"a": torch.nn.LSTM(2, 3), "b": torch.nn.Linear(3, 1)}))
