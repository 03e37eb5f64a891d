"""Data that are legal, but seldom what the user means, warn once and are then read as they are."""

import re
import warnings

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crnn import SimpleRNNClassifier, SimpleRNNRegressor
from crnn.datasets import make_reviews
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer, SeriesLayout

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(40, 1, 30))  # generated; (n_samples, channels, timesteps)
LABELS = np.arange(40) % 2
SIGNAL = (1000 * (1.5 + np.sin(np.arange(30) / 4 + 6 * RNG.random((40, 1))))).astype(int)


def messages_of(model, X, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    return [str(warning.message) for warning in caught]


def classifier(**options):
    return SimpleRNNClassifier(4, max_iter=1, random_state=0, **options)


def regressor():
    return SimpleRNNRegressor(4, max_iter=1, random_state=0)


@pytest.mark.parametrize(
    ("model", "X", "y", "expected"),
    [
        (classifier(), SERIES, LABELS, "a single timestep of 30 features.*SeriesLayout"),
        (classifier(), SIGNAL, LABELS, "up to 24.. and follow each other.*input='series'"),
        (classifier(), [*SIGNAL], LABELS, "follow each other closely"),
        (regressor(), SERIES[:, 0], 1900 + 10 * LABELS, "TransformedTargetRegressor"),
        (regressor(), SERIES[:, 0], LABELS / 100, "standard deviation of 0.005"),
        (regressor(), SERIES[:, 0], SERIES[:, 0], "as many as X has timesteps"),
        (classifier(), SERIES[:, 0], 1 * (SERIES[:, 0] > 0), "30 columns, as many as X"),
        (
            classifier(validation_fraction=0.2),
            SERIES[:, 0],
            np.sort(LABELS),
            "8 held-out.*stratify",
        ),
    ],
    ids=["layout", "integers", "list", "years", "small", "numbers", "labels", "sorted"],
)
def test_one_warning(model, X, y, expected):
    (message,) = messages_of(model, X, y)
    assert re.search(expected, message)


@pytest.mark.parametrize(
    ("model", "X", "y"),
    [
        (make_pipeline(SeriesLayout(), classifier()), SERIES, LABELS),
        (classifier(input="tokens"), SIGNAL, LABELS),
        (classifier(input="series"), SIGNAL, LABELS),
        (classifier(), RNG.permuted(SIGNAL, axis=1), LABELS),
        (classifier(), SIGNAL % 1000, LABELS),
        (regressor(), SERIES[:, 0], LABELS),
        (regressor(), SERIES[:, 0], np.zeros(40)),
        (
            TransformedTargetRegressor(regressor(), transformer=StandardScaler()),
            SERIES[:, 0],
            1900.0 + LABELS,
        ),
        (classifier(validation_fraction=0.2, stratify=True), SERIES[:, 0], np.sort(LABELS)),
        (make_pipeline(SequenceVectorizer(), classifier()), *make_reviews(100, random_state=0)),
        (
            make_pipeline(HashingSequenceVectorizer(), classifier()),
            *make_reviews(100, random_state=0),
        ),
    ],
)
def test_no_warning(model, X, y):
    assert not messages_of(model, X, y)
