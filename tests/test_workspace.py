"""The workspace that outlives a prediction."""

import numpy as np
import pytest

from crnn import SimpleRNNClassifier
from crnn._layers import predictor, workspace
from crnn._layers.workspace import kept_workspace


@pytest.fixture(autouse=True)
def nothing_kept():
    workspace._kept.clear()
    yield
    workspace._kept.clear()


def test_the_next_task_works_in_the_same_memory():
    with kept_workspace() as first:
        array = first.array("x", (10,), np.float32)
    with kept_workspace() as second:
        assert np.shares_memory(array, second.array("x", (5,), np.float32))


def test_two_tasks_at_once_do_not_meet():
    with kept_workspace():
        pass  # one is there to be taken
    with kept_workspace() as outer, kept_workspace() as inner:
        arrays = [w.array("x", (10,), np.float32) for w in (outer, inner)]
    assert not np.shares_memory(*arrays)


def test_what_failed_is_not_used_again():
    """Its kernels may still be at work."""
    arrays = []

    def fail():
        with kept_workspace() as work:
            arrays.append(work.array("x", (10,), np.float32))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    with kept_workspace() as after:
        assert not np.shares_memory(arrays[0], after.array("x", (10,), np.float32))


def test_much_memory_goes_back(monkeypatch):
    monkeypatch.setattr(workspace, "MOST_KEPT", 1000)
    for size, kept in [(100, True), (1000, False)]:
        with kept_workspace() as work:
            work.array("x", (size,), np.int8)
        assert bool(workspace._kept) == kept


def test_predictions_of_other_models_in_between_change_nothing():
    X = np.random.default_rng(0).integers(1, 90, (200, 24))
    X[np.arange(24) < np.arange(200)[:, None] % 25] = 0  # paddings in front
    settings = [
        {"units": 5},
        {"units": 9, "dtype": "float64", "bidirectional": True},
        {"units": 5, "pooling": "last", "mask_zero": False},
    ]
    models = [SimpleRNNClassifier(max_iter=1, random_state=0, **s) for s in settings]
    for model in models:
        model.fit(X, X[:, -1] % 2)
    alone = []
    for model in models:
        workspace._kept.clear()
        alone.append(model.predict_proba(X))
    for part in (slice(None), slice(150, 151), slice(20, 120)):
        for model, wanted in zip(models, alone, strict=True):
            np.testing.assert_array_equal(model.predict_proba(X[part]), wanted[part])
    assert len(workspace._kept) == 1


@pytest.mark.parametrize("bidirectional", [False, True])
def test_memory_for_states_does_not_grow_with_the_samples(bidirectional, monkeypatch):
    X = np.random.default_rng(0).normal(size=(400, 24, 1))
    model = SimpleRNNClassifier(16, max_iter=1, dtype="float64", bidirectional=bidirectional)
    model.fit(X, X[:, -1, 0] > 0)
    monkeypatch.setattr(predictor, "CHUNK_NUMBERS", 5000)
    workspace._kept.clear()
    model.hidden_states(X, return_sequences=True)
    (kept,) = workspace._kept
    assert kept.nbytes < 2 * 8 * 5000
