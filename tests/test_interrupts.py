"""Fits that are cut short: what they leave, and how they come to the end that they would have."""

import itertools
import multiprocessing
import pickle
import signal
import sys
import time
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone

import common
from common import BOOK, ROUNDS, assert_same_weights, ids_and_classes, interrupt_after, run_python
from crnn import SimpleRNNClassifier, SimpleRNNRegressor
from crnn.callbacks import Checkpoint, EarlyStopping

KILLS = 2 * ROUNDS
small = partial(common.small, batch_size=20, max_iter=8)  # at a rate that falls with each step


def assert_same(a, b):
    assert_same_weights(a, b)
    np.testing.assert_array_equal(pickle.dumps(a.history_), pickle.dumps(b.history_))
    for one, other in zip(
        a._training["rng"].get_state(), b._training["rng"].get_state(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_an_interrupted_fit_keeps_its_last_whole_epoch():
    X, y = ids_and_classes(80)
    steady = partial(small, learning_rate_schedule="constant")
    clf = steady(callbacks=[interrupt_after(3)])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    assert_same(clf, steady(max_iter=3).fit(X, y))
    clf.set_params(callbacks=None)
    assert_same(pickle.loads(pickle.dumps(clf)).partial_fit(X, y), steady(max_iter=4).fit(X, y))
    assert_same(pickle.loads(pickle.dumps(clf)).fit(X, y), steady().fit(X, y))


def test_an_interrupt_before_the_first_epoch_changes_nothing():
    class Interrupting(list):
        def __iter__(self):
            raise KeyboardInterrupt

    X, y = ids_and_classes(80)
    clf = small().fit(X, y)
    before = pickle.dumps(clf)
    with pytest.raises(KeyboardInterrupt):
        clf.set_params(callbacks=None).fit(X, y, X_val=Interrupting(X.tolist()), y_val=y)
    assert pickle.dumps(clf) == before


@pytest.mark.parametrize(
    ("batch_size", "place", "kept"),
    [(20, "4 of epoch 1", 0), (40, "2 of epoch 2", 1), (80, "1 of epoch 4", 3)],
)
def test_weights_out_of_range_leave_the_last_whole_epoch(batch_size, place, kept):
    X, _ = ids_and_classes(80)
    X = X[:, :, None] / 9.0
    y = X.sum(axis=(1, 2))
    options = BOOK | {"optimizer": "sgd", "activation": "linear", "learning_rate": 0.05}
    reg = SimpleRNNRegressor(4, max_iter=50, batch_size=batch_size, random_state=0, **options)
    before = vars(reg).copy()
    with pytest.raises(
        ValueError, match=rf"The loss became \S+ in batch {place}\. Lower learning_rate"
    ):
        reg.fit(X, y)
    if kept:
        whole = clone(reg).set_params(max_iter=kept).fit(X, y)
        np.testing.assert_array_equal(reg.kernel_, whole.kernel_)
        np.testing.assert_array_equal(reg.head_kernel_, whole.head_kernel_)
    else:
        assert vars(reg) == before


def test_a_callback_that_fails_later_keeps_what_came_before(tmp_path):
    """As a checkpoint does on a disk that is full."""
    X, y = ids_and_classes(80)
    wanted = small().fit(X, y)

    def full(estimator):
        if estimator.n_iter_ == 5:
            raise OSError("No space left on device")

    clf = small(callbacks=[full])
    with pytest.raises(OSError, match="No space"):
        clf.fit(X, y)
    assert clf.n_iter_ == 4
    assert_same(clf.set_params(callbacks=None).resume(X, y), wanted)


def test_weights_out_of_range_after_the_last_batch():
    X, y = ids_and_classes(20)
    clf = small(optimizer="sgd", learning_rate=1e300)
    with pytest.raises(
        ValueError, match=r"weights became infinite or NaN by batch 1, the last of epoch 1\."
    ):
        clf.fit(X, y)


PLANS = {
    "plain": {},
    "held out": {"validation_fraction": 0.25, "stratify": True},
    "early stopping": {
        "validation_fraction": 0.5, "early_stopping": True, "n_iter_no_change": 2, "tol": 0.01,
        "learning_rate": 0.05, "max_iter": 40,
    },
    "adaptive": {
        "learning_rate_schedule": "adaptive", "n_iter_no_change": 2, "tol": 0.1, "max_iter": 9,
        "optimizer": "adam",
    },
    "momentum": {"optimizer": "sgd", "momentum": 0.9, "learning_rate_schedule": "invscaling"},
}  # fmt: skip


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("way", ["same object", "pickle", "file"])
def test_a_resumed_fit_comes_to_the_same_end(plan, way, tmp_path):
    X, y = ids_and_classes(80)
    wanted = small(**PLANS[plan]).fit(X, y)
    for epoch in (1, wanted.n_iter_ // 2, wanted.n_iter_):
        clf = small(**PLANS[plan], callbacks=[interrupt_after(epoch)])
        with pytest.raises(KeyboardInterrupt):
            clf.fit(X, y)
        assert clf.n_iter_ == epoch
        clf.set_params(callbacks=None)
        if way == "pickle":
            clf = pickle.loads(pickle.dumps(clf))
        if way == "file":
            clf.save(tmp_path / "cut.npz")
            clf = SimpleRNNClassifier.load(tmp_path / "cut.npz")
        assert_same(clf.resume(X, y), wanted)
        assert vars(clf).keys() == vars(wanted).keys()


def test_callbacks_go_on_where_they_were(tmp_path):
    X, y = ids_and_classes(80)
    options = {"validation_fraction": 0.5, "learning_rate": 0.05, "max_iter": 60}

    def callbacks(folder):
        folder.mkdir()
        best = Checkpoint(folder / "best.npz", monitor="val_loss")
        return [best, EarlyStopping(patience=4), Checkpoint(folder / "last.npz")]

    wanted = small(**options, callbacks=callbacks(tmp_path / "whole")).fit(X, y)
    best = SimpleRNNClassifier.load(tmp_path / "whole" / "best.npz")
    assert 1 < best.n_iter_ < wanted.n_iter_ < 60
    for epoch in (best.n_iter_ - 1, best.n_iter_ + 2, wanted.n_iter_):
        parts = callbacks(tmp_path / str(epoch))
        clf = small(**options, callbacks=[*parts, interrupt_after(epoch)])
        with pytest.raises(KeyboardInterrupt):
            clf.fit(X, y)
        again = SimpleRNNClassifier.load(tmp_path / str(epoch) / "last.npz")
        assert_same(again.set_params(callbacks=parts).resume(X, y), wanted)
        assert_same(SimpleRNNClassifier.load(tmp_path / str(epoch) / "best.npz"), best)


def test_what_cannot_be_resumed():
    X, y = ids_and_classes(80)
    clf = small().fit(X, y)
    with pytest.raises(ValueError, match=r"nothing to resume\. Call fit, with warm_start=True"):
        clf.resume(X, y)
    clf.set_params(callbacks=[interrupt_after(2)])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    before = pickle.dumps(clf.set_params(callbacks=None))
    for arguments in ((X[1:], y[1:]), (X, ~y), (X[:, ::-1], y), (X, y, np.arange(80))):
        with pytest.raises(ValueError, match="data differ from those of the interrupted fit"):
            clf.resume(*arguments)
        assert pickle.dumps(clf) == before
    for name, value in [("optimizer", "sgd"), ("max_iter", 9), ("class_weight", "balanced")]:
        own = getattr(clf, name)
        with pytest.raises(ValueError, match=rf"The parameters \['{name}'\] have changed"):
            clf.set_params(**{name: value}).resume(X, y)
        clf.set_params(**{name: own})
    assert pickle.dumps(clf) == before
    clf.partial_fit(X, y)
    with pytest.raises(ValueError, match="nothing to resume"):
        clf.resume(X, y)


LONG = """
import sys, time, threading, signal, os
import numpy as np
from crnn import SimpleRNNClassifier
X = np.random.default_rng(0).integers(1, 100, (2000, 100))
y = X[:, 0] % 2
clf = SimpleRNNClassifier({units}, batch_size=2000, max_iter=1000, n_jobs={n_jobs}, random_state=0)
if "{what}" == "predict":
    clf.set_params(max_iter=1).fit(X[:4], y[:4])
sent = []
def send():
    time.sleep({delay})
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=send).start()
try:
    if "{what}" == "fit":
        clf.fit(X, y)
    else:
        while True:
            clf.predict(X)
except KeyboardInterrupt:
    print(time.perf_counter() - sent[0])
clf.set_params(max_iter=1).fit(X[:4], y[:4]).partial_fit(X[:4], y[:4]).predict(X[:4])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill sends no Ctrl-C on Windows")
@pytest.mark.parametrize("what", ["fit", pytest.param("predict", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("units", "n_jobs"),
    [pytest.param(*p, marks=pytest.mark.slow) for p in [(8, 1), (32, 2)]] + [(512, 2)],
)
def test_ctrl_c_is_answered(what, units, n_jobs):
    """At 512 units a batch takes seconds; at 8 the signal comes between two small ones."""
    script = LONG.format(units=units, n_jobs=n_jobs, what=what, delay=0.7)
    run = run_python("-c", script)
    assert run.returncode == 0, run.stderr
    print(f"{what} at {units} units, {n_jobs} threads: {1000 * float(run.stdout):.1f} ms")
    assert float(run.stdout) < 2, "as long as the batch took"  # no timing: a batch takes longer


# Work that takes so much longer than the answer that no clock has to be exact.
WORK = {
    "a batch of a fit": """
rng = np.random.default_rng(0)
X = rng.integers(1, 100, (1000, 100))
def work():
    SimpleRNNClassifier(2048, batch_size=1000, random_state=0).fit(X, X[:, 0] % 2)
""",
    "drawing": """
def work():
    SimpleRNNClassifier(9000, max_iter=1, random_state=0).fit([[1], [2]], [0, 1])
""",
    "drawing a layer": """
def work():
    SimpleRNN(9000, random_state=0)(np.zeros((1, 1, 1)))
""",
}

TO_THE_END = """
import os, signal, sys, threading, time
import numpy as np
from crnn import SimpleRNN, SimpleRNNClassifier
{work}
def send():
    time.sleep(3)
    print(time.time(), flush=True)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=send, daemon=True).start()
try:
    work()
except KeyboardInterrupt:
    sys.exit(3)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill sends no Ctrl-C on Windows")
@pytest.mark.parametrize(
    "what",
    [pytest.param(w, marks=() if w == "drawing" else pytest.mark.slow) for w in WORK],
)
def test_a_process_ends_soon_after_ctrl_c(what):
    """The work is abandoned, and nobody waits for it at the exit."""
    run = run_python("-c", TO_THE_END.format(work=WORK[what]), timeout=2 * common.TIMEOUT)
    seconds = time.time() - float(run.stdout)
    print(f"{what}: {seconds:.2f} s from the signal to the end of the process")
    assert (run.returncode, run.stderr) == (3, "")
    assert seconds < 10, "as long as the work took"  # no timing: the work takes many times longer


TWO_AT_ONCE = """
import random, signal, time
from crnn._system.interrupts import run_interruptibly

left = 0
def handle(signum, frame):
    global left
    left -= 1
    if not left:
        signal.setitimer(signal.ITIMER_REAL, 0)
    raise KeyboardInterrupt

def twice():
    global left
    left = 2
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-4, 5e-3), 5e-4)
            while True:
                run_interruptibly(lambda: time.sleep(1e-3))
        except KeyboardInterrupt:
            if left:
                time.sleep(1)  # not a loop: a signal at its jump is in no try of Python 3.13
    except KeyboardInterrupt:
        pass

signal.signal(signal.SIGALRM, handle)
for _ in range({rounds}):
    twice()
assert run_interruptibly(lambda: 1) == 1
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGALRM on Windows")
def test_two_interrupts_within_a_millisecond():
    """Threads and their locks are in order afterwards, and nothing is printed of them."""
    run = run_python("-c", TWO_AT_ONCE.replace("{rounds}", str(50 * KILLS)))
    assert (run.returncode, run.stderr) == (0, "")


# Processes that are killed


def train_to_the_end(path):
    """What a job does that is started again until it is through."""
    X, y = ids_and_classes(80)
    saving = [Checkpoint(path)]
    if path.exists():
        return SimpleRNNClassifier.load(path).set_params(callbacks=saving).resume(X, y)
    return small(**JOB, callbacks=saving).fit(X, y)


def work(path):
    train_to_the_end(path).set_params(callbacks=None).save(path.with_name("done.npz"))


JOB = {"max_iter": 30, "validation_fraction": 0.25, "stratify": True, "optimizer": "adam"}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_killed_jobs_come_to_the_same_end(tmp_path):
    """Killed at random moments, some of them within a save, until they come to their end."""
    wanted = small(**JOB).fit(*ids_and_classes(80))
    rng, kills = np.random.default_rng(), 0
    for number in itertools.count(1):
        path = tmp_path / str(number) / "job.npz"
        path.parent.mkdir()
        while not path.with_name("done.npz").exists():
            kills += killed_after(rng.uniform(0, 0.1), path)
            if path.exists():
                SimpleRNNClassifier.load(path)  # the old one or the new one, always a whole one
        assert_same(SimpleRNNClassifier.load(path.with_name("done.npz")), wanted)
        if kills >= KILLS:
            break
    print(f"{kills} kills in {number} jobs")


def killed_after(seconds, path):
    """Whether a process that works on the job was killed, so long after its first checkpoint."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["crnn"])
    before = last_change(path)
    job = context.Process(target=work, args=(path,))
    job.start()
    while job.is_alive() and last_change(path) == before:
        job.join(0.001)
    job.join(seconds)
    killed = job.is_alive()
    job.kill()
    job.join()
    assert job.exitcode in (0, -signal.SIGKILL)
    return killed


def last_change(path):
    return path.stat().st_mtime_ns if path.exists() else None
