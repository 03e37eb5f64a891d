"""What benchmarks share: the book's settings, where a record was made, and a training step."""

import os
import platform
from importlib.metadata import packages_distributions, version
from pathlib import Path

import numpy as np

from crnn._training.builders import optimizer_of, trainer_of
from crnn._training.samples import read_data, samples_of, weighed

# The network of the book and its training, which peers have too; sizes and epochs aside.
BOOK = {
    "pooling": "last",
    "mask_zero": False,
    "recurrent_gain": 1.0,
    "token_dropout": 0.0,
    "embedding_dropout": 0.0,
    "optimizer": "rmsprop",
    "learning_rate": 1e-3,
    "learning_rate_schedule": "constant",
}

RNG = np.random.RandomState(0)  # a pass of training takes one, from which only dropout draws


def cpu():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def training(clf, X, y):
    """What a fitted classifier trains with: its trainer, the samples and an optimiser."""
    samples = weighed(clf, samples_of(clf, read_data(clf, X, y)))
    return trainer_of(clf), samples, optimizer_of(clf)


def describe(modules):
    import crnn
    from crnn import _core

    distributions = packages_distributions()
    return {
        "cpu": cpu(),
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "instruction_set": _core.SIMD,
        "versions": {"crnn": crnn.__version__}
        | {m: version(distributions[m][0]) for m in sorted(modules)},
        "environment": {k: v for k, v in os.environ.items() if k.startswith(("OPENBLAS", "OMP"))},
    }
