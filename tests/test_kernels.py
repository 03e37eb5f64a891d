"""Each kernel against its NumPy twin, over precisions, sizes, ragged lengths and threads."""

import inspect
import itertools

import numpy as np
import pytest

from crnn import _core, _reference
from crnn._training import optimizers

SIZES = [1, 7, 32, 65]
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
KERNELS = [
    name
    for name, value in vars(_core).items()
    if callable(value)
    and getattr(value, "__module__", None) == "crnn._core"
    and name not in ("workspace_rows", "backward_work")
]


def assert_close(got, wanted, dtype, size=None):
    """Agreement relative to the largest value, or to the size of the terms of a sum."""
    got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    if size is None:
        size = np.abs(wanted).max(initial=0)
    allowed = TOLERANCE[dtype] * size + np.finfo(dtype).tiny
    assert np.abs(got - wanted).max(initial=0) <= allowed


def lengths_of(kind, B, T, rng):
    """Sequence lengths, the longest first."""
    if kind == "equal":
        return np.full(B, T)
    return np.sort(rng.integers(0, T + 1, B))[::-1]


class Batch:
    """Random buffers of one batch, the same for kernel and twin."""

    def __init__(self, kind, B, T, H, dtype, tile=24, seed=0):
        rng = np.random.default_rng(seed)
        self.offsets = np.concatenate([[0], np.cumsum(lengths_of(kind, B, T, rng))])
        self.N, self.B, self.H, self.tile, self.dtype = self.offsets[-1], B, H, tile, dtype
        D = max(1, self.N // 3)
        self.table = rng.normal(size=(D, H)).astype(dtype)
        self.rows = rng.integers(0, D, self.N).astype(np.int32)
        self.initial = rng.normal(size=(3, H)).astype(dtype)
        self.initial_rows = rng.integers(0, 3, B).astype(np.int32)
        # A contraction, so that rounding errors die out instead of growing along the sequence.
        kernel = rng.normal(size=(H, H))
        self.kernel = (0.8 * kernel / np.linalg.norm(kernel, 2)).astype(dtype)
        self.grad_last = rng.normal(size=(B, H)).astype(dtype)
        self.grad_states = rng.normal(size=(self.N + B, H)).astype(dtype)
        self.grad_sums, self.grad_maxima = rng.normal(size=(2, B, H)).astype(dtype)
        self.inputs = rng.normal(size=(self.N, H)).astype(dtype)

    def forward(self, module, dtype, activation=0, keep=True, n_threads=1):
        return self.pooled(module, dtype, activation, keep, n_threads, n_pooled=0)[:2]

    def pooled(
        self, module, dtype, activation=0, keep=True, n_threads=1, ties=False, n_pooled=None
    ):
        """States, last ones, sums, maxima and where these are."""
        rows = self.N + self.B if keep else 2 * self.B
        states, last = np.zeros((rows, self.H), dtype), np.zeros((self.B, self.H), dtype)
        n_pooled = self.B if n_pooled is None else n_pooled
        sums, maxima = np.zeros((2, n_pooled, self.H), dtype)
        at = np.zeros((n_pooled if keep else 0, self.H), np.int32)
        module.forward(
            self.table.astype(dtype),
            self.rows,
            np.empty((0, 0), dtype),
            np.empty((0, self.H), dtype),
            self.offsets,
            self.initial.astype(dtype),
            self.initial_rows,
            self.kernel.astype(dtype),
            activation,
            self.tile,
            n_threads,
            keep,
            ties,
            states,
            last,
            sums,
            maxima,
            at,
        )
        return states, last, sums, maxima, at

    def backward(
        self,
        module,
        dtype,
        states,
        activation=0,
        every_step=False,
        scattered=False,
        n_threads=1,
        at=None,
    ):
        """Gradients of the table, of the initial states and of U; or, not scattered, of the
        transitions (the inputs, with W the identity), of the initial states, of U, W and b.
        """
        H = self.H
        n_pooled = 0 if at is None else self.B
        grad_states = self.grad_states if every_step else self.grad_states[:0]
        projected = not scattered and self.N > 0
        N, F, D = (self.N, H, 1) if projected else (0, 0, len(self.table))
        work_shape = _core.backward_work(self.B, self.tile, H, F + 1 if projected else D)
        shapes = (D, H), (N, F), (F, H), (self.B, H), (H, H)
        out = [np.zeros(shape, dtype) for shape in shapes]
        module.backward(
            states.astype(dtype),
            self.offsets,
            self.kernel.T.astype(dtype, order="C"),
            self.grad_last.astype(dtype),
            grad_states.astype(dtype),
            self.grad_sums[:n_pooled].astype(dtype),
            self.grad_maxima[:n_pooled].astype(dtype),
            np.zeros((0, H), np.int32) if at is None else at,
            self.rows if scattered else self.rows[:0],
            self.inputs[:N, :F].astype(dtype),
            np.eye(H, F, dtype=dtype),
            activation,
            self.tile,
            n_threads,
            np.empty(work_shape, dtype),
            *out,
        )
        of_table, of_inputs, of_kernel, of_initial, of_recurrent_kernel = out
        if scattered:
            return [of_table, of_initial, of_recurrent_kernel]
        return [of_inputs, of_initial, of_recurrent_kernel, of_kernel, of_table]


def test_every_kernel_has_a_twin_and_a_test():
    assert KERNELS, "no kernel found: the enumeration is broken"
    tests = {name for name in globals() if name.startswith("test_")}
    for name in KERNELS:
        twin = getattr(_reference, name)
        kernel_parameters = list(inspect.signature(getattr(_core, name)).parameters)
        assert list(inspect.signature(twin).parameters) == kernel_parameters
        assert f"test_{name}" in tests


@pytest.mark.parametrize("T", [0, *SIZES])
def test_leading_zeros(T):
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, T + 1, 30))])
    values = (rng.random(offsets[-1]) < 0.08).astype(np.int32)  # runs of zeros of all lengths
    got, wanted = np.full(30, -1, np.int32), np.full(30, -2, np.int32)
    _core.leading_zeros(values, offsets, got)
    _reference.leading_zeros(values, offsets, wanted)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    ("dtype", "F"), [("int32", 1), ("int64", 1), ("float32", 3), ("float64", 2)]
)
@pytest.mark.parametrize("kind", ["equal", "ragged"])
@pytest.mark.parametrize(("B", "T"), list(itertools.product(SIZES, SIZES)))
def test_order_steps(B, T, kind, dtype, F):
    batch = Batch(kind, B, T, 1, "float64")
    rng = np.random.default_rng(1)
    starts = rng.permutation(B) * T
    values = rng.integers(0, 100, (B * T, F)).astype(dtype)
    got, wanted = np.full((2, batch.N, F), -1, dtype)
    layout = starts, batch.offsets, batch.tile, 2
    _core.order_steps(values.view(np.int32), *layout, got.view(np.int32))
    _reference.order_steps(values, starts, batch.offsets, batch.tile, 1, wanted)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("kind", ["equal", "ragged"])
@pytest.mark.parametrize(("B", "T"), list(itertools.product(SIZES, SIZES)))
def test_mirror_steps(B, T, kind):
    batch = Batch(kind, B, T, 1, "float64")
    blocks, got, wanted = np.full((3, batch.N), -1)
    _core.mirror_steps(batch.offsets, batch.tile, 2, blocks, got)
    _reference.mirror_steps(batch.offsets, batch.tile, 1, blocks, wanted)
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(got[got], np.arange(batch.N))


@pytest.mark.parametrize("N", [0, 1, 7, 20_000])
def test_look_up(N):
    rng = np.random.default_rng(0)
    values, positions = rng.integers(0, 50, 2 * N).astype(np.int32), rng.permutation(2 * N)[:N]
    got, wanted = np.full(N, -1, np.int32), np.full(N, -2, np.int32)
    _core.look_up(values, positions, 2, got)
    _reference.look_up(values, positions, 1, wanted)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("N", [0, 1, 7, 1000])
def test_distinct(N):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 50, N).astype(np.int32)
    results = []
    for module in [_core, _reference]:
        slots = np.full(50, -1, np.int32)
        ids, rows = np.zeros(N, np.int32), tokens.copy()
        D = module.distinct(slots, ids, rows)
        assert (slots == -1).all()
        results.append([ids[:D], rows])
    for got, wanted in zip(*results, strict=True):
        np.testing.assert_array_equal(got, wanted)
    ids, rows = results[0]
    np.testing.assert_array_equal(ids[rows], tokens)
    assert len(np.unique(ids)) == len(ids)


@pytest.mark.parametrize("kind", ["int32", "int64"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("N", "F"), [(0, 7), (7, 0), (1, 1), (1500, 65)])
def test_gather(N, F, dtype, kind):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 200, N).astype(kind)
    values = rng.normal(size=(200, F)).astype(dtype)
    got, wanted = np.empty((N, F), dtype), np.ones((N, F), dtype)
    _core.gather(values, rows, 2, got)
    _reference.gather(values, rows, 1, wanted)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("N", [0, 1, 1500])
@pytest.mark.parametrize("H", SIZES)
def test_scatter_add(H, N, dtype):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 200, N).astype(np.int32)
    values = rng.normal(size=(N, H)).astype(dtype)
    got, wanted = np.ones((200, H), dtype), np.ones((200, H))
    _core.scatter_add(values, rows, got)
    _reference.scatter_add(values.astype(np.float64), rows, wanted)
    assert_close(got, wanted, dtype)


def test_draws_are_those_of_splitmix64():
    """The first words from seed 0 are those that the authors' own program prints."""
    first = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    drawn = _reference.draws(0, 256).reshape(4, 64)
    words = [sum(int(field) << 16 * k for k, field in enumerate(column)) for column in drawn.T]
    assert words[:3] == first


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (7, 5), (300, 33)])
@pytest.mark.parametrize("whole_rows", [False, True])
def test_drop(shape, whole_rows, dtype):
    got = np.random.default_rng(0).normal(size=shape).astype(dtype)
    wanted, width = got.copy(), shape[1] if whole_rows else 1
    _core.drop(got, width, 2**63 - 5, 20_000, 1.5, 1)
    if width:
        _reference.drop(wanted, width, 2**63 - 5, 20_000, 1.5, 1)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("least", [0, 20_000, 65_535])
@pytest.mark.parametrize("T", [0, 1, 7, 65])
def test_drop_tokens(T, least):
    rng = np.random.default_rng(T)
    values = rng.integers(0, 3, 40 * T).astype(np.int32)
    lengths = rng.integers(0, T + 1, 60)
    starts = rng.integers(0, len(values) - lengths + 1)
    runs = []
    for module in (_core, _reference):
        places, n_left = np.full(lengths.sum(), -1), np.full(60, -1)
        n = module.drop_tokens(values, starts, lengths, 7, least, places, n_left)
        runs.append((places[:n], n_left))
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    np.testing.assert_array_equal(runs[0][1], runs[1][1])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("D", "F", "H"), [(0, 7, 7), (1, 1, 1), (7, 65, 32), (600, 32, 65)])
def test_dense(D, F, H, dtype):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(dtype) for shape in [(D, F), (F, H), (H,)]]
    got, wanted = np.empty((D, H), dtype), np.empty((D, H))
    _core.dense(*arrays, 2, got)
    _reference.dense(*(a.astype(np.float64) for a in arrays), 1, wanted)
    assert_close(got, wanted, dtype)


@pytest.mark.skipif(_core.SIMD == "blas", reason="BLAS sums a single row in an order of its own")
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("H", [1, 5, 32, 64, 96, 128, 130, 255, 256])
def test_a_row_in_any_company(H, dtype):
    """One row, which wide panels of columns take, has the bits that it has among others."""
    rng = np.random.default_rng(0)
    inputs, kernel = rng.normal(size=(30, 40)).astype(dtype), rng.normal(size=(40, H)).astype(dtype)
    together, alone = np.empty((2, 30, H), dtype)
    _core.dense(inputs, kernel, kernel[0], 1, together)
    for i in range(30):
        _core.dense(inputs[i : i + 1], kernel, kernel[0], 1, alone[i : i + 1])
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("D", "F", "H"), [(0, 7, 7), (1, 1, 1), (7, 65, 32), (600, 32, 65)])
def test_dense_backward(D, F, H, dtype):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(dtype) for shape in [(D, F), (H, F), (D, H)]]
    results = []
    for module, kind in [(_core, dtype), (_reference, "float64")]:
        work = np.empty((_core.workspace_rows(D), F + 1, H), kind)
        out = [np.empty(shape, kind) for shape in [(D, F), (F, H), (H,)]]
        module.dense_backward(*(a.astype(kind) for a in arrays), 2, work, *out)
        results.append(out)
    for got, wanted in zip(*results, strict=True):
        assert_close(got, wanted, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", ["equal", "ragged"])
@pytest.mark.parametrize("H", SIZES)
@pytest.mark.parametrize(("B", "T"), list(itertools.product(SIZES, SIZES)))
def test_forward(B, T, H, kind, dtype):
    batch = Batch(kind, B, T, H, dtype)
    states, last = batch.forward(_reference, "float64")
    for keep, n_threads in [(True, 1), (False, 2)]:
        got_states, got_last = batch.forward(_core, dtype, keep=keep, n_threads=n_threads)
        # Pre-activations are sums of terms of about 1, even where they cancel.
        assert_close(got_last, last, dtype, size=1)
        if keep:
            assert_close(got_states, states, dtype, size=1)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", ["equal", "ragged"])
@pytest.mark.parametrize("H", SIZES)
@pytest.mark.parametrize(("B", "T"), list(itertools.product(SIZES, SIZES)))
def test_backward(B, T, H, kind, dtype):
    batch = Batch(kind, B, T, H, dtype)
    states, _ = batch.forward(_reference, dtype)
    # Gradients die out on their way back; what comes in is what errors are measured by.
    incoming = np.abs(batch.grad_last).max()
    for every_step in [False, True]:
        wanted = batch.backward(_reference, "float64", states, every_step=every_step)
        got = batch.backward(_core, dtype, states, every_step=every_step, n_threads=2)
        for a, b in zip(got[:2], wanted[:2], strict=True):
            assert_close(a, b, dtype, size=incoming)
        # The terms of a sum over steps cancel, their rounding errors do not.
        terms = np.abs(wanted[0])
        assert_close(got[2], wanted[2], dtype, size=terms.sum(axis=0).max(initial=0))
        if batch.N:
            size = (np.abs(batch.inputs.T) @ terms).max() + terms.sum(axis=0).max()
            for a, b in zip(got[3:], wanted[3:], strict=True):
                assert_close(a, b, dtype, size=size)
        sizes = np.zeros_like(batch.table, np.float64)
        np.add.at(sizes, batch.rows, terms)
        wanted = batch.backward(
            _reference, "float64", states, every_step=every_step, scattered=True
        )
        got = batch.backward(
            _core, dtype, states, every_step=every_step, scattered=True, n_threads=2
        )
        assert_close(got[0], wanted[0], dtype, size=max(incoming, sizes.max()))
        assert_close(got[1], wanted[1], dtype, size=incoming)
        assert_close(got[2], wanted[2], dtype, size=terms.sum(axis=0).max())


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", ["equal", "ragged"])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("B", "T", "H"), [(1, 1, 1), (7, 32, 7), (65, 7, 32), (32, 65, 65)])
def test_pooling_in_the_loop(B, T, H, ties, kind, dtype):
    batch = Batch(kind, B, T, H, dtype)
    batch.table, batch.initial = np.round(batch.table), np.round(batch.initial)  # for relu's ties
    wanted = batch.pooled(_reference, "float64", 1, ties=ties)
    for keep, n_threads in [(True, 1), (False, 2)]:
        got = batch.pooled(_core, dtype, 1, keep, n_threads, ties)
        for a, b in zip(got[1:4], wanted[1:4], strict=True):
            assert_close(a, b, dtype, size=np.abs(wanted[2]).max(initial=1))
    states, _, _, maxima, at = batch.pooled(_core, dtype, 1, ties=ties)
    lengths = np.diff(batch.offsets)
    for i, (places, _) in enumerate(_reference.walks(batch.offsets, batch.tile)):
        if lengths[i]:
            path = states[places[1:]]
            start = lengths[i - i % batch.tile] - lengths[i]
            first, last = path.argmax(axis=0), lengths[i] - 1 - path[::-1].argmax(axis=0)
            np.testing.assert_array_equal(at[i] - start - 1, last if ties else first)
            np.testing.assert_array_equal(maxima[i], path.max(axis=0))
        else:
            np.testing.assert_array_equal(maxima[i], states[places[0]])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("scattered", [False, True])
@pytest.mark.parametrize(("B", "T", "H"), [(1, 1, 1), (7, 32, 7), (65, 7, 32), (32, 65, 65)])
def test_gradients_of_pooling(B, T, H, scattered, dtype):
    batch = Batch("ragged", B, T, H, dtype)
    states, _, _, _, at = batch.pooled(_core, dtype)
    wanted = batch.backward(_reference, "float64", states, 0, True, scattered, 1, at)
    got = batch.backward(_core, dtype, states, 0, True, scattered, 2, at)
    size = np.abs(wanted[0]).sum(axis=0).max(initial=1)
    for a, b in zip(got, wanted, strict=True):
        assert_close(a, b, dtype, size=size)


def test_nan_is_the_maximum():
    table, rows = np.array([[1.0], [np.nan], [2.0]]), np.array([0, 1, 2], np.int32)
    start, once = np.zeros((1, 1)), np.zeros(1, np.int32)
    out = [np.zeros((n, 1)) for n in (4, 1, 1, 1)]
    _core.forward(
        table, rows, start[:0, :0], start[:0], np.array([0, 3]), start, once, np.ones((1, 1)), 3,
        24, 1, True, False, *out, np.zeros((1, 1), np.int32),
    )  # fmt: skip
    assert np.isnan(out[3])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("activation", range(4))
def test_activations(activation, dtype):
    batch = Batch("ragged", 7, 7, 32, dtype)
    states, last = batch.forward(_reference, "float64", activation)
    got_states, got_last = batch.forward(_core, dtype, activation)
    assert_close(got_states, states, dtype)
    assert_close(got_last, last, dtype)
    wanted = batch.backward(_reference, "float64", got_states, activation)
    got = batch.backward(_core, dtype, got_states, activation)
    for a, b in zip(got, wanted, strict=True):
        assert_close(a, b, dtype)


def run_shared(name, dtype, n_threads):
    """What a kernel gives on so many rows that threads share them out."""
    rng = np.random.default_rng(0)
    D, F, H = 1500, 32, 32
    inputs, kernel = rng.normal(size=(D, F)).astype(dtype), rng.normal(size=(F, H)).astype(dtype)
    permuted = rng.permutation(20_000)
    batch = Batch("ragged", 300, 80, H, dtype)
    if name == "order_steps":
        out = [np.full((batch.N, 2), -1, np.int32)]
        values, starts = rng.integers(0, 9, (24_000, 2)).astype(np.int32), 80 * rng.permutation(300)
        _core.order_steps(values, starts, batch.offsets, batch.tile, n_threads, *out)
    elif name == "mirror_steps":
        blocks, *out = np.full((2, batch.N), -1)
        _core.mirror_steps(batch.offsets, batch.tile, n_threads, blocks, *out)
    elif name == "look_up":
        out = [np.full(20_000, -1, np.int32)]
        _core.look_up(permuted[::-1].astype(np.int32), permuted, n_threads, *out)
    elif name == "gather":
        out = [np.zeros((20_000, F), dtype)]
        _core.gather(inputs, permuted % D, n_threads, *out)
    elif name == "drop":
        out = [inputs.copy()]
        _core.drop(*out, 1, 5, 2**15, 2.0, n_threads)
    elif name == "dense":
        out = [np.zeros((D, H), dtype)]
        _core.dense(inputs, kernel, kernel[0], n_threads, *out)
    elif name == "dense_backward":
        out = [np.zeros(shape, dtype) for shape in [(D, F), (F, H), (H,)]]
        work = np.empty((_core.workspace_rows(D), F + 1, H), dtype)
        _core.dense_backward(inputs, kernel.T.copy(), inputs, n_threads, work, *out)
    elif name == "forward":
        out = batch.pooled(_core, dtype, n_threads=n_threads)
    elif name == "backward":
        states, _, _, _, at = batch.pooled(_core, dtype)
        out = batch.backward(_core, dtype, states, 0, True, True, n_threads, at)
    elif name == "rmsprop":
        weights, v, touched = out = [inputs.copy(), np.zeros((D, F), dtype), np.zeros(D, np.int64)]
        ids = permuted[permuted < D].astype(np.int32)
        _core.rmsprop(weights, inputs, v, ids, touched, 3, 1e-2, 0.9, 1e-7, n_threads)
    elif name == "adam":
        out = [inputs.copy(), np.zeros((D, F), dtype), np.zeros((D, F), dtype)]
        ids = permuted[permuted < D].astype(np.int32)
        _core.adam(out[0], inputs, *out[1:], ids, 3, 1e-2, 0.9, 0.999, 1e-7, n_threads)
    elif name == "sgd":
        out = [inputs.copy(), inputs.copy()]
        ids = permuted[permuted < D].astype(np.int32)
        _core.sgd(out[0], inputs, out[1], ids, 1e-2, 0.9, True, n_threads)
    elif name == "sgd_without_gradient":
        out = [inputs.copy(), inputs.copy(), np.arange(D) % 7]
        ids = permuted[permuted < D].astype(np.int32)
        _core.sgd_without_gradient(*out[:2], ids, out[2], 6, 0.9, True, n_threads)
    elif name == "adam_without_gradient":
        out = [inputs.copy(), inputs.copy(), inputs**2, np.arange(D) % 7]
        ids = permuted[permuted < D].astype(np.int32)
        sums, decays = np.linspace(1, 2, 21).reshape(7, 3), np.ones((4, 2))
        _core.adam_without_gradient(*out[:3], ids, out[3], sums, decays, 6, 1e-7, n_threads)
    return out


SHARED = [n for n in KERNELS if "n_threads" in inspect.signature(getattr(_reference, n)).parameters]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", SHARED)
def test_threads_do_not_change_a_bit(name, dtype):
    wanted = run_shared(name, dtype, 1)
    for n_threads in [2, 3, 4, 8]:
        for a, b in zip(run_shared(name, dtype, n_threads), wanted, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("activation", range(4))
def test_backward_against_central_differences(activation):
    """The gradients of a weighted sum of all states, by every input of the reference recurrence."""
    batch = Batch("ragged", 3, 5, 4, "float64", seed=3)
    states, _ = batch.forward(_reference, "float64", activation)
    grad_steps, grad_initial, grad_kernel, *_ = batch.backward(
        _reference, "float64", states, activation, every_step=True
    )
    grad_table = np.zeros_like(batch.table)
    np.add.at(grad_table, batch.rows, grad_steps)
    grad_states_start = np.zeros_like(batch.initial)
    np.add.at(grad_states_start, batch.initial_rows, grad_initial)

    def loss():
        states, last = batch.forward(_reference, "float64", activation)
        return np.sum(states * batch.grad_states) + np.sum(last * batch.grad_last)

    eps = 1e-6
    for array, gradient in [
        (batch.table, grad_table),
        (batch.initial, grad_states_start),
        (batch.kernel, grad_kernel),
    ]:
        for index in np.ndindex(array.shape):
            value = array[index]
            array[index] = value + eps
            upper = loss()
            array[index] = value - eps
            lower = loss()
            array[index] = value
            numeric = (upper - lower) / (2 * eps)
            assert abs(numeric - gradient[index]) <= 1e-7 * max(1, abs(numeric))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("K", [1, 5])
def test_sigmoid_cross_entropy(K, dtype):
    rng = np.random.default_rng(0)
    logits = (10 * rng.normal(size=(40, K))).astype(dtype)
    logits[0], logits[1], logits[2] = 0, 500, -500
    targets = rng.integers(0, 2, (40, K)).astype(dtype)
    weights = rng.uniform(size=40).astype(dtype)
    got_grad, grad = np.empty_like(logits), np.empty((40, K))
    got = _core.sigmoid_cross_entropy(logits, targets, weights, 7, got_grad)
    wanted = _reference.sigmoid_cross_entropy(
        logits.astype(np.float64), targets, weights.astype(np.float64), 7, grad
    )
    assert_close(got, wanted, dtype)
    assert_close(got_grad, grad, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_softmax_cross_entropy(dtype):
    rng = np.random.default_rng(0)
    logits = (10 * rng.normal(size=(40, 5))).astype(dtype)
    logits[0], logits[1] = 0, 500
    targets = rng.integers(0, 5, 40).astype(np.int32)
    weights = rng.uniform(size=40).astype(dtype)
    got_grad, grad = np.empty_like(logits), np.empty((40, 5))
    got = _core.softmax_cross_entropy(logits, targets, weights, 7, got_grad)
    wanted = _reference.softmax_cross_entropy(
        logits.astype(np.float64), targets, weights.astype(np.float64), 7, grad
    )
    assert_close(got, wanted, dtype)
    assert_close(got_grad, grad, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("K", [1, 5])
def test_squared_error(K, dtype):
    rng = np.random.default_rng(0)
    logits, targets = (rng.normal(size=(40, K)).astype(dtype) for _ in range(2))
    weights = rng.uniform(size=40).astype(dtype)
    got_grad, grad = np.empty_like(logits), np.empty((40, K))
    got = _core.squared_error(logits, targets, weights, 7, got_grad)
    exact = [a.astype(np.float64) for a in (logits, targets, weights)]
    assert_close(got, _reference.squared_error(*exact, 7, grad), dtype)
    assert_close(got_grad, grad, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_rmsprop(dtype):
    """Rows that sit out some steps end where the dense update leaves them."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=(20, 7))
    states = {}
    for key, kind in [("kernel", dtype), ("twin", "float64"), ("dense", "float64")]:
        states[key] = start.astype(kind), np.zeros((20, 7), kind), np.zeros(20, np.int64)
    for step in range(1, 31):
        ids = rng.choice(20, rng.integers(1, 6), replace=False).astype(np.int32)
        grads = rng.normal(size=(len(ids), 7))
        everywhere = np.zeros((20, 7))
        everywhere[ids] = grads
        for key, module, g, rows in [
            ("kernel", _core, grads.astype(dtype), ids),
            ("twin", _reference, grads, ids),
            ("dense", _reference, everywhere, np.arange(20, dtype=np.int32)),
        ]:
            w, v, touched = states[key]
            module.rmsprop(w, g, v, rows, touched, step, 1e-2, 0.9, 1e-7, 2)
    assert_close(states["kernel"][0], states["twin"][0], dtype)
    assert_close(states["kernel"][1], states["twin"][1], dtype)
    assert_close(states["twin"][0], states["dense"][0], "float64")


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd(momentum, nesterov, dtype):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(9, 33))
    got, wanted = [[start.astype(k), np.zeros((9, 33), k)] for k in (dtype, "float64")]
    for _ in range(5):
        g, ids = rng.normal(size=(3, 33)), rng.permutation(9)[:3].astype(np.int32)
        settings = ids, 0.1, momentum, nesterov, 2
        _core.sgd(got[0], g.astype(dtype), got[1], *settings)
        _reference.sgd(wanted[0], g, wanted[1], *settings)
    assert_close(got[0], wanted[0], dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9, 0.999])
def test_sgd_without_gradient(momentum, nesterov, dtype):
    """All steps that a row sat out, against one after the other."""
    rng = np.random.default_rng(0)
    w, v = rng.normal(size=(2, 7, 5))
    touched = np.array([0, 290, 297, 299, 300, 9, 9])
    ids, results = np.array([4, 0, 3, 1, 2], np.int32), []
    for module, kind in [(_core, dtype), (_reference, "float64")]:
        arrays, steps = [w.astype(kind), v.astype(kind)], touched.copy()
        module.sgd_without_gradient(*arrays, ids, steps, 300, momentum, nesterov, 2)
        np.testing.assert_array_equal(steps, [300, 300, 300, 300, 300, 9, 9])
        results.append(arrays)
    for got, wanted in zip(*results, strict=True):
        assert_close(got, wanted, dtype, size=1 / (1 - momentum))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_adam(dtype):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(9, 33))
    got, wanted = [
        [start.astype(k), np.zeros((9, 33), k), np.zeros((9, 33), k)] for k in (dtype, "float64")
    ]
    for step in range(1, 6):
        g, ids = rng.normal(size=(3, 33)), rng.permutation(9)[:3].astype(np.int32)
        settings = ids, step, 0.1, 0.9, 0.999, 1e-7, 2
        _core.adam(got[0], g.astype(dtype), *got[1:], *settings)
        _reference.adam(wanted[0], g, *wanted[1:], *settings)
    assert_close(got[0], wanted[0], dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_adam_without_gradient(dtype):
    """Against the twin, and against the dense update step by step, with roots far below epsilon."""
    rng = np.random.default_rng(0)
    roots = 10.0 ** np.array([-np.inf, -12, -8, -7, -6, -4, 0])  # of v
    m, v = rng.normal(size=(6, 7)) * np.maximum(roots, 1e-12), np.tile(roots**2, (6, 1))
    touched, n_steps, rates = np.array([0, 3, 7, 20, 29, 30]), 30, 1e-2 * rng.random(31)
    missed = optimizers.MissedSteps(0.9, 0.999)
    for step, rate in enumerate(rates[1:], 1):
        missed.add(step, rate)
    start, settings = rng.normal(size=(6, 7)), (missed.sums, missed.decays, n_steps, 1e-7, 2)
    states = {}
    for key, module, kind in [("kernel", _core, dtype), ("twin", _reference, "float64")]:
        states[key] = [start.astype(kind), m.astype(kind), v.astype(kind)]
        steps = touched.astype(np.int64)
        ids = np.arange(6, dtype=np.int32)
        module.adam_without_gradient(*states[key], ids, steps, *settings)
        assert (steps == n_steps).all()
    w, m, v = start.copy(), m.copy(), v.copy()
    for row, since in enumerate(touched):
        for step in range(since + 1, n_steps + 1):
            m[row] *= 0.9
            v[row] *= 0.999
            w[row] -= rates[step] * m[row] / (np.sqrt(v[row]) + 1e-7)
    for got, twin, dense in zip(states["kernel"], states["twin"], (w, m, v), strict=True):
        assert_close(got, twin, dtype)
        assert_close(twin, dense, "float64", size=1e3)  # where v is nearly zero, 1e-9


@pytest.mark.parametrize("position", [*range(8), 10, 14, 15, 18, 19])
def test_buffers_that_do_not_fit_are_refused(position):
    """Each array of backward, made one row short, is an error and not a write out of bounds."""
    batch = Batch("equal", 7, 7, 7, "float64")
    states, _ = batch.forward(_core, "float64")
    arrays = [
        states,
        batch.offsets,
        batch.kernel,
        batch.grad_last,
        batch.grad_states,
        batch.grad_sums,
        batch.grad_maxima,
        np.zeros((7, 7), np.int32),
        batch.rows,
        np.empty((0, 0)),
        np.empty((7, 0)),
        0,
        batch.tile,
        1,
        np.empty(_core.backward_work(7, batch.tile, 7, batch.N)),
        np.empty((batch.N, 7)),
        np.empty((0, 0)),
        np.empty((0, 7)),
        np.empty((7, 7)),
        np.empty((7, 7)),
    ]
    _core.backward(*arrays)
    arrays[position] = arrays[position][1:].copy()
    with pytest.raises(ValueError, match="must"):
        _core.backward(*arrays)
