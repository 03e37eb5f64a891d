"""The kernel tests once more for each instruction set, in a process of its own."""

import os

import pytest

from common import run_python
from crnn import _core


def run(variant, *arguments):
    return run_python(*arguments, timeout=None, CRNN_SIMD=variant)


@pytest.mark.parametrize(
    "variant",
    [*(pytest.param(v, marks=pytest.mark.slow) for v in ("v2", "v3", "blas")), "v4", "plain"],
)
def test_variant(variant):
    imported = run(variant, "-c", "from crnn import _core; print(_core.SIMD)")
    if imported.returncode != 0:
        assert f"CRNN_SIMD='{variant}' is none of the instruction sets" in imported.stderr
        pytest.skip(f"this machine or build has no {variant}")
    assert imported.stdout.strip() == variant
    if variant == _core.SIMD and "CRNN_SIMD" not in os.environ:
        pytest.skip("test_kernels runs with this variant by itself")
    # Lengths that differ take every path that equal ones take.
    options = "-q", "-p", "no:cacheprovider", "-k", "not equal"
    tests = run(variant, "-m", "pytest", *options, "test_kernels.py")
    assert tests.returncode == 0, tests.stdout
    assert "failed" not in tests.stdout


def test_unknown_variant_is_refused():
    imported = run("v9", "-c", "import crnn._core")
    assert "ImportError: CRNN_SIMD='v9'" in imported.stderr


def test_tanh_over_all_exponents():
    """At most 3 units in the last place; odd; NaN, infinity, zeros right; subnormals zero."""
    import numpy as np

    from crnn import SimpleRNN

    bits = np.arange(0, 0x7F800000, 997, dtype=np.uint32)  # about 2.1 million positive floats
    bits = bits[bits >= 0x00800000]  # what is smaller counts as zero, where the processor can
    x = np.append(bits.view(np.float32), [np.inf, 0]).astype(np.float32)
    layer = SimpleRNN(1).set_weights([[[1]], [[0]], [0]])
    y = layer(x[:, None, None])[:, 0]
    wanted = np.tanh(x.astype(np.float64))
    spacing = np.spacing(np.minimum(wanted, np.nextafter(1, 0)).astype(np.float32))
    assert np.max(np.abs(y - wanted) / spacing) <= 3
    assert np.abs(y).max() == 1
    np.testing.assert_array_equal(layer(-x[:, None, None])[:, 0], -y)
    assert np.isnan(layer(np.full((1, 1, 1), np.nan))).all()
