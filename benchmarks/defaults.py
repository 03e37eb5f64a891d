"""What the defaults reach on few reviews, on generated ones, and where only the order counts."""

import argparse

import numpy as np
from sklearn.pipeline import make_pipeline

from crnn import SimpleRNNClassifier
from crnn.datasets import fetch_imdb, make_reviews
from crnn.preprocessing import SequenceVectorizer


def ordered(n, seed):
    """Generated sequences of 20 tokens; the class is which of the tokens 1 and 2 comes first."""
    rng = np.random.RandomState(seed)
    X, y = rng.randint(3, 20, (n, 20)), rng.randint(0, 2, n)
    for row, label in zip(X, y, strict=True):
        row[np.sort(rng.choice(20, 2, replace=False))] = (1, 2) if label else (2, 1)
    return X, y


def few_reviews(data_home):
    """6,000 training reviews, and the 5,000 others that recipe.py holds out."""
    texts, y = fetch_imdb(data_home=data_home, raw=True, return_X_y=True)
    order = np.random.RandomState(123).permutation(len(y))
    return [([texts[i] for i in part], y[part]) for part in (order[:6000], order[20_000:])]


def show(name, make, train, held, seeds):
    scores = [make(seed).fit(*train).score(*held) for seed in range(seeds)]
    print(f"{name:44s} median {np.median(scores):.4f}, {min(scores):.4f} to {max(scores):.4f}")


def pipeline(seed, **options):
    return make_pipeline(SequenceVectorizer(), SimpleRNNClassifier(random_state=seed, **options))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    args = parser.parse_args()
    few = few_reviews(args.data_home)
    show("6,000 reviews, 4 epochs", lambda s: pipeline(s, max_iter=4, n_jobs=-1), *few, seeds=5)
    texts, y = make_reviews(4000, random_state=0)
    halves = (texts[:2000], y[:2000]), (texts[2000:], y[2000:])
    show("2,000 generated reviews", pipeline, *halves, seeds=3)
    order = ordered(1000, 0), ordered(1000, 1)
    show(
        "1,000 generated sequences, order, 40 epochs",
        lambda s: SimpleRNNClassifier(random_state=s, max_iter=40), *order, seeds=5,
    )  # fmt: skip


if __name__ == "__main__":
    main()
