"""What the figures of an epoch decide: how fast to go on, when to stop, which weights to keep."""

from copy import deepcopy

import numpy as np


def new_plan(n_epochs, n_samples, split_seed):
    """The state of a fit that begins: all that a later call needs to bring it to its end."""
    return {
        "epochs_left": n_epochs,
        "epochs_done": 0,
        "n_samples": n_samples,
        "split_seed": split_seed,
        "best": np.inf,
        "waited": 0,
        "n_stalls": 0,
        "best_parameters": None,
        "best_optimizer": None,
    }


class Schedule:
    """Learning rate and end of a fit, by the loss: that of the validation data, if there are any.

    An epoch is an improvement if its loss is lower than the lowest before by more than ``tol``.
    The loss has stalled when ``n_iter_no_change`` epochs in a row were none.
    """

    def __init__(self, kind, plan, *, power_t, early_stopping, n_iter_no_change, tol):
        self.kind, self.power_t = kind, power_t
        self.early_stopping, self.n_iter_no_change, self.tol = early_stopping, n_iter_no_change, tol
        self.plan = dict(plan)  # what it holds is replaced, never changed in place

    @property
    def goes_on(self):
        return self.plan["epochs_left"] > 0

    def stop(self):
        self.plan["epochs_left"] = 0

    def begin(self, epoch, optimizer):
        """Set the learning rate of an epoch, counted from 1."""
        if self.kind == "invscaling":
            optimizer.state["learning_rate_factor"] = epoch**-self.power_t

    def end(self, row, parameters, optimizer):
        """Take the figures of an epoch in."""
        plan = self.plan
        plan["epochs_left"] -= 1
        plan["epochs_done"] += 1
        loss = row.get("val_loss", row["loss"])
        if loss < plan["best"] - self.tol:
            plan |= {"best": loss, "waited": 0, "n_stalls": 0}
            if self.early_stopping:
                plan["best_parameters"] = {name: w.copy() for name, w in parameters.items()}
                plan["best_optimizer"] = deepcopy(optimizer.state)
            return
        plan["waited"] += 1
        if plan["waited"] == self.n_iter_no_change:
            plan |= {"waited": 0, "n_stalls": plan["n_stalls"] + 1}
            self._stall(optimizer)

    def _stall(self, optimizer):
        adaptive = self.kind == "adaptive"
        if adaptive:
            optimizer.state["learning_rate_factor"] /= 5
        # A lower rate gets its chance before the end.
        if self.early_stopping and (not adaptive or self.plan["n_stalls"] > 1):
            self.stop()

    def finish(self, parameters, optimizer):
        """Go back to the best epoch, if training was to stop there."""
        if self.plan["best_parameters"] is not None:
            optimizer.state = self.plan["best_optimizer"]
            for name, array in parameters.items():
                array[...] = self.plan["best_parameters"][name]
