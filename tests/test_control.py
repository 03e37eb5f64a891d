"""What steers training: early stopping, schedules, penalty, clipping, held-out data, metrics."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss

from common import assert_same_weights, ids_and_classes, small


@pytest.mark.parametrize("held_out", [True, False])
def test_early_stopping_goes_back_to_the_best_epoch(held_out):
    X, y = ids_and_classes()
    clf = small(
        learning_rate=0.02, max_iter=200, early_stopping=True, n_iter_no_change=5, tol=0.01,
        validation_fraction=0.5 if held_out else 0, learning_rate_schedule="constant",
    ).fit(X, y)  # fmt: skip
    losses = np.array(clf.history_["val_loss" if held_out else "loss"])
    assert clf.n_iter_ == len(losses) < 200
    kept = int(np.argmin(losses))
    better = losses[1:] < np.minimum.accumulate(losses)[:-1] - 0.01
    assert len(losses) == 2 + np.flatnonzero(better)[-1] + 5
    if held_out:
        assert log_loss(y[60:], clf.predict_proba(X[60:])) == pytest.approx(losses[kept], rel=1e-5)
    same = clone(clf).set_params(early_stopping=False, max_iter=kept + 1).fit(X, y)
    assert_same_weights(clf, same)


def test_without_early_stopping_the_last_epoch_counts():
    X, y = ids_and_classes()
    clf = small(learning_rate=0.02, max_iter=60, n_iter_no_change=1, validation_fraction=0.5)
    losses = clf.fit(X, y).history_["val_loss"]
    assert len(losses) == 60
    assert log_loss(y[60:], clf.predict_proba(X[60:])) == pytest.approx(losses[-1], rel=1e-5)


@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd", "adam"])
def test_learning_rates_by_schedule(optimizer):
    X, y = ids_and_classes()
    options = {"optimizer": optimizer, "learning_rate": 0.1, "momentum": 0.5}
    # A tolerance that no epoch but the first can meet: the rate falls after epochs 3, 5, ...
    adaptive = {"learning_rate_schedule": "adaptive", "tol": 100.0, "n_iter_no_change": 2}
    inverse = {"learning_rate_schedule": "invscaling", "power_t": 0.7}
    rates = {
        "adaptive": [0.1, 0.1, 0.1, 0.02, 0.02, 0.004],
        "invscaling": [0.1 / epoch**0.7 for epoch in range(1, 7)],
    }
    for changing in (adaptive, inverse):
        clf = small(max_iter=6, **options, **changing).fit(X, y)
        by_hand = small(**options)
        for rate in rates[changing["learning_rate_schedule"]]:
            by_hand.set_params(learning_rate=rate).partial_fit(X, y, classes=[False, True])
        assert_same_weights(clf, by_hand, rtol=1e-4, atol=1e-6)
        constant = small(max_iter=6, **options, learning_rate_schedule="constant").fit(X, y)
        assert not np.allclose(clf.kernel_, constant.kernel_, rtol=1e-3)


def test_a_linear_rate_falls_with_each_step():
    X, y = ids_and_classes()
    options = {"shuffle": False, "batch_size": 40, "learning_rate": 0.1, "vocabulary_size": 9}
    clf = small(max_iter=2, learning_rate_schedule="linear", **options).fit(X, y)
    by_hand = small(**options, learning_rate_schedule="constant")
    for step in range(6):
        part = slice(step % 3 * 40, step % 3 * 40 + 40)
        by_hand.set_params(learning_rate=0.1 * (1 - step / 6))
        by_hand.partial_fit(X[part], y[part], classes=[False, True])
    assert_same_weights(clf, by_hand, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("n", "held_out", "batch_size", "epochs"),
    [
        (10, 0, 16, 1000),
        (30, 0, 16, 1000),
        (2000, 0, 20, 30),
        (4000, 0.5, 20, 30),
        (10_000, 0.5, 50, 20),
        (40_000, 0, 64, 4),
    ],
)
def test_what_auto_stands_for(n, held_out, batch_size, epochs):
    """Batches of a hundredth of the samples, 16 to 64; 3,000 steps or 100,000 samples in all."""
    X = np.random.default_rng(0).integers(1, 5, (n, 1))
    options = {"units": 1, "embedding_dim": 1, "validation_fraction": held_out}
    clf = small(**options, batch_size="auto", max_iter="auto").fit(X, X[:, 0] > 2)
    assert clf.n_iter_ == epochs
    given = small(**options, batch_size=batch_size, max_iter=epochs).fit(X, X[:, 0] > 2)
    assert_same_weights(clf, given)


def test_a_lower_rate_is_tried_before_stopping():
    X, y = ids_and_classes()
    options = {"tol": 100.0, "n_iter_no_change": 3, "early_stopping": True, "max_iter": 50}
    assert small(**options).fit(X, y).n_iter_ == 4
    assert small(**options, learning_rate_schedule="adaptive").fit(X, y).n_iter_ == 7


def one_step(**options):
    """Weights before and after one step of gradient descent on all samples."""
    X, y = ids_and_classes()
    clf = small(optimizer="sgd", learning_rate=0.5, batch_size=120, dtype="float64", max_iter=1)
    clf.fit(X, y)
    before = clf.get_weights()
    clf.set_params(warm_start=True, **options).fit(X, y)
    return (dict(zip(clf.weights_, arrays, strict=True)) for arrays in (before, clf.get_weights()))


def test_penalty():
    before, plain = one_step()
    _, penalized = one_step(alpha=0.1)
    for name in plain:
        held_down = name.endswith("kernel")
        shrinkage = 0.5 * 0.1 * before[name] * held_down
        np.testing.assert_allclose(penalized[name], plain[name] - shrinkage, atol=1e-14)


def test_clipping_by_value():
    before, plain = one_step()
    _, clipped = one_step(clip_value=1e-3)
    for name in plain:
        step = np.clip(plain[name] - before[name], -0.5e-3, 0.5e-3)
        np.testing.assert_allclose(clipped[name], before[name] + step, atol=1e-14)


@pytest.mark.parametrize("limit", [1e-3, 1e3])
def test_clipping_by_norm(limit):
    before, plain = one_step()
    _, clipped = one_step(clip_norm=limit)
    norm = np.sqrt(sum(((plain[n] - before[n]) ** 2).sum() for n in plain)) / 0.5
    assert 1e-3 < norm < 1e3
    for name in plain:
        step = (plain[name] - before[name]) * min(1, limit / norm)
        np.testing.assert_allclose(clipped[name], before[name] + step, atol=1e-14)


def test_stratified_draw():
    X, y = ids_and_classes()
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    options = {"validation_fraction": y.mean() + 0.05, "class_weight": "balanced"}
    with pytest.raises(ValueError, match="none of class True"):  # the tail has them all
        small(**options).fit(X, y)
    a, b = (small(**options, stratify=True).fit(X, y) for _ in range(2))
    assert_same_weights(a, b)
    assert a.history_["val_loss"] == b.history_["val_loss"]


@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd", "adam"])
@pytest.mark.parametrize("schedule", ["constant", "invscaling"])
def test_training_goes_on_bit_for_bit(optimizer, schedule):
    X, y = ids_and_classes()
    options = {"optimizer": optimizer, "momentum": 0.5, "learning_rate_schedule": schedule}
    whole = small(max_iter=6, **options).fit(X, y)
    first = small(max_iter=2, **options, warm_start=True).fit(X, y)
    again = pickle.loads(pickle.dumps(first)).fit(X, y)
    again.partial_fit(X, y)
    again = pickle.loads(pickle.dumps(again)).partial_fit(X, y)
    assert_same_weights(whole, again)
    assert whole.history_ == again.history_


@pytest.mark.parametrize("part", ["fit", "partial_fit"])
def test_an_adaptive_schedule_goes_on(part):
    X, y = ids_and_classes()
    options = {"learning_rate_schedule": "adaptive", "tol": 100.0, "n_iter_no_change": 2}
    whole = small(max_iter=8, **options).fit(X, y)
    assert whole._training["optimizer"]["learning_rate_factor"] == pytest.approx(5**-3)
    again = small(max_iter=1, **options, warm_start=True).fit(X, y)
    for _ in range(7):
        again = getattr(pickle.loads(pickle.dumps(again)), part)(X, y)
    assert_same_weights(whole, again)
    assert whole.history_ == again.history_


def test_a_warm_start_holds_out_the_same_samples():
    X, y = ids_and_classes()
    options = {"stratify": True, "validation_fraction": 0.3, "learning_rate_schedule": "constant"}
    whole = small(max_iter=6, **options).fit(X, y)
    again = small(max_iter=3, **options, warm_start=True).fit(X, y)
    assert_same_weights(whole, pickle.loads(pickle.dumps(again)).fit(X, y))


@pytest.mark.parametrize(
    "schedule",
    [
        {"learning_rate_schedule": "adaptive", "n_iter_no_change": 1, "tol": 100.0},
        {"learning_rate_schedule": "invscaling", "power_t": 2000.0},
    ],
)
def test_a_rate_is_never_zero(schedule):
    X, y = ids_and_classes(20)
    clf = small(max_iter=600, **schedule).fit(X, y)
    assert 0 < clf._training["optimizer"]["learning_rate_factor"] < 1e-300
    pickle.loads(pickle.dumps(clf)).partial_fit(X, y)


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        (
            [0] * 60 + [1] * 60,
            {"validation_fraction": 0.5},
            "All training samples have weight zero",
        ),
        (None, {"class_weight": {False: 0, True: 0}}, "All training samples have weight zero"),
        (None, {"class_weight": {False: -1, True: 1}}, "negative or not"),
        (None, {"class_weight": {False: np.nan, True: 1}}, "a dict of finite numbers"),
    ],
)
def test_weights_that_leave_nothing(weights, options, message):
    X, y = ids_and_classes()
    clf = small(**options)
    before = vars(clf).copy()
    with pytest.raises(ValueError, match=message):
        clf.fit(X, y, sample_weight=weights)
    assert vars(clf) == before


def test_schedules_that_are_changed_on_the_way():
    X, y = ids_and_classes()
    options = {"learning_rate_schedule": "adaptive", "tol": 100.0, "warm_start": True}
    clf = small(max_iter=6, n_iter_no_change=8, **options).fit(X, y)
    assert clf._training["optimizer"]["learning_rate_factor"] == 1
    clf.set_params(n_iter_no_change=2, max_iter=1).fit(X, y)  # which it has waited for already
    assert clf._training["optimizer"]["learning_rate_factor"] == pytest.approx(0.2)
    clf.set_params(learning_rate_schedule="constant").fit(X, y)
    assert clf._training["optimizer"]["learning_rate_factor"] == 1
    clf.set_params(learning_rate_schedule="invscaling", power_t=np.int64(1)).fit(X, y)
    assert clf._training["optimizer"]["learning_rate_factor"] == pytest.approx(1 / 9)


def test_a_share_too_small_to_hold_out():
    X, y = ids_and_classes()
    with pytest.raises(ValueError, match="holds out none of the 120 samples"):
        small(validation_fraction=1e-17).fit(X, y)
