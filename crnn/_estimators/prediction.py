"""What a fitted estimator computes for new data: logits and states."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from crnn._data.reader import as_sequences, read
from crnn._data.sequences import repeat_over_skipped
from crnn._layers import forecast
from crnn._layers.assembly import network_of
from crnn._layers.parameters import as_arrays
from crnn._layers.predictor import Predictor
from crnn._layers.workspace import kept_workspace
from crnn._system import memory
from crnn._system.threads import n_threads_for


def logits(estimator, X):
    """Outputs of the head (n_samples, K)."""
    return _run(estimator, X, Predictor.logits)


def last_states(estimator, X):
    """States of the last recurrent layer after the last timestep (n_samples, H)."""
    return _run(estimator, X, Predictor.last_states)


def every_state(estimator, X):
    """States of the last recurrent layer after each timestep, in the container of X."""
    check_is_fitted(estimator)
    raw = read(estimator, X, reset=False)
    network = network_of(estimator)
    sequences = as_sequences(estimator, raw, network, keep_pads=True)
    sizes = network.sizes
    memory.require(
        forecast.of_states(
            len(raw.values), sizes.n_features, sizes.n_states, np.dtype(estimator.dtype).itemsize
        ),
        f"States after {len(raw.values)} timesteps",
        "Pass fewer sequences at a time, or shorter ones.",
    )
    states = _compute(estimator, network, Predictor.every_state, sequences)
    if estimator.mask_zero and sequences.are_tokens:
        kept = raw.values != 0
        states = states[kept] if len(states) == len(kept) else states
        states = repeat_over_skipped(states, kept, raw.offsets, sizes.units[-1])
    return raw.apart(states)


def _run(estimator, X, method):
    check_is_fitted(estimator)
    network = network_of(estimator)
    sequences = as_sequences(estimator, read(estimator, X, reset=False), network)
    return _compute(estimator, network, method, sequences)


def _compute(estimator, network, method, sequences):
    weights = as_arrays(estimator.weights_, estimator.dtype)
    n_threads = n_threads_for(estimator.n_jobs)
    with kept_workspace() as workspace:
        out = method(Predictor(network, weights, n_threads, workspace), sequences)
    if not np.isfinite(out).all():
        raise ValueError(
            "The network produced NaN or infinity; scale X to about unit size, or check "
            "weights_ for infinite or very large values."
        )
    return out
