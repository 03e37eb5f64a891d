"""Times of the kernels in a training step, to be compared with those of another day, by hand:

    make bench-kernels                                  # saves the times under .benchmarks
    make bench-kernels BENCH="--benchmark-compare"      # ... and shows what changed

On generated ids: batches of 128 sequences of 40 to 500 steps.
"""

import numpy as np
import pytest
from machine import BOOK, RNG, training

from crnn import SimpleRNNClassifier
from crnn.preprocessing import pad_sequences

BATCH = 128


@pytest.fixture(params=[32, 128], ids="H={}".format)
def job(request):
    """Trainer, samples and optimiser of a model with so many units, and its first batch."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(40, 500, 4 * BATCH)
    X = pad_sequences([rng.integers(1, 10_000, n) for n in lengths], maxlen=500)
    y = np.arange(len(X)) % 2
    H = request.param
    clf = SimpleRNNClassifier(
        H, embedding_dim=H, vocabulary_size=10_000, batch_size=BATCH, max_iter=1, n_jobs=1, **BOOK
    ).fit(X, y)
    return training(clf, X, y)


def test_step(benchmark, job):
    trainer, samples, optimizer = job
    arguments = *samples, np.arange(BATCH), optimizer, RNG
    # Not for ever: once the batch is learnt by heart, its gradients are subnormal and slower.
    benchmark.pedantic(trainer.train_step, arguments, rounds=50, warmup_rounds=2)


def test_pack(benchmark, job):
    trainer, samples, _ = job
    benchmark(trainer.pack, samples.sequences, np.arange(BATCH))


def test_forward(benchmark, job):
    trainer, samples, _ = job
    batch, run = trainer.pack(samples.sequences, np.arange(BATCH)), trainer.start_pass(RNG)
    benchmark(trainer.network.features, batch, run)


def test_backward(benchmark, job):
    trainer, samples, _ = job
    batch, run = trainer.pack(samples.sequences, np.arange(BATCH)), trainer.start_pass(RNG)
    features, backward = trainer.network.features(batch, run)
    benchmark(backward, np.full_like(features, 1e-3))


def test_update(benchmark, job):
    trainer, samples, optimizer = job
    batch, run = trainer.pack(samples.sequences, np.arange(BATCH)), trainer.start_pass(RNG)
    rest = samples.targets[:BATCH], samples.weights[:BATCH], BATCH
    _, gradients = trainer.network.gradients(batch, run, trainer.objective, *rest)
    benchmark(optimizer.step, trainer.weights, gradients, 1)


def test_predict(benchmark, job):
    trainer, samples, _ = job
    benchmark(trainer.logits, samples.sequences)
