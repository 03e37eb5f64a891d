"""Ids that a model has not seen: an error where the vocabulary is given, else one unknown word."""

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from common import small
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer

TEXTS = ["zebra the cat sat", "the dog sat down", "a cat sat there", "a dog ran there"] * 10
X, Y = [[3, 1, 2], [2, 3], [1, 3, 3, 2], [1, 2]] * 10, [1, 0, 1, 0] * 10


@pytest.mark.parametrize("vectorizer", [SequenceVectorizer(maxlen=3), HashingSequenceVectorizer()])
def test_a_pipeline_takes_any_document(vectorizer):
    """ "zebra" stands in front, so that training has seen none of it behind the cut."""
    pipeline = make_pipeline(vectorizer, small()).fit(TEXTS, [0, 1] * 20)
    new = [*TEXTS[:4], "the zebra", "a unicorn"]
    proba = pipeline.predict_proba(new)
    np.testing.assert_array_equal(proba[:4], pipeline.predict_proba(TEXTS[:4]))
    assert np.isfinite(proba).all()


def test_a_rare_id_does_not_fail_a_fold():
    rare = [[*x, 100 + i] for i, x in enumerate(X)]
    assert np.isfinite(cross_val_score(small(), rare, Y, cv=4, error_score="raise")).all()


@pytest.mark.parametrize("mask_zero", [False, True])
def test_the_unknown_word_is_a_row_of_zeros(mask_zero):
    """Training and prediction are those of a vocabulary of the ids that fit has seen."""
    options = {"mask_zero": mask_zero, "embedding_dropout": 0.0}  # it draws for unknown words too
    opened = small(**options).fit(X, Y)
    strict = small(**options, vocabulary_size=4).fit(X, Y)
    assert opened.embedding_.shape == (5, 5)
    np.testing.assert_array_equal(opened.embedding_[4], 0)
    np.testing.assert_array_equal(opened.embedding_[:4], strict.embedding_)
    np.testing.assert_array_equal(opened.predict_proba(X), strict.predict_proba(X))
    for high in (4, 5, 10**6, 2**40):
        np.testing.assert_array_equal(
            opened.predict_proba([[1, high, 2]]), opened.predict_proba([[1, 4, 2]])
        )
    # By hand, in the arithmetic of the book.
    h = np.zeros(6)
    for x in [opened.embedding_[1], np.zeros(5), opened.embedding_[2]]:
        h = np.tanh(x @ opened.kernel_ + h @ opened.recurrent_kernel_ + opened.bias_)
    states = opened.hidden_states([[1, 99, 2]])
    np.testing.assert_allclose(states[0], h, rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "sgd"])
@pytest.mark.parametrize("options", [{}, {"alpha": 0.1}, {"momentum": 0.9}])
def test_the_unknown_word_never_trains(optimizer, options):
    clf = small(optimizer=optimizer, **options).fit(X, Y)
    before = clf.embedding_.copy()
    with pytest.warns(UserWarning, match="ids up to 9, but the first call saw ids up to 3"):
        clf.partial_fit([[9, 1], [8, 2]] * 10, [0, 1] * 10)
    np.testing.assert_array_equal(clf.embedding_[4], 0)
    assert (clf.embedding_[1:3] != before[1:3]).any()


def test_a_given_vocabulary_is_strict():
    clf = small(vocabulary_size=4).fit(X, Y)
    assert clf.embedding_.shape == (4, 5)
    for high in (4, 2**40):
        with pytest.raises(
            ValueError, match=rf"X\[1\] at timestep 2 is the token id {high}, .*vocabulary_size=4"
        ):
            clf.predict([[1], [1, 2, high]])
    with pytest.raises(ValueError, match=r"X\[0\] at timestep 1 is the token id 5, but voc"):
        small(vocabulary_size=4).fit([[1, 5], [2]], [0, 1])


def test_held_out_samples_may_hold_unknown_words():
    clf = small().fit(X, Y, X_val=[[1, 50], [2]], y_val=[0, 1])
    assert len(clf.embedding_) == 5
    assert np.isfinite(clf.history_["val_loss"]).all()
