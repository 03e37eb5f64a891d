"""The kernels of ``_core`` and ``_text`` in plain NumPy and Python, for readers and for the tests.

Same names, same signatures, same layout of the buffers; ``n_threads`` and work space are ignored.
Each sequence is walked on its own, step by step, as in the textbook.
"""

import re
from itertools import pairwise

import numpy as np
from scipy.special import expit, log_softmax, softmax
from sklearn.utils import murmurhash3_32

ACTIVATIONS = {
    0: (np.tanh, lambda y: 1 - y**2),
    1: (lambda x: np.maximum(x, 0), lambda y: (y > 0).astype(y.dtype)),
    2: (expit, lambda y: y * (1 - y)),
    3: (lambda x: x, np.ones_like),
}
WORD = re.compile(r"""[^\s!"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~]+""")


def walks(offsets, tile):
    """Where the kernels keep each sequence: yields the rows of its states and transitions.

    A tile lays its states out block by block, one block a time s, with a row for each sequence
    that has a state at s (see the Design note of ``_core``).
    """
    lengths = np.diff(offsets)
    for top in range(0, len(lengths), tile):
        members = lengths[top : top + tile]
        steps = members[0]
        sizes = [np.sum(members >= steps - s) for s in range(steps + 1)]
        blocks = np.concatenate([[0], np.cumsum(sizes)])
        for r, length in enumerate(members):
            places = blocks[steps - length : steps + 1] + r
            yield offsets[top] + top + places, offsets[top] + places[:-1]


def leading_zeros(values, offsets, out):
    for i, (start, stop) in enumerate(pairwise(offsets)):
        out[i] = np.argmax(np.append(values[start:stop], 1) != 0)


def order_steps(values, starts, offsets, tile, n_threads, out):
    for start, (_, transitions) in zip(starts, walks(offsets, tile), strict=True):
        out[transitions] = values[start : start + len(transitions)]


def mirror_steps(offsets, tile, n_threads, blocks, mirror):
    for _, transitions in walks(offsets, tile):
        mirror[transitions] = transitions[::-1]


def look_up(values, positions, n_threads, out):
    out[:] = values[positions]


def distinct(slots, ids, rows):
    unique, appearance, inverse = np.unique(rows, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(appearance))
    rows[:] = rank[inverse]
    ids[rank] = unique
    return len(unique)


def gather(values, rows, n_threads, out):
    out[:] = values[rows]


def scatter_add(values, rows, out):
    out[:] = 0
    np.add.at(out, rows, values)


def draws(seed, n):
    """The first n numbers of a stream, 16 bits each, by SplitMix64."""
    n_blocks = -(-n // 256)
    places = np.arange(1, 64 * n_blocks + 1, dtype=np.uint64)
    words = np.uint64(seed) + places * np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ words >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ words >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    words = (words ^ words >> np.uint64(31)).reshape(n_blocks, 1, 64)
    numbers = words >> np.array([0, 16, 32, 48], np.uint64)[:, None] & np.uint64(0xFFFF)
    return numbers.ravel()[:n]


def drop(x, width, seed, least, factor, n_threads):
    kept = draws(seed, x.size // width) >= least
    x[:] = np.where(np.repeat(kept, width).reshape(x.shape), x * x.dtype.type(factor), 0)


def drop_tokens(values, starts, lengths, seed, least, places, n_left):
    drawn = draws(seed, lengths.sum())
    left = []
    for b, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        of_sequence = np.arange(start, start + length)
        words = values[of_sequence] != 0
        kept = drawn[:length] >= least
        drawn = drawn[length:]
        if words.any() and not kept[words].any():
            kept[np.argmax(words)] = True
        of_sequence = of_sequence[kept | ~words]
        n_left[b] = len(of_sequence)
        left.extend(of_sequence)
    places[: len(left)] = left
    return len(left)


def dense(inputs, kernel, bias, n_threads, out):
    out[:] = inputs @ kernel + bias


def dense_backward(
    inputs, transposed, grad_out, n_threads, partial_sums, grad_inputs, grad_kernel, grad_bias
):
    if len(grad_inputs):
        grad_inputs[:] = grad_out @ transposed
    grad_kernel[:] = inputs.T @ grad_out
    grad_bias[:] = grad_out.sum(axis=0)


def forward(
    table,
    rows,
    inputs,
    kernel,
    offsets,
    initial,
    initial_rows,
    recurrent_kernel,
    activation,
    tile,
    n_threads,
    keep_states,
    ties,
    states,
    last,
    sums,
    maxima,
    at,
):
    f, _ = ACTIVATIONS[activation]
    if len(inputs):
        table, rows = table + inputs @ kernel, np.arange(len(inputs))
    lengths = np.diff(offsets)
    for i, (places, transitions) in enumerate(walks(offsets, tile)):
        h = initial[initial_rows[i]]
        path = [h]
        for row in rows[transitions]:
            h = f(table[row] + h @ recurrent_kernel)
            path.append(h)
        last[i] = h
        if keep_states:
            states[places] = path
        after = np.array(path[1:]).reshape(-1, len(h))
        if len(sums):
            sums[i] = after.sum(axis=0)
        if len(maxima):
            maxima[i] = after.max(axis=0) if len(after) else h
        if len(at):
            at[i] = 0
        if len(at) and len(after):
            first, end = after.argmax(axis=0), len(after) - 1 - after[::-1].argmax(axis=0)
            at[i] = lengths[i - i % tile] - lengths[i] + 1 + (end if ties else first)


def backward(
    states,
    offsets,
    transposed,
    grad_last,
    grad_states,
    grad_sums,
    grad_maxima,
    at,
    rows,
    inputs,
    kernel_transposed,
    activation,
    tile,
    n_threads,
    work,
    grad_table,
    grad_inputs,
    grad_kernel,
    grad_initial,
    grad_recurrent_kernel,
):
    _, derivative = ACTIVATIONS[activation]
    grad_steps = np.zeros((offsets[-1], states.shape[1]))
    grad_recurrent_kernel[:] = 0
    incoming = np.array(grad_states) if len(grad_states) else np.zeros_like(states)
    lengths = np.diff(offsets)
    for i, (places, transitions) in enumerate(walks(offsets, tile)):
        if len(grad_sums):
            incoming[places[1:]] += grad_sums[i]
        if len(grad_maxima) and len(transitions):
            starts_at = lengths[i - i % tile] - lengths[i]
            incoming[places[at[i] - starts_at], np.arange(len(at[i]))] += grad_maxima[i]
        dh = grad_last[i] + incoming[places[-1]]
        for t in reversed(range(len(transitions))):
            before, after = places[t], places[t + 1]
            da = dh * derivative(states[after])
            grad_steps[transitions[t]] = da
            grad_recurrent_kernel += np.outer(states[before], da)
            dh = da @ transposed + incoming[before]
        grad_initial[i] = dh
    grad_table[:] = 0
    grad_kernel[:] = 0
    if len(inputs) == 0:
        np.add.at(grad_table, rows[: len(grad_steps)], grad_steps)
        return
    grad_table[0] = grad_steps.sum(axis=0)
    grad_kernel[:] = inputs.T @ grad_steps
    if len(grad_inputs):
        grad_inputs[:] = grad_steps @ kernel_transposed


def sigmoid_cross_entropy(logits, targets, weights, normalizer, grad_logits):
    K = logits.shape[1]
    losses = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
    grad_logits[:] = weights[:, None] * (expit(logits) - targets) / (normalizer * K)
    correct = (logits > 0) == (targets > 0.5)
    return weights @ losses.mean(axis=1), weights @ correct.mean(axis=1)


def softmax_cross_entropy(logits, targets, weights, normalizer, grad_logits):
    B, K = logits.shape
    losses = -log_softmax(logits, axis=1)[np.arange(B), targets]
    grad_logits[:] = weights[:, None] * (softmax(logits, axis=1) - np.eye(K)[targets]) / normalizer
    return weights @ losses, weights @ (logits.argmax(axis=1) == targets)


def squared_error(logits, targets, weights, normalizer, grad_logits):
    K = logits.shape[1]
    gap = logits - targets
    grad_logits[:] = 2 * weights[:, None] * gap / (normalizer * K)
    return weights @ (gap**2).mean(axis=1), weights @ abs(gap).mean(axis=1)


def rmsprop(weights, grads, velocities, ids, touched, step, learning_rate, rho, epsilon, n_threads):
    waited = (step - touched[ids])[:, None]
    v = rho**waited * velocities[ids] + (1 - rho) * grads**2
    velocities[ids] = v
    weights[ids] -= learning_rate * grads / np.sqrt(v + epsilon)
    touched[ids] = step


def sgd(weights, grads, velocities, ids, learning_rate, momentum, nesterov, n_threads):
    velocities[ids] = v = momentum * velocities[ids] - learning_rate * grads
    weights[ids] += momentum * v - learning_rate * grads if nesterov else v


def sgd_without_gradient(weights, velocities, ids, touched, step, momentum, nesterov, n_threads):
    for row in ids:
        for _ in range(touched[row], step):
            velocities[row] *= momentum
            weights[row] += momentum * velocities[row] if nesterov else velocities[row]
        touched[row] = step


def adam(
    weights,
    grads,
    moments,
    velocities,
    ids,
    step,
    learning_rate,
    beta_1,
    beta_2,
    epsilon,
    n_threads,
):
    moments[ids] = beta_1 * moments[ids] + (1 - beta_1) * grads
    velocities[ids] = beta_2 * velocities[ids] + (1 - beta_2) * grads**2
    rate = learning_rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    weights[ids] -= rate * moments[ids] / (np.sqrt(velocities[ids]) + epsilon)


def adam_without_gradient(
    weights, moments, velocities, ids, touched, sums, decays, step, epsilon, n_threads
):
    beta_1, beta_2 = decays[1]
    for row in ids[touched[ids] < step]:
        p, pd, pdd = sums[touched[row]]
        c = pd / p
        x = np.sqrt(velocities[row]) + epsilon * c
        weights[row] -= p * moments[row] / x * (1 + (pdd / p - c**2) * (epsilon / x) ** 2)
        moments[row] *= beta_1 ** (step - touched[row])
        velocities[row] *= beta_2 ** (step - touched[row])
        touched[row] = step


class Reader:
    def read(self, documents, lowercase):
        ids, ends = [], []
        for text in documents:
            words = WORD.findall(text.lower() if lowercase else text)
            ids += [1, *map(self.id_of, words)]
            ends.append(len(ids))
        return np.array(ids, np.int32), np.array(ends, np.int64)


class HashingReader(Reader):
    def __init__(self, n_features):
        self.n_words = n_features - 3

    def id_of(self, word):
        hash_ = murmurhash3_32(word.encode("utf-8", "surrogatepass"), positive=True)
        return 3 + hash_ % self.n_words


class RememberingReader(Reader):
    def __init__(self):
        self.words = {}

    def id_of(self, word):
        return self.words.setdefault(word, self.new(word))


class LearningReader(RememberingReader):
    def new(self, word):
        return 3 + len(self.words)

    def learned(self):
        return list(self.words)


class VocabularyReader(RememberingReader):
    def __init__(self, vocabulary):
        super().__init__()
        self.vocabulary = vocabulary

    def new(self, word):
        return self.vocabulary.get(word, 2)


def pad(items, ends, pad_first, cut_first, out):
    out[:] = 0
    width = out.shape[1]
    for row, start, end in zip(out, [0, *ends], ends, strict=False):
        kept = min(end - start, width)
        columns = slice(width - kept, None) if pad_first else slice(kept)
        row[columns] = items[end - kept : end] if cut_first else items[start : start + kept]
