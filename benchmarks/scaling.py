"""How the time of a training step grows with steps, units, batch, vocabulary and threads.

Real IMDB for the number of tokens in a batch; generated ids, uniform and without paddings, for
everything that IMDB does not vary. Prints tables with the slopes of straight lines through the
logarithms (1: proportional), and saves them with a JSON record and a picture.
"""

import argparse
import json
import os
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from machine import BOOK, RNG, describe, training

from crnn import SimpleRNNClassifier
from crnn.datasets import fetch_imdb
from crnn.preprocessing import pad_sequences

GRIDS = {
    "T": [1, 4, 16, 64, 256, 1024, 4096],
    "B": [1, 4, 16, 64, 256, 1024],
    "H": [16, 32, 64, 128, 256],
    "V": [100, 1000, 10_000, 100_000],
}
STEPS = 10  # in a turn
USUAL = {"T": 256, "B": 128, "H": 32, "V": 10_000}


class Steps:
    """Training steps of one model on batches that are ready to be packed."""

    def __init__(self, X, batch_size, n_threads, *, units, vocabulary_size):
        y = np.arange(len(X)) % 2
        clf = SimpleRNNClassifier(
            units, embedding_dim=units, vocabulary_size=vocabulary_size, batch_size=batch_size,
            max_iter=1, n_jobs=n_threads, random_state=0, **BOOK,
        )  # fmt: skip
        clf.fit(X[:2], [0, 1])
        self.trainer, self.samples, self.optimizer = training(clf, X, y)
        self.batches = [
            np.arange(i, min(i + batch_size, len(X))) for i in range(0, len(X), batch_size)
        ]

    def run(self, batch):
        start = perf_counter()
        self.trainer.train_step(*self.samples, batch, self.optimizer, RNG)
        return 1e3 * (perf_counter() - start)


def milliseconds(steps, seconds=0.4):
    """Median time of a step for each of several models, which take turns of some steps.

    The first step of a turn, which finds threads asleep and caches full of something else, is not
    counted.
    """
    times = [[] for _ in steps]
    end = perf_counter() + seconds * len(steps)
    turn = 0
    while perf_counter() < end or turn < 1:
        for model, spent in zip(steps, times, strict=True):
            steps_taken = [model.run(model.batches[i % len(model.batches)]) for i in range(STEPS)]
            spent += steps_taken[1:]
        turn += 1
    return [median(spent) for spent in times]


def grow(letter, threads, rng):
    """Rows (value, milliseconds with one thread, with all of them) over one grid."""
    rows = []
    for value in GRIDS[letter]:
        size = {**USUAL, letter: value}
        X = rng.integers(1, size["V"], (2 * size["B"] + 2, size["T"])).astype(np.int32)
        models = [
            Steps(X, size["B"], n, units=size["H"], vocabulary_size=size["V"]) for n in (1, threads)
        ]
        rows.append([value, *milliseconds(models)])
    return rows


def slope(rows, column):
    """Of the upper half of the grid, where what is constant in a step no longer counts."""
    rows = np.array(rows)[len(rows) // 2 :]
    return float(np.polyfit(np.log(rows[:, 0]), np.log(rows[:, column]), 1)[0])


def tokens(data_home, threads):
    """Milliseconds against the number of real tokens of a batch, on IMDB cut to several lengths.

    And those of a batch of paddings and of a full one when each is all that runs: in turns, the
    short step would mostly wait for what the long one has driven out of the caches.
    """
    reviews, _ = fetch_imdb(data_home=data_home, num_words=10_000, return_X_y=True)
    options = {"units": 32, "vocabulary_size": 10_000}
    some = [[r[-m:] if m else [] for r in reviews[:2560]] for m in (0, 50, 100, 200, 300, 400, 500)]
    some.append([r for r in reviews if len(r) >= 500][:1920])
    matrices = [pad_sequences(sequences, maxlen=500) for sequences in some]
    models = [Steps(X, 128, threads, **options) for X in matrices]
    times = milliseconds(models, seconds=1)
    alone = [milliseconds([model], seconds=1)[0] for model in (models[0], models[-1])]
    counts = [(X > 0).sum() / len(model.batches) for X, model in zip(matrices, models, strict=True)]
    return [[float(n), t] for n, t in zip(counts, times, strict=True)], alone


def fit_line(rows):
    """Intercept, slope and R^2 of milliseconds against tokens."""
    x, y = np.array(rows).T
    gradient, intercept = np.polyfit(x, y, 1)
    residual = y - gradient * x - intercept
    return intercept, gradient, 1 - (residual @ residual) / ((y - y.mean()) @ (y - y.mean()))


def plot(record, path):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 5, figsize=(18, 3.6), layout="constrained")
    names = {"T": "timesteps", "B": "batch", "H": "units", "V": "vocabulary"}
    for ax, letter in zip(axes, GRIDS, strict=False):
        x, one, many = np.array(record[letter]["rows"]).T
        ax.loglog(x, one, "o-", label="1 thread")
        ax.loglog(x, many, "s-", label=f"{record['threads']} threads")
        ax.set(xlabel=names[letter], ylabel="ms a step", title="generated ids")
        if letter == "H":
            ax.set_xticks(x, labels=[f"{value:.0f}" for value in x])
            ax.xaxis.minorticks_off()
        ax.legend()
    x, y = np.array(record["tokens"]["rows"]).T
    axes[4].plot(x, y, "o")
    line = record["tokens"]["line"]
    axes[4].plot(x, line[0] + line[1] * x, "-", label=f"R² = {line[2]:.4f}")
    axes[4].set(xlabel="real tokens in a batch", ylabel="ms a step", title="IMDB", ylim=(0, None))
    axes[4].legend()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--output-dir", type=Path, default="figures", help="default figures")
    args = parser.parse_args()

    record = {"machine": describe({"numpy", "scipy", "sklearn"}), "threads": args.threads}
    print(json.dumps(record["machine"], indent=2))
    rng = np.random.default_rng(0)
    usual = ", ".join(f"{letter} = {value}" for letter, value in USUAL.items())
    print(f"generated ids; unless varied, {usual}\n")
    for letter in GRIDS:
        rows = grow(letter, args.threads, rng)
        record[letter] = {"rows": rows, "slopes": [slope(rows, 1), slope(rows, 2)]}
        print(f"{letter:>8}   1 thread  {args.threads} threads   speed-up")
        for value, one, many in rows:
            print(f"{value:8d}{one:11.3f}{many:11.3f}{one / many:11.2f}")
        print("   slope" + "".join(f"{s:11.2f}" for s in record[letter]["slopes"]) + "\n")
    rows, alone = tokens(args.data_home, args.threads)
    line = fit_line(rows)
    record["tokens"] = {"rows": rows, "line": line, "alone": alone}
    print(f"IMDB, batches of 128, {args.threads} threads\n  tokens  milliseconds")
    for n, value in rows:
        print(f"{n:8.0f}{value:14.3f}")
    print(f"line: {line[0]:.3f} ms + {1e6 * line[1]:.1f} ns a token, R^2 {line[2]:.4f}")
    print(f"a batch of paddings only: {alone[0]:.3f} ms, a full one {alone[1]:.3f} ms: "
          f"{100 * alone[0] / alone[1]:.1f} %")  # fmt: skip
    args.output_dir.mkdir(parents=True, exist_ok=True)
    Path(args.output_dir, "scaling.json").write_text(json.dumps(record, indent=2))
    plot(record, Path(args.output_dir, "scaling.png"))


if __name__ == "__main__":
    main()
