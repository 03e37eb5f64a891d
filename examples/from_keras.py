"""A Keras model in crnn: the same predictions, and how much faster they come.

Reads a file that Keras has saved, or builds the book's network for IMDB and trains it for a moment
on generated reviews. The model becomes a fitted estimator; the script compares the probabilities of
both and the seconds that they take, as they are measured on this machine. Needs Keras and one of
its backends, such as JAX (pip install keras jax).
"""

import argparse
import os
from time import perf_counter

import numpy as np

from crnn.datasets import make_reviews
from crnn.interop import from_keras
from crnn.preprocessing import SequenceVectorizer

WORDS, TIMESTEPS = 10_000, 500


def reviews(n_samples):
    """Ids of generated reviews, padded in front, and their classes."""
    texts, y = make_reviews(n_samples, random_state=0)
    return SequenceVectorizer(WORDS, TIMESTEPS).fit_transform(texts), y


def trained(keras, X, y):
    """The book's network in Keras."""
    model = keras.Sequential([
        keras.Input((None,), dtype="int32"),
        keras.layers.Embedding(WORDS, 32),
        keras.layers.SimpleRNN(32),
        keras.layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    model.compile("rmsprop", "binary_crossentropy")
    model.fit(X[:256], y[:256], batch_size=128, epochs=1, verbose=0)
    return model


def best_of(n, function):
    """Result of a function, and the least of the seconds that n calls took after a first one."""
    result, seconds = function(), []
    for _ in range(n):
        start = perf_counter()
        function()
        seconds.append(perf_counter() - start)
    return result, min(seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a file saved by Keras, of two classes by token ids")
    parser.add_argument("--samples", type=int, default=2000, help="reviews, default 2000")
    parser.add_argument("--n-jobs", type=int, default=-1, help="threads, default all processors")
    args = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    X, y = reviews(args.samples)
    model = keras.saving.load_model(args.model) if args.model else trained(keras, X, y)
    clf = from_keras(model, n_jobs=args.n_jobs)
    print(clf)

    theirs, slow = best_of(3, lambda: model.predict(X, batch_size=128, verbose=0)[:, 0])
    ours, fast = best_of(3, lambda: clf.predict_proba(X)[:, 1])
    print(f"largest difference of a probability: {np.abs(theirs - ours).max():.1e}")
    print(f"Keras on {keras.backend.backend()}: {slow:.3f} s, crnn: {fast:.3f} s")
    print(f"{len(X)} reviews of {TIMESTEPS} words {slow / fast:.1f} times as fast")


if __name__ == "__main__":
    main()
