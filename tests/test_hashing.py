"""Ids by hash: the same everywhere, without fitting."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils import murmurhash3_32

from crnn import SimpleRNNClassifier
from crnn.datasets import make_reviews
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer

TEXTS = ["Good, not bad!", "isn't it good?", "", "Ünïcode wörds 3 times"]


def test_ids_are_hashes():
    """The hash of scikit-learn's HashingVectorizer, written out for one text."""
    ids = HashingSequenceVectorizer(n_features=1000, maxlen=None).transform(["Good, not bad!"])
    wanted = [1] + [3 + murmurhash3_32(w, positive=True) % 997 for w in ("good", "not", "bad")]
    np.testing.assert_array_equal(ids[0], wanted)


def test_same_words_as_the_vocabulary_has():
    """Up to the numbers, hashed ids are those of SequenceVectorizer: one for each word."""
    hashed = HashingSequenceVectorizer(n_features=2**20, maxlen=8).transform(TEXTS)
    learned = SequenceVectorizer(maxlen=8).fit_transform(TEXTS)
    pairs = set(zip(hashed.ravel().tolist(), learned.ravel().tolist(), strict=True))
    assert len(pairs) == len(np.unique(hashed)) == len(np.unique(learned))
    np.testing.assert_array_equal(hashed < 3, learned < 3)


def test_half_a_surrogate_pair():
    """Text cut in the midst of an emoji, as from JavaScript: words like any other."""
    texts = ["good \ud83d \ude00x", "\ud83d bad"]
    hashed = HashingSequenceVectorizer(n_features=2**20, maxlen=4).transform(texts)
    learned = SequenceVectorizer(maxlen=4).fit_transform(texts)
    pairs = set(zip(hashed.ravel().tolist(), learned.ravel().tolist(), strict=True))
    assert len(pairs) == len(np.unique(hashed)) == len(np.unique(learned)) == 6
    # The three bytes that UTF-8 would have for it.
    assert hashed[0, 2] == 3 + murmurhash3_32(b"\xed\xa0\xbd", positive=True) % (2**20 - 3)


def test_parts_and_copies_agree():
    vectorizer = HashingSequenceVectorizer(n_features=50, maxlen=6)
    whole = vectorizer.transform(TEXTS)
    assert whole.min() >= 0
    assert whole.max() < 50
    np.testing.assert_array_equal(
        whole, np.concatenate([vectorizer.transform([text]) for text in TEXTS])
    )
    for other in (clone(vectorizer), pickle.loads(pickle.dumps(vectorizer.fit(["unrelated"])))):
        np.testing.assert_array_equal(other.transform(iter(TEXTS)), whole)


@pytest.mark.parametrize(
    ("options", "texts", "message"),
    [
        ({"n_features": 3}, TEXTS, "n_features"),
        ({"dtype": np.int8}, TEXTS, "cannot hold the ids up to 16383"),
        ({}, "one string", "Iterable over raw text documents expected, string object"),
    ],
)
def test_bad_use(options, texts, message):
    with pytest.raises(ValueError, match=message):
        HashingSequenceVectorizer(**options).transform(texts)


def test_training_in_parts():
    """What was read in parts predicts as what was read at once.

    Up to rounding, as Adam brings all rows of the embedding up to date at the end of each part.
    """
    texts, y = make_reviews(300, random_state=0)
    vectorizer = HashingSequenceVectorizer(n_features=500, maxlen=30)
    options = {"vocabulary_size": 500, "batch_size": 50, "random_state": 0, "shuffle": False}
    options["learning_rate_schedule"] = "constant"  # as in partial_fit
    whole = make_pipeline(vectorizer, SimpleRNNClassifier(8, max_iter=1, **options)).fit(texts, y)
    parts = SimpleRNNClassifier(8, **options)
    for start in range(0, 300, 100):
        part = slice(start, start + 100)
        parts.partial_fit(vectorizer.transform(texts[part]), y[part], classes=[0, 1])
    np.testing.assert_allclose(
        whole.predict_proba(texts), parts.predict_proba(vectorizer.transform(texts)), rtol=1e-5
    )
