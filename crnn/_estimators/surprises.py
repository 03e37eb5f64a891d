"""Warnings about data that are legal, but seldom what the user means."""

import warnings

import numpy as np
from scipy.stats import spearmanr

# Ids of text do not resemble their neighbours; samples of a smooth signal do.
MANY_IDS = 1000
ALIKE = 0.5
ENOUGH_PAIRS = 100
LOOKED_AT = 100_000  # timesteps: enough to tell

# Targets of at most this mean, and of a standard deviation within these bounds, are fitted well by
# a network whose outputs begin at about unit size. A few targets tell little about either.
UNIT_MEAN = 10
UNIT_DEVIATION = 0.1, 10
FEW = 10


def warn_of_surprises(estimator, raw, y):
    """Warn about the data of a new model; each surprise once."""
    found = [_per_step_targets(raw, y)]
    if not raw.are_tokens(estimator.input):
        found.append(_single_timestep(raw))
    elif estimator.input == "auto":
        found.append(_measurements(raw))
    if estimator.out_activation_ == "identity":
        found.append(_unscaled_targets(y))
    for message in filter(None, found):
        warnings.warn(message, UserWarning, stacklevel=2)


def warn_of_unknown_ids(estimator, raw):
    """Warn of ids beyond the embedding, which are read as unknown, in training too."""
    if estimator.vocabulary_size is not None or "embedding" not in estimator.weights_:
        return
    highest, known = raw.values.max(initial=0), len(estimator.embedding_) - 2
    if highest > known:
        warnings.warn(
            f"X contains token ids up to {highest}, but the first call saw ids up to {known}. "
            "Higher ids are read as one unknown word that is never trained; set "
            "vocabulary_size to train them.",
            UserWarning,
            stacklevel=2,
        )


def _single_timestep(raw):
    if raw.n_features == 1 or not (np.diff(raw.offsets) == 1).all():
        return None
    return (
        f"Each sample of X is a single timestep of {raw.n_features} features, so there is no "
        "sequence to read. If X has shape (n_samples, channels, timesteps), put "
        "crnn.preprocessing.SeriesLayout('channels_first') before the estimator, or pass "
        "X.transpose(0, 2, 1)."
    )


def _measurements(raw):
    """Integers that change little from step to step, and would make a large vocabulary."""
    largest = int(raw.values.max(initial=0))
    if largest < MANY_IDS:
        return None
    values = raw.values[:LOOKED_AT].astype(float)
    starts = raw.offsets[(0 < raw.offsets) & (raw.offsets < len(values))]
    pairs = (values[:-1] > 0) & (values[1:] > 0)  # 0 is padding
    pairs[starts - 1] = False
    before, after = values[:-1][pairs], values[1:][pairs]
    if len(before) < ENOUGH_PAIRS or min(before.std(), after.std()) == 0:
        return None
    if spearmanr(before, after).statistic < ALIKE:  # by ranks: few ids are large
        return None
    return (
        f"The integers of X go up to {largest} and follow each other closely, as measurements do, "
        "but input='auto' reads integers as token ids, each with a vector of its own. Set "
        "input='series', or pass floats; input='tokens' if they are token ids."
    )


def _per_step_targets(raw, y):
    n_columns = y.shape[1] if y.ndim == 2 else 1
    if n_columns == 1 or not (np.diff(raw.offsets) == n_columns).all():
        return None
    return (
        f"y has {n_columns} columns, as many as X has timesteps. They are read as {n_columns} "
        "targets of a whole sequence, each predicted from all its timesteps, not as one target "
        "for each timestep."
    )


def _unscaled_targets(y):
    if len(y) < FEW:
        return None
    mean, deviation = y.mean(axis=0), y.std(axis=0)
    least, most = UNIT_DEVIATION
    usual = (deviation >= least) & (deviation <= most) | (deviation == 0)
    if np.all(usual & (np.abs(mean) <= UNIT_MEAN)):
        return None
    return (
        f"The targets y have a mean of {_range(mean)} and a standard deviation of "
        f"{_range(deviation)}, far from the unit scale at which the outputs of a network begin. "
        "Let sklearn.compose.TransformedTargetRegressor(regressor, transformer=StandardScaler()) "
        "scale them, or y = (y - y.mean()) / y.std()."
    )


def _range(numbers):
    low, high = np.min(numbers), np.max(numbers)
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
