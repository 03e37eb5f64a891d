"""Pickles and copies: checked when they are loaded, and made while other threads fit."""

import io
import pickle
import sys
import threading
from copy import deepcopy

import numpy as np
import pytest
from sklearn.base import clone

from common import ROUNDS, fitted
from crnn import SimpleRNNClassifier
from crnn.callbacks import EarlyStopping


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("weights_", {"rnn_0/kernel": np.zeros((3, 3), np.float32)}, "has shape .*fit .*again"),
        ("weights_", {"rnn_0/bias": [0.0] * 4}, "is not an array of float32"),
        ("weights_", {"embedding": None}, "is not an array of float32"),
        ("weights_", {"head/kernel": np.full((4, 3), np.inf, np.float32)}, "NaN or infinity"),
        ("weights_", {"rnn_1/bias": np.zeros(4, np.float32)}, "has shape None instead of"),
        ("classes_", np.arange(9), "classes_"),
        ("_training", None, "_training is missing or not a dict"),
        ("_training", {"optimizer": {}}, "rule of the optimizer is 'missing'"),
        (
            "_training",
            {
                "optimizer": {
                    "rule": "SGD",
                    "n_steps": 0,
                    "learning_rate_factor": 1.0,
                    "more": {"rnn_0/kernel": "text"},
                }
            },
            r"unknown entries: \['more'\]",
        ),
        ("_training", {"rng": None}, "rng of _training is None"),
        ("dtype", "float16", "dtype"),
        ("activation", "x", "'activation' parameter"),
        ("n_jobs", "2", "'n_jobs' parameter"),
        ("units", True, "'units' parameter"),
        ("class_weight", {0: {0: 1}}, "'class_weight' parameter"),
        ("_training", {"plan": {"epochs_left": -1}}, "epochs_left of the plan is -1, not a count"),
        ("_training", {"progress": {"best": "low"}}, "best of the progress is 'low', not a float"),
        ("_training", {"split_seed": -1}, "split_seed of _training is -1"),
    ],
)
def test_pickles_of_what_does_not_belong_together(attribute, value, message):
    model = fitted()[0]
    if attribute in ("weights_", "_training") and value is not None:
        value = getattr(model, attribute) | value
    message = f"inconsistent attributes; fit it again. Reason: .*{message}"
    state = model.__getstate__() | {attribute: value}
    with pytest.raises(ValueError, match=message):
        SimpleRNNClassifier().__setstate__(state)
    setattr(model, attribute, value)
    damaged = pickle.dumps(model)
    with pytest.raises(ValueError, match=message):
        pickle.loads(damaged)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out_activation_", "out_activation_ is missing"),
        ("units", r"the parameters \['units'\] are missing"),
    ],
)
def test_pickles_that_lack_something(name, message):
    state = fitted()[0].__getstate__()
    del state[name]
    model = SimpleRNNClassifier.__new__(SimpleRNNClassifier)
    with pytest.raises(ValueError, match=message):
        model.__setstate__(state)


@pytest.mark.parametrize("settings", [{"units": True}, {"unit": 3}, {"scoring": [[]]}, None])
def test_plans_of_other_parameters(settings):
    model, X, y = fitted()
    state = model.__getstate__()

    def cut(estimator):
        state.update(estimator.__getstate__())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.set_params(callbacks=[cut]).fit(X, y)
    state["callbacks"] = None
    SimpleRNNClassifier().__setstate__(state)
    state["_training"]["plan"]["settings"] = settings
    with pytest.raises(ValueError, match="the plan"):
        SimpleRNNClassifier().__setstate__(state)


def test_streams_beyond_their_words(tmp_path):
    """In the parameter random_state, fitted or not, and of other generators."""
    twister, philox = np.random.RandomState(0), np.random.RandomState(np.random.Philox(0))
    state = twister.get_state(legacy=False)
    state["state"]["pos"] = 10**9
    try:
        twister.set_state(state)
    except ValueError:
        pytest.skip("this version of NumPy makes no such stream")
    state = philox.get_state(legacy=False)
    state["buffer_pos"] = -(2**30)
    philox._bit_generator.state = state
    for stream in (twister, philox):
        model = fitted()[0].set_params(random_state=stream)
        for estimator in (model, clone(SimpleRNNClassifier()).set_params(random_state=stream)):
            with pytest.raises(ValueError, match="the random stream has the position"):
                pickle.loads(pickle.dumps(estimator))
    path = tmp_path / "model.npz"
    model.set_params(random_state=twister).save(path)
    with pytest.raises(ValueError, match="the random stream has the position"):
        SimpleRNNClassifier.load(path)


@pytest.mark.parametrize("way", [pickle.dumps, deepcopy, lambda m: m.save(io.BytesIO())])
def test_copies_while_another_thread_fits(way):
    model, X, y = fitted()
    if hasattr(model, "set_callbacks"):
        model.set_callbacks(EarlyStopping("loss"))
    running, failed = True, []

    def fit():
        while running:
            model.fit(X, y)
            model.__dict__.update({f"_mark{i}": i for i in range(99)})
            for i in range(99):
                delattr(model, f"_mark{i}")

    def copy():
        try:
            way(model)
        except RuntimeError as error:
            failed.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=fit)
    thread.start()
    try:
        for _ in range(50 * ROUNDS):
            copy()
    finally:
        running = False
        thread.join()
        sys.setswitchinterval(interval)
    assert not failed


@pytest.mark.parametrize("way", [pickle.dumps, deepcopy])
def test_an_attribute_that_comes_in_the_midst_of_a_copy(way):
    """As another thread would set one, here at a moment that is certain."""

    class Meddling:
        def __reduce__(self):
            model.mark = 1
            return int, ()

    model = fitted()[0].set_params(callbacks=[Meddling()])
    way(model)
    assert model.mark == 1


def test_copies_have_no_trace_of_the_fit_that_runs():
    """scikit-learn keeps the context of a fit in the estimator as long as it runs."""
    seen = []
    model, X, y = fitted()
    model.set_params(callbacks=[lambda estimator: seen.append(model.__getstate__().keys())])
    known = set(vars(model))
    model.fit(X, y)
    assert all(keys <= known for keys in seen)
    assert len(seen) == 2
