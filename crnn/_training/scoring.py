"""Held-out samples, measured after each epoch: loss, metric and scikit-learn's scorers."""

from inspect import signature
from numbers import Real

import numpy as np
from sklearn.metrics import check_scoring

from crnn._saving.snapshot import snapshot
from crnn._training.listeners import Listener


class Scoring(Listener):
    """Measures loss and metric of held-out samples, and the scores that the user asks for."""

    def __init__(self, model, validation, metric):
        self.validation, self.measured = validation, ("loss", metric)
        self.scorers = {
            name: check_scoring(model, scoring=scoring)
            for name, scoring in _named(model.scoring).items()
            if scoring != name or name not in self.measured  # "accuracy" is measured anyway
        }
        self._check_names(self.scorers)

    def record(self, fit, figures):
        if self.validation is None:
            return
        figures |= fit.trainer.evaluate(*self.validation.samples)
        if self.scorers:
            figures |= self._scores(snapshot(fit.model))

    def _scores(self, estimator):
        """Scores by their names in the history."""
        scores, validation = {}, self.validation
        for name, scorer in self.scorers.items():
            score = scorer(estimator, validation.X, validation.y, **_weights(scorer, validation))
            scores |= score if isinstance(score, dict) else {name: score}
        self._check_names(scores)
        return {f"val_{name}": _number(name, score) for name, score in scores.items()}

    def _check_names(self, names):
        for name in names:
            if name in self.measured:
                raise ValueError(
                    f"scoring has a scorer named {name!r}, but history_['val_{name}'] is "
                    "measured by training itself; choose another name, as the key of a dict."
                )


def _named(scoring):
    """``scoring`` as a dict; a single scorer is the "score", as in ``cross_validate``."""
    if isinstance(scoring, str):
        return {scoring: scoring}
    if callable(scoring):
        return {"score": scoring}
    pairs = scoring.items() if isinstance(scoring, dict) else [(_name(s), s) for s in scoring or ()]
    for name, item in pairs:
        if not (isinstance(name, str) and (isinstance(item, str) or callable(item))):
            raise ValueError(
                f"scoring={scoring!r} contains {item!r}; it must contain names or scorers, and the "
                "keys of a dict must be strings."
            )
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError(
            f"scoring={scoring!r} has two scorers of the same name; pass a dict with a name for "
            "each."
        )
    return named


def _name(scoring):
    """A scorer in a list is named after its metric, and a function after itself."""
    function = getattr(scoring, "_score_func", scoring)
    return getattr(function, "__name__", function)


def _weights(scorer, validation):
    """``sample_weight``, if the weights differ and the scorer, or its metric, takes it."""
    if np.ptp(validation.weights) == 0:
        return {}
    takes = signature(getattr(scorer, "_score_func", scorer)).parameters
    return {"sample_weight": validation.weights} if "sample_weight" in takes else {}


def _number(name, score):
    if not isinstance(score, Real):
        raise ValueError(
            f"scoring must return a number for {name!r}, got {score!r}. Return a single float."
        )
    return float(score)
