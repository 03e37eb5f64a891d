"""A network run over any number of sequences, chunk by chunk."""

from contextvars import copy_context
from functools import partial, wraps

import numpy as np

from crnn._data.batches import pack
from crnn._layers.steps import Pass
from crnn._system.interrupts import LONG, run_interruptibly

# Prediction goes through the data in chunks whose buffers hold about this many numbers, so that
# the memory does not grow with the number of samples.
CHUNK_NUMBERS = 2**21


def interruptible(method):
    """Have a method end at Ctrl-C, even in the midst of a batch that takes long.

    Whatever thread it runs in, the context is the caller's, which includes ``np.errstate``.
    """

    @wraps(method)
    def wrapper(runner, sequences, *arguments):
        task = partial(copy_context().run, method, runner, sequences, *arguments)
        recurrent = sum(w.size for name, w in runner.weights.items() if name.startswith("rnn"))
        # Each weight is in one product of the forward pass and in two of the backward pass.
        if 3 * int(sequences.lengths.sum()) * recurrent < LONG:
            return task()
        return run_interruptibly(task, runner.cancel)

    return wrapper


class Predictor:
    """Runs a network with its weights. Once cancelled, it cannot be used again."""

    def __init__(self, network, weights, n_threads, workspace):
        self.network, self.weights, self.n_threads = network, weights, n_threads
        self.workspace = workspace
        self.cancelled = False

    def cancel(self):
        self.cancelled = True

    def pack(self, sequences, indices):
        buffers = self.workspace.scope("batch")
        return pack(
            sequences, indices, buffers, self.n_threads, self.network.sizes.vocabulary_size,
            self.network.sizes.bigrams,
        )  # fmt: skip

    def start_pass(self, rng=None):
        return Pass(self.weights, self.workspace, self.n_threads, rng)

    def logits(self, sequences):
        """Logits (n_samples, K), in the order of the sequences."""
        return self._of_each(sequences, self.network.logits, self.network.sizes.n_outputs)

    def last_states(self, sequences):
        """States after the last step (n_samples, H), in the order of the sequences."""
        return self._of_each(sequences, self.network.last_states, self.network.sizes.n_states)

    @interruptible
    def _of_each(self, sequences, function, width):
        out = self._empty(len(sequences), width)
        for batch, chosen in self.chunks(sequences):
            out[chosen] = function(batch, self.start_pass())
        return out

    @interruptible
    def every_state(self, sequences):
        """States after every step (n_steps, H), laid out as ``sequences.values``; else zeros."""
        out = self._empty(len(sequences.values), self.network.sizes.n_states)
        out[:] = 0
        for batch, _ in self.chunks(sequences, every_state=True):
            states = self.network.every_state(batch, self.start_pass())
            out[batch.positions] = states
        return out

    def _empty(self, *shape):
        return np.empty(shape, self.weights["head/bias"].dtype)

    def chunks(self, sequences, every_state=False):
        """Batches over all sequences in turn, with the places of their members."""
        *inner, last = (layer.width for layer in self.network.recurrent)
        if every_state:
            inner.append(last)
        width = 2 if sequences.are_tokens else sequences.values.shape[1]
        if sequences.bigrams is not None:  # vectors of all tokens and pairs
            width += 2 + 2 * self.network.sizes.n_features
        # Of each sequence two states in turn, three poolings, and these side by side.
        numbers = np.cumsum(sequences.lengths * (width + 3 * sum(inner)) + 8 * last)
        chunks = [np.arange(len(sequences))]
        if len(numbers) and numbers[-1] >= CHUNK_NUMBERS:
            chunks = np.split(chunks[0], np.flatnonzero(np.diff(numbers // CHUNK_NUMBERS)) + 1)
        for indices in chunks:
            if self.cancelled:
                break
            batch = self.pack(sequences, indices)
            yield batch, indices[batch.order]
