"""The one internal form of the data: packed ragged sequences, whatever the user passed."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import assert_all_finite

from crnn._core import leading_zeros

MOST_STEPS = 2**31 - 2  # of a batch, and one for a padding; the kernels count rows in 32 bits


@dataclass(frozen=True)
class Sequences:
    """Where each sequence stands in flat values, without its leading paddings.

    Attributes
    ----------
    values : ndarray of shape (n_steps,), int32, or (n_steps, F), floating
        Token ids, or the steps of float series.
    starts, lengths : ndarray of shape (n_sequences,), int64
        Sequence i is ``values[starts[i]:starts[i] + lengths[i]]``.
    pads : ndarray of shape (n_sequences,), int32
        Number of paddings (id 0) left out in front: the network still walks through them.
    """

    values: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    pads: np.ndarray

    def __len__(self):
        return len(self.pads)

    @property
    def are_tokens(self):
        return self.values.ndim == 1

    def __getitem__(self, part):
        """Some of the sequences, which share the values."""
        return Sequences(self.values, self.starts[part], self.lengths[part], self.pads[part])


def without_pads(values, offsets):
    """Sequences end to end, as they are."""
    lengths = np.diff(offsets)
    return Sequences(values, offsets[:-1], lengths, np.zeros(len(lengths), np.int32))


def offsets_of(lengths):
    """Running sum of the lengths, with a leading 0."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def is_list_of_sequences(X):
    """Whether X is a list, an array of objects or a column of sequences rather than one array."""
    if isinstance(X, np.ndarray):
        if X.dtype != object or X.ndim != 1:
            return False
    elif not isinstance(X, (list, tuple)) and len(getattr(X, "shape", ())) != 1:
        return False
    first = next(iter(X), None)
    return isinstance(first, (list, tuple)) or np.ndim(first) > 0


def flatten(X):
    """List of sequences -> (values end to end, offsets); each item is 1-D or each is 2-D."""
    items = [_item(x, i) for i, x in enumerate(X)]
    filled = [x for x in items if x.size]
    for i, x in enumerate(items):
        if x.size and x.shape[1:] != filled[0].shape[1:]:
            raise ValueError(
                f"X[{i}] has shape {x.shape}, but an earlier sequence has shape "
                f"{filled[0].shape}; all sequences need the same number of features."
            )
    offsets = offsets_of([len(x) for x in items])
    values = np.concatenate(filled) if filled else np.zeros(0, np.int32)
    return values, offsets


def _item(x, i):
    """One sequence of a list as an array of numbers."""
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"X[{i}] is no sequence of numbers: {error}") from error
    if x.size and x.dtype.kind not in "biuf":
        raise ValueError(
            f"X[{i}] has dtype {x.dtype}; a list holds sequences of token ids or of floats. "
            "Turn text into ids with crnn.preprocessing.SequenceVectorizer."
        )
    if x.ndim not in (1, 2):
        raise ValueError(f"X[{i}] has {x.ndim} dimensions; a sequence has one or two.")
    if len(x) and not x.size:
        raise ValueError(f"X[{i}] has shape {x.shape}, but a timestep has a feature at least.")
    return x


def token_sequences(values, offsets, *, vocabulary_size, mask_zero, keep_pads=False):
    """Check token ids and take the paddings off.

    With ``mask_zero`` each id 0 is dropped, so that the state carries through. Without it the
    leading zeros are counted instead of stored, unless ``keep_pads`` asks for them in place.
    """
    values = integer_ids(values)
    _check_range(values, vocabulary_size)
    values = np.ascontiguousarray(values, dtype=np.int32)
    if mask_zero:
        kept = values != 0
        before = np.concatenate([[0], np.cumsum(kept)])
        return without_pads(values[kept], before[offsets])
    if keep_pads:
        return without_pads(values, offsets)
    pads = np.empty(len(offsets) - 1, np.int32)
    leading_zeros(values, offsets, pads)
    return Sequences(values, offsets[:-1] + pads, np.diff(offsets) - pads, pads)


def check_length(longest):
    if longest > MOST_STEPS:
        raise ValueError(
            f"X contains a sequence of {longest} timesteps, but the kernels count up to "
            f"{MOST_STEPS}; cut it into parts."
        )


def integer_ids(values):
    """The values as integers, which all must be in value."""
    if values.dtype.kind in "iu":
        return values
    with np.errstate(invalid="ignore"):  # of NaN and infinity, which are refused below
        integers = values.astype(np.int64)
    if not np.array_equal(integers, values):
        wrong = values[integers != values].tolist()[0]
        raise ValueError(
            f"X contains {wrong!r}, which is no token id. Pass integers, or set input='series' "
            "for float series."
        )
    return integers


def _check_range(values, vocabulary_size):
    if len(values) == 0:
        return
    lowest, highest = values.min(), values.max()
    if lowest < 0:
        raise ValueError(
            f"X contains the negative token id {lowest}; token ids count from 0 (padding). "
            "For integer series set input='series'."
        )
    if highest >= vocabulary_size:
        raise ValueError(
            f"X contains the token id {highest}, but vocabulary_size={vocabulary_size} allows ids "
            f"up to {vocabulary_size - 1}. Map rarer words to the out-of-vocabulary id, or refit "
            "with a larger vocabulary_size."
        )


def series_sequences(values, offsets, dtype, n_features):
    """Check the steps of float series; a step of univariate series has one feature."""
    values = values.reshape(len(values), n_features)
    with np.errstate(over="ignore", invalid="ignore"):  # an error says it better than a warning
        values = np.ascontiguousarray(values, dtype=dtype)
        assert_all_finite(values, input_name="X")
    return without_pads(values, offsets)


def repeat_over_skipped(paths, kept, offsets):
    """States after the steps that were kept -> states after all steps, zero before the first."""
    done = np.concatenate([[0], np.cumsum(kept)])
    started = done[1:] > np.repeat(done[offsets[:-1]], np.diff(offsets))
    with_start = np.concatenate([np.zeros((1, paths.shape[1]), paths.dtype), paths])
    return with_start[np.where(started, done[1:], 0)]
