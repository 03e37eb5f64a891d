"""The hash of a token and the one before it, in integers of 64 bits that never overflow."""

import numpy as np

BITS = 32


def hashes(graph, ids, n_buckets):
    """As ``Sequences.with_bigrams`` computes it in unsigned integers of 32 bits; ids are (T, B)."""
    before = graph.add("Pad", ids, np.array([1, 0, -1, 0]))  # the first follows a 0
    hashed = _times(graph, before, 0x9E3779B1)
    hashed = _times(graph, _xor(graph, hashed, ids), 0x85EBCA6B)
    hashed = _xor(graph, hashed, graph.add("Div", hashed, np.array(2**15)))
    return graph.add("Mod", hashed, np.array(n_buckets))


def _times(graph, x, factor):
    """The lower 32 bits of x times a factor, both of 32 bits: in two halves of x."""
    half, whole = np.array(2**16), np.array(2**BITS)
    upper = graph.add("Mul", graph.add("Div", x, half), np.array(factor))
    upper = graph.add("Mul", graph.add("Mod", upper, half), half)
    lower = graph.add("Mul", graph.add("Mod", x, half), np.array(factor))
    return graph.add("Mod", graph.add("Add", upper, lower), whole)


def _xor(graph, a, b):
    if graph.opset >= 18:
        return graph.add("BitwiseXor", a, b)
    powers = 2 ** np.arange(BITS)
    a, b = (graph.add("Div", graph.add("Unsqueeze", x, np.array([2])), powers) for x in (a, b))
    bits = graph.add("Mod", graph.add("Add", a, b), np.array(2))
    return graph.add("ReduceSum", graph.add("Mul", bits, powers), np.array([2]), keepdims=0)
