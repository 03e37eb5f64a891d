"""One fit: epoch after epoch on a copy of the estimator, until the plan is done."""

import zlib
from contextlib import contextmanager
from copy import deepcopy
from time import perf_counter

import numpy as np

from crnn._layers import forecast
from crnn._saving.checks import check_state
from crnn._saving.snapshot import copy_of, is_learned
from crnn._system import memory
from crnn._training.schedule import Schedule
from crnn._training.scoring import Scorers
from crnn._training.trainer import NotFiniteError, print_epoch


class Fit:
    """What training works on: the weights, the optimiser, the plan."""

    def __init__(self, model, samples, validation=None):
        check_state(model)  # whose attributes are the user's to change
        self.model, self.samples, self.validation = model, samples, validation
        self.trainer = model._trainer()
        self.scorers = Scorers(model, ("loss", self.trainer.objective.metric))
        self.parameters = self.trainer.weights
        self.optimizer = model._new_optimizer()
        self.optimizer.continue_from(model._optimizer_state)
        self.schedule = Schedule(
            model.learning_rate_schedule,
            model._plan,
            power_t=model.power_t,
            early_stopping=model.early_stopping,
            n_iter_no_change=model.n_iter_no_change,
            tol=model.tol,
        )
        self.history = _copy(model.history_)
        n = len(samples.weights)
        automatic = min(max(n // 50, 4), 128)
        self.batch_size = automatic if model.batch_size == "auto" else model.batch_size
        memory.require(
            forecast.of_batch(
                samples.sequences.lengths,
                self.batch_size,
                self.trainer.network,
                self.trainer.vocabulary_size,
                self.parameters["head/bias"].itemsize,
            ),
            f"The longest batch of {min(self.batch_size, n)} samples",
            "Lower batch_size or units, or shorten the sequences.",
        )

    def run(self, attempt, epochs=None):
        """Train to the end of the plan, and give the estimator what came out."""
        first = self.n_epochs + 1
        if epochs is not None and epochs.over:
            self.schedule.stop()
        while self.schedule.goes_on:
            start = perf_counter()
            if epochs is not None:
                epochs.begin()
            row = self._epoch()
            _append(self.history, row)
            self.schedule.end(row, self.parameters, self.optimizer)
            attempt.kept = self.as_fitted()
            if self.model.verbose:
                seconds, n = perf_counter() - start, len(self.samples.weights)
                print_epoch(self.n_epochs, row, seconds, n, header=self.n_epochs == first)
            if epochs is not None and epochs.end(self.as_fitted):
                self.schedule.stop()
            attempt.passed = attempt.kept
        self.schedule.finish(self.parameters, self.optimizer)
        fitted = self.as_fitted()
        del fitted._plan  # nothing is left to do
        attempt.kept = fitted

    @property
    def n_epochs(self):
        return len(self.history.get("loss", []))

    def _epoch(self):
        """Train for one epoch, and measure."""
        rng, n, epoch = self.model._rng, len(self.samples.weights), self.n_epochs + 1
        self.schedule.begin(epoch, self.optimizer)
        order = rng.permutation(n) if self.model.shuffle else np.arange(n)
        try:
            row = self.trainer.train_epoch(
                *self.samples, order, self.batch_size, self.optimizer, rng
            )
        except NotFiniteError as error:
            raise NotFiniteError(
                f"{error} of epoch {epoch}. Lower learning_rate, set clip_norm, or scale float "
                "series and targets to about unit size. The estimator keeps the last complete "
                "epoch of this fit, if there is one."
            ) from None
        if self.validation is not None:
            row |= self.trainer.evaluate(*self.validation.samples)
            if self.scorers.by_name:
                row |= self.scorers(self.as_fitted(), self.validation)
        return row

    def as_fitted(self):
        """A copy of the model as if the fit ended here; ``resume`` would go on from it."""
        fitted = copy_of(self.model)
        fitted.weights_ = {name: array.copy() for name, array in self.parameters.items()}
        fitted._rng = deepcopy(fitted._rng)
        fitted._optimizer_state = deepcopy(self.optimizer.state)
        fitted._plan, fitted._progress = dict(self.schedule.plan), self.schedule.progress
        fitted.history_ = _copy(self.history)
        fitted.n_iter_ = self.n_epochs
        return fitted


def fingerprint(train, validation):
    """A number by which to tell whether a fit is resumed on the data that it had."""
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


def _copy(history):
    return {name: list(figures) for name, figures in history.items()}


def _append(history, row):
    """One more epoch; NaN stands for what an epoch did not measure."""
    n_epochs = len(history.get("loss", []))
    for name in history | row:
        history.setdefault(name, [np.nan] * n_epochs).append(row.get(name, np.nan))


class Attempt:
    """A copy of an estimator that trains in its stead, and what is kept of it.

    Whoever looks at the estimator meanwhile, another thread maybe, finds it as it was.
    """

    def __init__(self, estimator):
        self.estimator, self.model = estimator, copy_of(estimator)
        self.kept = self.passed = None  # the last whole epoch; that which all callbacks have seen
        if "_rng" in vars(self.model):
            self.model._rng = deepcopy(self.model._rng)

    def give(self, fitted):
        """Make the estimator what was fitted, by one assignment, which no signal can cut in two."""
        if fitted is not None:
            own = {k: v for k, v in dict(vars(self.estimator)).items() if not is_learned(k)}
            learned = {k: v for k, v in vars(fitted).items() if is_learned(k)}
            self.estimator.__dict__ = own | learned


@contextmanager
def unchanged_on_error(estimator):
    """Have an ``Attempt`` train; if the block fails, the estimator stays as it was.

    But where training was cut short, by Ctrl-C or by weights that became NaN or infinite, the
    estimator gets the last whole epoch, and after any other error, such as a full disk, the last
    that all callbacks have seen. So one that fails at its first call has no effect, and one that
    fails later does no harm. ``resume`` can go on in either case.
    """
    attempt = Attempt(estimator)
    try:
        yield attempt
    except (KeyboardInterrupt, NotFiniteError):
        attempt.give(attempt.kept)
        raise
    except BaseException:
        attempt.give(attempt.passed)
        raise
    attempt.give(attempt.kept)
