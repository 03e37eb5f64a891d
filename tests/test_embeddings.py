"""Pretrained vectors: found for a vocabulary, trained further or frozen."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from common import assert_same_weights, ids_and_classes, interrupt_after, small
from crnn import SimpleRNNClassifier, SimpleRNNTransformer
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer, embedding_matrix

X, Y = ids_and_classes()
VECTORS = np.random.default_rng(1).normal(size=(9, 4)).astype("f4")


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_frozen_vectors_do_not_move(optimizer):
    """By no optimiser, with momentum, penalty and bigrams, however training goes on."""
    clf = small(
        embedding_init=VECTORS, embedding_trainable=False, optimizer=optimizer, momentum=0.9,
        alpha=0.1, clip_norm=1.0, bigrams=5, warm_start=True, callbacks=[interrupt_after(1)],
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, Y)
    clf.set_params(callbacks=None).resume(X, Y).partial_fit(X, Y).fit(X, Y)
    np.testing.assert_array_equal(clf.embedding_[:9], VECTORS)
    np.testing.assert_array_equal(clf.embedding_[9:], np.zeros((1, 4)))
    moved = clf.kernel_.copy()
    clf.set_params(embedding_trainable=True).fit(X, Y)
    assert np.abs(clf.embedding_[1:9] - VECTORS[1:]).min(axis=1).max() > 0
    assert (clf.kernel_ != moved).any()
    assert not clf.embedding_[9].any()


@pytest.mark.parametrize("bidirectional", [False, True])
def test_frozen_vectors_are_a_series(bidirectional):
    """The network over frozen vectors trains as one that reads the vectors themselves."""
    options = {"bidirectional": bidirectional, "token_dropout": 0, "embedding_dropout": 0}
    options |= {"dtype": "float64", "optimizer": "sgd", "clip_norm": 0.1, "learning_rate": 0.1}
    tokens = small(embedding_init=VECTORS, embedding_trainable=False, **options).fit(X, Y)
    series = small(**options).fit(VECTORS[X].astype(float), Y)
    assert tokens.history_["loss"] == pytest.approx(series.history_["loss"], rel=1e-9)
    del tokens.weights_["embedding"]
    assert_same_weights(tokens, series, rtol=1e-7, atol=1e-9)


def test_trained_vectors_start_where_they_are_given():
    still = {"optimizer": "sgd", "learning_rate": 1e-30, "max_iter": 1}
    for dtype in ("float32", "float64"):
        clf = small(embedding_init=VECTORS.tolist(), dtype=dtype, **still).fit(X, Y)
        np.testing.assert_array_equal(clf.embedding_[:9], VECTORS)
    strict = small(embedding_init=VECTORS, vocabulary_size=9, **still).fit(X, Y)
    assert strict.embedding_.shape == (9, 4)
    with pytest.raises(ValueError, match="token id 9"):
        strict.predict([[9]])
    before = clf.predict_proba([[9]])
    np.testing.assert_array_equal(before, clf.predict_proba([[12]]))  # both are unknown words


def test_vectors_that_are_kept(tmp_path):
    clf = small(embedding_init=VECTORS, embedding_trainable=False, random_state=0).fit(X, Y)
    clf.save(tmp_path / "model.npz")
    again = SimpleRNNClassifier.load(tmp_path / "model.npz")
    assert_same_weights(clone(again).fit(X, Y), clf)
    features = SimpleRNNTransformer(small(embedding_init=VECTORS)).fit(X, Y)
    assert features.estimator_.embedding_.shape == (10, 4)


@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        ({"embedding_init": VECTORS[0]}, X, r"embedding_init has shape \(4,\)"),
        ({"embedding_init": VECTORS * np.nan}, X, "embedding_init contains NaN"),
        ({"embedding_init": VECTORS.astype("f8") * 1e300}, X, "embedding_init contains infinity"),
        ({"embedding_init": [["a"]]}, X, "embedding_init has dtype"),
        ({"embedding_init": "glove"}, X, "'embedding_init' parameter"),
        ({"embedding_trainable": None}, X, "'embedding_trainable' parameter"),
        ({"embedding_init": VECTORS, "vocabulary_size": 8}, X, "vocabulary_size=8 disagrees"),
        ({"embedding_init": VECTORS}, X / 9, "float series, which have no embedding"),
    ],
)
def test_vectors_that_are_refused(options, data, message):
    clf = small(**options)
    with pytest.raises(ValueError, match=message):
        clf.fit(data, Y)
    assert not hasattr(clf, "weights_")


WORDS = {"good": [1.0, 2.0], "bad": [-1, -2], "elsewhere": [9.0, 9.0]}


class Table:
    """As gensim has them."""

    key_to_index = {word: i for i, word in enumerate(WORDS)}
    vectors = np.array([*WORDS.values()])


@pytest.mark.parametrize("vectors", [WORDS, Table()], ids=["mapping", "gensim"])
def test_vectors_of_a_vocabulary(vectors):
    vectorizer = SequenceVectorizer(maxlen=5).fit(["good good good bad bad film"])
    matrix = embedding_matrix(vectorizer, vectors, random_state=0)
    assert (matrix.shape, matrix.dtype) == ((6, 2), np.float32)
    np.testing.assert_array_equal(matrix[[0, 3, 4]], [[0, 0], [1, 2], [-1, -2]])
    assert (np.abs(matrix[[1, 2, 5]]) <= 0.05).all()
    assert matrix[[1, 2, 5]].all()
    np.testing.assert_array_equal(matrix, embedding_matrix(vectorizer, vectors, random_state=0))
    clf = small(embedding_init=matrix, embedding_trainable=False)
    clf.fit(vectorizer.transform(["good film", "bad film"] * 4), [1, 0] * 4)
    np.testing.assert_array_equal(clf.embedding_[:6], matrix)


def test_vocabularies_that_are_refused():
    fitted = SequenceVectorizer().fit(["good bad"])
    for vectorizer, vectors, error, message in [
        (HashingSequenceVectorizer(), WORDS, ValueError, "HashingSequenceVectorizer has no voc"),
        (SequenceVectorizer(), WORDS, NotFittedError, "not fitted"),
        (fitted, {"Good": [1]}, ValueError, "None of the 2 words .* such as 'bad'"),
        (fitted, {"good": [1], "bad": [1, 2]}, ValueError, "vector of 'good' has shape"),
        (fitted, {"good": [1, 2], "bad": [1, np.nan]}, ValueError, "vector of 'bad'.*finite"),
        (fitted, [1], ValueError, "vectors=list must be a mapping"),
        (SimpleNamespace(), WORDS, ValueError, "'vectorizer' parameter"),
    ]:
        with pytest.raises(error, match=message):
            embedding_matrix(vectorizer, vectors)
