"""Reading in order beside counting words: film reviews from raw text to test accuracy.

A recurrent network by one of three recipes, several seeds of it averaged, two bags of words with
logistic regression, and votes of network and bag. All are trained on the same raw reviews and
measured on the same test reviews; a figure shows the comparison. If IMDB is not available, it runs
on generated reviews and says so in every line.

References: Wang and Manning (2012), Baselines and bigrams, on weights by naive Bayes.
"""

import argparse
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from statistics import median
from time import perf_counter

import matplotlib

matplotlib.use("Agg")  # draw into a file, without a window

import matplotlib.pyplot as plt
import numpy as np
from imdb import LabelledLines
from scipy.sparse import diags_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from crnn import SimpleRNNClassifier
from crnn.datasets import fetch_imdb, make_reviews
from crnn.preprocessing import SequenceVectorizer

# Parameters of vectorizer and network, chosen on 5,000 held-out training reviews.
RECIPES = {
    "default": ({}, {}),
    "fast": ({"max_features": 10_000, "maxlen": 400}, {"max_iter": 3}),
    "bigrams": (
        {"max_features": 30_000, "maxlen": None},
        {
            "bigrams": 2**18,
            "max_iter": 10,
            "token_dropout": 0.5,
            "embedding_dropout": 0.7,
            "word_dropout": 0.1,
        },
    ),
}
N_GENERATED = 4000


class NaiveBayesWeights(TransformerMixin, BaseEstimator):
    """Whether a word occurs, times the logarithm of how much oftener it does in one class."""

    def fit(self, X, y):
        in_class = [1 + (X[y == label] > 0).sum(axis=0) for label in (0, 1)]
        shares = [np.asarray(n).ravel() / np.sum(n) for n in in_class]
        self.weights_ = np.log(shares[1] / shares[0])
        return self

    def transform(self, X):
        return (X > 0) @ diags_array(self.weights_)


def bags():
    """Words and pairs of neighbours, counted, by name; C was chosen on held-out reviews too."""
    return {
        "TF-IDF + logistic regression": make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=20, max_iter=1000)
        ),
        "naive Bayes weights + logistic regression": make_pipeline(
            CountVectorizer(ngram_range=(1, 2), min_df=2),
            NaiveBayesWeights(),
            LogisticRegression(C=0.1, max_iter=1000),
        ),
    }


def network(recipe, seed, n_jobs):
    of_text, of_network = RECIPES[recipe]
    return make_pipeline(
        SequenceVectorizer(**of_text),
        SimpleRNNClassifier(**of_network, random_state=seed, n_jobs=n_jobs),
    )


def vote(*models, weights=None):
    """The mean of the probabilities of fitted models, which are not fitted again."""
    named = [(str(i), FrozenEstimator(model)) for i, model in enumerate(models)]
    return VotingClassifier(named, voting="soft", weights=weights)


def timed_fit(model, texts, y):
    """Seconds from raw text to the fitted pipeline, and those of its last step alone."""
    start = perf_counter()
    X = model[:-1].fit_transform(texts, y)
    before = perf_counter()
    model[-1].fit(X, y)
    end = perf_counter()
    return end - start, end - before


def compare(train, test, args):
    """Rows of name, seconds and test accuracy."""
    rows = []

    def row(name, seconds, accuracy, comment=""):
        rows.append((name, seconds, accuracy))
        print(f"{name:54s}{seconds:8.1f} s{accuracy:9.4f}{comment}", flush=True)

    print(f"{'model':54s}{'training':>10s}{'accuracy':>9s}")
    counted = {}
    for name, model in bags().items():
        counted[name] = model, timed_fit(model, *train)[0]
        row(name, counted[name][1], model.score(*test))
    networks = [network(args.recipe, seed, args.n_jobs) for seed in args.seeds]
    seconds, of_training = zip(*[timed_fit(model, *train) for model in networks], strict=True)
    accuracies = [model.score(*test) for model in networks]
    kind = f"network, recipe {args.recipe!r}"
    spread = (
        f"  (median of {len(networks)}: {min(accuracies):.4f} to {max(accuracies):.4f}; "
        f"training alone {median(of_training):.1f} s)"
    )
    row(kind, median(seconds), median(accuracies), spread)
    if len(networks) > 1:
        votes = vote(*networks).fit(*train)
        row(f"{len(networks)} networks, averaged", sum(seconds), votes.score(*test))
    for name, (model, of_bag) in counted.items():
        votes = vote(model, *networks, weights=[len(networks)] + [1] * len(networks)).fit(*train)
        row(f"networks and {name}", sum(seconds) + of_bag, votes.score(*test))
    return rows


def save_figure(rows, title, path):
    figure, axes = plt.subplots(figsize=(9, 0.5 * len(rows) + 1.2), layout="constrained")
    for place, (name, seconds, accuracy) in enumerate(rows[::-1]):
        axes.plot(accuracy, place, "o", color="C0" if "network" in name else "0.5", markersize=9)
        label = f"{accuracy:.3f}, {seconds:.0f} s"
        axes.annotate(label, (accuracy, place), (10, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows[::-1]])
    axes.set(xlabel="test accuracy, and seconds of training", title=title)
    axes.margins(x=0.35, y=0.1)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    print(f"Saved {path}")


def load(args):
    """Training and test reviews with labels, and what they are called."""
    parts = [
        fetch_imdb(data_home=args.data_home, subset=subset, raw=True, return_X_y=True)
        for subset in ("train", "test")
    ]
    if args.max_samples is None:
        return parts
    chosen = [np.random.RandomState(0).permutation(len(y))[: args.max_samples] for _, y in parts]
    return [
        ([texts[i] for i in part], y[part]) for (texts, y), part in zip(parts, chosen, strict=True)
    ]


def generate(args):
    n = args.max_samples or N_GENERATED
    texts, y = make_reviews(2 * n, random_state=0, flip_y=0.1)
    return [(texts[:n], y[:n]), (texts[n:], y[n:])]


def run(train, test, source, args):
    print(f"{source}: {len(train[1])} to train on, {len(test[1])} to test on")
    rows = compare(train, test, args)
    save_figure(rows, f"{source}, recipe {args.recipe!r}", args.output_dir / "text.png")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument(
        "--output-dir", type=Path, default="figures", help="folder for the figure, default figures"
    )
    parser.add_argument("--recipe", choices=RECIPES, default="fast", help="default fast")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="default 0")
    parser.add_argument("--max-samples", type=int, help="reviews per part, default all")
    parser.add_argument("--n-jobs", type=int, default=-1, help="threads, default all processors")
    args = parser.parse_args()

    try:
        parts, source, output = load(args), "IMDB reviews", nullcontext()
    except OSError:
        print(
            "IMDB could neither be loaded from disk (--data-home sets its folder) nor downloaded, "
            "so this runs on generated data."
        )
        parts, source = generate(args), "generated reviews"
        output = redirect_stdout(LabelledLines(sys.stdout))
    with output:
        run(*parts, source, args)


if __name__ == "__main__":
    main()
