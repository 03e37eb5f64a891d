"""The whole network: gradients, the shared walk through the paddings, optimisers, threads."""

import tracemalloc

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from common import BOOK, BOTH
from crnn import SimpleRNNClassifier
from crnn._data import batches
from crnn._data.sequences import offsets_of, series_sequences, token_sequences
from crnn._layers import predictor
from crnn._layers.network import Network, Sizes
from crnn._layers.steps import RowGradient
from crnn._training.losses import Labels, ManyClasses, Numbers
from crnn._training.optimizers import SGD, Adam, RMSprop
from crnn._training.trainer import Trainer

V, E, F, H = 12, 4, 3, 5
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


def padded_ids(pads, T=9, vocabulary_size=V):
    """Rows of T ids, the first of them paddings."""
    ids = np.random.default_rng(0).integers(1, vocabulary_size, (len(pads), T))
    ids[np.arange(T) < np.array(pads)[:, None]] = 0
    return ids


def as_tokens(X, vocabulary_size=V, **options):
    options = {"n_rows": vocabulary_size, "open_vocabulary": False, "mask_zero": False} | options
    ids = np.concatenate([np.array(x, int) for x in X])
    return token_sequences(ids, offsets_of([len(x) for x in X]), **options)


def as_series(lengths, dtype):
    steps = np.random.default_rng(0).normal(size=(sum(lengths), F))
    return series_sequences(steps, np.cumsum([0, *lengths]), dtype, F)


def ids_with_zeros_anywhere():
    ids = padded_ids([*range(10)] * 3)  # from no padding to nothing else
    ids[0, 4], ids[1, -3:], ids[2, -1] = 0, 0, 0
    return ids


def ragged_ids():
    return [[], [0, 0, 0], *(row[i % 7 :] for i, row in enumerate(ids_with_zeros_anywhere()))]


DATA = {
    "padded": lambda: as_tokens(ids_with_zeros_anywhere()),
    "masked": lambda: as_tokens(ids_with_zeros_anywhere(), mask_zero=True),
    "ragged": lambda: as_tokens(ragged_ids()),
    "ragged, masked": lambda: as_tokens(ragged_ids(), mask_zero=True),
    "series": lambda: as_series([7] * 30, "float64"),
    "ragged series": lambda: as_series([*range(30, 0, -1), 0], "float64"),
}


def trainer_for(
    sequences,
    n_outputs,
    dtype,
    *,
    activation="tanh",
    vocabulary_size=V,
    units=H,
    objective=None,
):
    tokens = sequences.are_tokens
    rng = np.random.default_rng(1)
    sizes = Sizes(
        vocabulary_size=vocabulary_size if tokens else None,
        n_features=E if tokens else F,
        units=(units,),
        n_outputs=n_outputs,
    )
    network = Network(sizes, activation=activation)
    # About a contraction, so that rounding errors do not grow along the sequence.
    weights = {
        name: rng.normal(0, 0.6 / np.sqrt(units), shape).astype(dtype)
        for name, shape in network.shapes.items()
    }
    objective = objective or (Labels(1) if n_outputs == 1 else ManyClasses(np.arange(n_outputs)))
    return Trainer(network, weights, 1, objective)


def targets_and_weights(n, n_outputs, dtype):
    rng = np.random.default_rng(2)
    weights = rng.uniform(0.5, 2, n).astype(dtype)
    if n_outputs == 1:
        return rng.integers(0, 2, (n, 1)).astype(dtype), weights
    return rng.integers(0, n_outputs, n).astype(np.int32), weights


def loss_and_gradients(trainer, sequences, targets, weights):
    """Mean loss of all sequences as one batch, logits and dense gradients."""
    n = len(sequences)
    logits = trainer.logits(sequences)
    batch = trainer.pack(sequences, np.arange(n))
    totals, gradients = trainer.network.gradients(
        batch,
        trainer.start_pass(np.random.RandomState(0)),
        trainer.objective,
        targets[batch.order],
        weights[batch.order],
        n,
    )
    if sequences.are_tokens:
        dense = np.zeros_like(trainer.weights["embedding"])
        dense[gradients["embedding"].ids] = gradients["embedding"].rows
        gradients["embedding"] = dense
    return totals[0] / n, logits, gradients


def assert_close(got, wanted, tolerance):
    assert np.linalg.norm(got - wanted) <= tolerance * np.linalg.norm(wanted)


# Gradients


def check_central_differences(trainer, sequences, targets, weights, eps=1e-5):
    parameters = trainer.weights
    gradients = loss_and_gradients(trainer, sequences, targets, weights)[2]
    assert gradients.keys() == parameters.keys()
    for name, array in parameters.items():
        numeric = np.empty_like(array)
        for index in np.ndindex(array.shape):
            value, ends = array[index], []
            for array[index] in (value + eps, value - eps):
                ends.append(loss_and_gradients(trainer, sequences, targets, weights)[0])
            array[index] = value
            numeric[index] = (ends[0] - ends[1]) / (2 * eps)
        assert np.linalg.norm(numeric) > 1e-4, f"{name} has no gradient to compare"
        assert_close(gradients[name], numeric, 1e-7)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("kind", DATA)
def test_gradients_against_central_differences(kind, n_outputs):
    sequences = DATA[kind]()
    trainer = trainer_for(sequences, n_outputs, "float64")
    check_central_differences(
        trainer, sequences, *targets_and_weights(len(sequences), n_outputs, "float64")
    )


@pytest.mark.parametrize("objective", [Numbers(3, False), Labels(3)])
def test_gradients_of_several_outputs(objective):
    sequences = DATA["ragged"]()
    targets = np.random.default_rng(3).integers(0, 2, (len(sequences), 3)).astype("float64")
    _, weights = targets_and_weights(len(sequences), 1, "float64")
    trainer = trainer_for(sequences, 3, "float64", objective=objective)
    check_central_differences(trainer, sequences, targets, weights)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "linear"])
def test_gradients_of_activations(activation):
    sequences = DATA["padded"]()
    trainer = trainer_for(sequences, 1, "float64", activation=activation)
    check_central_differences(trainer, sequences, *targets_and_weights(30, 1, "float64"))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("units", [5, 32])
@pytest.mark.parametrize(
    "pads",
    [[0] * 30, [20] * 30, [1] * 30, [19, 20] * 15, [*range(21)] * 2, [0], [7], [20]],
    ids=["none", "all", "one each", "nearly all", "any", "no pad", "one sequence", "only pads"],
)
def test_shared_walk_through_the_paddings_is_exact(pads, units, dtype):
    """Leading zeros that are counted, against leading zeros that are steps like any other."""
    X = padded_ids(pads, T=20)
    _, weights = targets_and_weights(len(X), 1, dtype)
    targets = np.ones((len(X), 1), dtype)  # one class, so that the gradients do not cancel
    results = []
    for keep_pads in (False, True):
        sequences = as_tokens(X, keep_pads=keep_pads)
        assert sequences.pads.tolist() == ([0] * len(X) if keep_pads else pads)
        trainer = trainer_for(sequences, 1, dtype, units=units)
        results.append(loss_and_gradients(trainer, sequences, targets, weights))
    (mean, logits, gradients), (wanted_mean, wanted_logits, wanted) = results
    assert mean == pytest.approx(wanted_mean, rel=TOLERANCE[dtype])
    assert_close(logits, wanted_logits, TOLERANCE[dtype])
    for name in wanted:
        assert_close(gradients[name], wanted[name], TOLERANCE[dtype])


@pytest.mark.parametrize("many", [0, np.inf], ids=["all words", "words that occur"])
def test_projection_of_distinct_tokens_is_exact(many, monkeypatch):
    """Tokens projected once each, against a series of their embeddings projected step by step."""
    monkeypatch.setattr(batches, "MANY", many)
    tokens = as_tokens(ids_with_zeros_anywhere(), keep_pads=True)
    trainer = trainer_for(tokens, 1, "float64")
    weights = dict(trainer.weights)
    steps = weights.pop("embedding")[tokens.values]
    series = series_sequences(steps, np.append(tokens.starts, len(steps)), "float64", E)
    plain = Trainer(Network(Sizes(None, E, (H,), 1)), weights, 1, trainer.objective)
    rest = targets_and_weights(len(tokens), 1, "float64")
    mean, logits, gradients = loss_and_gradients(trainer, tokens, *rest)
    wanted_mean, wanted_logits, wanted = loss_and_gradients(plain, series, *rest)
    assert mean == pytest.approx(wanted_mean, rel=1e-12)
    assert_close(logits, wanted_logits, 1e-12)
    for name in wanted:
        assert_close(gradients[name], wanted[name], 1e-12)


def test_ten_thousand_steps():
    """Only the last token tells the classes apart; what comes before must not matter."""
    rng = np.random.default_rng(0)
    X = rng.integers(1, 9, (64, 10_000))
    X[:, -1] = 9 + np.arange(64) % 2
    options = BOOK | {"learning_rate": 0.05, "batch_size": 4, "max_iter": 10}
    clf = SimpleRNNClassifier(8, vocabulary_size=11, random_state=0, **options)
    assert clf.fit(X, X[:, -1] == 9).history_["loss"][-1] < 0.1
    assert clf.score(X, X[:, -1] == 9) == 1


@BOTH
def test_memory_does_not_grow_with_the_number_of_samples(monkeypatch, network):
    monkeypatch.setattr(predictor, "CHUNK_NUMBERS", 10_000)
    X = padded_ids(np.arange(4000) % 100, T=100).astype(np.int32)
    y = np.arange(len(X)) % 2
    peaks = []
    for n in (1000, 4000):
        options = network | {"vocabulary_size": V, "max_iter": 1, "batch_size": 32}
        clf = SimpleRNNClassifier(4, **options, validation_fraction=0.2)
        tracemalloc.start()
        clf.fit(X[:n], y[:n])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Labels, weights and places of a sample take less than a copy of its ids would.
    assert peaks[1] - peaks[0] < 3000 * 150


# Optimisers


def test_rmsprop_of_keras():
    w, g, optimizer = np.array([1.0, 2, 3, 4]), np.array([1.0, 6, 7, 2]), RMSprop(0.5)
    optimizer.step({"w": w}, {"w": g}, 1)
    np.testing.assert_allclose(w, [-0.581138, 0.418861, 1.418861, 2.418861], atol=1e-6)
    # The same gradient once more: v = (0.9 * 0.1 + 0.1) g^2.
    second = w - 0.5 / np.sqrt(0.19)
    optimizer.step({"w": w}, {"w": g}, 1)
    np.testing.assert_allclose(w, second, atol=2e-6)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "make",
    [
        lambda: RMSprop(1e-2),
        lambda: SGD(1e-2),
        lambda: SGD(1e-2, momentum=0.9),
        lambda: SGD(1e-2, momentum=0.9, nesterov=True),
        lambda: Adam(1e-2),
    ],
    ids=["rmsprop", "sgd", "momentum", "nesterov", "adam"],
)
def test_rows_touched_rarely_equal_the_dense_update(make, dtype):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(30, 4))
    rows, dense = {"w": start.astype(dtype)}, {"w": start.astype(dtype)}
    by_row, everywhere = make(), make()
    for step in range(200):
        # Row 0 sits out all steps but the first and the last, row 29 all.
        ids = rng.choice(np.arange(1, 29), 3, replace=False).astype(np.int32)
        ids[0] *= step not in (0, 199)
        gradient = np.zeros((30, 4), dtype)
        gradient[ids] = rng.normal(size=(3, 4))
        for optimizer in (by_row, everywhere):  # as a schedule has it
            optimizer.state["learning_rate_factor"] = 1 - step / 250
        by_row.catch_up(rows, {"w": ids}, 1)
        by_row.step(rows, {"w": RowGradient(ids, gradient[ids])}, 1)
        everywhere.step(dense, {"w": gradient}, 1)
    by_row.finish_epoch(rows, 1)
    assert np.abs(dense["w"][:29] - start[:29]).max(axis=1).min() > 1e-3
    np.testing.assert_array_equal(rows["w"][29], start[29].astype(dtype))
    # Rounding errors of 200 steps, and of rho**k against k products.
    assert_close(rows["w"], dense["w"], 10 * TOLERANCE[dtype])


@pytest.mark.parametrize("nesterov", [False, True])
def test_velocities_of_older_files_are_flat(nesterov):
    rng = np.random.default_rng(0)
    weights, ids = rng.normal(size=(6, 3)), np.array([4, 1], np.int32)
    results = []
    for flat in (False, True):
        optimizer, w = SGD(0.1, momentum=0.9, nesterov=nesterov), {"w": weights.copy()}
        optimizer.step(w, {"w": np.ones((6, 3))}, 1)
        state = optimizer.state
        shape = (18,) if flat else (6, 3)
        state["velocities"]["w"] = state["velocities"]["w"].reshape(shape)
        again = SGD(0.1, momentum=0.9, nesterov=nesterov)
        again.continue_from(state)
        again.catch_up(w, {"w": ids}, 1)
        again.step(w, {"w": RowGradient(ids, np.ones((2, 3)))}, 1)
        again.finish_epoch(w, 1)
        results.append(w["w"])
    np.testing.assert_array_equal(*results)


# Threads, company


def trained(network, n_jobs, dtype, random_state=0):
    """Two epochs on batches that make several tiles, and several chunks of distinct ids."""
    X = padded_ids(np.arange(400) % 25, T=24, vocabulary_size=1000)
    clf = SimpleRNNClassifier(
        batch_size=300,
        max_iter=2,
        vocabulary_size=1000,
        dtype=dtype,
        n_jobs=n_jobs,
        random_state=random_state,
        **network,
    ).fit(X, X[:, -1] % 2)
    return [*clf.weights_.values(), clf.predict_proba(X)]


@BOTH
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_same_bits_for_the_same_random_state_and_any_threads(dtype, network):
    wanted = trained(network, 1, dtype)
    for n_jobs in (1, 2, 3, 4):
        with threadpool_limits(n_jobs, user_api="openmp"):  # on however few processors
            again = trained(network, n_jobs, dtype)
        for a, b in zip(again, wanted, strict=True):
            np.testing.assert_array_equal(a, b)
    for a, b in zip(trained(network, 1, dtype, random_state=1), wanted, strict=True):
        assert not np.array_equal(a, b)


@pytest.mark.parametrize("method", ["logits", "last_states", "every_state"])
@pytest.mark.parametrize("kind", ["tokens", "series"])
def test_chunks_do_not_show(kind, method, monkeypatch):
    if kind == "tokens":
        sequences = as_tokens(ragged_ids(), keep_pads=method == "every_state")
    else:
        sequences = as_series([*range(30), 0], "float32")
    trainer = trainer_for(sequences, 3, "float32")
    together = getattr(trainer, method)(sequences)
    monkeypatch.setattr(predictor, "CHUNK_NUMBERS", 60)
    assert len(list(trainer.chunks(sequences))) > 5
    chunked = getattr(trainer, method)(sequences)
    np.testing.assert_allclose(chunked, together, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", DATA)
def test_a_sequence_is_the_same_in_any_company(kind):
    sequences = DATA[kind]()
    trainer = trainer_for(sequences, 1, "float64")
    together = trainer.logits(sequences)
    backwards = trainer.logits(sequences[::-1])[::-1]
    alone = np.concatenate([trainer.logits(sequences[i : i + 1]) for i in range(len(sequences))])
    np.testing.assert_allclose(backwards, together, rtol=1e-12)
    np.testing.assert_allclose(alone, together, rtol=1e-12)
