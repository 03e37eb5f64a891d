"""Epochs: batches in, weights and history out."""

from time import perf_counter
from typing import NamedTuple

import numpy as np

from crnn import _core
from crnn._batches import pack, states_after
from crnn._recurrence import TILE
from crnn._sequences import Sequences

# Prediction goes through the data in chunks whose buffers hold about this many numbers, so that
# the memory does not grow with the number of samples.
CHUNK_NUMBERS = 2**21


class Samples(NamedTuple):
    """Sequences with their targets, (n, K) floats or (n,) class numbers, and weights (n,)."""

    sequences: Sequences
    targets: np.ndarray
    weights: np.ndarray


class Trainer:
    """Runs a network over sequences, in batches."""

    def __init__(self, network, n_threads):
        self.network = network
        self.n_threads = n_threads
        embedding = network.parameters.get("embedding")
        self.vocabulary_size = None if embedding is None else len(embedding)

    def pack(self, sequences, indices):
        return pack(
            sequences, indices, self.network.workspace, TILE, self.n_threads, self.vocabulary_size
        )

    def train_epoch(self, samples, indices, batch_size, optimizer):
        """One pass in the order of ``indices``; returns the mean loss and accuracy on the way."""
        sequences, targets, weights = samples
        totals = np.zeros(2)
        for start in range(0, len(indices), batch_size):
            chosen = indices[start : start + batch_size]
            batch = self.pack(sequences, chosen)
            chosen = chosen[batch.order]
            logits = self.network.forward(batch)
            grad_logits = np.empty_like(logits)
            totals += loss(logits, targets[chosen], weights[chosen], grad_logits)
            gradients = self.network.backward(batch, grad_logits)
            optimizer.step(self.network.parameters, gradients, self.n_threads)
        return (totals / _total(weights[indices])).tolist()

    def train(self, samples, validation, epochs, batch_size, optimizer, rng, verbose):
        """Train for some epochs and yield a row of the history after each.

        The order of the samples is drawn from ``rng`` before each epoch; None leaves it as it is.
        """
        n = len(samples.weights)
        order = np.arange(n)
        for epoch in epochs:
            start = perf_counter()
            if rng is not None:
                order = rng.permutation(n)
            loss, accuracy = self.train_epoch(samples, order, batch_size, optimizer)
            weights = self.network.parameters.values()
            if not (np.isfinite(loss) and all(np.isfinite(w).all() for w in weights)):
                raise ValueError(
                    f"The weights became infinite or NaN in epoch {epoch}. Lower learning_rate, or "
                    "scale float series to about unit size."
                )
            row = {"loss": loss, "accuracy": accuracy}
            if validation is not None:
                row["val_loss"], row["val_accuracy"] = self.evaluate(validation)
            if verbose:
                _print_epoch(epoch, row, perf_counter() - start, n, header=epoch == epochs[0])
            yield row

    def evaluate(self, samples):
        """Mean loss and accuracy with the weights as they stand."""
        sequences, targets, weights = samples
        logits = self.logits(sequences)
        totals = loss(logits, targets, weights, np.empty_like(logits))
        return (np.array(totals) / _total(weights)).tolist()

    def logits(self, sequences):
        """Logits (n_samples, K), in the order of the sequences."""
        out = np.empty(
            (len(sequences), len(self.network.parameters["head_bias"])),
            self.network.parameters["head_bias"].dtype,
        )
        for batch, chosen in self.chunks(sequences):
            out[chosen] = self.network.forward(batch, keep_states=False)
        return out

    def last_states(self, sequences):
        """States after the last step (n_samples, H), in the order of the sequences."""
        bias = self.network.parameters["bias"]
        out = np.empty((len(sequences), len(bias)), bias.dtype)
        for batch, chosen in self.chunks(sequences):
            out[chosen] = self.network.run(batch, keep_states=False)[1]
        return out

    def paths(self, sequences):
        """States after every step (n_steps, H), laid out as ``sequences.values``."""
        bias = self.network.parameters["bias"]
        out = np.empty((len(sequences.values), len(bias)), bias.dtype)
        for batch, _ in self.chunks(sequences):
            states, _ = self.network.run(batch)
            positions = batch.positions[: batch.n_transitions]
            out[positions] = states[states_after(batch.offsets, TILE)]
        return out

    def chunks(self, sequences):
        """Batches over all sequences in turn, with the places of their members."""
        H = len(self.network.parameters["bias"])
        width = 4 if sequences.are_tokens else sequences.values.shape[1] + H
        chunk = np.cumsum(sequences.lengths * width + 2 * H) // CHUNK_NUMBERS
        bounds = np.flatnonzero(np.diff(chunk)) + 1
        for indices in np.split(np.arange(len(sequences)), bounds):
            batch = self.pack(sequences, indices)
            yield batch, indices[batch.order]


def loss(logits, targets, weights, grad_logits):
    """Weighted sums of loss and correct answers: integer targets are classes, others outputs."""
    if targets.dtype == np.int32:
        return _core.softmax_cross_entropy(logits, targets, weights, grad_logits)
    return _core.sigmoid_cross_entropy(logits, targets, weights, grad_logits)


def _print_epoch(epoch, row, seconds, n_samples, header):
    names = ["loss", "accuracy", "val_loss", "val_accuracy"]
    if header:
        print("epoch" + "".join(f"{name:>14}" for name in names) + f"{'seconds':>10}  samples/s")
    cells = [f"{row[name]:14.4f}" if name in row else f"{'-':>14}" for name in names]
    print(f"{epoch:5d}" + "".join(cells) + f"{seconds:10.3f}{n_samples / seconds:11.0f}")


def _total(weights):
    return max(np.sum(weights, dtype=np.float64), np.finfo(np.float64).tiny)
