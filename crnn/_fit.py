"""One fit: epoch after epoch on copies of the weights, until the plan is done."""

from contextlib import contextmanager
from copy import deepcopy
from time import perf_counter
from typing import NamedTuple

import numpy as np
from sklearn.metrics import check_scoring

from crnn import _memory
from crnn._parameters import to_attributes
from crnn._schedule import Schedule
from crnn._state import check_state
from crnn._threads import single_threaded_blas
from crnn._training import NotFiniteError, Samples, print_epoch


class Validation(NamedTuple):
    """Held-out data, as the kernels read them and as scorers do."""

    samples: Samples
    X: object
    y: object


class Fit:
    """What training works on; the estimator itself stays as it is until the end."""

    def __init__(self, estimator, samples, validation=None):
        check_state(estimator)  # whose attributes are the user's to change
        self.estimator, self.samples, self.validation = estimator, samples, validation
        self.trainer = estimator._trainer(copy=True)
        self.parameters = self.trainer.network.parameters
        self.optimizer = estimator._new_optimizer()
        self.optimizer.continue_from(estimator._optimizer_state)
        self.schedule = Schedule(
            estimator.learning_rate_schedule,
            estimator._plan,
            power_t=estimator.power_t,
            early_stopping=estimator.early_stopping,
            n_iter_no_change=estimator.n_iter_no_change,
            tol=estimator.tol,
        )
        self.history = _copy(estimator.history_)
        n = len(samples.weights)
        automatic = min(max(n // 50, 4), 128)
        self.batch_size = automatic if estimator.batch_size == "auto" else estimator.batch_size
        _memory.require(
            _memory.of_batch(
                samples.sequences.lengths,
                self.batch_size,
                self.parameters["kernel"].shape,
                self.parameters["kernel"].itemsize,
                self.trainer.vocabulary_size,
            ),
            f"The longest batch of {min(self.batch_size, n)} samples",
            "Lower batch_size or units, or cut the sequences.",
        )

    def run(self, attempt, epochs=None):
        """Train to the end of the plan, and give the estimator what came out."""
        scorer, first = self._scorer(), self.n_epochs + 1
        with single_threaded_blas():
            if epochs is not None and epochs.over:
                self.schedule.stop()
            while self.schedule.goes_on:
                start = perf_counter()
                if epochs is not None:
                    epochs.begin()
                row = self._epoch(scorer)
                _append(self.history, row)
                self.schedule.end(row, self.parameters, self.optimizer)
                attempt.keep(self.as_fitted())
                if self.estimator.verbose:
                    seconds, n = perf_counter() - start, len(self.samples.weights)
                    print_epoch(self.n_epochs, row, seconds, n, header=self.n_epochs == first)
                if epochs is not None and epochs.end(self.as_fitted):
                    self.schedule.stop()
        self.schedule.finish(self.parameters, self.optimizer)
        attempt.keep(self.as_fitted())
        attempt.finish()

    @property
    def n_epochs(self):
        return len(self.history.get("loss", []))

    def _epoch(self, scorer):
        """Train for one epoch, and measure."""
        rng, n, epoch = self.estimator._rng, len(self.samples.weights), self.n_epochs + 1
        self.schedule.begin(epoch, self.optimizer)
        order = rng.permutation(n) if self.estimator.shuffle else np.arange(n)
        try:
            row = self.trainer.train_epoch(*self.samples, order, self.batch_size, self.optimizer)
        except NotFiniteError as error:
            raise NotFiniteError(
                f"{error} of epoch {epoch}. Lower learning_rate, set clip_norm, or scale float "
                "series and targets to about unit size. The estimator keeps the last whole epoch "
                "of this fit, if there is one."
            ) from None
        if self.validation is not None:
            row |= self.trainer.evaluate(*self.validation.samples)
        if scorer is not None:
            scores = scorer(self.as_fitted(), self.validation.X, self.validation.y)
            row |= {f"val_{name}": float(score) for name, score in scores.items()}
        return row

    def _scorer(self):
        scoring = self.estimator.scoring
        if scoring is None or self.validation is None:
            return None
        names = [scoring] if isinstance(scoring, str) else list(scoring)
        return check_scoring(self.estimator, scoring=names)

    def as_fitted(self):
        """A copy of the estimator as if the fit ended here; ``resume`` would go on from it."""
        model = type(self.estimator).__new__(type(self.estimator))
        vars(model).update(vars(self.estimator))
        to_attributes(model, {name: array.copy() for name, array in self.parameters.items()})
        model._rng = deepcopy(model._rng)
        model._optimizer_state = deepcopy(self.optimizer.state)
        model._plan, model._progress = dict(self.schedule.plan), self.schedule.progress
        model.history_ = _copy(self.history)
        model.n_iter_ = self.n_epochs
        return model


def _copy(history):
    return {name: list(figures) for name, figures in history.items()}


def _append(history, row):
    """One more epoch; NaN stands for what an epoch did not measure."""
    n_epochs = len(history.get("loss", []))
    for name in history | row:
        history.setdefault(name, [np.nan] * n_epochs).append(row.get(name, np.nan))


class Attempt:
    """The points to which an estimator can go back when a call fails."""

    def __init__(self, estimator):
        self.estimator = estimator
        self.before = self.last_epoch = self._point(estimator)

    def _point(self, model):
        attributes = dict(vars(model))
        stream = attributes["_rng"].get_state() if "_rng" in attributes else None
        return attributes, stream

    def keep(self, model):
        """Take what the estimator has come to after a whole epoch."""
        attributes, stream = self._point(model)
        attributes["_rng"] = self.estimator._rng  # maybe the user's own, so the object stays
        self.last_epoch = attributes, stream

    def finish(self):
        """Give the estimator what was kept last, with nothing left to do."""
        self.go_back(self.last_epoch)
        del self.estimator._plan

    def go_back(self, point):
        attributes, stream = point
        vars(self.estimator).clear()
        vars(self.estimator).update(attributes)
        if stream is not None:
            self.estimator._rng.set_state(stream)


@contextmanager
def unchanged_on_error(estimator):
    """Give the estimator its attributes back if the block fails.

    Where training was cut short, by Ctrl-C or because it left the numbers, the estimator gets those
    of the last whole epoch.
    """
    attempt = Attempt(estimator)
    try:
        yield attempt
    except (KeyboardInterrupt, NotFiniteError):
        attempt.go_back(attempt.last_epoch)
        raise
    except BaseException:
        attempt.go_back(attempt.before)
        raise
