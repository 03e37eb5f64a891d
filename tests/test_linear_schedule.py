"""A learning rate that falls step by step: by hand, a step is a call of partial_fit at its rate."""

import pickle

import pytest

from common import assert_same_weights, ids_and_classes, interrupt_after, small

OPTIMIZERS = [
    {"optimizer": "sgd", "momentum": 0.5},
    {"optimizer": "rmsprop"},
    {"optimizer": "adam"},
]


def linear(**options):
    return small(learning_rate_schedule="linear", shuffle=False, batch_size=50, **options)


def falls_by_hand(X, y, falls, **options):
    """So many fits in a row, each of two epochs of three steps."""
    options |= {"learning_rate_schedule": "constant", "shuffle": False, "batch_size": 50}
    clf = small(**options)
    for step in [*range(6)] * falls:
        batch = slice(step % 3 * 50, step % 3 * 50 + 50)  # the last one is shorter
        clf.set_params(learning_rate=0.1 * (1 - step / 6))
        clf.partial_fit(X[batch], y[batch], classes=[False, True])
    return clf


@pytest.mark.parametrize("options", OPTIMIZERS, ids=lambda options: options["optimizer"])
def test_a_rate_that_falls_step_by_step(options):
    X, y = ids_and_classes()
    options = options | {"vocabulary_size": 9, "dtype": "float64"}
    clf = linear(**options, learning_rate=0.1, max_iter=2, warm_start=True)
    clf.fit(X, y)
    assert_same_weights(clf, falls_by_hand(X, y, 1, **options), rtol=1e-11, atol=1e-13)
    clf.fit(X, y)  # a fit of its own falls from the top again
    assert_same_weights(clf, falls_by_hand(X, y, 2, **options), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("options", OPTIMIZERS, ids=lambda options: options["optimizer"])
def test_a_falling_rate_goes_on_after_an_interruption(options):
    X, y = ids_and_classes()
    whole = linear(**options, max_iter=5).fit(X, y)
    stopped = linear(**options, max_iter=5, callbacks=[interrupt_after(2)])
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(X, y)
    stopped.set_params(callbacks=None).resume(X, y)
    assert_same_weights(stopped, whole)
    assert stopped.history_ == whole.history_


@pytest.mark.parametrize("options", OPTIMIZERS, ids=lambda options: options["optimizer"])
def test_partial_fit_has_no_end_to_fall_to(options):
    X, y = ids_and_classes()
    falling = linear(**options, max_iter=2).fit(X, y)
    constant = pickle.loads(pickle.dumps(falling)).set_params(learning_rate_schedule="constant")
    for _ in range(2):
        assert_same_weights(falling.partial_fit(X, y), constant.partial_fit(X, y))
