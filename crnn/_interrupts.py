"""Ctrl-C during work that takes long."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait

# Multiply-adds that take milliseconds on a fast machine, and not longer than a tenth of a second
# on a slow one. To hand over what takes longer is cheap beside it.
LONG = 2**28

POLL = 0.05  # seconds; where a wait cannot be interrupted, as on Windows, it must end by itself


def run_interruptibly(task, cancel):
    """Give ``task()``; Ctrl-C raises KeyboardInterrupt at once, even while a kernel runs.

    Python looks for signals between its own instructions only. So the task runs in a thread beside
    this one, which waits for either. After an interrupt the task is left behind: it must work on
    data of its own, and look between its kernels whether ``cancel`` was called.
    """
    if threading.current_thread() is not threading.main_thread():
        return task()  # signals are the business of the main thread
    executor = ThreadPoolExecutor(1)
    try:
        future = executor.submit(task)
    except RuntimeError:  # there is no thread to be had, or the interpreter is about to end
        return task()
    try:
        while not future.done():
            wait([future], POLL)
    except BaseException:
        cancel()
        raise
    finally:
        executor.shutdown(wait=False)
    return future.result()
