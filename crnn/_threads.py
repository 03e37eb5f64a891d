"""How many threads the kernels use, and who may not use any meanwhile."""

from functools import cache

from joblib import effective_n_jobs
from threadpoolctl import ThreadpoolController


def n_threads_for(n_jobs):
    """joblib's reading of ``n_jobs``: None is 1 unless a ``parallel_config`` says otherwise."""
    return effective_n_jobs(n_jobs)


@cache
def _controller():
    # Finding the loaded libraries takes milliseconds, so it is done once, at the first use.
    return ThreadpoolController()


def single_threaded_blas():
    """Context in which BLAS stays in the thread that calls it: the kernels share out the work."""
    return _controller().limit(limits=1, user_api="blas")
