"""What flows through an exported network: the steps of a batch, time first."""

from typing import NamedTuple

import numpy as np


class Steps(NamedTuple):
    """Names of the tensors; T is the same for all sequences, and masked steps are the last."""

    values: str  # (T, B) ids, or (T, B, F) floats
    counts: str  # (B,), or (1,) if they are the same for all: steps that are not masked
    masked: bool  # whether some steps may be
    ids: str | None = None  # (T, B) token ids


def of_tokens(graph, X, *, n_rows, open_vocabulary, mask_zero):
    """The steps of padded ids (B, T), as ``crnn._data.sequences.token_sequences`` reads them."""
    ids = graph.add("Transpose", X, perm=[1, 0])
    if open_vocabulary:
        ids = graph.add("Min", ids, np.array(n_rows - 1))
    # A negative id would count from the end of the table; one behind the end is an error.
    ids = graph.add("Where", graph.add("Less", ids, np.array(0)), np.array(n_rows), ids)
    if not mask_zero:
        return Steps(ids, graph.size(ids, 0), False, ids)
    kept = graph.cast(graph.add("Greater", ids, np.array(0)), np.int64)
    # The largest first: equals keep their order.
    _, order = graph.add("TopK", kept, graph.size(ids, 0), axis=0, outputs=2)
    ids = graph.add("GatherElements", ids, order, axis=0)
    counts = graph.add("ReduceSum", kept, np.array([0]), keepdims=0)
    return Steps(ids, counts, True, ids)


def of_series(graph, X):
    """The steps of float series (B, T, F)."""
    values = graph.add("Transpose", graph.cast(X, np.float32), perm=[1, 0, 2])
    return Steps(values, graph.size(values, 0), False)


def at_least_one(graph, steps):
    """Counts for which the recurrence and the mean are defined."""
    return graph.add("Max", steps.counts, np.array(1))


def within(graph, steps):
    """Which steps are not masked (T, B, 1)."""
    scalar = np.array([], np.int64)
    T = graph.add("Reshape", graph.size(steps.values, 0), scalar)
    numbers = graph.add("Range", np.array(0), T, np.array(1))
    return graph.add(
        "Unsqueeze", graph.add("Less", graph.column(numbers), steps.counts), np.array([2])
    )


def zero_if_empty(graph, steps, pooled):
    """A sequence without steps pools to zero."""
    some = graph.column(graph.add("Greater", steps.counts, np.array(0)))
    return graph.add("Where", some, pooled, np.float32(0))
