"""The learning rate from epoch to epoch, by ``learning_rate_schedule``."""

import numpy as np

from crnn._training.listeners import Listener
from crnn._training.stopping import has_stalled

SLOWEST = np.finfo(float).tiny  # share of the learning rate; 0 would be no rate any more


class LearningRate(Listener):
    """Sets the share of ``learning_rate`` that the optimiser takes."""

    def begin_epoch(self, fit):
        model, state = fit.model, fit.optimizer.state
        if model.learning_rate_schedule == "constant":  # also after another schedule
            state["learning_rate_factor"] = 1.0
        if model.learning_rate_schedule == "invscaling":
            factor = float(model.n_iter_ + 1) ** -model.power_t
            state["learning_rate_factor"] = max(factor, SLOWEST)

    def record(self, fit, figures):
        state = fit.optimizer.state
        if fit.model.learning_rate_schedule == "adaptive" and has_stalled(fit.progress):
            state["learning_rate_factor"] = max(state["learning_rate_factor"] / 5, SLOWEST)
