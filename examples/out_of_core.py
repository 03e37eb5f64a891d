"""Training on more text than fits in memory.

A generator yields batches of raw text, a vectorizer that learns nothing turns each into ids, and
partial_fit trains on it. The script does this once, then with ten times as many texts, and prints
the peak memory of each run and the accuracy on held-out texts. The texts are generated, batch by
batch.
"""

import argparse
import tracemalloc
from time import perf_counter

from crnn import SimpleRNNClassifier
from crnn.datasets import make_reviews
from crnn.preprocessing import HashingSequenceVectorizer


def batches(n_texts, batch_size):
    """Texts and labels, one batch at a time; reading them from a file would look the same."""
    for number, start in enumerate(range(0, n_texts, batch_size)):
        yield make_reviews(min(batch_size, n_texts - start), random_state=number)


def train(n_texts, batch_size, vectorizer):
    """Train a classifier on this many texts, each seen once; also give the peak memory in MB."""
    clf = SimpleRNNClassifier(
        vocabulary_size=vectorizer.n_features,
        token_dropout=0.0,  # in these texts a single "not" decides
        batch_size=32,
        random_state=0,
    )
    tracemalloc.start()
    for texts, y in batches(n_texts, batch_size):
        clf.partial_fit(vectorizer.transform(texts), y, classes=[0, 1])
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return clf, peak


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=2000, help="in the short run, default 2000")
    parser.add_argument("--batch-size", type=int, default=500, help="texts at a time, default 500")
    args = parser.parse_args()

    vectorizer = HashingSequenceVectorizer(n_features=2**12, maxlen=60)
    texts, y = make_reviews(2000, random_state=1_000_000)  # a seed that no batch uses
    X = vectorizer.transform(texts)
    print("generated data\n   texts   peak memory   seconds   accuracy on 2,000 others")
    for n_texts in (args.texts, 10 * args.texts):
        start = perf_counter()
        clf, peak = train(n_texts, args.batch_size, vectorizer)
        seconds = perf_counter() - start
        print(f"{n_texts:8d}{peak:11.1f} MB{seconds:10.2f}{clf.score(X, y):11.3f}")


if __name__ == "__main__":
    main()
