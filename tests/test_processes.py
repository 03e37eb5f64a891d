"""Threads within their limits, and the same bits in any process and in any company."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits

from common import ROUNDS, TIMEOUT, run_python
from crnn import SimpleRNN, SimpleRNNClassifier, _core
from crnn._system import threads

FREE = not getattr(sys, "_is_gil_enabled", lambda: True)()  # a Python without its global lock


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
    code = f"from test_processes import *; print({expression})"
    run = run_python("-c", code, **environment)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.mark.skipif(not _core.THREADS, reason="the kernels were built without threads")
@pytest.mark.parametrize(
    ("n_jobs", "variable", "limit", "threads"),
    [
        pytest.param(3, "OMP_NUM_THREADS", "3", 3, marks=pytest.mark.slow),
        (3, "OMP_NUM_THREADS", "2", 2),
        pytest.param(3, "OMP_NUM_THREADS", "1", 1, marks=pytest.mark.slow),
        pytest.param(-1, "OMP_NUM_THREADS", "1", 1, marks=pytest.mark.slow),
        (-1, "LOKY_MAX_CPU_COUNT", "1", 1),
        pytest.param(1, "OMP_NUM_THREADS", "2", 1, marks=pytest.mark.slow),
    ],
)
def test_limits_from_the_environment(n_jobs, variable, limit, threads):
    started = min(threads, joblib.cpu_count()) - 1  # the caller is one of them
    assert in_a_new_process(f"threads_started({n_jobs})", **{variable: limit}) == str(started)


def test_a_limit_by_threadpoolctl():
    with threadpool_limits(1, user_api="openmp"):
        assert threads_started(2) == 0


@pytest.mark.parametrize("inner", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_worker_keeps_to_its_share(inner):
    """Two workers of joblib may have two processors, so each of them may have one thread."""
    with parallel_config("loky", inner_max_num_threads=inner):
        started = Parallel(2)(delayed(threads_started)(2) for _ in range(2))
    assert set(started) <= ({0} if inner == 1 else {0, 1})  # 0 too where a worker had both tasks


# A worker of loky begins as a spawned process does.
METHODS = [
    pytest.param(method, marks=pytest.mark.slow) if method == "spawn" else method
    for method in (*multiprocessing.get_all_start_methods(), "loky")
]


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # which is the point here
@pytest.mark.parametrize("method", METHODS)
def test_children_fit_after_their_parent(method):
    wanted = states()
    for _ in range(ROUNDS):
        states()
        if method == "loky":
            with parallel_config("loky", inner_max_num_threads=2):  # else each has one thread
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


def at_a_time(*tasks):
    """Run functions in threads that take turns often; give what each of them returned."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(len(tasks)) as pool:
            futures = [pool.submit(task) for task in tasks]
            return [future.result(TIMEOUT) for future in futures]
    finally:
        sys.setswitchinterval(interval)


def test_a_model_predicts_while_it_is_fitted_again():
    """All of a prediction is by the model before, or all of it by the model after."""
    X, y = data()
    targets = np.array(["a", "b"])[y], np.array(["c", "d", "e"])[X[:, 0] % 3]
    options = {"learning_rate": 0.01, "vocabulary_size": 50, "batch_size": 32, "max_iter": 5}
    clf = SimpleRNNClassifier(8, **options, random_state=0)
    wanted = [clf.fit(X, target).predict(X[:50]) for target in targets]
    over = threading.Event()

    def fit():
        for _ in range(2 * ROUNDS):
            for target in targets:
                clf.fit(X, target)
        over.set()

    def predict():
        while not over.is_set():
            got = clf.predict(X[:50])
            if not any(np.array_equal(got, all_of_one) for all_of_one in wanted):
                return got
        return None

    for found in at_a_time(fit, predict, predict)[1:]:
        assert found is None


def test_threads_fit_one_model_on_different_words():
    """One of them comes last; what is left is all its own."""
    y = data()[1]
    few, many = data()[0] % 5, 20 * data()[0]
    clf = SimpleRNNClassifier(4, max_iter=1, random_state=0)
    wanted = [SimpleRNNClassifier(4, max_iter=1, random_state=0).fit(X, y) for X in (few, many)]

    def fit(X):
        for _ in range(5 * ROUNDS):
            clf.fit(X, y)

    at_a_time(partial(fit, few), partial(fit, many))
    same = next(each for each in wanted if each.embedding_.shape == clf.embedding_.shape)
    np.testing.assert_array_equal(clf.embedding_, same.embedding_)
    np.testing.assert_array_equal(clf.kernel_, same.kernel_)
    np.testing.assert_array_equal(clf.predict_proba(few), same.predict_proba(few))


def test_threads_call_one_layer():
    rng = np.random.default_rng(0)
    layer = SimpleRNN(16, random_state=0, return_sequences=True)
    short, long = rng.random((2, 3, 8)), rng.random((40, 300, 8))
    wanted = {len(x): layer(x) for x in (short, long)}

    def call(x, times):
        return all(np.array_equal(layer(x), wanted[len(x)]) for _ in range(times))

    assert all(
        at_a_time(partial(call, short, 300 * ROUNDS), *2 * [partial(call, long, 5 * ROUNDS)])
    )


PARALLEL = rb"""
int count(void) {
    int n = 0;
    #pragma omp parallel reduction(+:n)
    n++;
    return n;
}
"""

LATE = """
import ctypes, os, sys
print("threads of the parent:", ctypes.CDLL(sys.argv[1]).count(), flush=True)
child = os.fork()
if child == 0:
    import test_processes
    test_processes.states(n_jobs=2)
    os._exit(7)
print("status of the child:", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_crnn_comes_first_in_a_forked_child(tmp_path):
    """The OpenMP that tells it how many threads it may have has lost its own in the fork."""
    library = tmp_path / "library.so"
    options = ["-x", "c", "-", "-shared", "-fPIC", "-fopenmp", "-o", library]
    subprocess.run(["cc", *options], input=PARALLEL, check=True)
    run = run_python("-c", LATE, library)
    assert "status of the child: 7" in run.stdout, run.stderr


NO_THREADS = """
import os, resource, test_processes, crnn.preprocessing
from sklearn.utils import parallel
alone = test_processes.states(n_jobs=1)
test_processes.long_work(1)
if os.geteuid() == 0:
    os.setuid(65534)  # root may start as many as it likes
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    __import__("threading").Thread(target=print).start()
except RuntimeError:
    pass
else:
    raise SystemExit("threads can be started after all")
assert (test_processes.states(n_jobs=2) == alone).all()
assert (test_processes.long_work(2) == test_processes.long_work(1)).all()
print("same bits")
"""


def long_work(n_jobs):
    """A prediction of the length for which Ctrl-C needs a thread of its own."""
    clf = fitted(n_jobs=n_jobs)
    return clf.predict_proba(np.resize(data()[0], (4000, 40)))


def run_script(script, *arguments):
    return run_python("-W", "ignore", "-c", script, *arguments)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of threads are Linux's")
def test_the_caller_does_the_work_where_no_thread_is_to_be_had():
    run = run_script(NO_THREADS)
    assert run.stdout == "same bits\n", run.stderr


HANDLER = """
import signal, sys, numpy as np, test_processes
clf, X = test_processes.fitted(n_jobs=2), test_processes.data()[0]
wanted, calls = clf.predict_proba(X), []
def predict(number, frame):
    calls.append((clf.predict_proba(X) == wanted).all())
    signal.setitimer(signal.ITIMER_REAL, 1e-3 * np.random.rand() + 1e-5)
signal.signal(signal.SIGALRM, predict)
signal.setitimer(signal.ITIMER_REAL, 1e-3)
while len(calls) < int(sys.argv[1]):
    assert (clf.predict_proba(X) == wanted).all()
signal.setitimer(signal.ITIMER_REAL, 0)
print(all(calls))
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers on Windows")
def test_a_signal_handler_predicts_while_its_thread_predicts():
    run = run_script(HANDLER, str(50 * ROUNDS))
    assert run.stdout == "True\n", run.stderr


FORKS = """
import os, sys, threading, test_processes
from threadpoolctl import ThreadpoolController
libraries = ThreadpoolController().select(user_api="blas").lib_controllers
def blas():
    return [library.num_threads for library in libraries]
X, y = test_processes.data()
model, over, wanted = test_processes.fitted(n_jobs=2), threading.Event(), blas()
def predict():
    while not over.is_set():
        model.predict(X)
def fork(estimator):
    child = os.fork()
    if child == 0:
        before = blas()
        model.predict(X)
        os._exit(0 if before == blas() == wanted else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
threads = [threading.Thread(target=predict) for _ in range(int(sys.argv[2]))]
for thread in threads:
    thread.start()
try:
    model.set_params(callbacks=[fork], max_iter=int(sys.argv[1])).fit(X, y)
finally:
    over.set()
print("no child hung")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
@pytest.mark.parametrize(
    "company",
    [
        pytest.param(0, marks=pytest.mark.slow),
        pytest.param(2, marks=pytest.mark.skipif(FREE, reason="a fork may copy a locked dict")),
    ],
)
def test_children_forked_in_the_midst_of_a_fit(company):
    """They predict, in the company of threads too, and BLAS has the threads that it had before."""
    run = run_script(FORKS, str(10 * ROUNDS), str(company))
    assert run.stdout == "no child hung\n", run.stderr


# Not while y is read: NumPy 2.4 aborts an exit during np.unique on Python before 3.14.
EXIT = """
import threading, time, sys, test_processes
X, y = test_processes.data()
trains = threading.Event()
clf = test_processes.fitted(n_jobs=2)
clf.set_params(max_iter=10**6, callbacks=[lambda estimator: trains.set()])
threading.Thread(target=clf.fit, args=(X, y), daemon=True).start()
trains.wait()
time.sleep(float(sys.argv[1]))
"""


@pytest.mark.parametrize("seconds", np.linspace(0, 0.1, ROUNDS))
def test_the_interpreter_exits_in_the_midst_of_a_fit(seconds):
    run = run_script(EXIT, str(seconds))
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("neighbours", [0, 2])
def test_the_bits_of_any_number_of_threads_beside_busy_neighbours(neighbours, monkeypatch):
    wanted = states(n_jobs=1)
    monkeypatch.setattr(threads, "_processors", lambda: 8)
    monkeypatch.setattr(threads, "_openmp", list)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(neighbours)]
    try:
        for n_jobs in range(2, 9):
            np.testing.assert_array_equal(states(n_jobs=n_jobs), wanted)
    finally:
        for process in busy:
            process.kill()
            process.wait()
