"""What dropout leaves out, how often, and when: statistics of seeded draws, and steps of SGD."""

import numpy as np
import pytest

from common import assert_same_weights, small
from crnn import SimpleRNNRegressor
from crnn._data.batches import drop_tokens
from crnn._data.sequences import offsets_of, token_sequences
from crnn._layers.dropout import Dropout
from crnn._layers.embedding import Embedding
from crnn._layers.steps import Pass
from crnn._layers.workspace import Workspace

NAMES = ("token_dropout", "embedding_dropout", "word_dropout", "dropout")
PLAIN = dict.fromkeys(NAMES, 0) | {"pooling": "last", "mask_zero": False}
V = 200


def assert_share(drawn, rate):
    """A share of True within four standard deviations of what n draws should give."""
    assert abs(np.mean(drawn) - rate) < 4 * np.sqrt(rate * (1 - rate) / np.size(drawn))


def data(n=60, width=8):
    rng = np.random.default_rng(0)
    X = rng.integers(1, V, (n, width))
    X[: n // 2, :3] = 0
    return X, rng.integers(0, 2, n)


# Tokens


LISTS = [[], [0, 0], [5], [0, 0, 7], [0, 3, 0, 4], [1, 2, 0], [*range(1, 40)], [0, *range(9, 30)]]


def dropped(rate, seed, indices=None, **options):
    """What is left of each of the lists: the flat values, with a zero for each counted padding."""
    ids = np.concatenate([np.array(x, int) for x in LISTS])
    offsets = offsets_of([len(x) for x in LISTS])
    options = {"n_rows": V, "open_vocabulary": False, "mask_zero": False} | options
    sequences = token_sequences(ids, offsets, **options)
    indices = np.arange(len(LISTS)) if indices is None else indices
    left = drop_tokens(sequences, indices, rate, np.random.RandomState(seed))
    bounds = zip(left.pads, left.starts, left.lengths, strict=True)
    return [[0] * pads + left.values[s : s + n].tolist() for pads, s, n in bounds]


def is_part_of(part, whole):
    rest = iter(whole)
    return all(token in rest for token in part)


@pytest.mark.parametrize(
    "options", [{}, {"keep_pads": True}, {"mask_zero": True}], ids=["counted", "kept", "masked"]
)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropped_tokens(rate, options):
    kept = dict.fromkeys(range(len(LISTS)), 0)
    for seed in range(200):
        for i, (left, whole) in enumerate(zip(dropped(rate, seed, **options), LISTS, strict=True)):
            words = [token for token in whole if token]
            left_words = [token for token in left if token]
            if not options.get("mask_zero"):
                assert left.count(0) == whole.count(0)
            assert is_part_of(left, whole)
            assert len(left_words) >= min(len(words), 1)
            kept[i] += len(left_words)
    for i in (6, 7):  # long ones, which hardly ever lose all their tokens
        n = 200 * sum(token > 0 for token in LISTS[i])
        deviation = 4 * np.sqrt(rate * (1 - rate) * n) + 200 * rate ** len(LISTS[i][1:])
        assert abs(kept[i] - (1 - rate) * n) < deviation


@pytest.mark.parametrize("options", [{}, {"keep_pads": True}, {"mask_zero": True}])
def test_the_first_token_stays_if_all_would_go(options):
    left = dropped(0.9999, 0, **options)
    words = [[token for token in x if token] for x in LISTS]
    assert [[token for token in x if token] for x in left] == [x[:1] for x in words]


def test_the_sequences_of_a_batch_in_its_order():
    indices = np.array([6, 3, 0, 6])
    left = dropped(0.5, 3, indices)
    for part, i in zip(left, indices, strict=True):
        assert is_part_of(part, LISTS[i])
    assert left[0] != left[3], "the same sample twice is drawn twice"
    assert dropped(0.5, 3, indices) == left


# Embeddings and features, by the steps that they take


def one_step(seed=0, units=6, **options):
    """Weights before and after one step of gradient descent on a batch of all samples."""
    X, y = data()
    network = PLAIN | {
        "units": units, "embedding_dim": 50, "vocabulary_size": V, "batch_size": len(X),
        "max_iter": 1, "optimizer": "sgd", "dtype": "float64", "random_state": seed,
    } | options  # fmt: skip
    before = small(**network | {"learning_rate": 1e-300}).fit(X, y)
    after = small(**network | {"learning_rate": 1.0}).fit(X, y)
    assert not np.array_equal(before.head_bias_, after.head_bias_)
    return before.weights_, after.weights_


def still(before, after, name):
    """Where the gradient was zero."""
    return before[name] == after[name]


def test_numbers_of_embeddings():
    """One mask for each word of a batch: frequent words have as many zeros as rare ones."""
    X, _ = data()
    counts = np.bincount(X.ravel(), minlength=V)
    assert not still(*one_step(), "embedding")[counts > 0].any()
    zero = still(*one_step(embedding_dropout=0.3), "embedding")
    assert zero[counts == 0].all()
    assert_share(zero[counts == 1], 0.3)
    assert_share(zero[counts > 2], 0.3)
    assert 0 < zero[counts > 0].mean(axis=1).min() < zero[counts > 0].mean(axis=1).max() < 1


def test_words():
    X, _ = data()
    zero = still(*one_step(word_dropout=0.3), "embedding")
    np.testing.assert_array_equal(zero.all(axis=1), zero.any(axis=1))
    counts = np.bincount(X.ravel(), minlength=V)
    assert_share(zero[counts > 0, 0], 0.3)
    assert_share(zero[counts > 2, 0], 0.3)


@pytest.mark.parametrize("name", ["embedding_dropout", "word_dropout"])
def test_embeddings_of_one_number(name):
    X, _ = data()
    zero = still(*one_step(embedding_dim=1, **{name: 0.3}), "embedding")[np.unique(X)]
    assert_share(zero, 0.3)


def test_both_together():
    X, _ = data()
    zero = still(*one_step(word_dropout=0.2, embedding_dropout=0.4), "embedding")[np.unique(X)]
    assert_share(zero.all(axis=1), 0.2)
    assert_share(zero[~zero.all(axis=1)], 0.4)


def test_features():
    """A mask for each sample, so that no feature is zero in a whole batch."""
    assert not still(*one_step(dropout=0.3), "head/kernel").any()
    X, y = data(1)
    zero = []
    for seed in range(20):
        options = PLAIN | {
            "units": 50,
            "vocabulary_size": V,
            "optimizer": "sgd",
            "dtype": "float64",
        }
        options |= {"max_iter": 1, "random_state": seed, "dropout": 0.3}
        reg = SimpleRNNRegressor(learning_rate=1e-300, **options).fit(X, y + 1.0)
        step = SimpleRNNRegressor(learning_rate=0.1, **options).fit(X, y + 1.0)
        moved = (step.head_kernel_ - reg.head_kernel_).ravel()
        # A step goes by rate * error * feature, and the bias has the feature 1.
        features = moved / (step.head_bias_ - reg.head_bias_)
        kept = features != 0
        whole = reg.hidden_states(X)[0] / (1 - 0.3)
        np.testing.assert_allclose(features[kept], whole[kept], rtol=1e-9)
        zero.append(~kept)
    assert_share(zero, 0.3)


def test_embeddings_keep_their_mean():
    """The numbers left in embeddings are divided by 1 - p, so that their mean stays."""
    table = np.random.default_rng(0).normal(size=(V, 30))

    class Batch:
        ids = rows = np.arange(V, dtype=np.int32)

    def values(*rates, seed=0):
        run = Pass({"embedding": table}, Workspace(), 1, np.random.RandomState(seed))
        return Embedding(V, 30, False, *rates).forward(Batch, run)[0].values

    for rates, factor in [((0.4, 0), 1 / 0.6), ((0, 0.2), 1 / 0.8), ((0.4, 0.2), 1 / 0.48)]:
        got = values(*rates)
        kept = got != 0
        np.testing.assert_allclose(got[kept], factor * table[kept], rtol=1e-12)
        mean = np.mean([values(*rates, seed=seed) for seed in range(300)], axis=0)
        noise = np.abs(table) * np.sqrt((factor - 1) / 300)
        assert (np.abs(mean - table) < 6 * noise).all()


# When


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pooling", ["last", ("max", "mean")])
def test_drawn_anew_in_each_epoch_and_never_in_prediction(name, pooling):
    X, y = data()
    options = PLAIN | {"learning_rate": 1e-300, "dtype": "float64", "shuffle": False, "max_iter": 4}
    options |= {"pooling": pooling, "vocabulary_size": V}
    plain = small(**options).fit(X, y, X_val=X, y_val=y)
    clf = small(**options | {name: 0.5}).fit(X, y, X_val=X, y_val=y)
    assert_same_weights(clf, plain, atol=1e-290)
    assert len(set(plain.history_["loss"])) == 1
    assert len(set(clf.history_["loss"])) == 4
    assert clf.history_["val_loss"] == plain.history_["val_loss"]
    for method in ("decision_function", "hidden_states"):
        np.testing.assert_array_equal(getattr(clf, method)(X), getattr(plain, method)(X))


@pytest.mark.parametrize("name", NAMES)
def test_a_rate_of_0_draws_nothing(name):
    X, y = data()
    fits = {rate: small(**PLAIN | {name: rate}, vocabulary_size=V).fit(X, y) for rate in (0, 0.5)}
    rng = np.random.RandomState(0)  # without dropout: first weights, and the order of each epoch
    rng.random_sample(V * 5 + 5 * 6)
    rng.normal(size=(6, 6))
    rng.random_sample(6)
    for _ in range(3):
        rng.permutation(len(X))
    assert position(fits[0]) == position(rng)
    assert position(fits[0.5]) != position(rng)


def position(stream):
    stream = getattr(stream, "_training", {"rng": stream})["rng"]
    return stream.get_state()[1].tolist(), stream.get_state()[2:]


def test_series_have_no_tokens():
    X, y = np.random.default_rng(0).normal(size=(40, 5)), np.arange(40.0) / 40
    rates = dict.fromkeys(NAMES[:3], 0.5)
    plain, regular = (
        SimpleRNNRegressor(5, max_iter=2, random_state=0, **PLAIN | options).fit(X, y)
        for options in ({}, rates)
    )
    assert_same_weights(plain, regular)
    dropping = SimpleRNNRegressor(5, max_iter=2, random_state=0, **PLAIN | {"dropout": 0.5})
    assert not np.array_equal(dropping.fit(X, y).head_kernel_, plain.head_kernel_)


def test_the_layer_draws_nothing_at_rate_0_and_outside_of_training():
    x = np.ones((3, 4))
    for rate, rng in [(0, np.random.RandomState(0)), (0.5, None)]:
        y, backward = Dropout(rate).forward(x, Pass({}, Workspace(), 1, rng))
        assert y is x
        assert backward(x)[0] is x
