"""Threads within their limits, and the same bits in any process and in any company."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits

from crnn import SimpleRNNClassifier

ROUNDS = int(os.environ.get("CRNN_ROUNDS", "2"))
TIMEOUT = 60  # seconds for what takes less than one


def data():
    X = np.random.default_rng(0).integers(1, 50, (400, 40))
    return X, X[:, -1] % 2


def fitted(seed=0, n_jobs=2):
    options = {"vocabulary_size": 50, "batch_size": 200, "max_iter": 1}
    return SimpleRNNClassifier(32, **options, n_jobs=n_jobs, random_state=seed).fit(*data())


def states(seed=0, n_jobs=2):
    """What a fit comes to; the last thing to run is a loop over several threads."""
    return fitted(seed, n_jobs).hidden_states(data()[0])


def threads_started(n_jobs):
    psutil = pytest.importorskip("psutil", reason="psutil is not installed")
    before = psutil.Process().num_threads()
    states(n_jobs=n_jobs)
    return psutil.Process().num_threads() - before


def in_a_new_process(expression, **environment):
    """What an expression over this module gives in a Python with these environment variables."""
    folder = os.path.dirname(__file__)
    code = f"import sys; sys.path.insert(0, {folder!r}); from test_processes import *; "
    run = subprocess.run(
        [sys.executable, "-c", code + f"print({expression})"],
        env=os.environ | environment, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.mark.parametrize(
    ("n_jobs", "variable", "limit", "started"),
    [
        (3, "OMP_NUM_THREADS", "3", "2"),
        (3, "OMP_NUM_THREADS", "2", "1"),
        (3, "OMP_NUM_THREADS", "1", "0"),
        (-1, "OMP_NUM_THREADS", "1", "0"),
        (-1, "LOKY_MAX_CPU_COUNT", "1", "0"),
        (1, "OMP_NUM_THREADS", "2", "0"),
    ],
)
def test_limits_from_the_environment(n_jobs, variable, limit, started):
    assert in_a_new_process(f"threads_started({n_jobs})", **{variable: limit}) == started


def test_a_limit_by_threadpoolctl():
    with threadpool_limits(1, user_api="openmp"):
        assert threads_started(2) == 0


@pytest.mark.parametrize("inner", [1, 2])
def test_a_worker_keeps_to_its_share(inner):
    """Two workers of joblib may have two processors, so each of them may have one thread."""
    with parallel_config("loky", inner_max_num_threads=inner):
        started = Parallel(2)(delayed(threads_started)(2) for _ in range(2))
    assert set(started) <= ({0} if inner == 1 else {0, 1})  # 0 too where a worker had both tasks


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # which is the point here
@pytest.mark.parametrize("method", [*multiprocessing.get_all_start_methods(), "loky"])
def test_children_fit_after_their_parent(method):
    wanted = states()
    for _ in range(ROUNDS):
        states()
        if method == "loky":
            got = Parallel(2, timeout=TIMEOUT)(delayed(states)() for _ in range(2))
            joblib.externals.loky.get_reusable_executor().shutdown()
        else:
            with multiprocessing.get_context(method).Pool(2) as pool:
                got = pool.map_async(states, [0, 0]).get(TIMEOUT)
        for result in got:
            np.testing.assert_array_equal(result, wanted)


def test_threads_predict_on_one_model():
    X, _ = data()
    clf = fitted()
    parts = [X[i:] for i in range(0, 400, 50)]
    wanted = [clf.predict_proba(part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        got = pool.map(clf.predict_proba, parts * ROUNDS)
        for a, b in zip(got, wanted * ROUNDS, strict=True):
            np.testing.assert_array_equal(a, b)


def test_threads_fit_different_models():
    seeds = [*range(6)] * ROUNDS
    wanted = {seed: states(seed) for seed in set(seeds)}
    for n_jobs in (1, 2):
        with ThreadPoolExecutor(4) as pool:
            got = pool.map(partial(states, n_jobs=n_jobs), seeds)
            for seed, result in zip(seeds, got, strict=True):
                np.testing.assert_array_equal(result, wanted[seed])
