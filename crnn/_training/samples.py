"""From what the user passes to ``fit`` to the samples that a fit trains on."""

from typing import NamedTuple

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_consistent_length

from crnn._data.containers import without_missing
from crnn._data.reader import Raw, as_sequences, read
from crnn._layers.assembly import network_of
from crnn._system.sklearn_private import check_sample_weight
from crnn._training.trainer import Samples


class Data(NamedTuple):
    """X, what was read from it, targets and weights: checked as far as that needs no model."""

    X: object
    raw: Raw
    y: np.ndarray
    weights: np.ndarray


def read_data(estimator, X, y, sample_weight=None, *, reset=False):
    """Check the data; with ``reset`` the estimator learns the width of X and its columns."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    raw = read(estimator, X, reset=reset)
    y = estimator._check_target(without_missing(y))
    check_consistent_length(raw, y)
    weights = check_sample_weight(sample_weight, y, dtype=np.float64)
    assert_all_finite(weights, input_name="sample_weight")
    if (weights < 0).any():
        place = np.argmax(weights < 0)
        raise ValueError(
            f"sample_weight cannot contain negative weights: sample_weight[{place}] is "
            f"{weights[place]}. Use 0 to ignore a sample."
        )
    return Data(X, raw, y, weights)


def samples_of(model, data):
    """The data as the network and the objective of a model read them."""
    sequences = as_sequences(model, data.raw, network_of(model))
    return Samples(sequences, model._objective().encode(data.y, model.dtype), data.weights)


def weighed(model, samples):
    """Samples as they count in training."""
    samples = model._weigh(samples)
    if not samples.weights.any():
        raise ValueError(
            "All training samples have weight zero from sample_weight or class_weight; give "
            "some of them a positive weight."
        )
    return samples.scaled(model.dtype)
