"""Constraints on parameters, beyond those of scikit-learn.

They apply to the parameters of estimators, layers and callbacks, and to the contents of pickles and
files.
"""

from collections.abc import Mapping
from math import isfinite
from numbers import Integral, Real

import numpy as np

from crnn._system import sklearn_private as sklearn_constraints


def is_number(value, kind=Real):
    """Whether a value is a number of this kind that fits into a double, and not a boolean."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, kind):
        return False
    try:
        return isfinite(value)
    except OverflowError:  # an int such as 10**400
        return False


class Interval(sklearn_constraints.Interval):
    """scikit-learn's interval, without booleans and numbers that do not fit into a double."""

    def is_satisfied_by(self, val):
        return is_number(val, self.type) and float(val) in self


class ClassWeights(sklearn_constraints.HasMethods):
    """A dict with a number for each class."""

    def __init__(self):
        super().__init__("items")

    def is_satisfied_by(self, val):
        return isinstance(val, Mapping) and all(is_number(weight) for weight in val.values())

    def __str__(self):
        return "a dict of finite numbers by class"


class OneOrSeveral(sklearn_constraints.HasMethods):
    """What a constraint allows, or a list or tuple of such, none of them twice if ``distinct``."""

    def __init__(self, item, *, distinct=False):
        super().__init__("__len__")  # of a kind that scikit-learn knows
        self.item, self.distinct = item, distinct

    def is_satisfied_by(self, val):
        if not isinstance(val, (list, tuple)):
            return self.item.is_satisfied_by(val)
        repeated = self.distinct and len(set(map(str, val))) < len(val)
        return len(val) > 0 and not repeated and all(map(self.item.is_satisfied_by, val))

    def __str__(self):
        several = "several different ones" if self.distinct else "several"
        return f"{self.item}, or {several} in a list or tuple"


class Names(sklearn_constraints.StrOptions):
    """One of the given strings, a function, or a list of these."""

    def is_satisfied_by(self, val):
        items = val if isinstance(val, (list, tuple)) else [val]
        return all(callable(item) or super(Names, self).is_satisfied_by(item) for item in items)

    def __str__(self):
        return f"{super().__str__()}, a function, or a list of these"


def several(value):
    """A parameter of ``OneOrSeveral`` as a tuple."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


RANDOM_STATE = [Interval(Integral, 0, 2**32 - 1, closed="both"), np.random.RandomState, None]
N_JOBS = [Interval(Integral, None, None, closed="neither"), None]
DTYPE = [
    sklearn_constraints.StrOptions({"float32", "float64"}),
    sklearn_constraints.Options(type, {np.float32, np.float64}),
]
SHARE = [Interval(Real, 0, 1, closed="left")]
SIZE = [Interval(Integral, 1, None, closed="left")]
