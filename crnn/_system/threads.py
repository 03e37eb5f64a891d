"""How many threads the kernels use."""

from functools import cache

from joblib import cpu_count, effective_n_jobs
from threadpoolctl import ThreadpoolController

from crnn._core import THREADS


def n_threads_for(n_jobs):
    """Number of threads by joblib's rules; None is 1 unless a ``parallel_config`` sets it.

    At most as many as there are processors, and as OpenMP allows: OMP_NUM_THREADS, threadpoolctl
    and joblib's share for a worker process all act on that limit. ``effective_n_jobs`` decides for
    None only: it counts processes, of which a daemonic process may start none.
    """
    if n_jobs is None:
        wanted = effective_n_jobs(None)
    elif n_jobs == 0:
        raise ValueError("n_jobs=0 has no meaning; use None or 1 for one thread, -1 for all.")
    else:
        wanted = n_jobs if n_jobs > 0 else max(1, _processors() + 1 + n_jobs)
    if wanted == 1 or not THREADS:
        return 1
    return min(wanted, _processors(), *(library.num_threads for library in _openmp()))


# Finding these out can take milliseconds, so each is done once, at first use.


@cache
def _processors():
    return cpu_count()


@cache
def _openmp():
    """The OpenMP runtimes of other libraries, such as scikit-learn's."""
    return ThreadpoolController().select(user_api="openmp").lib_controllers
