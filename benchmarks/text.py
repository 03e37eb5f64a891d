"""Time and memory of the vectorizers beside scikit-learn's on the 25,000 IMDB reviews."""

import argparse
import tracemalloc
from functools import partial
from statistics import median
from time import perf_counter

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

from crnn import SimpleRNNClassifier
from crnn.datasets import fetch_imdb
from crnn.preprocessing import HashingSequenceVectorizer, SequenceVectorizer

VECTORIZERS = {
    "CountVectorizer()": CountVectorizer(),
    "SequenceVectorizer()": SequenceVectorizer(),
    "SequenceVectorizer(maxlen=None)": SequenceVectorizer(maxlen=None),
    "HashingSequenceVectorizer()": HashingSequenceVectorizer(),
}
CALLS = 1000  # of one review, in a round


def seconds(call, repeats=1):
    """Median time of a call."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return median(times)


def in_turn(calls, rounds, repeats=1):
    """Median time of each call over rounds in which all take turns."""
    times = [[seconds(call, repeats) for call in calls] for _ in range(rounds)]
    return [median(column) for column in zip(*times, strict=True)]


def megabytes(call):
    """Peak of the allocated memory, the result included."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which all take turns")
    args = parser.parse_args()

    texts, y = fetch_imdb(data_home=args.data_home, raw=True, return_X_y=True)
    for method in ("fit_transform", "transform"):
        calls = [partial(getattr(each, method), texts) for each in VECTORIZERS.values()]
        print(f"{method} of {len(texts)} reviews: median of {args.rounds}, peak of the memory")
        times = in_turn(calls, args.rounds)
        for name, call, time in zip(VECTORIZERS, calls, times, strict=True):
            print(f"{name:34s} {time:6.3f} s {len(texts) / time:8,.0f} reviews/s "
                  f"{times[0] / time:5.1f}x {megabytes(call):5.0f} MB")  # fmt: skip

    for n_jobs in (1, -1):
        network = SimpleRNNClassifier(max_iter=1, random_state=0, n_jobs=n_jobs)
        pipeline = make_pipeline(SequenceVectorizer(), network).fit(texts[:1000], y[:1000])
        time = seconds(partial(pipeline.predict_proba, texts), args.rounds)
        print(f"raw text to probabilities, n_jobs={n_jobs}: {len(texts) / time:8,.0f} reviews/s")

    review = sorted(texts, key=len)[len(texts) // 2]
    network = SimpleRNNClassifier(max_iter=1, random_state=0)
    pipeline = make_pipeline(SequenceVectorizer(), network).fit(texts[:1000], y[:1000])
    calls = {
        **{name: partial(each.transform, [review]) for name, each in VECTORIZERS.items()},
        "pipeline of vectorizer and network": partial(pipeline.predict_proba, [review]),
    }
    print(f"one review of {len(review)} characters: median of {CALLS} calls")
    for name, time in zip(calls, in_turn(calls.values(), args.rounds, CALLS), strict=True):
        print(f"{name:34s} {time * 1e6:6.0f} us")


if __name__ == "__main__":
    main()
