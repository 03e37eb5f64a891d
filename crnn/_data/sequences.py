"""The one internal form of the data, whatever the user passes: packed ragged sequences."""

from dataclasses import dataclass, replace

import numpy as np

from crnn._core import leading_zeros
from crnn._data.containers import missing, place_of

# The kernels count in 32 bits: ids, and the steps of a batch with one more for a padding.
MOST_IDS = 2**31 - 1
MOST_STEPS = 2**31 - 2


@dataclass(frozen=True)
class Sequences:
    """Where each sequence lies in the flat values, without its leading paddings.

    Attributes
    ----------
    values : ndarray of shape (n_steps,), int32, or (n_steps, F), floating
        Token ids, or the timesteps of float series.
    starts, lengths : ndarray of shape (n_sequences,), int64
        Sequence i is ``values[starts[i]:starts[i] + lengths[i]]``.
    pads : ndarray of shape (n_sequences,), int32
        Number of leading paddings (id 0) left out; the network still steps through them.
    bigrams : ndarray of shape (n_steps,), int32, or None
        A number for each token and the one before it.
    """

    values: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    pads: np.ndarray
    bigrams: np.ndarray | None = None

    def __len__(self):
        return len(self.pads)

    @property
    def are_tokens(self):
        return self.values.ndim == 1

    def __getitem__(self, part):
        """Some of the sequences, which share the values."""
        return replace(
            self, starts=self.starts[part], lengths=self.lengths[part], pads=self.pads[part]
        )

    def with_bigrams(self, n_bigrams):
        """The sequences with a hash below ``n_bigrams`` of each token and the one before it.

        The first token of a sequence follows a 0. Odd constants spread the bits upwards, and a
        shift brings them back down (Knuth, The art of computer programming 3, section 6.4).
        """
        hashes = np.zeros(len(self.values), np.uint32)
        hashes[1:] = self.values[:-1]
        hashes[self.starts[self.lengths > 0]] = 0
        hashes *= np.uint32(0x9E3779B1)
        hashes ^= self.values.view(np.uint32)
        hashes *= np.uint32(0x85EBCA6B)
        hashes ^= hashes >> np.uint32(15)
        hashes %= np.uint32(n_bigrams)
        return replace(self, bigrams=hashes.view(np.int32))


def without_pads(values, offsets):
    """``Sequences`` of values end to end, with no paddings left out."""
    lengths = np.diff(offsets)
    return Sequences(values, offsets[:-1], lengths, np.zeros(len(lengths), np.int32))


def offsets_of(lengths):
    """Cumulative sum of the lengths, with a leading 0."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def place_in(offsets, step, *feature):
    """Where in the user's X a step of the flat values is."""
    sample = np.searchsorted(offsets, step, side="right") - 1
    return place_of(sample, step - offsets[sample], *feature)


def token_sequences(values, offsets, *, n_rows, open_vocabulary, mask_zero, keep_pads=False):
    """Check token ids and strip the paddings.

    In an open vocabulary, ids beyond the rows of the embedding read its last row. With
    ``mask_zero`` every id 0 is dropped, so that the state carries through. Without it, leading
    zeros are counted instead of stored, unless ``keep_pads`` keeps them in place. The values are
    copied only where that cannot be avoided.
    """
    values = integer_ids(values, offsets)
    if values.min(initial=0) < 0:
        raise _negative_id(values, offsets)
    if values.max(initial=0) >= n_rows:
        if not open_vocabulary:
            raise _unknown_id(values, offsets, n_rows)
        values = np.minimum(values, n_rows - 1)
    values = np.ascontiguousarray(values, dtype=np.int32)
    if keep_pads and not mask_zero:
        return without_pads(values, offsets)
    pads = np.empty(len(offsets) - 1, np.int32)
    leading_zeros(values, offsets, pads)
    lengths = np.diff(offsets) - pads
    if not mask_zero:
        return Sequences(values, offsets[:-1] + pads, lengths, pads)
    if np.count_nonzero(values) == lengths.sum():  # no other zeros
        return Sequences(values, offsets[:-1] + pads, lengths, np.zeros_like(pads))
    kept = values != 0
    return without_pads(values[kept], offsets_of(kept)[offsets])


def check_lengths(offsets):
    """Refuse a sequence that is too long for the kernels."""
    lengths = np.diff(offsets)
    longest = np.argmax(lengths)
    if lengths[longest] > MOST_STEPS:
        raise ValueError(
            f"{place_of(longest)} has {lengths[longest]} timesteps, but at most {MOST_STEPS} are "
            "possible. Cut it into parts."
        )


def rows_for(values, offsets):
    """Number of rows that an embedding of these token ids needs."""
    ids = integer_ids(values, offsets)
    largest = int(ids.max(initial=0))
    if largest >= MOST_IDS:
        raise ValueError(
            f"{place_in(offsets, np.argmax(ids))} is the token id {largest}, but ids up to "
            f"{MOST_IDS - 1} are possible. Number the words from 1, or set input='series' for "
            "integer series."
        )
    return largest + 1


def integer_ids(values, offsets):
    """Cast integer-valued floats to integers; raise otherwise."""
    if values.ndim > 1:
        raise ValueError(
            f"X has {values.shape[1]} values in a timestep, but a token is a single id. "
            "Pass ids of shape (n_samples, timesteps), or set input='series'."
        )
    if values.dtype.kind in "iu":
        return values
    integers = values.astype(np.int64)
    if not np.array_equal(integers, values):
        step = np.flatnonzero(integers != values)[0]
        if np.isnan(values[step]):
            raise missing(values[step], place_in(offsets, step))
        raise ValueError(
            f"{place_in(offsets, step)} is {values[step].item()!r}, which is not a token id. Pass "
            "integers, or set input='series' for float series."
        )
    return integers


def _negative_id(values, offsets):
    step = np.flatnonzero(values < 0)[0]
    return ValueError(
        f"{place_in(offsets, step)} is the negative token id {values[step]}; token ids start at 0 "
        "(padding). For integer series set input='series'."
    )


def _unknown_id(values, offsets, n_rows):
    step = np.flatnonzero(values >= n_rows)[0]
    return ValueError(
        f"{place_in(offsets, step)} is the token id {values[step]}, but vocabulary_size={n_rows} "
        f"allows ids up to {n_rows - 1}. Map rarer words to the out-of-vocabulary id, or refit "
        "with a larger vocabulary_size, or with None, which reads ids not seen in fit as one "
        "unknown word."
    )


def series_sequences(values, offsets, dtype, n_features):
    """Check float series; a timestep of a univariate series has one feature."""
    if len(values) and values[0].size != n_features:
        raise ValueError(
            f"X has {values[0].size} features in a timestep, but the estimator was fitted with "
            f"{n_features}. Pass as many features as in fit, or call fit again."
        )
    values = values.reshape(len(values), n_features)
    steps = np.ascontiguousarray(values, dtype=dtype)
    finite = np.isfinite(steps)
    if not finite.all():
        step, feature = np.argwhere(~finite)[0]
        number, place = values[step, feature], place_in(offsets, step, feature)
        if np.isnan(number):
            raise missing(number, place)
        raise ValueError(
            "Input X contains infinity or a value too large for "
            f"dtype({np.dtype(dtype).name!r}): {place} is {number}. Scale or clip the series."
        )
    return without_pads(steps, offsets)


def repeat_over_skipped(states, kept, offsets, width):
    """Expand the states after kept steps to all steps.

    The first ``width`` numbers are those of a forward reading: a skipped step repeats the state
    before it, or zero. Any others are those of a backward reading, which comes from the other side.
    """
    ahead = _carried(states[:, :width], kept, offsets)
    back = _carried(states[::-1, width:], kept[::-1], offsets[-1] - offsets[::-1])[::-1]
    return np.concatenate([ahead, back], axis=1)


def _carried(states, kept, offsets):
    done = np.concatenate([[0], np.cumsum(kept)])
    started = done[1:] > np.repeat(done[offsets[:-1]], np.diff(offsets))
    with_start = np.concatenate([np.zeros((1, states.shape[1]), states.dtype), states])
    return with_start[np.where(started, done[1:], 0)]
