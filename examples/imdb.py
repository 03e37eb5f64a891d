"""Positive or negative? Train a simple recurrent network on the IMDB film reviews.

An embedding, a recurrent layer of 32 units and one output, with the settings of the book (Chollet,
Deep Learning with Python): the 10,000 most frequent words, the last 500 words of each review,
RMSprop, batches of 128, ten epochs, a fifth of the training reviews held out for validation.
If IMDB is not available, it trains on generated reviews and says so in every line. One in twenty of
their labels is wrong, and they name actors, from which the network memorises these labels once it
has learned the rest: it overfits, as on IMDB.
"""

import argparse
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from statistics import median
from time import perf_counter

import matplotlib

matplotlib.use("Agg")  # draw into files, without a window

import numpy as np

from crnn import SimpleRNNClassifier, TrainingHistoryDisplay
from crnn.datasets import fetch_imdb, make_reviews
from crnn.preprocessing import SequenceVectorizer, pad_sequences

MAX_FEATURES = 10_000
MAXLEN = 500
N_GENERATED = 25_000
N_ACTORS = 8000


class LabelledLines:
    """Standard output with a label at the end of each line."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        return self.stream.write(text.replace("\n", "  [generated data]\n"))

    def flush(self):
        self.stream.flush()


def load_imdb(args):
    """Padded word ids and labels of the training and test reviews."""
    parts = []
    for subset in ("train", "test"):
        reviews, y = fetch_imdb(
            data_home=args.data_home, subset=subset, num_words=MAX_FEATURES, return_X_y=True
        )
        reviews, y = reviews[: args.max_samples], y[: args.max_samples]
        parts += [pad_sequences(reviews, maxlen=MAXLEN), y]
    return parts


def generate_texts(n):
    """Generated reviews that end with the names of four actors, and labels, some of them wrong."""
    texts, y = make_reviews(n, random_state=0, flip_y=0.1)
    casts = np.random.RandomState(0).randint(N_ACTORS, size=(n, 4))
    credits = (" With " + ", ".join(f"actor{i}" for i in cast) + "." for cast in casts)
    return [text + names for text, names in zip(texts, credits, strict=True)], y


def generate(args):
    """Padded word ids and labels of as many generated reviews for training as for testing."""
    n = args.max_samples or N_GENERATED
    texts, y = generate_texts(2 * n)
    vectorizer = SequenceVectorizer(max_features=MAX_FEATURES, maxlen=MAXLEN)
    return vectorizer.fit_transform(texts[:n]), y[:n], vectorizer.transform(texts[n:]), y[n:]


def train(X, y, seed, args):
    """The fitted model, and the seconds per epoch."""
    clf = SimpleRNNClassifier(
        units=args.units,
        pooling="last",
        embedding_dim=32,
        vocabulary_size=MAX_FEATURES,
        activation="tanh",
        mask_zero=False,
        recurrent_gain=1.0,
        token_dropout=0.0,
        embedding_dropout=0.0,
        optimizer="rmsprop",
        learning_rate=1e-3,
        learning_rate_schedule="constant",
        batch_size=args.batch_size,
        max_iter=args.epochs,
        validation_fraction=0.2,
        random_state=seed,
        n_jobs=args.n_jobs,
        verbose=1,
    )
    start = perf_counter()
    clf.fit(X, y)
    return clf, (perf_counter() - start) / args.epochs


def save_figures(clf, name, output_dir):
    output_dir.mkdir(parents=True, exist_ok=True)
    display = TrainingHistoryDisplay.from_estimator(clf, name=name)
    for metric in ("accuracy", "loss"):
        path = output_dir / f"imdb_{metric}.png"
        display.plot(metric=metric).figure_.savefig(path)
        print(f"Saved {path}")


def run(data, name, args):
    X_train, y_train, X_test, y_test = data
    print(
        f"{len(y_train)} reviews to train and validate on, {len(y_test)} to test on, each the last "
        f"{MAXLEN} ids of less than {MAX_FEATURES}"
    )
    best, seconds = [], []
    for seed in args.seeds:
        clf, seconds_per_epoch = train(X_train, y_train, seed, args)
        val_accuracy = clf.history_["val_accuracy"]
        best.append(max(val_accuracy))
        seconds.append(seconds_per_epoch)
        print(
            f"Seed {seed}: best validation accuracy {best[-1]:.4f} in epoch "
            f"{np.argmax(val_accuracy) + 1}, {seconds_per_epoch:.2f} s per epoch"
        )
        if seed == args.seeds[0]:
            save_figures(clf, f"{name}, seed {seed}", args.output_dir)
        print(f"Test accuracy at the last epoch: {clf.score(X_test, y_test):.4f}")
    print(
        f"Median over seeds {args.seeds}: best validation accuracy {median(best):.4f}, "
        f"{median(seconds):.2f} s per epoch"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument(
        "--output-dir", type=Path, default="figures", help="folder for the figures, default figures"
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], help="train once with each, default 0"
    )
    parser.add_argument("--max-samples", type=int, help="reviews per part, default all")
    parser.add_argument("--epochs", type=int, default=10, help="default 10")
    parser.add_argument("--units", type=int, default=32, help="default 32")
    parser.add_argument("--batch-size", type=int, default=128, help="default 128")
    parser.add_argument("--n-jobs", type=int, default=-1, help="threads, default all processors")
    args = parser.parse_args()

    try:
        data, name, output = load_imdb(args), "SimpleRNN on IMDB", nullcontext()
    except OSError:
        print(
            "IMDB could neither be loaded from disk (--data-home sets its folder) nor downloaded, "
            "so this runs on generated data."
        )
        data, name = generate(args), "SimpleRNN on generated data"
        output = redirect_stdout(LabelledLines(sys.stdout))
    with output:
        run(data, name, args)


if __name__ == "__main__":
    main()
