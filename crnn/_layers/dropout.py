"""Dropout (Srivastava et al. 2014): numbers left out in training, the others larger in turn."""

from crnn._system.streams import draw_kept


def mask(rng, shape, rate, dtype):
    """Zero with the probability ``rate``, else 1 / (1 - rate)."""
    return draw_kept(rng, shape, rate).astype(dtype) * dtype.type(1 / (1 - rate))


class Dropout:
    """Leaves out numbers of what passes through."""

    parameters: dict[str, object] = {}

    def __init__(self, rate):
        self.rate = rate

    def forward(self, x, run):
        if not (self.rate and run.training):
            return x, lambda grad: (grad, {})
        factors = mask(run.rng, x.shape, self.rate, x.dtype)
        return x * factors, lambda grad: (grad * factors, {})

    def buffers(self, size):
        return 0  # a small part of those of the head
