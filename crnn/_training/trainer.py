"""Epochs: batches in, weights and figures out."""

from math import isfinite
from typing import NamedTuple

import numpy as np

from crnn._data.batches import drop_tokens
from crnn._data.sequences import Sequences
from crnn._layers.predictor import Predictor, interruptible
from crnn._layers.workspace import Workspace


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


class NotFiniteError(ValueError):
    """Training that produced NaN or infinity."""


class Trainer(Predictor):
    """Changes the weights of a network in place, so that its outputs meet an objective."""

    def __init__(self, network, weights, n_threads, objective, token_dropout=0.0):
        super().__init__(network, weights, n_threads, Workspace())
        self.objective, self.token_dropout = objective, token_dropout

    @interruptible
    def train_epoch(
        self, sequences, targets, weights, indices, batch_size, optimizer, rng, begin_step=None
    ):
        """One pass in the order of ``indices``; returns mean loss and metric on the way by name."""
        totals = np.zeros(2)
        for number, start in enumerate(range(0, len(indices), batch_size), 1):
            if self.cancelled:
                break
            if begin_step is not None:
                begin_step(number - 1)
            chosen = indices[start : start + batch_size]
            sums = self.train_step(sequences, targets, weights, chosen, optimizer, rng)
            if not isfinite(sums[0]):
                raise NotFiniteError(f"The loss became {sums[0]} in batch {number}")
            totals += sums
        optimizer.finish_epoch(self.weights, self.n_threads)
        if not all(np.isfinite(w).all() for w in self.weights.values()):
            raise NotFiniteError(f"The weights became infinite or NaN by batch {number}, the last")
        if not optimizer.is_finite:
            raise NotFiniteError(
                f"The squares of the gradients overflowed by batch {number}, the last"
            )
        return self._row(totals, weights[indices])

    def train_step(self, sequences, targets, weights, indices, optimizer, rng):
        """One update by the samples at ``indices``; returns their sums of loss and metric.

        If the loss is NaN or infinite, there is no update.
        """
        batch = self._training_batch(sequences, indices, rng)
        chosen = indices[batch.order]
        optimizer.catch_up(self.weights, self.network.rows_read(batch), self.n_threads)
        sums, gradients = self.network.gradients(
            batch, self.start_pass(rng), self.objective,
            targets[chosen], weights[chosen], len(chosen),
        )  # fmt: skip
        if isfinite(sums[0]):
            optimizer.step(self.weights, gradients, self.n_threads)
        return sums

    def _training_batch(self, sequences, indices, rng):
        if self.token_dropout and sequences.are_tokens:
            sequences = drop_tokens(sequences, indices, self.token_dropout, rng)
            indices = np.arange(len(indices))
        return self.pack(sequences, indices)

    def evaluate(self, sequences, targets, weights):
        """Mean loss and metric with the weights as they stand, as those of validation."""
        logits = self.logits(sequences)
        totals = self.objective.kernel(logits, targets, weights, 1, np.empty_like(logits))
        return self._row(totals, weights, "val_")

    def _row(self, totals, weights, prefix=""):
        total = np.sum(weights, dtype=np.float64)
        names = prefix + "loss", prefix + self.objective.metric
        return dict(zip(names, (np.asarray(totals) / total).tolist(), strict=True))
