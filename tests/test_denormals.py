"""Numbers too small to be normal: zero inside of the kernels, and nowhere else."""

import ctypes
import platform
import sys

import numpy as np
import pytest

from crnn import SimpleRNN, SimpleRNNClassifier, _core

FLUSHES = platform.machine().lower() in ("x86_64", "amd64", "aarch64", "arm64")
GLIBC_X86 = sys.platform == "linux" and platform.machine() == "x86_64" and platform.libc_ver()[0]
FTZ_DAZ, FLAGS = 0x8040, 0x3F


def control_register():
    """The MXCSR of this thread, which stands at the end of glibc's fenv_t."""
    environment = (ctypes.c_uint32 * 8)()
    ctypes.CDLL(None).fegetenv(environment)
    return environment[7]


def set_control_register(value):
    environment = (ctypes.c_uint32 * 8)()
    library = ctypes.CDLL(None)
    library.fegetenv(environment)
    environment[7] = value
    library.fesetenv(environment)


def train_and_predict():
    rng = np.random.default_rng(0)
    X = rng.integers(1, 50, (200, 30))
    for optimizer in ("rmsprop", "sgd", "adam"):
        options = {"optimizer": optimizer, "momentum": 0.5, "batch_size": 100, "max_iter": 1}
        SimpleRNNClassifier(32, **options, n_jobs=2).fit(X, X[:, -1] % 2).predict_proba(X)


@pytest.mark.skipif(not FLUSHES, reason="this processor is left as it is")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_they_are_zero_in_a_kernel(dtype):
    tiny = np.finfo(dtype).tiny
    layer = SimpleRNN(16, activation="linear", dtype=dtype)
    layer.set_weights([np.zeros((1, 16)), 0.5 * np.eye(16), np.zeros(16)])
    last = layer(np.zeros((1, 3, 1)), initial_state=np.full((1, 16), 4 * tiny))
    assert (last == 0).all(), "the third halving leaves the normal numbers"
    last = layer(np.zeros((1, 2, 1)), initial_state=np.full((1, 16), 4 * tiny))
    assert (last == tiny).all()
    assert (layer.backward(np.full((1, 16), 3 * tiny)).initial_state == 0).all()


@pytest.mark.skipif(not GLIBC_X86, reason="reads MXCSR by way of glibc on x86-64")
@pytest.mark.parametrize("asked_for", [0, FTZ_DAZ])
def test_the_control_register_of_the_caller_stays(asked_for):
    original = control_register()
    wanted = (original & ~(FTZ_DAZ | FLAGS)) | asked_for
    try:
        set_control_register(wanted)
        train_and_predict()
        assert control_register() & ~FLAGS == wanted
    finally:
        set_control_register(original)


@pytest.mark.skipif(not GLIBC_X86, reason="reads MXCSR by way of glibc on x86-64")
def test_a_kernel_raises_no_flags_of_the_caller():
    """An overflow in a kernel is no business of the code around it."""
    large = np.full((32, 32), 1e30, np.float32)
    out, bias = np.empty_like(large), np.zeros(32, np.float32)
    original = control_register()
    try:
        set_control_register(original & ~FLAGS)
        before = control_register()
        _core.dense(large, large, bias, 1, out)
        after = control_register()
    finally:
        set_control_register(original)
    assert np.isinf(out).all()
    assert after == before


def test_they_are_numbers_around_the_kernels():
    smallest = np.array([2.0**-149], np.float32)
    train_and_predict()
    assert smallest * np.float32(1) != 0
    assert sys.float_info.min / 2 != 0
