"""Any container of sequences -> arrays of numbers: of each sequence, of each column, or of all."""

from collections.abc import Iterator, Mapping, Set
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse

from crnn._system.sklearn_private import is_pandas_na

INT64_MAX = np.iinfo(np.int64).max


def sequences_in(X):
    """The sequences that X holds, as a list, or None where X is one array or one table."""
    if is_table(X) or issparse(X):
        return None
    _refuse_unordered(X)
    items = _items(X)
    if items is not None and not items:
        raise ValueError("X is empty: found 0 sample(s) while a minimum of 1 is required.")
    first = next((x for x in items or () if not _is_missing(x)), None)
    _refuse_text(first)
    if isinstance(first, Mapping):
        raise TypeError(
            f"X contains samples of type {type(first).__name__}; pass the column that contains the "
            "sequences."
        )
    is_sequence = isinstance(first, (list, tuple)) or np.ndim(first) > 0
    return items if is_sequence or (items and first is None) else None


def is_plain(X):
    """Whether X is nested lists of numbers of one length, which scikit-learn takes for an array."""
    return (
        isinstance(X, list)
        and all(isinstance(x, list) for x in X)
        and len({len(x) for x in X}) == 1
        and isinstance(X[0][0] if X[0] else None, float)
    )


def is_table(X):
    """Whether X is a data frame of pandas or polars, or a table of pyarrow."""
    return hasattr(X, "columns") and len(getattr(X, "shape", ())) == 2


def columns_of(table):
    """Names and columns."""
    if hasattr(table, "iloc"):  # pandas, where a name may stand twice
        return list(table.columns), [table.iloc[:, j] for j in range(table.shape[1])]
    if hasattr(table, "get_columns"):  # polars
        return list(table.columns), table.get_columns()
    return list(table.column_names), list(table.columns)  # pyarrow


def _items(X):
    """X as a list, if it is one-dimensional."""
    for to_list in ("to_pylist", "to_list"):  # pyarrow; pandas and polars
        if hasattr(X, to_list):
            return getattr(X, to_list)()
    if not isinstance(X, np.ndarray) and hasattr(X, "__array__"):
        X = np.asarray(X)
    if isinstance(X, np.ndarray):
        return list(X) if X.dtype.kind in "OUS" and X.ndim == 1 else None
    if hasattr(X, "__iter__"):
        return list(X)
    return [X[i] for i in range(len(X))] if hasattr(X, "__getitem__") else None


def _refuse_unordered(X):
    _refuse_text(X)
    if isinstance(X, Iterator):
        raise TypeError("X is an iterator, which can be read only once; pass list(X).")
    if isinstance(X, Mapping):
        raise TypeError("X is a mapping; pass list(X.values()) if its values are the sequences.")
    if isinstance(X, Set):
        raise TypeError("X is a set, which has no order; pass a list.")


def _refuse_text(x):
    if isinstance(x, (str, bytes)):
        raise ValueError(
            f"X contains text ({x[:20]!r}). Turn it into token ids first: "
            "make_pipeline(SequenceVectorizer(), SimpleRNNClassifier())."
        )


def numbers(x, place):
    """An array-like as an array of numbers; ``place(index)`` says where in X an item of it stands.

    Integers stay integers, whatever holds them: nothing is promoted to float on the way.
    """
    if _is_missing(x):
        raise ValueError(f"{place()} is {_name(x)}; drop the missing sample and its target.")
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError(
            f"{place()} is not a sequence of numbers, or of equally long vectors: {error}"
        ) from error
    if array.dtype.kind == "f" and not hasattr(x, "dtype") and (np.abs(array) >= 2.0**63).any():
        array = np.asarray(x, object)  # NumPy makes floats of integers beyond 64 bits
    if array.dtype.kind in "OUS":
        array = _numbers_of_objects(array, place)
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise missing(np.nan, place(*np.argwhere(np.isnan(array))[0]))
    if array.dtype == np.uint64:
        if array.size and array.max() > INT64_MAX:
            raise _too_large(array.max(), place())
        array = array.astype(np.int64)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{place()} has dtype {array.dtype}; pass integers (token ids) or floats (series)."
        )
    return array


def _numbers_of_objects(array, place):
    items = array.ravel().tolist()
    for k, item in enumerate(items):
        _refuse_text(item)
        if _is_missing(item):
            index = np.unravel_index(k, array.shape)
            raise missing(item, place(*index))
    if any(np.ndim(item) for item in items):
        raise ValueError(
            f"{place()} contains sequences in its cells; pass that column alone. In a "
            "ColumnTransformer give its name, not a list of names."
        )
    if all(isinstance(item, Integral) for item in items):
        try:
            return array.astype(np.int64)
        except OverflowError:
            raise _too_large(max(items, key=abs), place()) from None
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{place()} must contain integers (token ids) or floats (series): {error}"
        ) from error


def _too_large(number, where):
    return ValueError(
        f"{where} contains {number}, which does not fit in a 64-bit integer. Pass smaller token "
        "ids, or floats for a series."
    )


def missing(item, where):
    """The error for a missing value."""
    return ValueError(
        f"Input X contains {_name(item)}: {where}. Drop or impute missing values, or pass a list "
        "of sequences of unequal lengths if they fill up shorter sequences."
    )


def _name(item):
    return "NaN" if isinstance(item, Real) else repr(item)


def _is_missing(x):
    return x is None or is_pandas_na(x) or (isinstance(x, Real) and x != x)


def without_missing(y):
    """Targets without missing values; tensors become arrays."""
    if hasattr(y, "__dlpack__"):
        y = np.asarray(y)
    items = np.empty(0) if issparse(y) else np.asarray(y)
    if items.dtype.kind in "fO":
        test = np.frompyfunc(_is_missing, 1, 1) if items.dtype.kind == "O" else np.isnan
        gaps = np.argwhere(test(items).astype(bool))
        if len(gaps):
            place = ", ".join(map(str, gaps[0]))
            raise ValueError(
                f"Input y contains NaN: y[{place}] is {items[tuple(gaps[0])]}. Drop the samples "
                "without a target."
            )
    return y


def check_one_kind(arrays, names):
    """Refuse a mix of integers and floats, as it is unclear whether they are ids."""
    filled = [i for i, array in enumerate(arrays) if array.size]
    integer = [arrays[i].dtype.kind in "iu" for i in filled]
    if len(set(integer)) > 1:
        odd = filled[integer.index(not integer[0])]
        raise ValueError(
            f"{names(odd)} has dtype {arrays[odd].dtype}, but {names(filled[0])} has dtype "
            f"{arrays[filled[0]].dtype}: with input='auto' integers are token ids and floats are "
            "series. Set input='tokens' or input='series', or make all of them integers or floats."
        )
