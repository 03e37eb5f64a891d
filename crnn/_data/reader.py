"""The input contract of the estimators: from what the user passes to packed sequences."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from crnn._data.containers import (
    check_one_kind,
    columns_of,
    is_plain,
    is_table,
    numbers,
    place_of,
    sequences_in,
)
from crnn._data.sequences import check_lengths, offsets_of, series_sequences, token_sequences
from crnn._system.sklearn_private import check_feature_names, check_n_features


@dataclass(frozen=True)
class Raw:
    """The user's data end to end, checked by scikit-learn's rules."""

    values: np.ndarray  # (n_steps,) or (n_steps, F)
    offsets: np.ndarray  # (n_samples + 1,)
    width: int | None  # timesteps of each sample, if X was an array

    def __len__(self):
        return len(self.offsets) - 1

    def are_tokens(self, declared):
        """With ``input="auto"``, integers are token ids and floats are series."""
        if declared == "auto":
            return self.values.dtype.kind in "iu" and self.values.ndim == 1
        return declared == "tokens"

    @property
    def n_features(self):
        """Number of features in a timestep of a series."""
        return 1 if self.values.ndim == 1 else self.values.shape[1]

    def apart(self, flat):
        """Values or states of all steps as an array, or as a list if X was one."""
        if self.width is None:
            return np.split(flat, self.offsets[1:-1])
        return flat.reshape(len(self), self.width, *flat.shape[1:])


def read(estimator, X, *, reset):
    """Check X by scikit-learn's rules.

    An array must have the width that the estimator was fitted on, if it was fitted on an array.
    The sequences of a list have any length.
    """
    sequences = sequences_in(X)
    if sequences is None:
        return _read_array(estimator, X, reset)
    arrays = [_sequence(x, i) for i, x in enumerate(sequences)]
    filled = {i: x for i, x in enumerate(arrays) if x.size}
    _check_features(filled)
    if estimator.input == "auto":
        check_one_kind(filled, place_of)
    offsets = offsets_of([len(x) for x in arrays])
    check_lengths(offsets)
    _check_names(estimator, X, reset)
    if reset:  # a list has no width, unless it is an array written out
        vars(estimator).pop("n_features_in_", None)
        if is_plain(X):
            estimator.n_features_in_ = len(X[0])
    values = np.concatenate([*filled.values()]) if filled else np.zeros(0, np.int32)
    return Raw(values, offsets, None)


def _sequence(x, i):
    x = numbers(x, partial(place_of, i))
    if x.ndim not in (1, 2):
        raise ValueError(
            f"{place_of(i)} has shape {x.shape}; a sequence must have shape (timesteps,) or "
            "(timesteps, features)."
        )
    if len(x) and not x.size:
        raise ValueError(
            f"{place_of(i)} has shape {x.shape}, but a timestep needs at least one feature."
        )
    return x


def _check_features(arrays):
    """All sequences have the same number of features."""
    first = next(iter(arrays.values()), None)
    for i, x in arrays.items():
        if x.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"{place_of(i)} has shape {x.shape}, but an earlier sequence has shape "
                f"{first.shape}; all sequences need the same number of features."
            )


def _check_names(estimator, X, reset):
    """Compare the names of columns, unless there are none on either side, which is found faster."""
    if reset or is_table(X) or hasattr(estimator, "feature_names_in_"):
        check_feature_names(estimator, X, reset=reset)


def _read_array(estimator, X, reset):
    _check_names(estimator, X, reset)
    if is_table(X):
        array = _table(X, estimator.input)
    elif issparse(X) or len(getattr(X, "shape", ())) == 1:
        array = X  # scikit-learn refuses it in its own words
    else:
        array = np.asarray(X)
        if array.dtype.kind in "OUS" and array.ndim > 1:
            array = numbers(array, place_of)
    is_ids = type(array) is np.ndarray and array.dtype.kind in "iu" and array.ndim == 2
    if not (is_ids and array.size):  # else check_array takes most of the time, and finds nothing
        array = check_array(
            array, allow_nd=True, ensure_all_finite=False, estimator=estimator, input_name="X"
        )
    _check_width(estimator, array, reset)
    _check_shape(array)
    n, width = array.shape[:2]
    offsets = np.arange(n + 1, dtype=np.int64) * width
    check_lengths(offsets[:2])
    return Raw(array.reshape(n * width, *array.shape[2:]), offsets, width)


def _table(X, declared):
    """The columns of a table side by side."""
    names, columns = columns_of(X)

    def place(j, row=None):
        return f"Column {names[j]!r} of X" + ("" if row is None else f" in row {row}")

    arrays = {j: numbers(column, partial(place, j)) for j, column in enumerate(columns)}
    if declared == "auto" and len(X):
        check_one_kind(arrays, place)
    return np.column_stack([*arrays.values()]) if arrays else np.empty(X.shape)


def _check_width(estimator, array, reset):
    try:
        check_n_features(estimator, array, reset=reset)
    except ValueError as error:
        raise ValueError(
            f"X has {array.shape[1]} timesteps, but it had {estimator.n_features_in_} in fit. "
            "Pass a list of sequences, list(X), for other lengths, or pad or cut the sequences. "
            f"In scikit-learn's words: {error}"
        ) from None


def _check_shape(array):
    if array.ndim > 3:
        raise ValueError(
            f"Found array with dim {array.ndim}. X must have shape (n_samples, timesteps) or "
            "(n_samples, timesteps, features)."
        )
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"X has dtype {array.dtype}; pass integers (token ids) or floats (series)."
        )
    if 0 in array.shape[1:]:
        raise ValueError(
            f"Found array with 0 timestep(s) or 0 feature(s) in a timestep (shape={array.shape}) "
            "while a minimum of 1 is required."
        )


def as_sequences(estimator, raw, network, *, keep_pads=False):
    """Pack the data for the network of an estimator."""
    sizes = network.sizes
    if sizes.vocabulary_size is None:
        return series_sequences(raw.values, raw.offsets, estimator.dtype, sizes.n_features)
    sequences = token_sequences(
        raw.values,
        raw.offsets,
        n_rows=sizes.vocabulary_size,
        open_vocabulary=estimator.vocabulary_size is None,
        mask_zero=estimator.mask_zero,
        keep_pads=keep_pads or not network.counts_pads,
    )
    return sequences.with_bigrams(sizes.bigrams) if sizes.bigrams else sequences
