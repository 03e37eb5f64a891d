"""The learning rate by ``learning_rate_schedule``, from epoch to epoch or from step to step."""

import numpy as np

from crnn._training.listeners import Listener
from crnn._training.stopping import has_stalled

SLOWEST = np.finfo(float).tiny  # share of the learning rate; 0 would be no rate any more


class LearningRate(Listener):
    """Sets the share of ``learning_rate`` that the optimiser takes.

    ``has_end`` tells a fit from a call of ``partial_fit``, of which there may be any number: a rate
    that falls to 0 at the end stays where it is there.
    """

    def __init__(self, has_end=True):
        self.has_end = has_end

    def begin_epoch(self, fit):
        model, state = fit.model, fit.optimizer.state
        if model.learning_rate_schedule in ("constant", "linear"):  # also after another schedule
            state["learning_rate_factor"] = 1.0
        if model.learning_rate_schedule == "invscaling":
            factor = float(model.n_iter_ + 1) ** -model.power_t
            state["learning_rate_factor"] = max(factor, SLOWEST)

    def begin_step(self, fit, number):
        if fit.model.learning_rate_schedule == "linear" and self.has_end:
            done, left = fit.plan["epochs_done"], fit.plan["epochs_left"]
            share = (done + number / fit.n_steps) / (done + left)
            fit.optimizer.state["learning_rate_factor"] = max(1 - share, SLOWEST)

    def record(self, fit, figures):
        state = fit.optimizer.state
        if fit.model.learning_rate_schedule == "adaptive" and has_stalled(fit.progress):
            state["learning_rate_factor"] = max(state["learning_rate_factor"] / 5, SLOWEST)
