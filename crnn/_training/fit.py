"""One fit: epoch after epoch on a copy of the estimator, until the plan is done."""

from contextlib import ExitStack, contextmanager
from functools import partial

import numpy as np

from crnn._layers import forecast
from crnn._saving.checks import check_fitted
from crnn._saving.snapshot import copied, copy_of, is_learned, snapshot
from crnn._system import memory
from crnn._training.builders import optimizer_of, trainer_of
from crnn._training.listeners import History, Printing
from crnn._training.plan import batch_size_of
from crnn._training.schedule import LearningRate
from crnn._training.scoring import Scoring
from crnn._training.stopping import LossMonitor
from crnn._training.trainer import NotFiniteError


def working_copy(estimator):
    """A copy to train, so that other threads see the estimator as it was until the fit ends."""
    model = copy_of(estimator)
    if hasattr(model, "_training"):
        model._training = copied(model._training)
    return model


class Fit:
    """Trains a working copy of an estimator by its plan, and tells listeners.

    ``trainer`` and ``optimizer`` work in place. Once an epoch ``model`` gets read-only copies of
    what they hold, which all snapshots share.
    """

    def __init__(self, model, samples, validation=None, callbacks=(), *, has_end=True):
        check_fitted(model)  # whose attributes are the user's to change
        self.model, self.samples, self.training = model, samples, model._training
        self.plan, self.progress = self.training["plan"], self.training["progress"]
        self.trainer, self.optimizer = trainer_of(model), optimizer_of(model)
        self.optimizer.continue_from(self.training["optimizer"])
        n = len(samples.weights)
        self.batch_size = batch_size_of(model, n)
        self.n_steps = -(-n // self.batch_size)  # of an epoch
        self.listeners = [  # who records an epoch comes before who looks at it
            Scoring(model, validation, self.trainer.objective.metric),
            History(),
            LossMonitor(),
            LearningRate(has_end),
            *([Printing()] if model.verbose else ()),
            *callbacks,
        ]
        self.whole = self.seen = None  # the last whole epoch; the last that all listeners have seen
        self._require_memory()

    def run(self, estimator):
        """Train to the end of the plan, and give the estimator what came out."""
        with self._giving(estimator), ExitStack() as ends:
            for listener in self.listeners:
                ends.callback(listener.end)
            self._train()
            self.tell("finish", self.whole)

    # Apart from run, since Python 3.12 and 3.13 leave the jump at the end of a loop out of a with
    # statement around it: an interrupt just there would pass by.
    def _train(self):
        """Epoch after epoch, until none is left."""
        if self.tell("begin"):
            self.stop()
        while self.plan["epochs_left"]:
            self.tell("begin_epoch")
            figures = self._train_epoch()
            self.tell("record", figures)
            self.training["optimizer"] = copied(self.optimizer.state)
            self.whole = snapshot(self.model)
            if self.tell("end_epoch", self.whole):
                self.stop()
            self.seen = self.whole
        self.whole = self._finished()

    def tell(self, event, *details):
        """All are told, so that none misses the epoch at which another one stops."""
        return any([getattr(listener, event)(self, *details) for listener in self.listeners])

    def stop(self):
        self.plan["epochs_left"] = 0

    def _train_epoch(self):
        """Train for one epoch; give its loss and metric."""
        n = len(self.samples.weights)
        rng = self.training["rng"]
        order = rng.permutation(n) if self.model.shuffle else np.arange(n)
        try:
            figures = self.trainer.train_epoch(
                *self.samples, order, self.batch_size, self.optimizer, rng,
                partial(self.tell, "begin_step"),
            )  # fmt: skip
        except NotFiniteError as error:
            raise NotFiniteError(
                f"{error} of epoch {self.model.n_iter_ + 1}. Lower learning_rate, set clip_norm, "
                "or scale float series and targets to about unit size. The estimator keeps the "
                "last complete epoch of this fit, if there is one."
            ) from None
        self.model.weights_ = copied(self.trainer.weights)
        self.plan["epochs_left"] -= 1
        self.plan["epochs_done"] += 1
        return figures

    def _finished(self):
        """The model after its last epoch, or with early stopping as it was after the best."""
        if self.plan["best_weights"] is not None:
            self.model.weights_ = self.plan["best_weights"]
            self.training["optimizer"] = self.plan["best_optimizer"]
        self.training["plan"] = None  # nothing is left to do
        return self.model

    @contextmanager
    def _giving(self, estimator):
        """Give the estimator the outcome; after an error, as much of it as is sound.

        After Ctrl-C, or weights that became NaN or infinite, that is the last whole epoch; after
        any other error, such as a full disk, the last that all listeners have seen. So a callback
        that fails at its first call has no effect, and one that fails later does no harm.
        ``resume`` can go on in either case.
        """
        try:
            yield
        except BaseException as error:
            in_training = isinstance(error, (KeyboardInterrupt, NotFiniteError))
            _give(estimator, self.whole if in_training else self.seen)
            raise
        _give(estimator, self.whole)

    def _require_memory(self):
        lengths, itemsize = self.samples.sequences.lengths, np.dtype(self.model.dtype).itemsize
        memory.require(
            forecast.of_batch(lengths, self.batch_size, self.trainer.network, itemsize),
            f"The longest batch of {min(self.batch_size, len(lengths))} samples",
            "Lower batch_size or units, or shorten the sequences.",
        )


def _give(estimator, fitted):
    """Give the estimator what was fitted, in one assignment, which no signal can interrupt."""
    if fitted is not None:
        own = {k: v for k, v in dict(vars(estimator)).items() if not is_learned(k)}
        learned = {k: v for k, v in vars(fitted).items() if is_learned(k)}
        estimator.__dict__ = own | copied(learned, writeable=True)
