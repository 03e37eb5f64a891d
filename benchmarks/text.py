"""Time and memory of the vectorizers beside scikit-learn's on the 25,000 IMDB reviews."""

import argparse
import tracemalloc
from statistics import median
from time import perf_counter

from sklearn.feature_extraction.text import CountVectorizer

from crnn.datasets import fetch_imdb
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer

VECTORIZERS = {
    "CountVectorizer()": CountVectorizer(),
    "SequenceVectorizer(10_000, maxlen=500)": SequenceVectorizer(10_000, maxlen=500),
    "SequenceVectorizer(maxlen=None)": SequenceVectorizer(maxlen=None),
    "HashingSequenceVectorizer(maxlen=500)": HashingSequenceVectorizer(maxlen=500),
}


def seconds(vectorizer, texts):
    start = perf_counter()
    vectorizer.fit_transform(texts)
    return perf_counter() - start


def megabytes(vectorizer, texts):
    """Peak of the allocated memory, the result included."""
    tracemalloc.start()
    vectorizer.fit_transform(texts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which all take turns")
    args = parser.parse_args()

    texts = fetch_imdb(data_home=args.data_home, raw=True).data
    rounds = [
        [seconds(vectorizer, texts) for vectorizer in VECTORIZERS.values()]
        for _ in range(args.rounds)
    ]
    print(f"fit_transform of {len(texts)} reviews: median of {args.rounds}, peak of the memory")
    for (name, vectorizer), times in zip(
        VECTORIZERS.items(), zip(*rounds, strict=True), strict=True
    ):
        print(f"{name:40s} {median(times):5.2f} s {megabytes(vectorizer, texts):6.0f} MB")


if __name__ == "__main__":
    main()
