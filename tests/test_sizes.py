"""Sizes beyond 32 bits, and beyond the machine."""

import tracemalloc

import numpy as np
import pytest

from common import BOTH, run_python
from crnn import SimpleRNN, SimpleRNNClassifier, _core
from crnn._data import sequences
from crnn._data.batches import pack
from crnn._data.sequences import Sequences
from crnn._layers import forecast
from crnn._layers.assembly import network_of
from crnn._layers.workspace import Workspace
from crnn._system import memory
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer, pad_sequences

BEYOND = 2**31 + 1


def lazy_zeros(shape, dtype):
    """Zeros of which the system gives only the pages that are touched."""
    try:
        return np.zeros(shape, dtype)
    except MemoryError:
        pytest.skip("this machine does not promise that much memory")


def test_rows_beyond_32_bits():
    """The last rows of a table of 2**31 numbers and some."""
    table = lazy_zeros((2**22 + 1, 512), np.float32)
    rows = np.array([2**22, 0], np.int32)
    table[2**22] = np.arange(512)
    out = np.empty((2, 512), np.float32)
    _core.gather(table, rows, 1, out)
    np.testing.assert_array_equal(out, [np.arange(512), np.zeros(512)])
    states, last = np.empty((2, 512), np.float32), np.empty((1, 512), np.float32)
    nothing = np.zeros((512, 512), np.float32)
    linear = _core.ACTIVATIONS["linear"]
    _core.forward(
        table, rows, nothing[:0, :0], nothing[:0], np.array([0, 1]), nothing[:1],
        np.zeros(1, np.int32), nothing, linear, 24, 1, False, False, states, last, nothing[:0],
        nothing[:0], np.empty((0, 512), np.int32),
    )  # fmt: skip
    np.testing.assert_array_equal(last[0], np.arange(512))


def test_an_optimiser_beyond_32_bits():
    weights = lazy_zeros((2**22 + 1, 512), np.float32)
    velocities, touched = lazy_zeros(weights.shape, np.float32), np.zeros(2**22 + 1, np.int64)
    gradients, ids = np.ones((1, 512), np.float32), np.array([2**22], np.int32)
    _core.rmsprop(weights, gradients, velocities, ids, touched, 1, 0.1, 0.9, 1e-7, 1)
    np.testing.assert_allclose(weights[2**22], -0.1 / np.sqrt(0.1), rtol=1e-5)
    assert touched[2**22] == 1
    assert not weights[:2].any()


def test_sequences_beyond_32_bits():
    X = lazy_zeros((2, BEYOND), np.uint8)
    with pytest.raises(ValueError, match=rf"X\[0\] has {BEYOND} timesteps, but at most"):
        SimpleRNNClassifier(vocabulary_size=9).fit(X, [0, 1])


def test_a_sequence_that_is_too_long_is_named(monkeypatch):
    monkeypatch.setattr(sequences, "MOST_STEPS", 3)
    with pytest.raises(ValueError, match=r"X\[1\] has 4 timesteps, but at most 3 .*Cut it"):
        SimpleRNNClassifier().fit([[1, 2, 3], [1, 2, 3, 4]], [0, 1])


def test_a_token_id_beyond_32_bits_is_named():
    with pytest.raises(ValueError, match=rf"X\[1\] at timestep 2 is the token id {2**31}, but ids"):
        SimpleRNNClassifier().fit([[1, 2], [3, 2**31 - 1, 2**31]], [0, 1])


def test_batches_beyond_32_bits():
    lengths = np.array([2**30, 2**30])
    nothing = np.zeros(2, np.int32)
    two = Sequences(np.zeros(1, np.int32), np.zeros(2, np.int64), lengths, nothing)
    with pytest.raises(ValueError, match=rf"2 sequences has {2**31} timesteps.*Lower batch_size"):
        pack(two, np.arange(2), Workspace(), 1, 9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocabulary_size": 2**31 - 1, "embedding_dim": 512}, r"\(2147483647, 512\).* GiB"),
        ({"units": 10**7, "dtype": "float64"}, r"\(10000000, 10000000\).* GiB.*units"),
        ({"embedding_dim": 10**14}, "GiB"),
    ],
)
def test_weights_beyond_the_machine(options, message):
    X = np.array([[1, 2], [2, 1]])
    clf = SimpleRNNClassifier(**options)
    before = vars(clf).copy()
    with pytest.raises(MemoryError, match=f"(?s)needs {message}|{message}"):
        clf.fit(X, [0, 1])
    assert vars(clf) == before


def test_batches_beyond_the_machine(monkeypatch):
    X = np.random.default_rng(0).integers(1, 9, (1000, 100))
    monkeypatch.setattr(memory, "machine_memory", lambda: 2**23)
    monkeypatch.setattr(memory, "SMALL", 0)
    y = X[:, 0] % 2
    with pytest.raises(
        MemoryError, match=r"batch of 1000 .* MiB .* allows 8.0 MiB\. Lower batch_s"
    ):
        SimpleRNNClassifier(batch_size=1000).fit(X, y)
    SimpleRNNClassifier(batch_size=20, max_iter=1).fit(X, y)


@BOTH
@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd", "adam"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    ("V", "E", "H", "T", "B"),
    [
        (20_000, 64, 16, 20, 50),
        (50, 8, 128, 100, 200),
        (20_000, 32, 32, 200, 200),
        (50, 8, 600, 5, 10),
    ],
    ids=["words", "states", "both", "units"],
)
def test_prediction_of_the_memory(V, E, H, T, B, optimizer, early_stopping, network):
    """Neither less than what a fit takes nor far more."""
    X = np.random.default_rng(0).integers(1, V, (400, T)).astype(np.int32)
    options = {"optimizer": optimizer, "momentum": 0.5, "early_stopping": early_stopping}
    options = network | options
    clf = SimpleRNNClassifier(
        H, embedding_dim=E, vocabulary_size=V, batch_size=B, max_iter=2, random_state=0, **options
    )
    clf.fit(X[:4], [0, 1, 0, 1])
    layers, n_memories = network_of(clf), 2 if optimizer == "adam" else 1
    weights = forecast.of_weights(layers.parameters, 4, n_memories, early_stopping)
    batch = forecast.of_batch(np.full(400, T), B, layers, 4)
    tracemalloc.start()
    clf.fit(X, X[:, 0] % 2)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.8 * taken < weights + batch < 2 * taken


@pytest.mark.parametrize("options", [
    {"units": (64, 64)}, {"bidirectional": True}, {"bigrams": 500}, {"units": (32, 32, 32)},
    {"units": (32, 32), "bidirectional": True},
])  # fmt: skip
def test_memory_of_layers_that_have_a_row_for_each_step(options):
    X = np.random.default_rng(0).integers(1, 60, (400, 150)).astype(np.int32)
    options = {"units": 64} | options
    clf = SimpleRNNClassifier(batch_size=200, max_iter=2, vocabulary_size=60, **options)
    clf.fit(X[:4], [0, 1, 0, 1])
    layers = network_of(clf)
    wanted = forecast.of_weights(layers.parameters, 4, 2, False)
    wanted += forecast.of_batch(np.full(400, 150), 200, layers, 4)
    tracemalloc.start()
    clf.fit(X, X[:, 0] % 2)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.8 * taken < wanted < 2.5 * taken


@pytest.mark.parametrize("vectorizer", [SequenceVectorizer, HashingSequenceVectorizer])
def test_matrices_of_ids_beyond_the_machine(vectorizer):
    wide = vectorizer(maxlen=2**50)
    with pytest.raises(MemoryError, match=r"2 documents x maxlen=.* GiB.*Lower maxlen"):
        wide.fit_transform(["a b", "b"])
    assert not hasattr(wide, "vocabulary_")
    with pytest.raises(MemoryError, match=r"2 x 1125899906842624 items needs .* GiB"):
        pad_sequences([[1], [2]], maxlen=2**50)


def test_states_beyond_the_machine(monkeypatch):
    X = np.random.default_rng(0).integers(1, 9, (100, 50))
    clf = SimpleRNNClassifier(64, max_iter=1).fit(X, X[:, 0] % 2)
    monkeypatch.setattr(memory, "machine_memory", lambda: 2**21)
    monkeypatch.setattr(memory, "SMALL", 0)
    with pytest.raises(MemoryError, match=r"States after 5000 timesteps .*Pass fewer sequences"):
        clf.hidden_states(X, return_sequences=True)
    with pytest.raises(MemoryError, match=r"inputs of shape \(100, 50, 1\) .*Pass fewer"):
        SimpleRNN(64)(X[:, :, None])
    assert clf.hidden_states(X).shape == (100, 64)


def test_a_limit_of_the_process():
    resource = pytest.importorskip("resource", reason="only Unix limits processes")
    limit = memory.machine_memory()
    code = (
        "import resource; from crnn._system.memory import machine_memory; "
        f"resource.setrlimit(resource.RLIMIT_AS, ({2**33}, {resource.RLIM_INFINITY})); "
        "print(machine_memory())"
    )
    run = run_python("-c", code)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) == min(limit, 2**33)


def test_limits_of_control_groups(monkeypatch, tmp_path):
    """Those of the group and of all groups around it, in both versions."""
    files = {
        "/proc/self/cgroup": "12:cpu:/a\n9:memory:/slurm/job\n0::/user.slice/session\n",
        "/sys/fs/cgroup/memory/slurm/memory.limit_in_bytes": "5000000",
        "/sys/fs/cgroup/user.slice/session/memory.max": "max",
        "/sys/fs/cgroup/user.slice/memory.max": "4000000",
    }

    def read_text(path, encoding):
        if str(path) not in files:
            raise FileNotFoundError(path)
        return files[str(path)]

    monkeypatch.setattr(memory.Path, "read_text", read_text)
    assert memory.machine_memory() == 4_000_000
    del files["/sys/fs/cgroup/user.slice/memory.max"]
    assert memory.machine_memory() == 5_000_000
