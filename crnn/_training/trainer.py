"""Epochs: batches in, weights and history out."""

from contextvars import copy_context
from functools import partial, wraps
from math import isfinite
from typing import NamedTuple

import numpy as np

from crnn import _core
from crnn._data.batches import pack, states_after
from crnn._data.sequences import Sequences
from crnn._layers.recurrence import TILE
from crnn._system.interrupts import LONG, run_interruptibly

# Prediction goes through the data in chunks whose buffers hold about this many numbers, so that
# the memory does not grow with the number of samples.
CHUNK_NUMBERS = 2**21


# What the outputs mean -> the kernel of the loss, and the metric that it gives beside the loss.
OBJECTIVES = {
    "logistic": ("sigmoid_cross_entropy", "accuracy"),
    "softmax": ("softmax_cross_entropy", "accuracy"),
    "identity": ("squared_error", "mean_absolute_error"),
}


class Samples(NamedTuple):
    """Sequences with their targets, (n, K) floats or (n,) class numbers, and weights (n,).

    Weights are as the user passed them, in double precision, until they are ``scaled``.
    """

    sequences: Sequences
    targets: np.ndarray
    weights: np.ndarray

    def take(self, part):
        """The samples of a slice or of an array of places."""
        return Samples(*(array[part] for array in self))

    def scaled(self, dtype):
        """The samples with weights of mean 1, so that a common factor changes nothing."""
        weights = self.weights / self.weights.max()  # whose sum cannot overflow
        return self._replace(weights=(weights / weights.mean()).astype(dtype))


def interruptible(method):
    """Have a method of a trainer end at Ctrl-C, even in the midst of a batch that takes long.

    It runs in the context of the caller, of which ``np.errstate`` is part, in whatever thread.
    """

    @wraps(method)
    def wrapper(trainer, sequences, *arguments):
        F, H = trainer.network.parameters["rnn_0/kernel"].shape
        task = partial(copy_context().run, method, trainer, sequences, *arguments)
        # Each weight is in one product of the forward pass and in two of the backward pass.
        if 3 * int(sequences.lengths.sum()) * H * (F + H) < LONG:
            return task()
        return run_interruptibly(task, trainer.cancel)

    return wrapper


class NotFiniteError(ValueError):
    """Training that produced NaN or infinity."""


class Trainer:
    """Runs a network over sequences, in batches. Once cancelled it is of no further use."""

    def __init__(self, network, n_threads, out_activation):
        self.network = network
        self.loss, self.metric = OBJECTIVES[out_activation]
        if out_activation == "logistic" and len(network.parameters["head/bias"]) > 1:
            self.metric = "binary_accuracy"  # of labels; "accuracy" is that of whole samples
        self.n_threads = n_threads
        embedding = network.parameters.get("embedding")
        self.vocabulary_size = None if embedding is None else len(embedding)
        self.cancelled = False

    def cancel(self):
        self.cancelled = True

    def pack(self, sequences, indices):
        return pack(
            sequences, indices, self.network.workspace, TILE, self.n_threads, self.vocabulary_size
        )

    @interruptible
    def train_epoch(self, sequences, targets, weights, indices, batch_size, optimizer):
        """One pass in the order of ``indices``; returns mean loss and metric on the way by name."""
        totals = np.zeros(2)
        for number, start in enumerate(range(0, len(indices), batch_size), 1):
            if self.cancelled:
                break
            chosen = indices[start : start + batch_size]
            batch = self.pack(sequences, chosen)
            chosen = chosen[batch.order]
            logits = self.network.forward(batch)
            grad_logits = np.empty_like(logits)
            losses = self.losses(logits, targets[chosen], weights[chosen], grad_logits)
            if not isfinite(losses[0]):
                raise NotFiniteError(f"The loss became {losses[0]} in batch {number}")
            totals += losses
            gradients = self.network.backward(batch, grad_logits)
            optimizer.step(self.network.parameters, gradients, self.n_threads)
        if not all(np.isfinite(w).all() for w in self.network.parameters.values()):
            raise NotFiniteError(f"The weights became infinite or NaN by batch {number}, the last")
        if not optimizer.is_finite:
            raise NotFiniteError(
                f"The squares of the gradients overflowed by batch {number}, the last"
            )
        return self._row(totals, weights[indices])

    def losses(self, logits, targets, weights, grad_logits):
        """Weighted sums of loss and metric; the gradient of the mean loss into grad_logits."""
        return getattr(_core, self.loss)(logits, targets, weights, grad_logits)

    def evaluate(self, sequences, targets, weights):
        """Mean loss and metric with the weights as they stand, as those of validation."""
        logits = self.logits(sequences)
        totals = self.losses(logits, targets, weights, np.empty_like(logits))
        return self._row(totals, weights, "val_")

    def _row(self, totals, weights, prefix=""):
        total = np.sum(weights, dtype=np.float64)
        names = prefix + "loss", prefix + self.metric
        return dict(zip(names, (np.asarray(totals) / total).tolist(), strict=True))

    @interruptible
    def logits(self, sequences):
        """Logits (n_samples, K), in the order of the sequences."""
        out = np.empty(
            (len(sequences), len(self.network.parameters["head/bias"])),
            self.network.parameters["head/bias"].dtype,
        )
        for batch, chosen in self.chunks(sequences):
            out[chosen] = self.network.forward(batch, keep_states=False)
        return out

    @interruptible
    def last_states(self, sequences):
        """States after the last step (n_samples, H), in the order of the sequences."""
        bias = self.network.parameters["rnn_0/bias"]
        out = np.empty((len(sequences), len(bias)), bias.dtype)
        for batch, chosen in self.chunks(sequences):
            out[chosen] = self.network.run(batch, keep_states=False)[1]
        return out

    @interruptible
    def paths(self, sequences):
        """States after every step (n_steps, H), laid out as ``sequences.values``."""
        bias = self.network.parameters["rnn_0/bias"]
        out = np.empty((len(sequences.values), len(bias)), bias.dtype)
        for batch, _ in self.chunks(sequences):
            states, _ = self.network.run(batch)
            positions = batch.positions[: batch.n_transitions]
            out[positions] = states[states_after(batch.offsets, TILE)]
        return out

    def chunks(self, sequences):
        """Batches over all sequences in turn, with the places of their members."""
        H = len(self.network.parameters["rnn_0/bias"])
        width = 4 if sequences.are_tokens else sequences.values.shape[1] + H
        numbers = np.cumsum(sequences.lengths * width + 2 * H)
        chunks = [np.arange(len(sequences))]
        if len(numbers) and numbers[-1] >= CHUNK_NUMBERS:
            chunks = np.split(chunks[0], np.flatnonzero(np.diff(numbers // CHUNK_NUMBERS)) + 1)
        for indices in chunks:
            if self.cancelled:
                break
            batch = self.pack(sequences, indices)
            yield batch, indices[batch.order]
