"""Batches and calls of any shape, which hypothesis makes up, against loops in double precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import BOOK, ROUNDS
from crnn import SimpleRNN, SimpleRNNRegressor, _core, _reference
from crnn.preprocessing import SequenceVectorizer, pad_sequences

many = settings(max_examples=25 * ROUNDS, deadline=None)

FUNCTIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "linear": lambda x: x,
}
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}


@many
@given(
    B=st.integers(0, 30), T=st.integers(0, 7), F=st.integers(1, 5), H=st.integers(1, 20),
    activation=st.sampled_from(sorted(FUNCTIONS)), backwards=st.booleans(),
    dtype=st.sampled_from(sorted(TOLERANCE)), n_jobs=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**32 - 1), masked=st.booleans(),
)  # fmt: skip
def test_a_layer_is_a_loop(B, T, F, H, activation, backwards, dtype, n_jobs, seed, masked):
    rng = np.random.default_rng(seed)
    X, start = rng.normal(size=(B, T, F)), rng.normal(size=(B, H))
    mask = rng.random((B, T)) < (0.6 if masked else 2)
    W, U, b = rng.normal(size=(F, H)), rng.normal(size=(H, H)) / (2 * H), rng.normal(size=H)
    layer = SimpleRNN(
        H, activation=activation, go_backwards=backwards, dtype=dtype, return_sequences=True,
        return_state=True, n_jobs=n_jobs,
    ).set_weights([W, U, b])  # fmt: skip
    path, last = layer(X, initial_state=start, mask=mask)
    wanted, h = np.empty((B, T, H)), start
    for t in range(T):
        x, on = (X[:, -1 - t], mask[:, -1 - t]) if backwards else (X[:, t], mask[:, t])
        h = np.where(on[:, None], FUNCTIONS[activation](x @ W + h @ U + b), h)
        wanted[:, t] = h
    np.testing.assert_allclose(path, wanted, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])
    np.testing.assert_allclose(last, h, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


@pytest.mark.filterwarnings("ignore:y has 6 columns")
@many
@given(
    n=st.integers(2, 40), H=st.integers(1, 70), F=st.integers(1, 20), n_outputs=st.integers(1, 20),
    activation=st.sampled_from(list(FUNCTIONS)), dtype=st.sampled_from(list(TOLERANCE)),
    tokens=st.booleans(), seed=st.integers(0, 2**32 - 1), network=st.sampled_from([{}, BOOK]),
)  # fmt: skip
def test_a_prediction_has_the_same_bits_alone_and_in_company(
    n, H, F, n_outputs, activation, dtype, tokens, seed, network
):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 9, (n, 6)) if tokens else rng.normal(size=(n, 6, F))
    y = rng.normal(size=(n, n_outputs))
    options = network | {"optimizer": "sgd", "learning_rate": 1e-6, "max_iter": 1}
    model = SimpleRNNRegressor(
        H, embedding_dim=F, vocabulary_size=9 if tokens else None, activation=activation,
        dtype=dtype, random_state=0, **options,
    ).fit(X, y)  # fmt: skip
    together = model.predict(X)
    chosen = rng.permutation(n)[: 1 + n // 3]
    np.testing.assert_array_equal(model.predict(X[chosen]), together[chosen])
    np.testing.assert_array_equal(model.predict(X[:1]), together[:1])


@many
@given(
    lengths=st.lists(st.integers(0, 9), max_size=40), H=st.sampled_from([1, 3, 8, 16, 32]),
    D=st.integers(1, 12), tile=st.integers(1, 30), n_threads=st.integers(1, 4),
    every_step=st.booleans(), F=st.integers(0, 20), learned=st.booleans(), ties=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_back_through_time(lengths, H, D, tile, n_threads, every_step, F, learned, ties, seed):
    """Kernels against their twins, from any ragged batch cut into any tiles."""
    rng = np.random.default_rng(seed)
    offsets = np.append(0, np.cumsum(sorted(lengths, reverse=True))).astype(np.int64)
    N, B = int(offsets[-1]), len(lengths)
    projected = F > 0 and N > 0  # else rows of a table are read
    D = 1 if projected else D
    rows = rng.integers(0, D, 0 if projected else N).astype(np.int32)
    inputs, kernel = rng.normal(size=(N if projected else 0, F)), rng.normal(size=(F, H))
    activation = _core.ACTIVATIONS["tanh"]
    table, initial = rng.normal(size=(D, H)), rng.normal(size=(2, H))
    initial_rows = rng.integers(0, 2, B).astype(np.int32)
    U = rng.normal(size=(H, H)) / (2 * H)
    grad_last = rng.normal(size=(B, H))
    grad_states = rng.normal(size=(N + B if every_step else 0, H))
    grad_sums, grad_maxima = rng.normal(size=(2, B, H))
    results = []
    for kernels in (_core, _reference):
        states, (last, sums, maxima) = np.zeros((N + B, H)), np.zeros((3, B, H))
        at = np.zeros((B, H), np.int32)
        kernels.forward(
            table, rows, inputs, kernel, offsets, initial, initial_rows, U, activation, tile,
            n_threads, True, ties, states, last, sums, maxima, at,
        )  # fmt: skip
        work = np.empty(_core.backward_work(B, tile, H, F + 1 if projected else D))
        shapes = (D, H), (len(inputs) * learned, F), (F, H), (B, H), (H, H)
        grads = [np.zeros(shape) for shape in shapes]
        kernels.backward(
            states, offsets, np.ascontiguousarray(U.T), grad_last, grad_states,
            grad_sums, grad_maxima, at, rows, inputs, np.ascontiguousarray(kernel.T), activation,
            tile, n_threads, work, *grads,
        )  # fmt: skip
        results.append((states, last, sums, maxima, at, *grads))
    for got, wanted in zip(*results, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-11)


sequences = st.lists(st.lists(st.integers(1, 99), max_size=8), min_size=1, max_size=8)
sides = st.sampled_from(["pre", "post"])


@many
@given(sequences=sequences, maxlen=st.integers(1, 10), padding=sides, truncating=sides)
def test_padding_keeps_what_it_says(sequences, maxlen, padding, truncating):
    padded = pad_sequences(sequences, maxlen, padding=padding, truncating=truncating)
    for row, sequence in zip(padded.tolist(), sequences, strict=True):
        kept = sequence[-maxlen:] if truncating == "pre" else sequence[:maxlen]
        zeros = [0] * (maxlen - len(kept))
        assert row == (zeros + kept if padding == "pre" else kept + zeros)


words = st.lists(st.text("abcdef'", min_size=1, max_size=4), min_size=1, max_size=12)


@many
@given(documents=st.lists(words, min_size=1, max_size=8))
def test_words_come_back_in_their_order(documents):
    vectorizer = SequenceVectorizer(maxlen=None)
    ids = vectorizer.fit_transform([" ".join(document) for document in documents])
    assert vectorizer.inverse_transform(ids) == documents
