"""Ctrl-C during work that takes long."""

import _thread
import threading

# Multiply-adds that take milliseconds on a fast machine, and not longer than a tenth of a second
# on a slow one. To hand over what takes longer is cheap beside it.
LONG = 2**28

POLL = 0.05  # seconds; where a wait cannot be interrupted, as on Windows, it must end by itself


def run_interruptibly(task, cancel=lambda: None):
    """Give ``task()``; Ctrl-C raises KeyboardInterrupt at once, even while a kernel runs.

    Python looks for signals between its own instructions only. So the task runs in a thread beside
    this one, which waits for either. After an interrupt the task is left behind: it must work on
    data of its own, and one of many kernels looks between them whether ``cancel`` was called.

    The thread is a bare one: those of ``threading`` wait for one another in Python, where a second
    interrupt leaves their locks in disorder, and hold up the end of the interpreter.
    """
    if threading.current_thread() is not threading.main_thread():
        return task()  # signals are the business of the main thread
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
        except RuntimeError:  # there is no thread to be had, or the interpreter is about to end
            return task()
        while not ended.acquire(timeout=POLL):
            pass
    except BaseException:
        cancel()
        raise
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]
