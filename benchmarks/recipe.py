"""From the book's network to the recipes for text, one change at a time.

Trains on 20,000 of the IMDB training reviews and measures on the other 5,000; test reviews are not
touched. Prints the mean accuracy over seeds after each change, and the seconds of a fit.
"""

import argparse
from statistics import mean, median
from time import perf_counter

import numpy as np
from machine import BOOK

from crnn import SimpleRNNClassifier
from crnn.datasets import fetch_imdb
from crnn.preprocessing import SequenceVectorizer

# Each line changes these parameters of the one before it.
CHANGES = [
    (
        "the network of the book",
        {"max_features": 10_000, "maxlen": 500},
        BOOK | {"batch_size": 128, "max_iter": 10},
    ),
    ("masks", {}, {"mask_zero": True}),
    ("last, mean and maximum", {}, {"pooling": ("last", "mean", "max")}),
    (
        "Adam, falling linearly, batches of 64",
        {},
        {
            "optimizer": "adam", "learning_rate": 2e-3, "learning_rate_schedule": "linear",
            "batch_size": 64, "max_iter": 3,
        },
    ),
    ("recurrent_gain=0.5", {}, {"recurrent_gain": 0.5}),
    ("embedding_dropout=0.5", {}, {"embedding_dropout": 0.5}),
    ("token_dropout=0.3", {}, {"token_dropout": 0.3}),
    (
        "30,000 words, whole reviews, 10 epochs, more dropout",
        {"max_features": 30_000, "maxlen": None},
        {"max_iter": 10, "token_dropout": 0.5, "embedding_dropout": 0.7, "word_dropout": 0.1},
    ),
    ("two directions", {}, {"bidirectional": True}),
    ("bigrams=2**18 instead", {}, {"bidirectional": False, "bigrams": 2**18}),
]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default 0 1 2")
    parser.add_argument("--n-jobs", type=int, default=-1, help="threads, default all processors")
    args = parser.parse_args()

    texts, y = fetch_imdb(data_home=args.data_home, raw=True, return_X_y=True)
    order = np.random.RandomState(123).permutation(len(y))
    parts = [([texts[i] for i in part], y[part]) for part in (order[:20_000], order[20_000:])]
    (train, y_train), (held, y_held) = parts
    of_text, of_network, before = {}, {}, None
    print(f"{'change':56s}{'accuracy':>9s}{'gain':>8s}{'seconds':>9s}")
    for name, text_changes, network_changes in CHANGES:
        of_text, of_network = of_text | text_changes, of_network | network_changes
        vectorizer = SequenceVectorizer(**of_text)
        X, X_held = vectorizer.fit_transform(train), vectorizer.transform(held)
        scores, seconds = [], []
        for seed in args.seeds:
            clf = SimpleRNNClassifier(**of_network, random_state=seed, n_jobs=args.n_jobs)
            start = perf_counter()
            clf.fit(X, y_train)
            seconds.append(perf_counter() - start)
            scores.append(clf.score(X_held, y_held))
        gain = "" if before is None else f"{mean(scores) - before:+.4f}"
        print(f"{name:56s}{mean(scores):9.4f}{gain:>8s}{median(seconds):9.1f}", flush=True)
        before = mean(scores)


if __name__ == "__main__":
    main()
