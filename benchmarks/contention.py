"""What threads gain and cost beside busy neighbours: 0, 1 or 2 processes that do nothing but count.

The same calls with one, two and four threads take turns, so that a change of the machine's speed
meets all of them. Prints for each job and number of neighbours the median of the rounds' medians,
in milliseconds, its ratio to one thread, and the worst run as a multiple of the median.

Public calls only: the IMDB job of examples/imdb.py (one epoch on 20,000 reviews), the prediction of
4,096 reviews and of one, and an epoch on generated series of 200 steps with 16 features.
"""

import argparse
import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from statistics import median
from time import perf_counter, sleep

import numpy as np

BATCH, T, V = 128, 500, 10_000
N_TRAIN, N_PREDICT, N_SERIES = 20_000, 4096, 1280
CELL = "{milliseconds:9.2f} ({of_one_thread:5.2f}){worst_of_median:10.2f} "


@contextmanager
def neighbour():
    """A process that keeps one processor busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def jobs(data_home):
    """Functions of n_jobs by name, each the call that is timed."""
    from machine import BOOK

    from crnn import SimpleRNNClassifier
    from crnn.datasets import fetch_imdb
    from crnn.preprocessing import pad_sequences

    reviews, y = fetch_imdb(data_home=data_home, num_words=V, return_X_y=True)
    X, y = pad_sequences(reviews[:N_TRAIN], maxlen=T), y[:N_TRAIN]
    series = np.random.default_rng(0).normal(size=(N_SERIES, 200, 16)).astype("f4")
    sign = series[:, :, 0].mean(axis=1) > 0
    options = BOOK | {"batch_size": BATCH, "max_iter": 1, "random_state": 0}
    text = SimpleRNNClassifier(32, vocabulary_size=V, **options).fit(X[:N_PREDICT], y[:N_PREDICT])
    wide = SimpleRNNClassifier(64, **options)
    return {
        "IMDB epoch": lambda n_jobs: text.set_params(n_jobs=n_jobs).fit(X, y),
        f"predict {N_PREDICT}": lambda n_jobs: text.set_params(n_jobs=n_jobs).predict_proba(
            X[:N_PREDICT]
        ),
        "predict 1": lambda n_jobs: text.set_params(n_jobs=n_jobs).predict_proba(X[:1]),
        "series epoch": lambda n_jobs: wide.set_params(n_jobs=n_jobs).fit(series, sign),
    }


def measure(job, threads, rounds, repeats):
    """Seconds {n_jobs: rounds x repeats}, in turns."""
    seconds = {n: [[] for _ in range(rounds)] for n in threads}
    for i in range(rounds):
        for _ in range(repeats):
            for n in threads:
                start = perf_counter()
                job(n)
                seconds[n][i].append(perf_counter() - start)
    return seconds


def summary(rounds, one):
    """Median of medians, ratio to one thread, worst run over the median of all."""
    middle = median(median(times) for times in rounds)
    every = [seconds for times in rounds for seconds in times]
    return {
        "milliseconds": 1e3 * middle,
        "of_one_thread": middle / median(median(times) for times in one),
        "worst_of_median": max(every) / median(every),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument("--neighbours", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--repeats", type=int, default=7, help="runs in a round, default 7")
    parser.add_argument("--json", help="file for the figures")
    args = parser.parse_args()

    # As many threads as are asked for, on whatever number of processors.
    os.environ["OMP_NUM_THREADS"] = str(max(args.threads))
    from machine import describe

    record = {"machine": describe({"numpy", "scipy", "sklearn"}), "figures": {}}
    print(json.dumps(record["machine"], indent=2))
    for name, job in jobs(args.data_home).items():
        for n_jobs in args.threads:
            job(n_jobs)
        print(f"\n{name:16}" + "".join(f"{n:>9} threads       worst" for n in args.threads))
        for count in args.neighbours:
            with ExitStack() as stack:
                for _ in range(count):
                    stack.enter_context(neighbour())
                sleep(0.3 if count else 0)
                seconds = measure(job, args.threads, args.rounds, args.repeats)
            row = {n: summary(seconds[n], seconds[args.threads[0]]) for n in args.threads}
            record["figures"][f"{name}, {count} neighbours"] = row
            cells = "".join(CELL.format(**cell) for cell in row.values())
            print(f"{count} neighbours    " + cells, flush=True)
    if args.json:
        with open(args.json, "w", encoding="utf8") as file:
            json.dump(record, file, indent=2)


if __name__ == "__main__":
    main()
