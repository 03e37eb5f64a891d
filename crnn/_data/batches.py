"""From some of the sequences to the buffers that the kernels read."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crnn import _core
from crnn._data.sequences import MOST_STEPS, Sequences, offsets_of
from crnn._system.streams import draw_kept

# A batch that has this many steps for each word of the vocabulary takes all words as they are:
# those that do not occur cost less than looking for them.
MANY = 8


@dataclass
class Batch:
    """B sequences in the order of the kernels (see the Design note of ``_core``).

    For tokens, ``ids`` (D,) are the distinct ones and ``rows`` says which of them each transition
    reads. Where there are paddings, one of them follows the N transitions: the input of the shared
    walk through them. For series, ``inputs`` holds a row for each transition.
    """

    tile: int
    order: np.ndarray  # (B,) places in the list of sequences that was asked for
    offsets: np.ndarray  # (B + 1,)
    pads: np.ndarray  # (B,)
    positions: np.ndarray  # (N,) or (N + 1,) places in the flat values that each transition reads
    rows: np.ndarray  # (N,) or (N + 1,)
    inputs: np.ndarray | None = None  # (N, F)
    ids: np.ndarray | None = None  # (D,)

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
        N = self.n_transitions
        ahead, back, at = (np.empty(N, np.int64) for _ in range(3))
        for backwards, places in ((False, ahead), (True, back)):
            _core.order_steps(self.offsets[:-1], self.offsets, backwards, self.tile, 1, places)
        at[ahead] = np.arange(N)
        return at[back]


def pack(sequences, indices, workspace, tile, n_threads, vocabulary_size=None):
    """The sequences named by ``indices`` as a ``Batch``; the buffers belong to the workspace."""
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
    _core.order_steps(starts, offsets, False, tile, n_threads, positions[:N])
    if not sequences.are_tokens:
        inputs = workspace.array("steps", (N, sequences.values.shape[1]), sequences.values.dtype)
        _core.gather(sequences.values, positions, n_threads, inputs)
        return Batch(tile, order, offsets, pads, positions, np.arange(N, dtype=np.int32), inputs)
    if extra:
        positions[N] = starts[padded] - 1  # the padding before its first token
    rows = workspace.array("rows", positions.shape, np.int32)
    if len(positions) > MANY * vocabulary_size:
        _core.look_up(sequences.values, positions, n_threads, rows)
        ids = np.arange(vocabulary_size, dtype=np.int32)
        return Batch(tile, order, offsets, pads, positions, rows, ids=ids)
    ids = workspace.array("ids", positions.shape, np.int32)
    D = _core.distinct(sequences.values, positions, workspace.slots(vocabulary_size), ids, rows)
    return Batch(tile, order, offsets, pads, positions, rows, ids=ids[:D])


def drop_tokens(sequences, indices, rate, rng):
    """The sequences named by ``indices`` without some of their tokens, each left out at this rate.

    One that would lose all keeps its first. Paddings are no tokens, and stay.
    """
    chosen = sequences[indices]
    lead = (chosen.pads > 0).astype(np.int64)  # where paddings are counted, one goes along
    lengths = chosen.lengths + lead
    offsets = offsets_of(lengths)
    places = np.arange(offsets[-1]) + np.repeat(chosen.starts - lead - offsets[:-1], lengths)
    tokens = chosen.values[places]
    kept = draw_kept(rng, tokens.shape, rate) | (tokens == 0)
    n_kept = np.diff(offsets_of(kept)[offsets])
    kept[(offsets[:-1] + lead)[(n_kept == lead) & (chosen.lengths > 0)]] = True
    bounds = offsets_of(kept)[offsets]
    return Sequences(tokens[kept], bounds[:-1] + lead, np.diff(bounds) - lead, chosen.pads)


def states_after(offsets, tile):
    """Row of the state that each transition leads to."""
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

    Row r of a tile that begins with row ``top`` starts after the steps that the rows above it have
    more than its own l: at those times each of them, but not r, has a state. That makes
    (offsets[r] - offsets[top]) - l (r - top) rows before its block, where it is row r - top.
    """
    r = np.arange(len(offsets) - 1)
    return offsets[:-1] + r - np.diff(offsets) * (r % tile)
