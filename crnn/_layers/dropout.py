"""Dropout (Srivastava et al. 2014): numbers left out in training, the others larger in turn."""

from functools import partial

from crnn import _core
from crnn._system.streams import draw_seed, least_kept


def drawn(run, rate, width=1):
    """A function that leaves out the same numbers of any array of a shape, in place.

    Each of them goes with the probability ``rate``, or each row of ``width`` numbers. The others
    are divided by 1 - rate.
    """
    return partial(
        _core.drop,
        width=width,
        seed=draw_seed(run.rng),
        least=least_kept(rate),
        factor=1 / (1 - rate),
        n_threads=run.n_threads,
    )


class Dropout:
    """Leaves out numbers of what passes through."""

    parameters: dict[str, object] = {}

    def __init__(self, rate):
        self.rate = rate

    def forward(self, x, run):
        if not (self.rate and run.training):
            return x, lambda grad: (grad, {})
        drop, x = drawn(run, self.rate), x.copy()
        drop(x)

        def backward(grad):
            drop(grad)
            return grad, {}

        return x, backward

    def buffers(self, size):
        return 0  # a small part of those of the head
