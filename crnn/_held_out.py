"""Samples held out to measure on: those that were passed, the tail, or a stratified draw."""

from typing import NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import _safe_indexing

from crnn._training import Samples


class Validation(NamedTuple):
    """Held-out data, as the kernels read them and, if there are any, as scorers do."""

    samples: Samples
    X: object
    y: object


def split(model, X, y, samples, X_val, y_val):
    """Samples to train on, and a ``Validation`` or None."""
    if (X_val is None) != (y_val is None):
        raise ValueError("X_val and y_val must be passed together, or neither of them.")
    if X_val is not None:
        if model.validation_fraction:
            raise ValueError(
                f"validation_fraction={model.validation_fraction} and X_val both ask for "
                "validation; set validation_fraction=0 to use X_val."
            )
        try:
            held_out = model._samples(*model._read(X_val, y_val, None, reset=False))
        except ValueError as error:
            raise ValueError(f"X_val and y_val do not fit: {error}") from error
        return model._weighed(samples), Validation(held_out, X_val, y_val)
    if model.validation_fraction == 0:
        if model.scoring is not None:
            raise ValueError(
                f"scoring={model.scoring!r} measures validation data, of which there are none; "
                "set validation_fraction, or pass X_val and y_val to fit."
            )
        return model._weighed(samples), None
    train, test = _places(model, y)
    held_out = samples.take(test)
    if len(held_out.weights) and not held_out.weights.any():
        raise ValueError(
            "The sample_weight of all held-out samples is zero, so that there is nothing to "
            "measure; change validation_fraction, or pass X_val and y_val."
        )
    seen = None, None
    if model.scoring is not None:
        seen = _safe_indexing(X, test), _safe_indexing(y, test)
    return model._weighed(samples.take(train)), Validation(held_out, *seen)


def _places(model, y):
    """Which samples to train on and which to hold out: the tail, or a stratified draw."""
    n = len(y)
    n_train = int(np.floor(n * (1 - model.validation_fraction)))
    if n_train == 0:
        raise ValueError(
            f"validation_fraction={model.validation_fraction} leaves none of the "
            f"{n} samples to train on; lower it."
        )
    if n_train == n:
        raise ValueError(
            f"validation_fraction={model.validation_fraction} holds out none of the {n} samples; "
            "raise it, or set it to 0."
        )
    if not model.stratify:
        return slice(n_train), slice(n_train, None)
    if not is_classifier(model):
        raise ValueError(
            f"stratify=True draws from each class, and {type(model).__name__} has none; set "
            "stratify=False to hold out the last samples, or pass X_val and y_val."
        )
    draw = StratifiedShuffleSplit(1, train_size=n_train, random_state=model._split_seed)
    return (np.sort(part) for part in next(draw.split(np.zeros(n), y)))
