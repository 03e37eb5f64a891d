"""Random streams: which numbers they give, and what becomes of each of them.

The numbers of the Mersenne twister for the seed 0 are those of its authors' algorithm, which NumPy
keeps as they are for good.
"""

import numpy as np
import pytest
from sklearn.base import clone

from common import BOOK
from crnn import SimpleRNN, SimpleRNNClassifier
from crnn._layers import simple_rnn

UNIFORM = [0.5488135039273248, 0.7151893663724195, 0.6027633760716439, 0.5448831829968969]
ORDER = [2, 3, 6, 1, 8, 9, 7, 5, 4, 0]  # the permutation that follows the weights of a small model


def small(**options):
    """The network of the book, in which nothing but weights and orders of samples is drawn."""
    sizes = {"embedding_dim": 4, "vocabulary_size": 5, "max_iter": 1, "learning_rate": 1e-30}
    return SimpleRNNClassifier(2, **BOOK | sizes | options)


X, Y = [[1, 2], [3, 4], [2], [1], [4, 4], [1, 1], [2, 3], [3], [4], [1, 3]], [0, 1] * 5


def test_first_weights_are_the_first_numbers():
    """In the order embedding, kernel, recurrent kernel, head; a rate of nothing leaves them."""
    clf = small(random_state=0, dtype="float64").fit(X, Y)
    np.testing.assert_allclose(clf.embedding_[0], np.array(UNIFORM) / 10 - 0.05, rtol=1e-12)
    rng = np.random.RandomState(0)
    rng.random_sample(5 * 4)
    limit = np.sqrt(6 / (4 + 2))
    np.testing.assert_allclose(clf.kernel_, rng.uniform(-limit, limit, (4, 2)), rtol=1e-12)
    normal = rng.normal(size=(2, 2))
    first = normal[:, 0] / np.linalg.norm(normal[:, 0])  # the first column, by Gram and Schmidt
    np.testing.assert_allclose(clf.recurrent_kernel_[:, 0], first, rtol=1e-12)
    limit = np.sqrt(6 / (2 + 1))
    np.testing.assert_allclose(clf.head_kernel_[:, 0], rng.uniform(-limit, limit, 2), rtol=1e-12)
    np.testing.assert_allclose([*clf.bias_, *clf.head_bias_], 0, atol=1e-25)
    assert clf._training["rng"].get_state()[2] != 624
    np.testing.assert_array_equal(rng.permutation(10), ORDER)
    for got, wanted in zip(clf._training["rng"].get_state(), rng.get_state(), strict=True):
        np.testing.assert_array_equal(got, wanted)  # one permutation of the samples an epoch


def test_the_gain_is_a_factor_of_the_recurrent_kernel():
    plain, scaled = small(random_state=0).fit(X, Y), small(random_state=0, recurrent_gain=0.25)
    scaled.fit(X, Y)
    np.testing.assert_array_equal(scaled.recurrent_kernel_, plain.recurrent_kernel_ / 4)
    np.testing.assert_array_equal(scaled.kernel_, plain.kernel_)
    assert SimpleRNNClassifier().recurrent_gain == 0.5


def test_a_stratified_draw_takes_one_number_more():
    clf = small(random_state=0, stratify=True, validation_fraction=0.2).fit(X, Y)
    rng = np.random.RandomState(0)
    rng.random_sample(5 * 4 + 4 * 2)
    rng.normal(size=(2, 2))
    rng.random_sample(2)
    assert clf._training["split_seed"] == rng.randint(2**31 - 1)
    rng.permutation(8)
    assert clf._training["rng"].randint(1000) == rng.randint(1000)


def test_a_layer_draws_kernel_and_recurrent_kernel():
    layer = SimpleRNN(2, random_state=0, dtype="float64")
    layer(np.zeros((1, 1, 2)))
    limit = np.sqrt(6 / 4)
    wanted = (2 * np.array(UNIFORM).reshape(2, 2) - 1) * limit
    np.testing.assert_allclose(layer.kernel_, wanted, rtol=1e-12)
    np.testing.assert_allclose(layer.recurrent_kernel_ @ layer.recurrent_kernel_.T, np.eye(2),
                               atol=1e-12)  # fmt: skip


def test_large_weights_are_the_same_numbers():
    """They are drawn in parts, so that Ctrl-C is answered between."""
    layer = SimpleRNN(1100, random_state=3, dtype="float64")
    layer(np.zeros((1, 1, 1000)))
    rng = np.random.RandomState(3)
    limit = np.sqrt(6 / 2100)
    np.testing.assert_array_equal(layer.kernel_, rng.uniform(-limit, limit, (1000, 1100)))
    q, r = np.linalg.qr(rng.normal(size=(1100, 1100)))
    got = layer.recurrent_kernel_
    np.testing.assert_allclose(got, q * np.sign(np.diag(r)), atol=1e-10)
    np.testing.assert_allclose(got.T @ got, np.eye(1100), atol=1e-12)


def test_a_stream_of_the_user_gives_one_seed():
    """So that a model goes on by its own stream, whoever draws from the user's meanwhile."""
    rng = np.random.RandomState(7)
    clf = small(random_state=rng).fit(X, Y)
    seed = np.random.RandomState(7).randint(2**31 - 1)
    np.testing.assert_array_equal(clf.embedding_, small(random_state=seed).fit(X, Y).embedding_)
    again = clone(clf).set_params(random_state=rng).fit(X, Y)  # the next number of the stream
    assert not np.array_equal(clf.embedding_, again.embedding_)
    np.random.seed(7)  # noqa: NPY002
    np.testing.assert_array_equal(small().fit(X, Y).embedding_, clf.embedding_)


@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.Philox])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_failed_first_call_of_a_layer_draws_nothing(monkeypatch, error, bits):
    def fail(*args):
        raise error

    inputs = np.ones((1, 2, 3))
    wanted = SimpleRNN(4, random_state=np.random.RandomState(bits(7)))
    wanted(inputs)
    rng = np.random.RandomState(bits(7))
    layer = SimpleRNN(4, random_state=rng)
    with monkeypatch.context() as patch:
        patch.setattr(simple_rnn, "orthogonal", fail)  # after the kernel has been drawn
        with pytest.raises(error):
            layer(inputs)
    assert layer.get_weights() == []
    layer(inputs)
    np.testing.assert_array_equal(layer.kernel_, wanted.kernel_)
    assert rng.randint(2**31) == wanted.random_state.randint(2**31)
