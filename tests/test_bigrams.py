"""Vectors of pairs of neighbouring tokens: which pair has which, what they do, how they train."""

import numpy as np
import pytest

from crnn import SimpleRNNClassifier
from crnn._layers import predictor, workspace

V, R = 9, 40
SEQUENCES = [[3, 1, 0, 2], [], [5], [0, 0, 4, 4, 4], [8, 7, 6, 5, 4, 3, 2, 1]] * 6
Y = np.arange(len(SEQUENCES)) % 2


def bucket(before, token):
    """The documented hash, in integers of Python."""
    number = before * 0x9E3779B1 % 2**32 ^ token
    number = number * 0x85EBCA6B % 2**32
    return (number ^ number >> 15) % R


def buckets(sequence):
    return [bucket(*pair) for pair in zip([0, *sequence], sequence, strict=False)]


def fitted(**options):
    defaults = {"units": 5, "bigrams": R, "vocabulary_size": V, "max_iter": 2, "random_state": 0}
    return SimpleRNNClassifier(embedding_dim=3, **defaults | options).fit(SEQUENCES, Y)


@pytest.mark.parametrize("options", [
    {"mask_zero": False}, {"mask_zero": True}, {"bidirectional": True}, {"units": (4, 3)},
    {"mask_zero": False, "pooling": "last"},
])  # fmt: skip
def test_they_are_added_to_the_vectors_of_the_tokens(options):
    """Against the same recurrent layers on float series, which are the sums."""
    clf = fitted(dtype="float64", **options)
    rng = np.random.default_rng(0)
    clf.set_weights([rng.normal(0, 0.5, w.shape) for w in clf.get_weights()])
    sums = []
    for sequence in SEQUENCES:
        kept = np.array([token for token in sequence if token or not clf.mask_zero], int)
        pairs = np.array(buckets(kept.tolist()), int)
        sums.append(clf.weights_["embedding"][kept] + clf.weights_["bigrams"][pairs])
    series = SimpleRNNClassifier(dtype="float64", max_iter=1, **{"units": 5} | options)
    series.fit(sums, Y).set_weights(list(clf.weights_.values())[2:])
    wanted = series.decision_function(sums)
    np.testing.assert_allclose(clf.decision_function(SEQUENCES), wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("options", [{}, {"units": (4, 3)}, {"bidirectional": True}])
def test_memory_of_predictions_does_not_grow_with_the_samples(options, monkeypatch):
    """Each chunk has its vectors of all tokens and pairs."""
    clf = fitted(dtype="float64", **options)
    clf.predict(SEQUENCES)
    monkeypatch.setattr(predictor, "CHUNK_NUMBERS", 5000)
    workspace._kept.clear()
    clf.predict(SEQUENCES * 100)
    (kept,) = workspace._kept
    assert kept.nbytes < 2 * 8 * 5000


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("token_dropout", [0.0, 0.6])
def test_only_pairs_that_occur_are_trained(optimizer, token_dropout):
    """Also where tokens are dropped: a pair is one of neighbours in the whole sequence.

    Masked tokens are no neighbours.
    """
    clf = fitted(
        optimizer=optimizer, momentum=0.9, token_dropout=token_dropout, bigram_dropout=0.0,
        max_iter=20,
    )  # fmt: skip
    occurring = {b for s in SEQUENCES for b in buckets([token for token in s if token])}
    moved = set(np.flatnonzero(clf.weights_["bigrams"].any(axis=1)).tolist())
    assert 0 < len(occurring) < R
    assert moved == occurring


def test_series_have_none():
    X = np.random.default_rng(0).normal(size=(30, 5))
    clf = SimpleRNNClassifier(4, bigrams=R, max_iter=1).fit(X, Y)
    assert "bigrams" not in clf.weights_
