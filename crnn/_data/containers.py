"""Read any container of sequences as arrays: one per sequence, one per column, or one for all."""

from collections.abc import Iterator, Mapping, Set
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse

from crnn._system.sklearn_private import is_pandas_na

INT64_MAX = np.iinfo(np.int64).max


def place_of(*index):
    """Where in X something is, given its sample, timestep and feature, as far as they are known."""
    if not index:
        return "X"
    sample, *rest = index
    step = [f"{axis} {i}" for axis, i in zip(("timestep", "feature"), rest, strict=False)]
    return f"X[{sample}]" + (" at " + ", ".join(step) if step else "")


def sequences_in(X):
    """The sequences in X as a list, or None if X is a single array or table."""
    if is_table(X) or issparse(X):
        return None
    _refuse_unordered(X)
    items = _items(X)
    if items is None:
        return None
    if not items:
        raise ValueError("X is empty: found 0 sample(s) while a minimum of 1 is required.")
    # Where all are missing, ``numbers`` refuses the first.
    i, first = next(((i, x) for i, x in enumerate(items) if not _is_missing(x)), (0, []))
    _refuse_text(first, place_of(i))
    if isinstance(first, Mapping):
        raise TypeError(
            f"{place_of(i)} is of type {type(first).__name__}; pass the column that contains the "
            "sequences."
        )
    return items if isinstance(first, (list, tuple)) or np.ndim(first) > 0 else None


def is_plain(X):
    """Whether X is a list of equally long lists of floats, an array to scikit-learn."""
    return (
        isinstance(X, list)
        and all(isinstance(x, list) for x in X)
        and len({len(x) for x in X}) == 1
        and isinstance(X[0][0] if X[0] else None, float)
    )


def is_table(X):
    """Whether X is a pandas or polars data frame or a pyarrow table."""
    return hasattr(X, "columns") and len(getattr(X, "shape", ())) == 2


def columns_of(table):
    """Names and columns of a table."""
    if hasattr(table, "iloc"):  # pandas, where names may repeat
        return list(table.columns), [table.iloc[:, j] for j in range(table.shape[1])]
    if hasattr(table, "get_columns"):  # polars
        return list(table.columns), table.get_columns()
    return list(table.column_names), list(table.columns)  # pyarrow


def _items(X):
    """X as a list, or None if it is not one-dimensional."""
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
    _refuse_text(X, place_of())
    if isinstance(X, Iterator):
        raise TypeError("X is an iterator, which can be read only once; pass list(X).")
    if isinstance(X, Mapping):
        raise TypeError("X is a mapping; pass list(X.values()) if its values are the sequences.")
    if isinstance(X, Set):
        raise TypeError("X is a set, which has no order; pass a list.")


def _refuse_text(x, where):
    if isinstance(x, (str, bytes)):
        raise ValueError(
            f"{where} is text ({x[:20]!r}). Turn it into token ids first: "
            "make_pipeline(SequenceVectorizer(), SimpleRNNClassifier())."
        )


def numbers(x, place):
    """Convert an array-like to an array of numbers; ``place(*index)`` says where an item is in X.

    Integers stay integers, whatever container they come in: none become floats on the way.
    """
    if _is_missing(x):
        raise ValueError(f"{place()} is {_name(x)}; drop the missing sample and its target.")
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError(
            f"{place()} is not a sequence of numbers or of equally long vectors: {error}"
        ) from error
    if not hasattr(x, "dtype"):
        # NumPy turns integers beyond 64 bits into floats, and numbers beside text into text.
        large = array.dtype.kind == "f" and (np.abs(array) >= 2.0**63).any()
        if large or array.dtype.kind in "US":
            array = np.asarray(x, object)
    if array.dtype.kind in "OUS":
        array = _numbers_of_objects(array, place)
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise missing(np.nan, place(*np.argwhere(np.isnan(array))[0]))
    if array.dtype == np.uint64:
        if array.size and array.max() > INT64_MAX:
            raise _too_large(array, place)
        array = array.astype(np.int64)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{place()} has dtype {array.dtype}; pass integers (token ids) or floats (series)."
        )
    return array


def _numbers_of_objects(array, place):
    def at(k):
        return place(*np.unravel_index(k, array.shape))

    items = array.ravel().tolist()
    for k, item in enumerate(items):
        if isinstance(item, (str, bytes)):
            _refuse_text(item, at(k))
        if _is_missing(item):
            raise missing(item, at(k))
    if any(np.ndim(item) for item in items):
        raise ValueError(
            f"{place()} contains sequences in its cells; pass that column alone. In a "
            "ColumnTransformer give its name, not a list of names."
        )
    if all(isinstance(item, Integral) for item in items):
        try:
            return array.astype(np.int64)
        except OverflowError:
            raise _too_large(array, place) from None
    floats = np.empty(len(items))
    for k, item in enumerate(items):
        try:
            floats[k] = item
        except (TypeError, ValueError, OverflowError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(
                f"{at(k)} must be an integer (token id) or a float (series): {error}"
            ) from error
    return floats.reshape(array.shape)


def _too_large(array, place):
    index = np.unravel_index(np.argmax(np.abs(array)), array.shape)
    return ValueError(
        f"{place(*index)} is {array[index]}, which does not fit in a 64-bit integer. Pass smaller "
        "token ids, or floats for a series."
    )


def missing(item, where):
    """The error for a missing value."""
    return ValueError(
        f"Input X contains {_name(item)}: {where}. Drop or impute missing values; if they pad "
        "shorter sequences, pass a list of sequences of unequal lengths instead."
    )


def _name(item):
    return "NaN" if isinstance(item, Real) else repr(item)


def _is_missing(x):
    if isinstance(x, (np.ndarray, list)):
        return False  # at once, as most sequences are of these kinds
    return x is None or is_pandas_na(x) or (isinstance(x, Real) and x != x)


def without_missing(y):
    """Return the targets, tensors as arrays; raise if one is missing."""
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


def check_one_kind(arrays, name):
    """Refuse a mix of integers and floats, which could be token ids or series.

    ``arrays`` is a dict, and ``name(key)`` says where in X an array comes from.
    """
    first = {}  # key of the first array of integers, and of the first of floats
    for key, array in arrays.items():
        first.setdefault(array.dtype.kind in "iu", key)
    if len(first) > 1:
        usual, odd = first.values()
        raise ValueError(
            f"{name(odd)} has dtype {arrays[odd].dtype}, but {name(usual)} has dtype "
            f"{arrays[usual].dtype}: with input='auto' integers are token ids and floats are "
            "series. Set input='tokens' or input='series', or make all of them integers or floats."
        )
