"""Pack some of the sequences into the buffers that the kernels read."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crnn import _core
from crnn._data.sequences import MOST_STEPS, Sequences, offsets_of
from crnn._system.streams import draw_seed, least_kept

# With this many steps per word of the vocabulary, a batch takes the whole vocabulary: projecting
# words that do not occur costs less than finding those that do.
MANY = 8


@dataclass
class Batch:
    """B sequences in the order of the kernels (see the Design note of ``_core``).

    For tokens, ``ids`` holds the D distinct ones, and ``rows`` says which of them each transition
    reads. If there are leading paddings, one more row follows the N transitions: the input of the
    shared steps through them. For series, ``inputs`` holds a row for each transition.
    """

    tile: int
    n_threads: int
    order: np.ndarray  # (B,) where each sequence is in the ``indices`` passed to pack
    offsets: np.ndarray  # (B + 1,)
    pads: np.ndarray  # (B,)
    positions: np.ndarray  # (N,) or (N + 1,) where each transition reads the flat values
    rows: np.ndarray | None = None  # (N,) or (N + 1,)
    inputs: np.ndarray | None = None  # (N, F)
    ids: np.ndarray | None = None  # (D,)
    bigrams: tuple | None = None  # distinct ones, and which of them each transition reads, (N,)

    def __len__(self):
        return len(self.order)

    @property
    def n_transitions(self):
        return int(self.offsets[-1])

    @cached_property
    def states_after(self):
        """Row of the state that each transition leads to."""
        return states_after(self.offsets, self.tile)

    @cached_property
    def mirror(self):
        """The transition that is each one's counterpart when its sequence is read backwards."""
        blocks, mirror = np.empty((2, self.n_transitions), np.int64)
        _core.mirror_steps(self.offsets, self.tile, self.n_threads, blocks, mirror)
        return mirror


def pack(sequences, indices, workspace, tile, n_threads, vocabulary_size=None, n_bigrams=0):
    """Pack the sequences at ``indices`` into a ``Batch``; its buffers belong to the workspace."""
    lengths = sequences.lengths[indices]
    order = np.argsort(-lengths, kind="stable")
    chosen = indices[order]
    offsets = offsets_of(lengths[order])
    pads = sequences.pads[chosen]
    starts = sequences.starts[chosen]
    N = int(offsets[-1])
    if N > MOST_STEPS:
        raise ValueError(
            f"A batch of {len(indices)} sequences has {N} timesteps, but at most {MOST_STEPS} "
            "are possible. Lower batch_size, or shorten the sequences."
        )
    padded = pads.argmax() if len(pads) else 0
    extra = int(len(pads) > 0 and pads[padded] > 0)
    positions = workspace.array("positions", (N + extra,), np.int64)
    _core.order_steps(starts, offsets, tile, n_threads, positions[:N])
    if not sequences.are_tokens:
        inputs = workspace.array("steps", (N, sequences.values.shape[1]), sequences.values.dtype)
        _core.gather(sequences.values, positions, n_threads, inputs)
        return Batch(tile, n_threads, order, offsets, pads, positions, inputs=inputs)
    if extra:
        positions[N] = starts[padded] - 1  # the padding before its first token
    bigrams = None
    if sequences.bigrams is not None:
        bigrams = _distinct(sequences.bigrams, positions[:N], workspace.scope("bigrams"), n_bigrams)
    if len(positions) > MANY * vocabulary_size:
        ids = np.arange(vocabulary_size, dtype=np.int32)
        rows = workspace.array("rows", positions.shape, np.int32)
        _core.look_up(sequences.values, positions, n_threads, rows)
    else:
        ids, rows = _distinct(sequences.values, positions, workspace, vocabulary_size)
    return Batch(tile, n_threads, order, offsets, pads, positions, rows, ids=ids, bigrams=bigrams)


def _distinct(values, positions, workspace, bound):
    """The distinct values at these positions, and which of them stands at each."""
    ids = workspace.array("ids", positions.shape, np.int32)
    rows = workspace.array("rows", positions.shape, np.int32)
    D = _core.distinct(values, positions, workspace.slots(bound), ids, rows)
    return ids[:D], rows


def drop_tokens(sequences, indices, rate, rng):
    """The sequences named by ``indices`` without some of their tokens, each left out at this rate.

    One that would lose all keeps its first. Padding, id 0 anywhere, is no token, and stays.
    """
    chosen = sequences[indices]
    lead = (chosen.pads > 0).astype(np.int64)  # where paddings are counted, one goes along
    lengths = chosen.lengths + lead
    places, n_left = np.empty(lengths.sum(), np.int64), np.empty_like(lengths)
    n = _core.drop_tokens(
        chosen.values,
        chosen.starts - lead,
        lengths,
        draw_seed(rng),
        least_kept(rate),
        places,
        n_left,
    )
    places = places[:n]
    bigrams = None if chosen.bigrams is None else chosen.bigrams[places]
    starts = offsets_of(n_left)[:-1] + lead
    return Sequences(chosen.values[places], starts, n_left - lead, chosen.pads, bigrams)


def states_after(offsets, tile):
    """Row of the state that each transition produces."""
    lengths = np.diff(offsets)
    rows = np.arange(offsets[-1])
    for top in range(0, len(lengths), tile):
        members = lengths[top : top + tile]
        steps_left = np.arange(members[0], 0, -1)
        running = np.searchsorted(-members, -steps_left, side="right")
        rows[offsets[top] : offsets[top + len(members)]] += top + np.repeat(running, running)
    return rows


def states_before(offsets, tile):
    """Row of the initial state of each sequence.

    All sequences end together, so row r, of length l, joins its tile (whose first row is ``top``)
    when l steps remain. By then the longer rows above it have produced
    (offsets[r] - offsets[top]) - l (r - top) states; in the block that follows, it is row r - top.
    """
    r = np.arange(len(offsets) - 1)
    return offsets[:-1] + r - np.diff(offsets) * (r % tile)
