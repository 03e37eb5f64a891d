"""What the figures of an epoch decide: how fast to go on, when to stop, which weights to keep."""

from copy import deepcopy

import numpy as np

SLOWEST = np.finfo(float).tiny  # share of the learning rate; 0 would be no rate any more


def new_progress():
    """How the loss has gone so far: the lowest, and how long it has not become lower."""
    return {"best": np.inf, "waited": 0, "n_stalls": 0}


def new_plan(n_epochs, settings, progress):
    """The state of a fit that begins: all that a later call needs to bring it to its end."""
    return {
        "epochs_left": n_epochs,
        "epochs_done": 0,
        "settings": settings,
        "data": None,
        **progress,
        "best_parameters": None,
        "best_optimizer": None,
    }


class Schedule:
    """Learning rate and end of a fit, by the loss: that of the validation data, if there are any.

    An epoch is an improvement if its loss is lower than the lowest before by more than ``tol``.
    The loss has stalled when ``n_iter_no_change`` epochs in a row were none. (The rule of
    scikit-learn's multi-layer perceptron; the best weights are those of the lowest loss.)
    """

    def __init__(self, kind, plan, *, power_t, early_stopping, n_iter_no_change, tol):
        self.kind, self.power_t = kind, power_t
        self.early_stopping, self.n_iter_no_change, self.tol = early_stopping, n_iter_no_change, tol
        self.plan = dict(plan)  # what it holds is replaced, never changed in place

    @property
    def goes_on(self):
        return self.plan["epochs_left"] > 0

    @property
    def progress(self):
        return {name: self.plan[name] for name in new_progress()}

    def stop(self):
        self.plan["epochs_left"] = 0

    def begin(self, epoch, optimizer):
        """Set the learning rate of an epoch, counted from 1."""
        if self.kind == "constant":  # also after another schedule
            optimizer.state["learning_rate_factor"] = 1.0
        if self.kind == "invscaling":
            factor = float(epoch) ** -self.power_t
            optimizer.state["learning_rate_factor"] = max(factor, SLOWEST)

    def end(self, row, parameters, optimizer):
        """Take the figures of an epoch in."""
        plan = self.plan
        plan["epochs_left"] -= 1
        plan["epochs_done"] += 1
        loss = row.get("val_loss", row["loss"])
        improved = loss < plan["best"] - self.tol
        if loss < plan["best"]:
            plan["best"] = loss
            if self.early_stopping:
                plan["best_parameters"] = {name: w.copy() for name, w in parameters.items()}
                plan["best_optimizer"] = deepcopy(optimizer.state)
        if improved:
            plan |= {"waited": 0, "n_stalls": 0}
            return
        plan["waited"] += 1
        if plan["waited"] >= self.n_iter_no_change:
            plan |= {"waited": 0, "n_stalls": plan["n_stalls"] + 1}
            self._stall(optimizer)

    def _stall(self, optimizer):
        adaptive = self.kind == "adaptive"
        if adaptive:
            slower = optimizer.state["learning_rate_factor"] / 5
            optimizer.state["learning_rate_factor"] = max(slower, SLOWEST)
        # A lower rate gets its chance before the end.
        if self.early_stopping and (not adaptive or self.plan["n_stalls"] > 1):
            self.stop()

    def finish(self, parameters, optimizer):
        """Go back to the best epoch, if training was to stop there."""
        if self.plan["best_parameters"] is not None:
            optimizer.state = self.plan["best_optimizer"]
            for name, array in parameters.items():
                array[...] = self.plan["best_parameters"][name]
