"""Training on texts that never are in memory together.

A generator gives batches of raw text, a vectorizer that learns nothing turns each into ids, and
partial_fit trains on it. The script does so once, then with ten times as many texts, and prints
the peak of the memory of each and the accuracy on texts that were not trained on. The texts are
generated data, drawn batch by batch.
"""

import argparse
import tracemalloc
from time import perf_counter

from crnn import SimpleRNNClassifier
from crnn.datasets import make_reviews
from crnn.preprocessing import HashingSequenceVectorizer


def batches(n_texts, batch_size):
    """Texts and labels, one batch at a time; from a file or a data base it would look the same."""
    for number, start in enumerate(range(0, n_texts, batch_size)):
        yield make_reviews(min(batch_size, n_texts - start), random_state=number)


def train(n_texts, batch_size, vectorizer):
    """A classifier trained on so many texts, each seen once; peak of its memory in megabytes."""
    clf = SimpleRNNClassifier(vocabulary_size=vectorizer.n_features, batch_size=32, random_state=0)
    tracemalloc.start()
    for texts, y in batches(n_texts, batch_size):
        clf.partial_fit(vectorizer.transform(texts), y, classes=[0, 1])
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return clf, peak


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=2000, help="texts of the short run")
    parser.add_argument("--batch-size", type=int, default=500, help="texts in memory at a time")
    args = parser.parse_args()

    vectorizer = HashingSequenceVectorizer(n_features=2**12, maxlen=60)
    texts, y = make_reviews(2000, random_state=1_000_000)  # of a seed that no batch has
    X = vectorizer.transform(texts)
    print("generated data\n   texts   peak memory   seconds   accuracy on 2,000 others")
    for n_texts in (args.texts, 10 * args.texts):
        start = perf_counter()
        clf, peak = train(n_texts, args.batch_size, vectorizer)
        seconds = perf_counter() - start
        print(f"{n_texts:8d}{peak:11.1f} MB{seconds:10.2f}{clf.score(X, y):11.3f}")


if __name__ == "__main__":
    main()
