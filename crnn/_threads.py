"""How many threads the kernels use, and who may not use any meanwhile."""

import os
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path

from joblib import cpu_count, effective_n_jobs
from threadpoolctl import ThreadpoolController

from crnn._core import OPENMP

IMPORTED_IN = os.getpid()
FORKED = 0x40  # Linux's flag of a process that was forked and has executed no program since


def n_threads_for(n_jobs):
    """Threads by the rules of joblib, None being 1 unless a ``parallel_config`` says otherwise.

    No more than OpenMP may have: that limit is where OMP_NUM_THREADS, threadpoolctl and joblib's
    share for a worker process meet. Numbers are not left to ``effective_n_jobs``: that counts
    processes, of which a daemonic process may have none.
    """
    if n_jobs is None:
        wanted = effective_n_jobs(None)
    elif n_jobs == 0:
        raise ValueError("n_jobs=0 has no meaning; use None or 1 for one thread, -1 for all.")
    else:
        wanted = n_jobs if n_jobs > 0 else max(1, cpu_count() + 1 + n_jobs)
    return min(wanted, _most_threads()) if wanted > 1 and OPENMP else 1


def _most_threads():
    if _forked(os.getpid()):
        # GNU's OpenMP waits forever for threads that a fork has left behind in the parent.
        return 1
    openmp = _controller().select(user_api="openmp").lib_controllers
    return min((library.num_threads for library in openmp), default=1)


@cache
def _controller():
    # Finding the loaded libraries takes milliseconds, so it is done once, at the first use.
    return ThreadpoolController()


@cache
def _forked(pid):
    """Whether a process is one that was forked, before or after crnn was imported in it."""
    with suppress(OSError, IndexError, ValueError):  # there is no /proc but on Linux
        flags = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[6]
        return bool(int(flags) & FORKED)
    return pid != IMPORTED_IN


class _SingleThreadedBlas:
    """A context in which BLAS stays in the thread that calls it: the kernels share out the work.

    The limit is one of the whole process. So the first thread that comes in sets it, and the last
    one that goes out lifts it.
    """

    def __init__(self):
        self._lock, self._inside, self._limit = threading.Lock(), 0, None

    def __enter__(self):
        with self._lock:
            if self._inside == 0:
                self._limit = _controller().limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, kind, error, traceback):
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


@cache
def single_threaded_blas():
    return _SingleThreadedBlas()


if hasattr(os, "register_at_fork"):
    # A lock that another thread held at the time of the fork would stay locked for ever.
    os.register_at_fork(after_in_child=single_threaded_blas.cache_clear)
