"""Where the time of a training step goes: each kernel on the IMDB job, and what is left to Python.

The job is that of examples/imdb.py: batches of 128 reviews, the last 500 words, by default of a
vocabulary of 10,000, 32 units and as many numbers for a word, and RMSprop.
"""

import argparse
from collections import defaultdict
from functools import wraps
from statistics import median
from time import perf_counter
from types import FunctionType

import numpy as np
from machine import BOOK, RNG, training

from crnn import SimpleRNNClassifier, _core
from crnn.datasets import fetch_imdb
from crnn.preprocessing import pad_sequences

BATCH = 128


def timed(seconds, name, kernel):
    @wraps(kernel)
    def call(*args):
        start = perf_counter()
        result = kernel(*args)
        seconds[name] += perf_counter() - start
        return result

    return call


def prepare(args):
    """A fitted classifier, its trainer and optimiser, and the reviews as it reads them."""
    V = args.vocabulary
    reviews, y = fetch_imdb(data_home=args.data_home, num_words=V, return_X_y=True)
    X, y = pad_sequences(reviews[: args.steps * BATCH], maxlen=500), y[: args.steps * BATCH]
    clf = SimpleRNNClassifier(
        args.units, embedding_dim=args.units, vocabulary_size=V, batch_size=BATCH, max_iter=1,
        n_jobs=args.n_jobs, **BOOK | {"optimizer": args.optimizer},
    ).fit(X, y)  # fmt: skip
    return training(clf, X, y)


def time_steps(trainer, samples, optimizer):
    """Seconds of each step over the samples in turn."""
    times = []
    for start in range(0, len(samples.weights), BATCH):
        indices = np.arange(start, min(start + BATCH, len(samples.weights)))
        begin = perf_counter()
        trainer.train_step(*samples, indices, optimizer, RNG)
        times.append(perf_counter() - begin)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument("--units", type=int, default=32, help="default 32")
    parser.add_argument("--steps", type=int, default=150, help="steps to time, default 150")
    parser.add_argument("--vocabulary", type=int, default=10_000, help="default 10,000")
    parser.add_argument("--optimizer", default="rmsprop", help="default rmsprop")
    parser.add_argument("--n-jobs", type=int, default=1, help="threads, default 1")
    args = parser.parse_args()

    job = prepare(args)
    seconds = defaultdict(float)
    time_steps(*job)  # so that all buffers have their size
    plain = time_steps(*job)
    for name, kernel in vars(_core).copy().items():
        if callable(kernel) and not isinstance(kernel, (type, FunctionType)):
            setattr(_core, name, timed(seconds, name, kernel))
    total = sum(time_steps(*job))
    print(f"{args.units} units, {args.vocabulary} words, {args.optimizer}, n_jobs={args.n_jobs}, "
          f"instruction set {_core.SIMD}")  # fmt: skip
    print(f"one step of {BATCH} reviews: median of {len(plain)}: {1e3 * median(plain):.2f} ms")
    for name, value in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"{name:>24}{1e3 * value / len(plain):8.3f} ms{100 * value / total:7.1f} %")
    rest = total - sum(seconds.values())
    print(f"{'Python and NumPy':>24}{1e3 * rest / len(plain):8.3f} ms{100 * rest / total:7.1f} %")


if __name__ == "__main__":
    main()
