"""Random streams: one for each model, and the checks of those that come from outside."""

from contextlib import contextmanager
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

STREAM_WORDS = 624  # of the Mersenne twister


def own_stream(random_state):
    """A random stream that nobody else draws from, so that a model goes on by itself."""
    if isinstance(random_state, Integral):
        return np.random.RandomState(random_state)
    return np.random.RandomState(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def rewound_on_error(random_state):
    """Give the random stream to draw from; if the block fails, nothing has been drawn."""
    stream = check_random_state(random_state)
    before = stream.get_state(legacy=False)
    try:
        yield stream
    except BaseException:
        stream.set_state(before)
        raise


def check_stream(stream):
    """NumPy takes any position, and reads beyond the end of its words."""
    state = stream.get_state(legacy=False)
    if state["bit_generator"] == "MT19937":
        position = state["state"]["pos"]
        if not 0 <= position <= STREAM_WORDS:
            raise ValueError(
                f"the random stream has the position {position}, not 0 to {STREAM_WORDS}"
            )
    if state["bit_generator"] in ("Philox", "SFC64") and "buffer_pos" in state:
        place = state["buffer_pos"]
        if not 0 <= place <= len(state["buffer"]):
            raise ValueError(f"the random stream has the position {place}, outside its buffer")
