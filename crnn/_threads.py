"""How many threads the kernels use, and who may not use any meanwhile."""

import os
from functools import cache

from joblib import cpu_count, effective_n_jobs
from threadpoolctl import ThreadpoolController

IMPORTED_IN = os.getpid()


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
    return min(wanted, _most_threads()) if wanted > 1 else 1


def _most_threads():
    if os.getpid() != IMPORTED_IN:
        # GNU's OpenMP waits forever for threads that a fork has left behind in the parent.
        return 1
    openmp = _controller().select(user_api="openmp").lib_controllers
    return min((library.num_threads for library in openmp), default=1)


@cache
def _controller():
    # Finding the loaded libraries takes milliseconds, so it is done once, at the first use.
    return ThreadpoolController()


def single_threaded_blas():
    """Context in which BLAS stays in the thread that calls it: the kernels share out the work."""
    return _controller().limit(limits=1, user_api="blas")
