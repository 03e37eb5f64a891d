"""The IMDB job with the settings of the book; needs the data in CRNN_DATA."""

import os

import numpy as np
import pytest

from common import BOOK
from crnn import SimpleRNNClassifier
from crnn.datasets import fetch_imdb
from crnn.preprocessing import pad_sequences

pytestmark = pytest.mark.skipif(
    not os.environ.get("CRNN_DATA"), reason="CRNN_DATA names no folder with IMDB"
)


def best_validation_accuracy(n_samples, max_iter=10, **options):
    reviews, y = fetch_imdb(num_words=10_000, return_X_y=True)
    X = pad_sequences(reviews[:n_samples], maxlen=500)
    clf = SimpleRNNClassifier(
        32,
        vocabulary_size=10_000,
        batch_size=128,
        max_iter=max_iter,
        validation_fraction=0.2,
        **BOOK | options,
    )
    return max(clf.fit(X, y[:n_samples]).history_["val_accuracy"])


def test_a_fifth_of_the_reviews_is_learned_from():
    # Half of the reviews are positive: a fixed answer scores 0.5.
    assert best_validation_accuracy(5000, max_iter=6, random_state=0) > 0.65


@pytest.mark.slow
def test_book_result():
    best = [best_validation_accuracy(25_000, n_jobs=-1, random_state=seed) for seed in range(3)]
    assert np.median(best) >= 0.85
