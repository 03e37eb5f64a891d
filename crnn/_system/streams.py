"""Random streams: one for each model, and checks of those that come from files and pickles."""

from contextlib import contextmanager
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

STREAM_WORDS = 624  # in the state of the Mersenne twister


def own_stream(random_state):
    """Make a random stream for one model, from which nobody else draws."""
    if isinstance(random_state, Integral):
        return np.random.RandomState(random_state)
    return np.random.RandomState(check_random_state(random_state).randint(2**31 - 1))


def draw_seed(rng):
    """Seed of a stream of draws for a kernel."""
    return rng.randint(2**63 - 1, dtype=np.int64)


def least_kept(rate):
    """The least draw of 16 bits that is kept at this rate of dropout; the highest always is."""
    return min(round(rate * 2**16), 2**16 - 1)


@contextmanager
def rewound_on_error(random_state):
    """Yield the random stream to draw from; if the block fails, it goes back to where it was."""
    stream = check_random_state(random_state)
    before = stream.get_state(legacy=False)
    try:
        yield stream
    except BaseException:
        stream.set_state(before)
        raise


def check_stream(stream):
    """Refuse a position out of bounds: NumPy accepts it, and then reads beyond its buffer."""
    state = stream.get_state(legacy=False)
    if state["bit_generator"] == "MT19937":
        position = state["state"]["pos"]
        if not 0 <= position <= STREAM_WORDS:
            raise ValueError(
                f"the random stream has the position {position}, not one of 0 to {STREAM_WORDS}"
            )
    if state["bit_generator"] in ("Philox", "SFC64") and "buffer_pos" in state:
        place = state["buffer_pos"]
        if not 0 <= place <= len(state["buffer"]):
            raise ValueError(f"the random stream has the position {place}, outside its buffer")
