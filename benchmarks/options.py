"""What options cost: a training step and a prediction with and without them, in turn, on IMDB.

Pooled states (last, mean and maximum) beside the last state alone, two directions beside one, and
Adam and momentum beside RMSprop with large vocabularies. Reviews of up to 500 words, padding
skipped, no dropout.
"""

import argparse
import json
import os
from functools import partial

import numpy as np
from machine import BOOK, RNG, describe, training
from text import in_turn

from crnn import SimpleRNNClassifier
from crnn.datasets import fetch_imdb
from crnn.preprocessing import SequenceVectorizer

BATCH = 128
BASE = BOOK | {"mask_zero": True, "batch_size": BATCH, "max_iter": 1, "random_state": 0}
POOLINGS = ("last", "mean", "max")
PAIRS = {  # name -> (vocabulary, options without, options with)
    "three poolings over the last state": (10_000, {}, {"pooling": POOLINGS}),
    "two directions over one": (10_000, {}, {"bidirectional": True}),
    "Adam over RMSprop, 10,000 words": (10_000, {}, {"optimizer": "adam"}),
    "Adam over RMSprop, 80,000 words": (80_000, {}, {"optimizer": "adam"}),
    "momentum over RMSprop, 80,000 words": (80_000, {}, {"optimizer": "sgd", "momentum": 0.9}),
}


def calls(X, y, n_jobs, options):
    """Functions that train for an epoch and that predict, each with the number of its steps."""
    clf = SimpleRNNClassifier(vocabulary_size=int(X.max()) + 1, n_jobs=n_jobs, **BASE | options)
    trainer, samples, optimizer = training(clf.fit(X, y), X, y)
    order = np.arange(len(X))
    step = partial(trainer.train_epoch, *samples, order, BATCH, optimizer, RNG)
    return (step, len(X) // BATCH), (partial(clf.predict_proba, X), 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=7, help="in which both take turns, default 7")
    args = parser.parse_args()

    print(json.dumps(describe(["crnn", "numpy"]), indent=2))
    texts, y = fetch_imdb(data_home=args.data_home, raw=True, return_X_y=True)
    n = 32 * BATCH
    data = {
        V: SequenceVectorizer(max_features=V, maxlen=500).fit(texts).transform(texts[:n])
        for V in {V for V, _, _ in PAIRS.values()}
    }
    print(
        f"{'milliseconds of a step, of a prediction':44s}{'without':>9s}{'with':>9s}{'ratio':>8s}"
    )
    for name, (V, *both) in PAIRS.items():
        pairs = [calls(data[V], y[:n], args.threads, options) for options in both]
        for (without, steps), (option, _) in zip(*pairs, strict=True):
            a, b = (1e3 * s / steps for s in in_turn((without, option), args.rounds))
            print(f"{name:44s}{a:9.3f}{b:9.3f}{b / a:8.2f}", flush=True)


if __name__ == "__main__":
    main()
