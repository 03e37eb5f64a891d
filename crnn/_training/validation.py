"""Samples held out to measure on: those that were passed, the tail, or a stratified draw."""

import re
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import StratifiedShuffleSplit

from crnn._data.containers import is_table
from crnn._data.sequences import MOST_IDS
from crnn._training.samples import read_data, samples_of
from crnn._training.trainer import Samples

BY_CHANCE = 5  # fewer samples are often of one class


class Validation(NamedTuple):
    """Held-out samples as the kernels read them, and X, y and weights as scorers do."""

    samples: Samples
    X: object
    y: object
    weights: np.ndarray


def split(model, samples, data, X_val, y_val):
    """The samples to train on, of those of the data, and a ``Validation`` or None."""
    if (X_val is None) != (y_val is None):
        absent = "X_val" if X_val is None else "y_val"
        raise ValueError(f"X_val and y_val must be passed together, but {absent} is None.")
    if X_val is not None:
        return samples, _passed(model, X_val, y_val)
    if model.validation_fraction == 0:
        if model.scoring is not None:
            raise ValueError(
                f"scoring={model.scoring!r} measures validation data, but there are none; "
                "set validation_fraction, or pass X_val and y_val to fit."
            )
        return samples, None
    train, test = _places(model, data.y)
    _warn_of_single_class(model, data.y[test])
    held_out = samples.take(test)
    if not held_out.weights.any():
        warnings.warn(
            f"The sample_weight of all {len(held_out.weights)} held-out samples is zero, so they "
            "are measured without weights. Pass X_val and y_val to choose others.",
            UserWarning,
            stacklevel=2,
        )
        held_out = held_out._replace(weights=np.ones_like(held_out.weights))
    seen = _cut(data.X, data.raw, test) if model.scoring is not None else None
    validation = Validation(held_out.scaled(model.dtype), seen, data.y[test], held_out.weights)
    return samples.take(train), validation


def _warn_of_single_class(model, y):
    """Data sorted by class have a tail of the last one."""
    if len(y) < BY_CHANCE or not is_classifier(model) or y.ndim > 1:
        return
    if len(np.unique(y)) == 1:
        warnings.warn(
            f"All {len(y)} held-out samples, the last validation_fraction="
            f"{model.validation_fraction} of the data, are of class {y.tolist()[0]!r}, so "
            "val_loss and val_accuracy say nothing about the others. Set stratify=True, shuffle X "
            "and y, or pass X_val and y_val.",
            UserWarning,
            stacklevel=2,
        )


def _passed(model, X_val, y_val):
    """The ``Validation`` of X_val and y_val."""
    if model.validation_fraction:
        raise ValueError(
            f"validation_fraction={model.validation_fraction} and X_val both ask for "
            "validation data; set validation_fraction=0 to use X_val."
        )
    try:
        data = read_data(model, X_val, y_val)
        samples = samples_of(model, data)
    except (TypeError, ValueError) as error:
        # The checks of data and targets call them X and y.
        named = re.sub(r"(^|Input |Column .*? of )[Xy]\b|\b[Xy](?=\[\d)", r"\g<0>_val", str(error))
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"X_val and y_val do not fit: {named}") from error
    return Validation(samples.scaled(model.dtype), X_val, data.y, data.weights)


def _cut(X, raw, part):
    """Some samples of X for scorers: rows of a frame, whose columns have names, else of ``raw``.

    ``raw`` can be cut whatever X is, such as an object that only NumPy knows how to read.
    """
    rows = np.arange(len(raw))[part]
    if is_table(X):
        return X.take(rows) if hasattr(X, "take") else X[rows]  # polars has no take
    sequences = raw.apart(raw.values)
    return [sequences[i] for i in rows] if raw.width is None else sequences[part]


def _places(model, y):
    """Indices of the samples to train on and of those to hold out."""
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
            f"stratify=True draws from each class, but {type(model).__name__} has no classes; set "
            "stratify=False to hold out the last samples, or pass X_val and y_val."
        )
    training = model._training
    if training["split_seed"] is None:
        training["split_seed"] = training["rng"].randint(MOST_IDS)
    draw = StratifiedShuffleSplit(1, train_size=n_train, random_state=training["split_seed"])
    return (np.sort(part) for part in next(draw.split(np.zeros(n), y)))
