"""Four jobs in crnn and in each framework that is installed.

"imdb" is the network of the book on IMDB reviews, "series" the same on float series, "recipe" the
network of the text recipe on reviews without its dropouts, "epochs" all of the training on IMDB.

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
from recipe_models import BATCH as RECIPE_BATCH
from recipe_models import POOLINGS, RECIPE_MODELS

T, V = 500, 10_000
RECIPE_T = 400
N_PREDICT = 4096
SERIES = {"n": 1280, "T": 200, "F": 16, "H": 64}
STEP, MANY, ONE = f"step of {BATCH}", f"predict {N_PREDICT}", "predict 1"
# Without ONNX Runtime, which cannot train, and packed sequences, which only leave out paddings.
TRAINED = ("crnn", "Keras on JAX", "Keras on TensorFlow", "PyTorch")


def work(connection, model, weights, threads, data):
    """Serve one model: receive a method and arguments for some calls, send results and seconds."""
    model = model(weights, threads)
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


def draw_weights(F, H, rng, embedding=True, pooled=1):
    """Weights of a network whose head reads ``pooled`` times as many numbers as there are units."""
    shapes = {"embedding": (V, F)} if embedding else {}
    shapes |= {"kernel": (F, H), "recurrent_kernel": (H, H), "bias": (H,)}
    shapes |= {"head_kernel": (pooled * H, 1), "head_bias": (1,)}
    weights = {name: rng.uniform(-1, 1, shape) * H**-0.5 for name, shape in shapes.items()}
    if embedding:
        weights["embedding"] *= 0.05 * H**0.5
    # As large as training starts from: gradients that vanish would be no work to compare.
    weights["recurrent_kernel"] = np.linalg.qr(rng.normal(size=(H, H)))[0]
    return {name: array.astype("f4") for name, array in weights.items()}


def load_imdb(n, data_home, maxlen=T):
    from crnn.datasets import fetch_imdb
    from crnn.preprocessing import pad_sequences

    reviews, y = fetch_imdb(data_home=data_home, num_words=V, return_X_y=True)
    return pad_sequences(reviews[:n], maxlen=maxlen), y[:n]


def draw_series(rng):
    """Generated data: white noise, and whether its first feature is positive on average."""
    X = rng.normal(size=(SERIES["n"], SERIES["T"], SERIES["F"])).astype("f4")
    return X, (X[:, :, 0].mean(axis=1) > 0).astype(np.int64)


def check(workers, steps, judged):
    """The probabilities and the first loss must be those of crnn.

    ``judged`` says for how many steps the losses of a model must agree, if not for one. Later ones
    are shown: PyTorch has the epsilon of its optimisers elsewhere, TensorFlow rounds otherwise,
    and with many units the first steps, which are of full length whatever the gradient, let any
    rounding grow.
    """
    wanted = workers["crnn"].call("predict", steps[:1])[0][0]
    losses = {}
    for name, worker in workers.items():
        n = judged.get(name, 1)
        if "predict" in worker.methods:
            (got,), _ = worker.call("predict", steps[:1])
            if n and np.abs(got - wanted).max() > 1e-4:
                raise SystemExit(f"{name} predicts something else than crnn")
        if "train" in worker.methods:
            losses[name], _ = worker.call("train", steps)
            gaps = np.abs(np.subtract(losses[name], losses["crnn"]))
            if (gaps[:n] > 1e-4).any():
                raise SystemExit(f"{name} has losses {losses[name]}, crnn {losses['crnn']}")
            print(f"loss of {name}: {losses[name][0]:.6f}, off by {gaps[0]:.0e} from that of crnn; "
                  f"over ten steps by at most {gaps.max():.0e}")  # fmt: skip
    return losses


def measure(workers, jobs, rounds):
    """Milliseconds of a call, {job: {model: median}}; the first round compiles and warms up.

    The first third of the calls of a turn is not counted: it finds threads asleep and caches full
    of what others left.
    """
    seconds = {job: {name: [] for name in workers} for job in jobs}
    for i in range(rounds + 1):
        for job, (method, calls) in jobs.items():
            for name, worker in workers.items():
                if method in worker.methods:
                    _, spent = worker.call(method, calls)
                    seconds[job][name].extend(spent[len(spent) // 3 :] if i > 0 else [])
    return {
        job: {name: 1e3 * median(values) for name, values in by_name.items() if values}
        for job, by_name in seconds.items()
    }


def compare(models, weights, threads, data, jobs, rounds, judged):
    """Ten losses of each model, and milliseconds of each job; one of the jobs is to train."""
    workers = {name: Worker(model, weights, threads, data) for name, model in models.items()}
    steps = next(calls for method, calls in jobs.values() if method == "train")[:10]
    try:
        losses = check(workers, steps, judged)
        return {"losses": losses, "milliseconds": measure(workers, jobs, rounds)}
    finally:
        for worker in workers.values():
            worker.stop()


def ten_epochs(models, weights, threads, data, epochs):
    """Seconds of all epochs with validation, models in turn, and the best validation accuracy."""
    results = {}
    for name, model in models.items():
        worker = Worker(model, weights, threads, data)
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
    for name in dict.fromkeys(name for by_name in results.values() for name in by_name):
        cells = []
        for by_name in results.values():
            value = by_name.get(name)
            cells.append(f"{value:13.3f} ({value / by_name['crnn']:7.1f})" if value else "-")
        print(f"{name:>22}" + "".join(f"{cell:>24}" for cell in cells))
    for job, by_name in results.items():
        peers = [name for name in by_name if name != "crnn"]
        if peers:
            fastest = min(peers, key=by_name.get)
            ratio = by_name[fastest] / by_name["crnn"]
            print(f"{job}: crnn is {ratio:.1f} times as fast as {fastest}, the fastest peer")


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


def imdb(args, models, rng):
    """The network of the book by units; the record by number of units."""
    data = load_imdb(N_PREDICT, args.data_home)
    jobs = {
        STEP: ("train", parts(24 * BATCH)),
        MANY: ("predict", 3 * [slice(0, N_PREDICT)]),
        ONE: ("predict", [slice(i, i + 1) for i in range(100)]),
    }
    record = {}
    for H in args.units:
        few = H == min(args.units)
        some = jobs if few else {STEP: jobs[STEP]}
        # A packed network is another model: its state starts from zero where the text does.
        judged = {"Keras on JAX": 10 if few else 1, "PyTorch packed": 0}
        weights = draw_weights(H, H, rng)
        record[H] = compare(models, weights, args.threads, data, some, args.rounds, judged)
        show(f"IMDB, {H} units", record[H]["milliseconds"])
    return record


def series(args, models, rng):
    H, F = SERIES["H"], SERIES["F"]
    models = {name: model for name, model in models.items() if name in TRAINED}
    weights = draw_weights(F, H, rng, embedding=False)
    steps = {STEP: ("train", parts(SERIES["n"]))}
    record = compare(models, weights, args.threads, draw_series(rng), steps, args.rounds, {})
    show(f"generated series, {SERIES['T']} x {F}, {H} units", record["milliseconds"])
    return record


def recipe(args, models, rng):
    """Masked reviews, all poolings side by side, Adam, smaller batches."""
    models = {name: model for name, model in RECIPE_MODELS.items() if name in models}
    data = load_imdb(N_PREDICT, args.data_home, RECIPE_T)
    weights = draw_weights(32, 32, rng, pooled=len(POOLINGS))
    weights["recurrent_kernel"] *= 0.5  # the recurrent_gain of the recipe
    jobs = {
        f"step of {RECIPE_BATCH}": ("train", parts(48 * RECIPE_BATCH, RECIPE_BATCH)),
        MANY: ("predict", 3 * [slice(0, N_PREDICT)]),
    }
    judged = {"Keras on JAX": 10}
    record = compare(models, weights, args.threads, data, jobs, args.rounds, judged)
    show("IMDB, the network of the text recipe", record["milliseconds"])
    return record


def epochs(args, models, rng):
    models = {name: model for name, model in models.items() if name in TRAINED}
    data = load_imdb(25_000, args.data_home)
    record = ten_epochs(models, draw_weights(32, 32, rng), args.threads, data, args.epochs)
    record["bag of words"] = bag_of_words(args.data_home)
    print(f"\n{args.epochs} epochs on 20,000 reviews, validated on 5,000")
    for name, row in record.items():
        print(f"{name:>22}{row['seconds']:9.2f} s   best {row['best_val_accuracy']:.4f}")
    return record


JOBS = {"imdb": imdb, "series": series, "recipe": recipe, "epochs": epochs}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=[*JOBS], help="default all")
    parser.add_argument("--units", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=4, help="timed rounds, default 4")
    parser.add_argument("--epochs", type=int, default=10, help='of the job "epochs", default 10')
    parser.add_argument("--output-dir", type=Path, default="figures", help="default figures")
    args = parser.parse_args()

    multiprocessing.set_start_method("spawn")
    os.environ.update(
        OMP_NUM_THREADS=str(args.threads),
        TF_NUM_INTRAOP_THREADS=str(args.threads),
        TF_CPP_MIN_LOG_LEVEL="3",
    )
    models = {name: model for name, model in MODELS.items() if all(map(find_spec, NEEDS[name]))}
    modules = {"numpy", "scipy", "sklearn"}.union(*(NEEDS[name] for name in models))
    record = {"machine": describe(modules), "threads": args.threads}
    print(json.dumps(record["machine"], indent=2))
    rng = np.random.default_rng(0)
    record |= {job: JOBS[job](args, models, rng) for job in args.jobs}
    args.output_dir.mkdir(parents=True, exist_ok=True)
    Path(args.output_dir, "peers.json").write_text(json.dumps(record, indent=2))
    if "imdb" in record:
        plot(record, Path(args.output_dir, "peers.png"))


if __name__ == "__main__":
    main()
