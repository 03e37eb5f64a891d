"""How many threads the kernels use, and who may not use any meanwhile."""

from functools import cache

from joblib import cpu_count, effective_n_jobs
from threadpoolctl import ThreadpoolController


def n_threads_for(n_jobs):
    """Threads by the rules of joblib: None is 1 unless a ``parallel_config`` says otherwise.

    Numbers are not left to ``effective_n_jobs``: that counts processes, of which a daemonic process
    may have none.
    """
    if n_jobs is None:
        return effective_n_jobs(None)
    if n_jobs == 0:
        raise ValueError("n_jobs=0 has no meaning; use None or 1 for one thread, -1 for all.")
    return n_jobs if n_jobs > 0 else max(1, cpu_count() + 1 + n_jobs)


@cache
def _controller():
    # Finding the loaded libraries takes milliseconds, so it is done once, at the first use.
    return ThreadpoolController()


def single_threaded_blas():
    """Context in which BLAS stays in the thread that calls it: the kernels share out the work."""
    return _controller().limit(limits=1, user_api="blas")
