"""crnn and every installed peer on the same batches, in turn.

Each model runs in a process of its own, from the same weights. Before anything is timed the loss of
the first batch and the probabilities have to agree. Then the models take one round after another,
so that a machine that slows down slows all of them. Prints a table of medians and saves it with a
JSON record and a picture.
"""

import argparse
import json
import multiprocessing
import os
import platform
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import numpy as np
from peer_models import MODELS, NEEDS

BATCH, T, V, E = 128, 500, 10_000, 32
PAUSE = 0.2  # seconds


def work(connection, name, weights, threads):
    """Serve one model: receive a method and arguments for calls in a row, send all results and the
    seconds of all."""
    model = MODELS[name](weights, threads)
    connection.send(model.train is not None)
    for method, calls in iter(connection.recv, None):
        sleep(PAUSE)  # other models' threads may still be waiting for work, and burn time with it
        start = perf_counter()
        results = [getattr(model, method)(*arguments) for arguments in calls]
        connection.send((results, perf_counter() - start))


class Worker:
    def __init__(self, name, weights, threads):
        self.connection, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(
            target=work, args=(theirs, name, weights, threads), daemon=True
        )
        process.start()
        self.trains = self.connection.recv()

    def call(self, method, calls):
        self.connection.send((method, calls))
        return self.connection.recv()

    def stop(self):
        self.connection.send(None)


def draw_weights(H, rng):
    shapes = {"embedding": (V, E), "kernel": (E, H), "recurrent_kernel": (H, H), "bias": (H,)}
    shapes |= {"head_kernel": (H, 1), "head_bias": (1,)}
    return {
        name: rng.uniform(-1, 1, shape).astype("f4") * (0.05 if name == "embedding" else H**-0.5)
        for name, shape in shapes.items()
    }


def load(n, data_home):
    from crnn.datasets import fetch_imdb
    from crnn.preprocessing import pad_sequences

    reviews, y = fetch_imdb(data_home=data_home, num_words=V, return_X_y=True)
    return pad_sequences(reviews[:n], maxlen=T), y[:n]


def check(workers, X, y):
    """The first loss and the probabilities must be those of crnn; a packed net is another model."""
    X, y = X[:BATCH], y[:BATCH]
    wanted = workers["crnn"].call("predict", [(X,)])[0][0]
    losses = {}
    for name, worker in workers.items():
        (got,), _ = worker.call("predict", [(X,)])
        same = name != "PyTorch packed"
        assert not same or np.abs(got - wanted).max() < 1e-4, f"{name} predicts something else"
        if worker.trains:
            (losses[name],), _ = worker.call("train", [(X, y)])
            same = not same or abs(losses[name] - losses["crnn"]) < 1e-4
            assert same, f"{name} has another loss"
    print("losses of the first batch:", {name: round(loss, 6) for name, loss in losses.items()})


def measure(workers, X, y, rounds):
    """Median milliseconds by model: one training step, all predictions, one prediction."""
    parts = [slice(i, i + BATCH) for i in range(0, 10 * BATCH, BATCH)]
    jobs = {
        "train": ("train", [(X[part], y[part]) for part in parts]),
        "predict": ("predict", [(X,)]),
        "one": ("predict", [(X[i : i + 1],) for i in range(50)]),
    }
    seconds = {job: {name: [] for name in workers} for job in jobs}
    for i in range(rounds + 1):
        for job, (method, calls) in jobs.items():
            for name, worker in workers.items():
                if method == "predict" or worker.trains:
                    _, spent = worker.call(method, calls)
                    if i > 0:  # the first round compiles and warms up
                        seconds[job][name].append(spent / len(calls))
    return {
        job: {name: 1e3 * median(values) for name, values in by_name.items() if values}
        for job, by_name in seconds.items()
    }


def show(results, H, n):
    print(f"\n{H} units: median milliseconds (times as long as crnn)")
    titles = {
        "train": f"step of {BATCH}",
        "predict": f"predict {n}",
        "one": "predict 1",
    }
    print(f"{'':>22}" + "".join(f"{title:>24}" for title in titles.values()))
    for name in results["predict"]:
        cells = []
        for job in titles:
            value = results[job].get(name)
            ratio = value and value / results[job]["crnn"]
            cells.append(f"{value:13.3f} ({ratio:7.1f})" if value else "-")
        print(f"{name:>22}" + "".join(f"{cell:>24}" for cell in cells))


def plot(record, path):
    import matplotlib.pyplot as plt

    units = list(record["results"])
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name in record["results"][units[0]]["train"]:
        axes.plot(
            units,
            [record["results"][H]["train"].get(name, np.nan) for H in units],
            "o-",
            label=name,
        )
    axes.set(
        yscale="log",
        xlabel="units",
        ylabel="ms",
        title=f"A training step, {BATCH} IMDB reviews of {T} words, {record['threads']} threads",
    )
    axes.legend()
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument("--units", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=8, help="timed rounds, default 8")
    parser.add_argument("--samples", type=int, default=4096, help="to predict, default 4096")
    parser.add_argument("--output-dir", type=Path, default="figures", help="default figures")
    args = parser.parse_args()

    multiprocessing.set_start_method("spawn")
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    names = [name for name in MODELS if all(find_spec(module) for module in NEEDS[name])]
    X, y = load(args.samples, args.data_home)
    record = {
        "machine": platform.processor() or platform.machine(),
        "threads": args.threads,
        "versions": {m: version(m) for name in names for m in NEEDS[name]},
        "results": {},
    }
    print(record)
    for H in args.units:
        weights = draw_weights(H, np.random.default_rng(0))
        workers = {name: Worker(name, weights, args.threads) for name in names}
        check(workers, X, y)
        record["results"][H] = measure(workers, X, y, args.rounds)
        show(record["results"][H], H, len(X))
        for worker in workers.values():
            worker.stop()
    args.output_dir.mkdir(parents=True, exist_ok=True)
    Path(args.output_dir, "peers.json").write_text(json.dumps(record, indent=2))
    plot(record, Path(args.output_dir, "peers.png"))


if __name__ == "__main__":
    main()
