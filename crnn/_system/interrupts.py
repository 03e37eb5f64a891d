"""Ctrl-C during long work."""

import _thread
import threading

# Multiply-adds, which take milliseconds on a fast machine and at most a tenth of a second on a slow
# one. The cost of a thread is negligible beside anything longer.
LONG = 2**28

POLL = 0.05  # seconds; where a wait cannot be interrupted, as on Windows, it must end on its own


def run_interruptibly(task, cancel=lambda: None):
    """Return ``task()``; Ctrl-C raises KeyboardInterrupt at once, even while a kernel runs.

    Python handles signals only between its own instructions. So the task runs in a second thread,
    while this one waits for it or for a signal. After an interrupt the task is abandoned: it must
    work on data of its own, and one that calls many kernels checks between them whether ``cancel``
    was called.

    The thread is a bare one: those of ``threading`` wait for one another in Python code, whose
    locks a second interrupt leaves inconsistent, and they delay the exit of the interpreter.
    """
    if threading.current_thread() is not threading.main_thread():
        return task()  # only the main thread receives signals
    ended, outcome = _thread.allocate_lock(), {}

    def run():
        try:
            outcome["result"] = task()
        except BaseException as error:
            outcome["error"] = error
        finally:
            ended.release()

    ended.acquire()
    try:
        try:
            _thread.start_new_thread(run, ())
        except RuntimeError:  # no thread is available, or the interpreter is shutting down
            return task()
        _wait_for(ended)
    except BaseException:
        cancel()
        raise
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]


# Apart from its caller, since Python 3.12 and 3.13 leave the jump at the end of a loop out of a try
# statement around it: an interrupt just there would pass by.
def _wait_for(lock):
    while not lock.acquire(timeout=POLL):
        pass
