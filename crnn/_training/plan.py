"""What a fit needs to go on, and whether it is resumed with what it began with."""

import zlib
from math import ceil
from typing import NamedTuple

import numpy as np

from crnn._training.builders import optimizer_of

# Parameters that do not, or no longer, affect the weights that a fit arrives at.
WITHOUT_EFFECT = (
    "callbacks", "embedding_init", "n_jobs", "random_state", "scoring", "verbose", "warm_start",
)  # fmt: skip


# What "auto" stands for: small data get small batches and many epochs, and so enough steps; a few
# epochs on large data are enough, and more would overfit.
STEPS, SAMPLES = 3000, 100_000  # in all epochs together
EPOCHS = 4, 1000  # at least, at most
BATCHES = 16, 64
BATCHES_OF_EPOCH = 100


def batch_size_of(model, n_samples):
    if model.batch_size != "auto":
        return model.batch_size
    smallest, largest = BATCHES
    return min(max(n_samples // BATCHES_OF_EPOCH, smallest), largest)


def n_epochs_of(model, n_samples):
    if model.max_iter != "auto":
        return model.max_iter
    least, most = EPOCHS
    n_steps = ceil(n_samples / batch_size_of(model, n_samples))
    return min(max(min(ceil(STEPS / n_steps), ceil(SAMPLES / n_samples)), least), most)


class FitProgress(NamedTuple):
    """Epochs of a fit."""

    done: int
    total: int


def new_training(model, rng, split_seed=None):
    """``_training`` of a new model: all that a fit, or another after it, goes on from."""
    return {
        "rng": rng,
        "split_seed": split_seed,  # of stratified held-out samples: the same while fits go on
        "optimizer": optimizer_of(model).state,
        "progress": new_progress(),
        "plan": None,  # of a fit that is running or was interrupted
    }


def new_progress():
    """Best loss so far, epochs since it improved, and how often that was too long."""
    return {"best": np.inf, "waited": 0, "n_stalls": 0}


def begin_plan(model, n_epochs, data=None):
    """Plan a fit of so many epochs on data of this fingerprint.

    An adaptive schedule goes on from earlier fits; early stopping looks at each fit by itself.
    """
    if model.early_stopping:
        model._training["progress"] = new_progress()
    model._training["plan"] = {
        "epochs_left": n_epochs,
        "epochs_done": 0,
        "settings": _settings(model),
        "data": data,
        "best_weights": None,
        "best_optimizer": None,
    }


def check_plan(model, data):
    """Raise if parameters or data differ from those of the fit being resumed."""
    plan, settings = model._training["plan"], _settings(model)
    changed = [name for name, value in settings.items() if plan["settings"].get(name) != value]
    if changed:
        raise ValueError(
            f"The parameters {changed} have changed since the interrupted fit; set them back "
            f"to {[plan['settings'].get(name) for name in changed]}, or call fit."
        )
    if plan["data"] not in (None, data):
        raise ValueError(
            "The data differ from those of the interrupted fit. Pass the same data, or call fit."
        )


def _settings(model):
    """The parameters on which the result of a fit depends."""
    settings = model.get_params(deep=False) | {"dtype": np.dtype(model.dtype).name}
    settings = {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}
    return {name: value for name, value in settings.items() if name not in WITHOUT_EFFECT}


def fingerprint(train, validation):
    """A checksum of all samples, to tell whether a fit is resumed on the same data."""
    checksum, seen = 0, []
    for samples in [train] if validation is None else [train, validation.samples]:
        sequences = samples.sequences
        parts = [sequences.starts, sequences.lengths, sequences.pads]
        if not any(sequences.values is values for values in seen):  # both may share them
            parts.append(sequences.values)
            seen.append(sequences.values)
        for array in (*parts, samples.targets, samples.weights):
            checksum = zlib.crc32(np.ascontiguousarray(array), checksum)
    return checksum
