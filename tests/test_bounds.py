"""Kernels read and write their arrays and nothing else, whatever numbers they are handed."""

import numpy as np
import pytest

from crnn import SimpleRNNClassifier, _core

H, TILE = 4, 2
OFFSETS = np.array([0, 3, 5, 6])  # three sequences of 3, 2 and 1 steps
N, B = 6, 3


def floats(*shape):
    return np.ones(shape, np.float32)


def ints(*values):
    return np.array(values, np.int32)


def arguments(kernel):
    """Arguments in order, with which the kernel works."""
    positions, rows = np.arange(N), ints(*range(N))
    return {
        "leading_zeros": {"values": rows, "offsets": OFFSETS, "out": ints(0, 0, 0)},
        "order_steps": {
            "values": rows[:, None], "starts": np.array([0, 3, 5]), "offsets": OFFSETS,
            "tile": TILE, "n_threads": 1, "out": rows[:, None].copy(),
        },
        "mirror_steps": {
            "offsets": OFFSETS, "tile": TILE, "n_threads": 1, "blocks": positions,
            "mirror": positions.copy(),
        },
        "look_up": {"values": rows, "positions": positions, "n_threads": 1, "out": rows.copy()},
        "distinct": {"slots": np.full(N, -1, np.int32), "ids": rows.copy(), "rows": rows.copy()},
        "gather": {"values": floats(N, H), "rows": rows, "n_threads": 1, "out": floats(N, H)},
        "scatter_add": {"values": floats(N, H), "rows": rows, "out": floats(N, H)},
        "drop": {
            "x": floats(N, H), "width": 1, "seed": 0, "least": 1, "factor": 1.0, "n_threads": 1,
        },
        "drop_tokens": {
            "values": rows, "starts": np.array([0, 3, 5]), "lengths": np.array([3, 2, 1]),
            "seed": 0, "least": 1, "places": positions, "n_left": np.zeros(B, np.int64),
        },
        "forward": {
            "table": floats(N, H), "rows": rows, "inputs": floats(0, 0), "kernel": floats(0, H),
            "offsets": OFFSETS, "initial": floats(1, H),
            "initial_rows": ints(0, 0, 0), "recurrent_kernel": floats(H, H), "activation": 0,
            "tile": TILE, "n_threads": 1, "keep_states": True, "ties": False,
            "states": floats(N + B, H), "last": floats(B, H), "sums": floats(B, H),
            "maxima": floats(B, H), "at": np.zeros((B, H), np.int32),
        },
        "backward": {
            "states": floats(N + B, H), "offsets": OFFSETS, "transposed": floats(H, H),
            "grad_last": floats(B, H), "grad_states": floats(0, H), "grad_sums": floats(B, H),
            "grad_maxima": floats(B, H), "at": np.zeros((B, H), np.int32), "rows": rows,
            "inputs": floats(0, 0), "kernel_transposed": floats(H, 0),
            "activation": 0, "tile": TILE, "n_threads": 1,
            "work": floats(*_core.backward_work(B, TILE, H, N)),
            "grad_table": floats(N, H), "grad_inputs": floats(0, 0), "grad_kernel": floats(0, H),
            "grad_initial": floats(B, H),
            "grad_recurrent_kernel": floats(H, H),
        },
        "softmax_cross_entropy": {
            "logits": floats(B, 3), "targets": ints(0, 1, 2), "weights": floats(B),
            "normalizer": B, "grad_logits": floats(B, 3),
        },
        "rmsprop": {
            "weights": floats(N, H), "grads": floats(2, H), "velocities": floats(N, H),
            "ids": ints(0, 5), "touched": np.zeros(N, np.int64), "step": 1, "learning_rate": 0.1,
            "rho": 0.9, "epsilon": 1e-7, "n_threads": 1,
        },
        "sgd": {
            "weights": floats(N, H), "grads": floats(2, H), "velocities": floats(N, H),
            "ids": ints(0, 5), "learning_rate": 0.1, "momentum": 0.9, "nesterov": True,
            "n_threads": 1,
        },
        "sgd_without_gradient": {
            "weights": floats(N, H), "velocities": floats(N, H), "ids": ints(0, 5),
            "touched": np.zeros(N, np.int64), "step": 2, "momentum": 0.9, "nesterov": True,
            "n_threads": 1,
        },
        "adam": {
            "weights": floats(N, H), "grads": floats(2, H), "moments": floats(N, H),
            "velocities": floats(N, H), "ids": ints(0, 5), "step": 1, "learning_rate": 0.1,
            "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "n_threads": 1,
        },
        "adam_without_gradient": {
            "weights": floats(N, H), "moments": floats(N, H), "velocities": floats(N, H),
            "ids": ints(0, 5), "touched": np.zeros(N, np.int64), "sums": np.ones((3, 3)),
            "decays": np.ones((2, 2)), "step": 2, "epsilon": 1e-7, "n_threads": 1,
        },
    }[kernel]  # fmt: skip


NUMBERS = [
    ("leading_zeros", "offsets"), ("look_up", "positions"), ("distinct", "rows"),
    ("gather", "rows"), ("scatter_add", "rows"), ("forward", "rows"), ("forward", "initial_rows"),
    ("backward", "rows"), ("softmax_cross_entropy", "targets"), ("rmsprop", "ids"),
    ("sgd", "ids"), ("sgd_without_gradient", "ids"),
    ("adam", "ids"), ("adam_without_gradient", "ids"), ("order_steps", "offsets"),
    ("order_steps", "starts"), ("forward", "offsets"), ("backward", "offsets"),
    ("mirror_steps", "offsets"), ("drop_tokens", "starts"), ("drop_tokens", "lengths"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", [-1, 7, 2**30, -(2**31)])
@pytest.mark.parametrize("place", [0, 1, -1])
@pytest.mark.parametrize(("kernel", "name"), NUMBERS)
def test_numbers_out_of_range(kernel, name, place, wrong):
    good = arguments(kernel)
    getattr(_core, kernel)(*good.values())
    bad = arguments(kernel)
    bad[name] = bad[name].copy()
    bad[name][place] = wrong
    with pytest.raises(ValueError, match=r"must|token"):
        getattr(_core, kernel)(*bad.values())


@pytest.mark.parametrize(
    ("kernel", "name", "value"),
    [
        ("order_steps", "tile", 0), ("mirror_steps", "tile", 0), ("forward", "tile", 0),
        ("backward", "tile", -1),
        ("backward", "tile", 0), ("drop", "width", 2), ("drop_tokens", "places", np.arange(5)),
        ("forward", "activation", 4), ("backward", "activation", -1),
        ("forward", "offsets", np.array([0, 1, 3, 6])), ("forward", "table", floats(0, H)),
        ("forward", "inputs", floats(N, 2)), ("forward", "inputs", floats(2, 0)),
        ("forward", "kernel", floats(2, H)), ("backward", "inputs", floats(N, 2)),
        ("backward", "grad_kernel", floats(2, H)), ("backward", "kernel_transposed", floats(H, 2)),
        ("backward", "grad_inputs", floats(2, 0)), ("sgd_without_gradient", "momentum", 1.0),
        ("sgd_without_gradient", "touched", np.full(N, 3)),
    ],
)  # fmt: skip
def test_settings_out_of_range(kernel, name, value):
    with pytest.raises(ValueError, match="must"):
        getattr(_core, kernel)(*(arguments(kernel) | {name: value}).values())


@pytest.mark.parametrize("kernel", ["order_steps", "look_up", "gather", "forward", "backward"])
def test_less_than_one_thread_is_one(kernel):
    getattr(_core, kernel)(*(arguments(kernel) | {"n_threads": -3}).values())


def test_rows_touched_in_the_future():
    _core.rmsprop(*(arguments("rmsprop") | {"touched": np.full(N, 2**62)}).values())


def test_slots_after_an_error():
    bad = arguments("distinct")
    bad["rows"] = ints(0, 1, 2, 3, 4, 99)
    with pytest.raises(ValueError, match=r"token ids .* below 6"):
        _core.distinct(*bad.values())
    assert (bad["slots"] == -1).all()


@pytest.mark.parametrize("batch_size", [10, 400])
@pytest.mark.parametrize("wrong", [10**9, -(2**30), 50])
def test_ids_that_change_while_they_are_read(batch_size, wrong):
    """Few words are looked for, many are taken as they are: both ways read the user's memory."""
    X = np.random.default_rng(0).integers(1, 50, (400, 20)).astype(np.int32)
    y = X[:, 0] % 2

    def meddle(estimator):
        X[:, 3] = wrong

    clf = SimpleRNNClassifier(
        4, vocabulary_size=50, batch_size=batch_size, max_iter=2, callbacks=[meddle]
    )
    with pytest.raises(ValueError, match=r"must be|leave X alone"):
        clf.fit(X, y)
