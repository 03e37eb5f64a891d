"""The IMDB job, and one on float series, in crnn and in each framework that is installed.

Same data, weights, batches and threads. The models take turns. Each lives in a process of its own,
which is stopped while others have their turn: thread pools that wait for work burn time with it.
The losses of ten steps are compared before anything is timed. Prints tables of medians and
saves them with a JSON record and a picture.

The peers: pip install -r benchmarks/requirements.txt
"""

import argparse
import json
import multiprocessing
import os
import signal
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from machine import describe
from peer_models import BATCH, MODELS, NEEDS, parts

T, V = 500, 10_000
N_PREDICT = 4096
SERIES = {"n": 1280, "T": 200, "F": 16, "H": 64}
STEP, MANY, ONE = f"step of {BATCH}", f"predict {N_PREDICT}", "predict 1"


def work(connection, name, weights, threads, data):
    """Serve one model: receive a method and arguments for some calls, send results and seconds."""
    model = MODELS[name](weights, threads)
    model.load(*data)
    connection.send([m for m in ("train", "predict", "fit") if getattr(model, m) is not None])
    for method, calls in iter(connection.recv, None):
        results, seconds = [], []
        for argument in calls:
            start = perf_counter()
            results.append(getattr(model, method)(argument))
            seconds.append(perf_counter() - start)
        connection.send((results, seconds))


class Worker:
    def __init__(self, *arguments):
        self.connection, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=work, args=(theirs, *arguments), daemon=True)
        self.process.start()
        theirs.close()  # so that the end of the process is noticed here
        self.methods = self.connection.recv()
        self.signal("SIGSTOP")

    def signal(self, name):
        if hasattr(signal, name):  # there are none on Windows
            os.kill(self.process.pid, getattr(signal, name))

    def call(self, method, calls):
        self.signal("SIGCONT")
        self.connection.send((method, calls))
        answer = self.connection.recv()
        self.signal("SIGSTOP")
        return answer

    def stop(self):
        self.process.kill()  # it may be stopped, and would not hear of anything else
        self.process.join()


def draw_weights(F, H, rng, embedding=True):
    shapes = {"embedding": (V, F)} if embedding else {}
    shapes |= {"kernel": (F, H), "recurrent_kernel": (H, H), "bias": (H,)}
    shapes |= {"head_kernel": (H, 1), "head_bias": (1,)}
    weights = {name: rng.uniform(-1, 1, shape) * H**-0.5 for name, shape in shapes.items()}
    if embedding:
        weights["embedding"] *= 0.05 * H**0.5
    # As large as training starts from: gradients that vanish would be no work to compare.
    weights["recurrent_kernel"] = np.linalg.qr(rng.normal(size=(H, H)))[0]
    return {name: array.astype("f4") for name, array in weights.items()}


def load_imdb(n, data_home):
    from crnn.datasets import fetch_imdb
    from crnn.preprocessing import pad_sequences

    reviews, y = fetch_imdb(data_home=data_home, num_words=V, return_X_y=True)
    return pad_sequences(reviews[:n], maxlen=T), y[:n]


def draw_series(rng):
    """Generated data: white noise, and whether its first feature is positive on average."""
    X = rng.normal(size=(SERIES["n"], SERIES["T"], SERIES["F"])).astype("f4")
    return X, (X[:, :, 0].mean(axis=1) > 0).astype(np.int64)


def start(names, weights, threads, data):
    return {name: Worker(name, weights, threads, data) for name in names}


def check(workers, traced):
    """The first loss and probabilities must be those of crnn, and ten losses those of one peer.

    Later losses of others are shown, not judged: PyTorch's RMSprop has its epsilon outside of the
    root, TensorFlow rounds otherwise, and with many units the first steps, which RMSprop makes of
    full length whatever the gradient, let any rounding grow. A packed network is another model,
    without paddings.
    """
    first = slice(0, BATCH)
    wanted = workers["crnn"].call("predict", [first])[0][0]
    losses = {}
    for name, worker in workers.items():
        judged = 0 if name == "PyTorch packed" else 10 if name == traced else 1
        if "predict" in worker.methods:
            (got,), _ = worker.call("predict", [first])
            if judged and np.abs(got - wanted).max() > 1e-4:
                raise SystemExit(f"{name} predicts something else than crnn")
        if "train" in worker.methods:
            losses[name], _ = worker.call("train", parts(10 * BATCH))
            gaps = np.abs(np.subtract(losses[name], losses["crnn"]))
            if (gaps[:judged] > 1e-4).any():
                raise SystemExit(f"{name} has losses {losses[name]}, crnn {losses['crnn']}")
            print(f"loss of {name}: {losses[name][0]:.6f}, off by {gaps[0]:.0e} from that of crnn; "
                  f"over ten steps by at most {gaps.max():.0e}")  # fmt: skip
    return losses


def measure(workers, jobs, rounds):
    """Milliseconds of a call, {job: {model: median}}; the first round compiles and warms up."""
    seconds = {job: {name: [] for name in workers} for job in jobs}
    for i in range(rounds + 1):
        for job, (method, calls) in jobs.items():
            for name, worker in workers.items():
                if method in worker.methods:
                    _, spent = worker.call(method, calls)
                    seconds[job][name].extend(spent if i > 0 else [])
    return {
        job: {name: 1e3 * median(values) for name, values in by_name.items() if values}
        for job, by_name in seconds.items()
    }


def compare(names, weights, threads, data, jobs, rounds, traced=None):
    workers = start(names, weights, threads, data)
    try:
        return {"losses": check(workers, traced), "milliseconds": measure(workers, jobs, rounds)}
    finally:
        for worker in workers.values():
            worker.stop()


def ten_epochs(names, weights, threads, data, epochs):
    """Seconds of all epochs with validation, models in turn, and the best validation accuracy."""
    results = {}
    for name in names:
        worker = Worker(name, weights, threads, data)
        if "fit" in worker.methods:
            worker.call("fit", [1])  # compiles
            (accuracy,), (seconds,) = worker.call("fit", [epochs])
            results[name] = {"seconds": seconds, "best_val_accuracy": accuracy}
        worker.stop()
    return results


def bag_of_words(data_home):
    """What a strong bag of words gets, for context: words and pairs of words of the raw text."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from crnn.datasets import fetch_imdb

    bunch = fetch_imdb(data_home=data_home, raw=True)
    n = int(0.8 * len(bunch.data))
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())
    begin = perf_counter()
    model.fit(bunch.data[:n], bunch.target[:n])
    accuracy = model.score(bunch.data[n:], bunch.target[n:])
    return {"seconds": perf_counter() - begin, "best_val_accuracy": accuracy}


def show(title, results):
    print(f"\n{title}: median milliseconds (times as long as crnn)")
    print(f"{'':>22}" + "".join(f"{job:>24}" for job in results))
    for name in MODELS:
        cells = []
        for by_name in results.values():
            value = by_name.get(name)
            cells.append(f"{value:13.3f} ({value / by_name['crnn']:7.1f})" if value else "-")
        if any(cell != "-" for cell in cells):
            print(f"{name:>22}" + "".join(f"{cell:>24}" for cell in cells))


def plot(record, path):
    import matplotlib.pyplot as plt

    units = record["imdb"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    steps = {H: units[H]["milliseconds"][STEP] for H in units}
    for name in next(iter(steps.values())):
        left.plot([*steps], [steps[H].get(name, np.nan) for H in steps], "o-", label=name)
    left.set(xscale="log", yscale="log", xlabel="units (= embedding_dim)", ylabel="milliseconds")
    left.set_xticks([*steps], labels=[*steps])
    left.minorticks_off()
    left.set_title(f"A training step: {BATCH} IMDB reviews of {T} words")
    left.set_ylim(left.get_ylim()[0] / 20)  # room for the legend
    left.legend(loc="lower right")
    narrowest = units[min(units)]["milliseconds"]
    per_second = {name: 1e3 * N_PREDICT / value for name, value in narrowest[MANY].items()}
    bars = right.barh([*per_second], [*per_second.values()])
    right.bar_label(bars, fmt="{:,.0f}", padding=3)
    right.set(xlabel="reviews per second", xlim=(0, 1.2 * max(per_second.values())))
    right.invert_yaxis()
    right.set_title(f"Prediction of {N_PREDICT} reviews, {min(units)} units")
    figure.suptitle(f"{record['machine']['cpu']}, {record['threads']} threads")
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument("--units", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=4, help="timed rounds, default 4")
    parser.add_argument("--epochs", type=int, default=10, help="of the whole job; 0 leaves it out")
    parser.add_argument("--output-dir", type=Path, default="figures", help="default figures")
    args = parser.parse_args()

    multiprocessing.set_start_method("spawn")
    os.environ.update(
        OMP_NUM_THREADS=str(args.threads),
        TF_NUM_INTRAOP_THREADS=str(args.threads),
        TF_CPP_MIN_LOG_LEVEL="3",
    )
    names = [name for name in MODELS if all(find_spec(module) for module in NEEDS[name])]
    modules = {"numpy", "scipy", "sklearn"}.union(*(NEEDS[name] for name in names))
    record = {"machine": describe(modules), "threads": args.threads, "imdb": {}}
    print(json.dumps(record["machine"], indent=2))
    rng = np.random.default_rng(0)
    data = load_imdb(N_PREDICT, args.data_home)
    jobs = {
        STEP: ("train", parts(24 * BATCH)),
        MANY: ("predict", 3 * [slice(0, N_PREDICT)]),
        ONE: ("predict", [slice(i, i + 1) for i in range(100)]),
    }
    for H in args.units:
        weights = draw_weights(H, H, rng)
        few = H == min(args.units)
        some, traced = (jobs, "Keras on JAX") if few else ({STEP: jobs[STEP]}, None)
        record["imdb"][H] = compare(names, weights, args.threads, data, some, args.rounds, traced)
        show(f"IMDB, {H} units", record["imdb"][H]["milliseconds"])
    H, F = SERIES["H"], SERIES["F"]
    trained = [name for name in names if name not in ("PyTorch packed", "ONNX Runtime")]
    weights = draw_weights(F, H, rng, embedding=False)
    steps = {STEP: ("train", parts(SERIES["n"]))}
    record["series"] = compare(trained, weights, args.threads, draw_series(rng), steps, args.rounds)
    show(f"generated series, {SERIES['T']} x {F}, {H} units", record["series"]["milliseconds"])
    if args.epochs:
        data = load_imdb(25_000, args.data_home)
        weights = draw_weights(32, 32, rng)
        record["epochs"] = ten_epochs(trained, weights, args.threads, data, args.epochs)
        record["epochs"]["bag of words"] = bag_of_words(args.data_home)
        print(f"\n{args.epochs} epochs on 20,000 reviews, validated on 5,000")
        for name, row in record["epochs"].items():
            print(f"{name:>22}{row['seconds']:9.2f} s   best {row['best_val_accuracy']:.4f}")
    args.output_dir.mkdir(parents=True, exist_ok=True)
    Path(args.output_dir, "peers.json").write_text(json.dumps(record, indent=2))
    plot(record, Path(args.output_dir, "peers.png"))


if __name__ == "__main__":
    main()
