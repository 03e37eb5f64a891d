"""What the figures of an epoch decide: how fast to go on, when to stop, which weights to keep."""

from copy import deepcopy

import numpy as np


class Schedule:
    """Learning rate and end of a fit, by the loss: that of the validation data, if there are any.

    An epoch is an improvement if its loss is lower than the lowest before by more than ``tol``.
    The loss has stalled when ``n_iter_no_change`` epochs in a row were none.
    """

    def __init__(self, kind, *, power_t, early_stopping, n_iter_no_change, tol):
        self.kind, self.power_t = kind, power_t
        self.early_stopping, self.n_iter_no_change, self.tol = early_stopping, n_iter_no_change, tol
        self.best, self.waited, self.n_stalls = np.inf, 0, 0
        self.snapshot = None

    def begin(self, epoch, optimizer):
        """Set the learning rate of an epoch, counted from 1."""
        if self.kind == "invscaling":
            optimizer.state["learning_rate_factor"] = epoch**-self.power_t

    def end(self, row, parameters, optimizer):
        """Take the figures of an epoch in; returns whether it shall be the last one."""
        loss = row.get("val_loss", row["loss"])
        if loss < self.best - self.tol:
            self.best, self.waited, self.n_stalls = loss, 0, 0
            if self.early_stopping:
                copies = {name: array.copy() for name, array in parameters.items()}
                self.snapshot = copies, deepcopy(optimizer.state)
            return False
        self.waited += 1
        if self.waited < self.n_iter_no_change:
            return False
        self.waited, self.n_stalls = 0, self.n_stalls + 1
        if self.kind != "adaptive":
            return self.early_stopping
        # A lower rate gets its chance before the end.
        optimizer.state["learning_rate_factor"] /= 5
        return self.early_stopping and self.n_stalls > 1

    def finish(self, parameters, optimizer):
        """Go back to the best epoch, if training was to stop there."""
        if self.snapshot is not None:
            copies, optimizer.state = self.snapshot
            for name, array in parameters.items():
                array[...] = copies[name]
