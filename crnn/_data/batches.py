"""Pack some of the sequences into the buffers that the kernels read."""

from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

import numpy as np

from crnn import _core
from crnn._data.sequences import MOST_STEPS, Sequences, offsets_of
from crnn._system.streams import draw_seed, least_kept

# With this many steps per word of the vocabulary, a batch takes the whole vocabulary: projecting
# words that do not occur costs less than finding those that do.
MANY = 8

# A thread takes so many sequences through time together: enough rows to keep its vector units busy
# at every step, few enough to make work for several threads.
LARGEST_TILE = 24
WORTH_HALVING = 12


def tile_of(B):
    """Sequences in a tile of a batch of B.

    From 12 to 528 sequences make an even number of tiles, so that two threads get about equal
    parts; more make so many tiles that it does not matter.
    """
    return max(B, 1) if B < WORTH_HALVING else ceil(B / (2 * ceil(B / (2 * LARGEST_TILE))))


@dataclass
class Batch:
    """B sequences in the order of the kernels (see the Design note of ``_core``).

    For tokens, ``ids`` holds the D distinct ones, and ``rows`` says which of them each transition
    reads. If there are leading paddings, one more row follows the N transitions: the input of the
    shared steps through them. For series, ``inputs`` holds a row for each transition.
    """

    n_threads: int
    order: np.ndarray  # (B,) where each sequence is in the ``indices`` passed to pack
    offsets: np.ndarray  # (B + 1,)
    pads: np.ndarray  # (B,)
    starts: np.ndarray  # (B,) of each sequence in the flat values
    rows: np.ndarray | None = None  # (N,) or (N + 1,)
    inputs: np.ndarray | None = None  # (N, F)
    ids: np.ndarray | None = None  # (D,)
    bigrams: tuple | None = None  # distinct ones, and which of them each transition reads, (N,)

    def __len__(self):
        return len(self.order)

    @property
    def tile(self):
        return tile_of(len(self))

    @property
    def n_transitions(self):
        return int(self.offsets[-1])

    def in_order(self, values, out):
        """The values (n_steps, F) of the steps of the batch, in the order of the transitions."""
        _core.order_steps(
            values.view(np.int32), self.starts, self.offsets, self.tile, self.n_threads,
            out.view(np.int32),
        )  # fmt: skip
        return out

    @cached_property
    def positions(self):
        """Where each transition reads the flat values."""
        first = self.starts.min() if len(self) else 0
        stop = (self.starts + np.diff(self.offsets)).max(initial=first)
        batch = replace(self, starts=self.starts - first)
        places = np.arange(first, stop, dtype=np.int64)[:, None]
        return batch.in_order(places, np.empty((self.n_transitions, 1), np.int64))[:, 0]

    @property
    def states_before(self):
        """Row of the initial state of each sequence.

        All sequences end together, so row r, of length l, joins its tile (whose first row is
        ``top``) when l steps remain. By then the longer rows above it have produced
        (offsets[r] - offsets[top]) - l (r - top) states; in the block that follows, it is row
        r - top.
        """
        r = np.arange(len(self))
        return self.offsets[:-1] + r - np.diff(self.offsets) * (r % self.tile)

    @cached_property
    def states_after(self):
        """Row of the state that each transition leads to."""
        offsets, lengths = self.offsets, np.diff(self.offsets)
        rows = np.arange(self.n_transitions)
        for top in range(0, len(self), self.tile):
            members = lengths[top : top + self.tile]
            steps_left = np.arange(members[0], 0, -1)
            running = np.searchsorted(-members, -steps_left, side="right")
            rows[offsets[top] : offsets[top + len(members)]] += top + np.repeat(running, running)
        return rows

    @cached_property
    def mirror(self):
        """The transition that is each one's counterpart when its sequence is read backwards."""
        blocks, mirror = np.empty((2, self.n_transitions), np.int64)
        _core.mirror_steps(self.offsets, self.tile, self.n_threads, blocks, mirror)
        return mirror


def pack(sequences, indices, workspace, n_threads, vocabulary_size=None, n_bigrams=0):
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
    batch = Batch(n_threads, order, offsets, pads, starts)
    if not sequences.are_tokens:
        values = sequences.values
        inputs = workspace.array("steps", (N, values.shape[1]), values.dtype)
        batch.inputs = batch.in_order(values, inputs)
        return batch
    if sequences.bigrams is not None:
        scope = workspace.scope("bigrams")
        rows = _ids_in_order(batch, sequences.bigrams, scope)
        batch.bigrams = _distinct(rows, scope, n_bigrams), rows
    batch.rows = rows = _ids_in_order(batch, sequences.values, workspace, int(pads.any()))
    if len(rows) > MANY * vocabulary_size:
        batch.ids = np.arange(vocabulary_size, dtype=np.int32)
    else:
        batch.ids = _distinct(rows, workspace, vocabulary_size)
    return batch


def _ids_in_order(batch, ids, workspace, n_paddings=0):
    """The ids of a batch in the order of the transitions, and so many paddings."""
    N = batch.n_transitions
    out = workspace.array("rows", (N + n_paddings,), np.int32)
    batch.in_order(ids[:, None], out[:N, None])
    out[N:] = 0
    return out


def _distinct(rows, workspace, bound):
    """The distinct ids below a bound; ``rows`` turns from ids into their places among these."""
    ids = workspace.array("ids", rows.shape, np.int32)
    return ids[: _core.distinct(workspace.slots(bound), ids, rows)]


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
