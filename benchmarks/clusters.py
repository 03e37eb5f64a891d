"""What sending data and models over a cluster costs, on two worker processes of this machine.

A grid search with four candidates and two folds on IMDB reviews, one epoch each: over joblib's
backends, with the reviews in a list and in an array, and with one thread or all for each network.
Then predictions in parts, the pipeline sent with each part or once. Prints the seconds, the
megabytes that went over the loopback interface, and whether the outcome is that of a local run.
"""

import argparse
import json
from contextlib import contextmanager
from functools import partial
from time import perf_counter

import dask
import numpy as np
import psutil
from dask import dataframe
from distributed import Client, LocalCluster
from joblib import parallel_config
from machine import describe
from pandas import DataFrame, Series
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from crnn import SimpleRNNClassifier
from crnn.datasets import fetch_imdb
from crnn.preprocessing import SequenceVectorizer

GRID = {"simplernnclassifier__learning_rate": [5e-4, 1e-3, 2e-3, 4e-3]}
ROW = "{:56s}{:8.2f} s{:9.1f} MB   {}"


def sent():
    return psutil.net_io_counters(pernic=True)["lo"].bytes_sent / 2**20


def timed(name, call, expected=None):
    """Print a row for a call; give its outcome."""
    start, before = perf_counter(), sent()
    outcome = call()
    seconds, megabytes = perf_counter() - start, sent() - before
    same = expected is None or np.array_equal(outcome, expected)
    print(ROW.format(name, seconds, megabytes, "same bits" if same else "OTHER BITS"), flush=True)
    return outcome


def searches(pipeline, texts, y):
    """A grid search, with one thread for each network and with all, over each backend."""

    def scores(X, network_n_jobs=None, **backend):
        estimator = clone(pipeline).set_params(simplernnclassifier__n_jobs=network_n_jobs)
        with parallel_config(**backend):
            search = GridSearchCV(estimator, GRID, cv=2, refit=False).fit(X, y)
        return search.cv_results_["mean_test_score"]

    array = np.array(texts, dtype=object)
    expected = timed("local, one after the other", partial(scores, array, n_jobs=1))
    processes = {"n_workers": 2, "threads_per_worker": 1}
    threads = {"n_workers": 1, "threads_per_worker": 2, "processes": False}
    with cluster(**processes):
        timed("dask, texts in a list", partial(scores, texts, backend="dask"), expected)
    for n_jobs in (None, -1):
        note = "" if n_jobs is None else f", n_jobs={n_jobs} in each"
        timed(f"loky{note}", partial(scores, array, n_jobs, backend="loky", n_jobs=2), expected)
        for name, options in (("an array", processes), ("an array, threads", threads)):
            with cluster(**options):
                call = partial(scores, array, n_jobs, backend="dask")
                timed(f"dask, texts in {name}{note}", call, expected)


@contextmanager
def cluster(**options):
    """A cluster whose workers have imported what they need."""
    with LocalCluster(dashboard_address=None, **options) as workers, Client(workers) as client:
        client.run(SequenceVectorizer)
        yield client


def probability(part, model):
    return Series(model.predict_proba(part["text"])[:, 1], index=part.index)


def predictions(pipeline, texts, n_parts):
    expected = timed("local, at once", lambda: pipeline.predict_proba(texts)[:, 1])
    with cluster(n_workers=2, threads_per_worker=1) as client:
        frame = dataframe.from_pandas(DataFrame({"text": texts}), npartitions=n_parts).persist()

        def over_parts(model):
            meta = ("probability", "f4")
            return frame.map_partitions(probability, model, meta=meta).compute().to_numpy()

        sent_once = partial(client.scatter, pipeline, broadcast=True)
        for name, model in (
            ("pipeline", lambda: pipeline),
            ("dask.delayed(pipeline)", lambda: dask.delayed(pipeline)),
            ("client.scatter(pipeline, broadcast=True)", sent_once),
        ):
            timed(f"map_partitions, {name}", lambda m=model: over_parts(m()), expected)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of IMDB, default CRNN_DATA or ~/crnn_data")
    parser.add_argument("--reviews", type=int, default=10_000, help="default 10000")
    parser.add_argument("--parts", type=int, default=50, help="of the predictions, default 50")
    args = parser.parse_args()

    print(json.dumps(describe(["crnn", "sklearn", "joblib", "dask", "distributed"]), indent=2))
    texts, y = fetch_imdb(data_home=args.data_home, raw=True, return_X_y=True)
    texts, y = list(texts[: args.reviews]), y[: args.reviews]
    pipeline = make_pipeline(SequenceVectorizer(), SimpleRNNClassifier(max_iter=1, random_state=0))
    print(f"{len(texts)} reviews, {sum(map(len, texts)) / 2**20:.0f} MB of text; grid search")
    searches(pipeline, texts, y)
    print(f"probabilities in {args.parts} parts")
    predictions(pipeline.fit(texts, y), texts, args.parts)


if __name__ == "__main__":
    main()
