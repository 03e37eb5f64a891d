"""Sequences of different lengths -> one matrix."""

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from crnn._system import memory
from crnn._typing import Side


def pad_sequences(
    sequences: Iterable[Any],
    maxlen: int | None = None,
    dtype: DTypeLike = "int32",
    padding: Side = "pre",
    truncating: Side = "pre",
    value: float | str = 0.0,
) -> NDArray[Any]:
    """Pad and truncate sequences to one common length.

    Parameters
    ----------
    sequences : sized iterable of n_samples sequences
        Each sequence is a list or an array. Its items are scalars, or arrays of the same shape in
        all sequences.
    maxlen : int, default=None
        Length of the padded sequences; None means the length of the longest sequence.
    dtype : str or dtype, default="int32"
        Type of the result. Strings of varying length need `dtype=object`.
    padding : {"pre", "post"}, default="pre"
        Whether short sequences are padded at the start or at the end.
    truncating : {"pre", "post"}, default="pre"
        Whether long sequences are cut at the start or at the end.
    value : float or str, default=0.0
        Value to pad with.

    Returns
    -------
    padded : ndarray of shape (n_samples, maxlen) or (n_samples, maxlen, ...)
        The sequences as rows of one array.

    Raises
    ------
    ValueError
        If `sequences` or one of its items is not iterable, if the shapes of the items differ,
        if `padding` or `truncating` is neither "pre" nor "post", or if `value` is a string and
        `dtype` cannot hold it.
    TypeError
        If a sequence is a string, which counts as a single item.

    References
    ----------
    .. [1] `keras.utils.pad_sequences <https://keras.io/api/data_loading/timeseries/>`_, which this
       function follows in every detail.

    Examples
    --------
    >>> from crnn.preprocessing import pad_sequences
    >>> pad_sequences([[1], [2, 3], [4, 5, 6]])
    array([[0, 0, 1],
           [0, 2, 3],
           [4, 5, 6]], dtype=int32)
    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2, padding="post")
    array([[1, 0],
           [2, 3],
           [5, 6]], dtype=int32)
    """
    if padding not in ("pre", "post"):
        raise ValueError(f'Padding type "{padding}" not understood; use "pre" or "post".')
    if truncating not in ("pre", "post"):
        raise ValueError(f'Truncating type "{truncating}" not understood; use "pre" or "post".')
    if isinstance(value, str) and np.dtype(dtype).kind not in "OSU":
        raise ValueError(
            f"`dtype` {dtype} is not compatible with `value`'s type: {type(value)}. "
            "Use `dtype=object` for strings of any length."
        )
    lengths = _lengths(sequences)
    if maxlen is None:
        if not lengths:
            raise ValueError("`maxlen` must be given when `sequences` is empty.")
        maxlen = max(lengths)
    sample_shape = next((np.shape(s)[1:] for s in sequences if len(s)), ())

    room = len(lengths) * maxlen * prod(sample_shape) * np.dtype(dtype).itemsize
    memory.require(room, f"A matrix of {len(lengths)} x {maxlen} items", "Lower maxlen.")
    padded = np.full((len(lengths), maxlen, *sample_shape), value, dtype=dtype)
    for position, (sequence, length) in enumerate(zip(sequences, lengths, strict=True)):
        kept = min(length, maxlen)
        start = length - kept if truncating == "pre" else 0
        items = np.asarray(sequence[start : start + kept], dtype=dtype)
        if items.ndim == 0 and length:
            raise TypeError(
                f"Sequence at position {position} is {sequence!r}, a single item; pass a list of "
                f"items, such as {[sequence]!r}."
            )
        if length and items.shape[1:] != sample_shape:
            raise ValueError(
                f"Shape of sample {items.shape[1:]} of sequence at position {position} is "
                f"different from expected shape {sample_shape}, that of the first sequence."
            )
        if kept:
            target = slice(maxlen - kept, None) if padding == "pre" else slice(kept)
            padded[position, target] = items
    return padded


def _lengths(sequences):
    if not _is_sized(sequences):
        raise ValueError(
            f"`sequences` must be iterable and have a length; got {sequences!r}. "
            "Pass a list of sequences."
        )
    for position, sequence in enumerate(sequences):
        if not _is_sized(sequence):
            raise ValueError(
                "`sequences` must be a list of iterables. "
                f"Found non-iterable: {sequence} at position {position}"
            )
    return [len(sequence) for sequence in sequences]


def _is_sized(thing):
    """Whether `len` works; a 0-dimensional array has the method, but raises TypeError."""
    try:
        len(thing)
    except TypeError:
        return False
    return True
