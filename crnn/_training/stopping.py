"""How the loss goes from epoch to epoch: when it has stalled, when to stop, what was best.

An epoch is an improvement if its loss is lower than the lowest before by more than ``tol``. The
loss has stalled when ``n_iter_no_change`` epochs in a row were none. (The rule of scikit-learn's
multi-layer perceptron; the best weights are those of the lowest loss.)
"""

from crnn._saving.snapshot import copied
from crnn._training.listeners import Listener


class LossMonitor(Listener):
    """Follows the loss: that of the validation data, if there are any."""

    def record(self, fit, figures):
        model, progress = fit.model, fit.progress
        loss, best = figures.get("val_loss", figures["loss"]), progress["best"]
        if loss < best:
            progress["best"] = loss
            if model.early_stopping:
                fit.plan["best_weights"] = model.weights_
                fit.plan["best_optimizer"] = copied(fit.optimizer.state)
        if loss < best - model.tol:
            progress |= {"waited": 0, "n_stalls": 0}
            return
        progress["waited"] += 1
        if progress["waited"] >= model.n_iter_no_change:
            progress |= {"waited": 0, "n_stalls": progress["n_stalls"] + 1}
            # A lower rate gets its chance before the end.
            enough = 2 if model.learning_rate_schedule == "adaptive" else 1
            if model.early_stopping and progress["n_stalls"] >= enough:
                fit.stop()


def has_stalled(progress):
    """Whether the last epoch was one too many without improvement."""
    return progress["waited"] == 0 < progress["n_stalls"]
